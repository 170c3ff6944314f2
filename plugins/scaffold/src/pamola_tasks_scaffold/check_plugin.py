"""The command `check-plugin`: the contract kit, run against a plugin, and what came of it as a certificate."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import attrs
import click

from pamola_tasks.errors import UsageError
from pamola_tasks.parameters import unknown_name
from pamola_tasks.plugins.discovery import normalized, resolve

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, KernelView

KIT = "pamola_tasks.testing.contracts"
GROUP = "pamola_tasks_contracts"  # entry points: for a hook, the contract of what implementations of it bring
SHOWN = {"holds": "holds", "broken": "BROKEN", "skipped": "skipped"}
_MODULE = """\
from pathlib import Path
from pamola_tasks.plugins.discovery import module_from, resolve

PLUGIN = module_from(Path({file!r})) if {file!r} else {name!r}
for number, (contract, members) in enumerate({cases!r}):
    cls = type(f"Test{{number}}", (resolve(contract),), {{"plugin": PLUGIN, **members}})
    globals()[cls.__name__] = cls
"""


@attrs.frozen
class Case:
    """A contract, and what of the plugin is held to it."""

    contract: str  #: `module:Class`
    label: str
    members: dict[str, Any]


@attrs.frozen
class Promise:
    """One test of a contract, and how it ended."""

    subject: str
    test: str
    promise: str
    result: str  #: `holds`, `broken` or `skipped`
    message: str = ""


@click.command("check-plugin")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: CommandLine, name: str, as_json: bool) -> None:
    """Run the contract kit against the plugin NAME: which promises it keeps.

    Needs pytest. Exits 1 if a promise is broken.
    """
    if find_spec("pytest") is None:
        raise UsageError(
            "check-plugin runs the tests of the contract kit, which needs pytest: pip install 'pamola-tasks[dev]'"
        )
    record = _found(cli.kernel, name)
    cases = list(cases_of(cli.kernel, record))
    promises = run_kit(record, cases)
    broken = [promise for promise in promises if promise.result == "broken"]
    left = not_checked(cli.kernel, record)
    versions = {
        "pamola-tasks": metadata.version("pamola-tasks"),
        "kit": str(resolve(f"{KIT}:KIT_API")),
        "python": platform.python_version(),
        "pytest": metadata.version("pytest"),
    }
    if as_json:
        document = {
            "schema": 1,
            "plugin": {"name": record.name, "distribution": record.distribution, "version": record.version},
            "versions": versions,
            "holds": not broken,
            "promises": [attrs.asdict(promise) for promise in promises],
            "not_checked": left,
        }
        cli.out.print_json(document)
    else:
        _show(cli, record, promises, versions, left)
    if broken:
        raise SystemExit(1)


def _found(kernel: KernelView, name: str) -> Any:
    """The plugin of that name, or distribution."""
    plugins: Any = kernel.plugins
    records = list(plugins.records)
    found = next((each for each in records if normalized(name) in each.names), None)
    if found is None:
        raise UsageError(unknown_name(name, sorted(each.name for each in records), "plugin"))
    if found.status != "loaded":
        raise UsageError(f"plugin {found.label} is {found.status}: {found.reason}")
    return found


def cases_of(kernel: KernelView, record: Any) -> Iterator[Case]:
    """The contracts that a plugin is held to: that of plugins, and those of what its hooks bring."""
    yield Case(f"{KIT}:PluginContract", "plugin", {})
    for hook, target in contracts_of(kernel, record).items():
        contract = resolve(target)
        for label, members in contract.cases(kernel, record.name).items():
            yield Case(target, label or getattr(contract, "service", hook), members)


def not_checked(kernel: KernelView, record: Any) -> list[str]:
    """What a plugin brings that has a contract and cannot be made without parameters."""
    contracts = {"pamola_add_operations": "", **contracts_of(kernel, record)}
    found = [hook for hook, target in contracts.items() if not target or not resolve(target).cases(kernel, record.name)]
    return [hook.removeprefix("pamola_add_").replace("_", " ") for hook in found if hook in record.hooks]


def contracts_of(kernel: KernelView, record: Any) -> dict[str, str]:
    """For hooks of a plugin the contract of what it brings by them: the kit's, and those that entry points name."""
    known = {point.name: point.value for point in metadata.entry_points(group=GROUP)}
    for hook in record.hooks:
        service = kernel.plugins.services.get(hook.removeprefix("pamola_provide_"))
        if service is not None and hook.startswith("pamola_provide_") and isinstance(service.protocol, str):
            module, _, protocol = service.protocol.partition(":")
            if module == "pamola_tasks.protocols":
                known.setdefault(hook, f"{KIT}:{protocol}Contract")
    return {hook: known[hook] for hook in record.hooks if hook in known}


def run_kit(record: Any, cases: list[Case]) -> list[Promise]:
    """Run the tests in a process of their own; how each ended, in order."""
    listed = [(case.contract, case.members) for case in cases]
    with tempfile.TemporaryDirectory() as folder:
        module, report = Path(folder, "test_contracts.py"), Path(folder, "report.xml")
        module.write_text(
            _MODULE.format(name=record.name, file=record.file and str(Path(record.file).resolve()), cases=listed)
        )
        options = ["-q", "-c", os.devnull, "--rootdir", folder, "-p", "no:cacheprovider", f"--junitxml={report}"]
        options += ["--tb=short", "--basetemp", str(Path(folder, "base"))]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(module)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            cwd=folder,
        )
        if not report.exists():
            raise UsageError(f"pytest could not run the kit: {done.stdout[-500:]}{done.stderr[-500:]}")
        tests = list(ElementTree.parse(report).iter("testcase"))
    return [_promise(test, cases) for test in tests]


def _promise(test: Any, cases: list[Case]) -> Promise:
    """What a test says."""
    number = re.search(r"Test(\d+)$", test.get("classname", ""))
    if number is None:
        raise UsageError(f"pytest could not collect the kit: {''.join(test.itertext())[-500:]}")
    case, name = cases[int(number[1])], test.get("name")
    about = getattr(resolve(case.contract), name.partition("[")[0]).__doc__ or name
    failed = next((found for kind in ("failure", "error") if (found := test.find(kind)) is not None), None)
    skipped = test.find("skipped")
    result = "broken" if failed is not None else "skipped" if skipped is not None else "holds"
    said = failed if failed is not None else skipped
    message = (said.get("message", "") if said is not None else "").partition("\nassert ")[0].strip()
    variant = f" ({name.partition('[')[2].removesuffix(']')})" if "[" in name else ""
    return Promise(case.label, name, " ".join(about.split()) + variant, result, message[:300])


def _show(cli: CommandLine, record: Any, promises: list[Promise], versions: dict[str, str], left: list[str]) -> None:
    kept = sum(promise.result == "holds" for promise in promises)
    judged = sum(promise.result != "skipped" for promise in promises)
    cli.out.heading(f"{record.label}: {kept} of {judged} promises hold")
    cli.out.note(", ".join(f"{name} {version}" for name, version in versions.items()))
    for subject in dict.fromkeys(promise.subject for promise in promises):
        cli.out.heading(subject)
        for promise in (each for each in promises if each.subject == subject):
            click.echo(f"  {SHOWN[promise.result]:<8}{promise.promise}")
            if promise.result == "broken":
                click.echo(cli.out.visible(f"          {promise.test}: {' '.join(promise.message.split())}"))
    if left:
        cli.out.note(f"not checked, since it takes parameters: {', '.join(left)}; inherit the contract for them")
