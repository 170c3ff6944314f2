"""The contract kit passes good toys of every service, and names the promise that a toy with a planted fault breaks."""

from __future__ import annotations

import collections
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.protocols.services import SERVICE_TABLE

HERE = Path(__file__).parent / "contracts"
ALL = PLANTED = sorted(path.stem for path in HERE.glob("planted_*.py"))
if not os.environ.get("PAMOLA_FUZZ"):  # all of them take fifteen seconds of CPU
    PLANTED = PLANTED[:1]


class Results:
    """Keeps how each test of a run inside this one ended, and leaves out what faults are not there for."""

    def __init__(self) -> None:
        self.passed: dict[str, bool] = {}
        self.told: dict[str, str] = {}
        self.wanted: dict[str, bool] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """A good toy passes everything; a fault is caught by the test that it names."""
        items[:] = [i for i in items if getattr(i.cls, "caught_by", None) in (None, i.originalname)]
        self.wanted = {item.nodeid: not hasattr(item.cls, "caught_by") for item in items}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """How one ended."""
        if report.when == "call" or not report.passed:
            self.passed[report.nodeid] = self.passed.get(report.nodeid, True) and not report.failed
            self.told[report.nodeid] = str(report.longrepr)[-1500:]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All contracts with all toys, in one run of pytest within this one."""
    found = Results()
    folder = tmp_path_factory.mktemp("kit")
    options = [
        "-q",
        "--tb=short",
        "-c",
        os.devnull,
        "--rootdir",
        str(HERE),
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
    ]
    files = [str(HERE / f"{name}.py") for name in PLANTED]
    with pytest.MonkeyPatch.context() as changed:
        changed.delenv("PYTEST_ADDOPTS", raising=False)
        pytest.main([*options, "--basetemp", str(folder / "base"), *files], plugins=[found])
    return found


@pytest.mark.parametrize("module", PLANTED)
def test_good_toys_pass_and_each_planted_fault_is_caught_by_name(results: Results, module: str) -> None:
    """A fault is a class with the test that catches it; it fails there, and a good toy nowhere."""
    mine = {name: wanted for name, wanted in results.wanted.items() if name.startswith(f"{module}.py::")}
    wrong = {name: results.told.get(name, "") for name, wanted in mine.items() if results.passed.get(name) != wanted}
    assert mine
    assert not wrong, "\n".join(f"{name}\n{told}" for name, told in wrong.items())


def test_every_service_has_a_contract_and_four_faults_at_least() -> None:
    """In all modules of toys, also in those that only a long run tries; each names a test that exists."""
    found = [vars(import_module(f"contracts.{name}")) for name in ALL]
    classes = {name: cls for module in found for name, cls in module.items() if name.startswith("TestFault_")}
    faults = collections.Counter(cls.service for cls in classes.values())
    services = {row[0] for row in SERVICE_TABLE} | {"tables"}
    assert {service: faults[service] for service in services if faults[service] < 4} == {}
    for cls in classes.values():
        assert hasattr(cls, cls.caught_by), f"{cls.__name__} names a test that is not there"


def test_the_library_for_tests_needs_no_pytest() -> None:
    """Only the contracts do."""
    said = "import sys, pamola_tasks.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0
