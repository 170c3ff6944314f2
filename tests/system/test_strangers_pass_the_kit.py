"""Three distributions of strangers, each written with the manual alone, pass the contract kit as installed plugins."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from installed import clean_environment

STRANGERS = Path(__file__).parent / "strangers"
TESTS = """\
import pytest

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.testing.contracts import CheckpointsContract, HistoryContract, PathGuardContract


class TestBucket(CheckpointsContract):
    plugin = "acme-bucket"

    def test_it_keeps_objects_and_no_journal(self, new_kernel, project):
        self.run(new_kernel())
        assert len(list((project / "bucket").iterdir())) == 1
        assert not list(project.rglob("journal.jsonl"))


class TestSqlite(HistoryContract):
    plugin = "acme-sqlite-history"

    def test_it_is_the_only_history(self, new_kernel, project):
        self.run(new_kernel())
        assert (project / "history.sqlite").read_bytes().startswith(b"SQLite format 3")
        assert not list(project.rglob("*execution_log*"))


class TestRule(PathGuardContract):
    plugin = "acme-rule"

    def test_the_rule_holds(self, guard, project):
        (project / "key.pem").write_text("secret")
        for act in (lambda: self.read(guard, "key.pem"), lambda: self.write(guard, "new.PEM", b"")):
            with pytest.raises(PathSecurityError, match="private keys"):
                act()
"""


def installed(site: Path) -> str:
    """Install the distributions as `pip install --editable` does: their metadata, and their folders on the path."""
    folders = [site]
    for path in sorted(STRANGERS.glob("*/pyproject.toml")):
        project = tomllib.loads(path.read_text())["project"]
        info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        points = "".join(f"{name} = {target}\n" for name, target in project["entry-points"]["pamola_tasks"].items())
        (info / "entry_points.txt").write_text(f"[pamola_tasks]\n{points}")
        folders.append(path.parent / "src")
    return os.pathsep.join(map(str, folders))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """How each test of each class ended: `` where it passed, else what was wrong."""
    folder = tmp_path_factory.mktemp("strangers")
    (folder / "test_strangers.py").write_text(TESTS)
    report = folder / "report.xml"
    options = ["-q", "-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider", f"--junitxml={report}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--basetemp", str(folder / "base"), "test_strangers.py"],
        cwd=folder,
        env={**clean_environment(folder / "home"), "PYTHONPATH": installed(folder / "site")},
        capture_output=True,
        check=False,
        timeout=240,
    )
    found: dict[str, dict[str, str]] = {}
    for test in ElementTree.parse(report).iter("testcase"):
        said = "".join(each.get("message", "") for each in test)
        found.setdefault(test.get("classname", "").rpartition(".")[2], {})[test.get("name", "")] = said
    return found


@pytest.mark.parametrize(("cls", "promises"), [("TestBucket", 13), ("TestSqlite", 10), ("TestRule", 13)])
def test_a_stranger_keeps_every_promise(ended: dict[str, dict[str, str]], cls: str, promises: int) -> None:
    """All of its contract, and one test of its own."""
    assert {test: said for test, said in ended[cls].items() if said} == {}
    assert len(ended[cls]) == promises
