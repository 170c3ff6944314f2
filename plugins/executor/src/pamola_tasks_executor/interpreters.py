"""Other Python interpreters that steps run in: which one, whether it may be used, and what is installed there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import attrs

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.storage.trust import believe
from pamola_tasks_executor.interpreter_errors import (
    InterpreterCrashed,
    InterpreterError,
    InterpreterGarbage,
    InterpreterMissing,
    InterpreterSilent,
    InterpreterTooOld,
)
from pamola_tasks_executor.settings import stated_interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RunServices

OLDEST = (3, 9)
_ASKING = 60.0  # seconds that an interpreter may take to say what is installed
_LOCKS = ("executor", "executor.python")
# Older interpreters than ours have to understand this.
_QUESTION = """\
import json, platform, sys
found = {}
if sys.version_info >= (3, 8):
    from importlib.metadata import distributions
    for each in distributions():
        found.setdefault(str(each.metadata["Name"]), str(each.version))
said = [platform.python_implementation(), list(sys.version_info[:3]), found]
sys.stdout.write("\\npamola " + json.dumps(said) + "\\n")
"""


@attrs.frozen
class Environment:
    """What an interpreter is, and the distributions that it finds."""

    implementation: str  #: such as `CPython`
    version: tuple[int, ...]
    distributions: dict[str, str]  #: versions by name

    @property
    def python(self) -> str:
        """Implementation and version."""
        return f"{self.implementation} {'.'.join(map(str, self.version))}"

    def parts(self) -> dict[str, str]:
        """What of it belongs to the fingerprint of a step."""
        parts = {"Python of the step's interpreter": self.python}
        libraries = sorted(self.distributions.items())
        return parts | {f"{name} of the step's interpreter": version for name, version in libraries}


_known: WeakKeyDictionary[Any, dict[str, Environment]] = WeakKeyDictionary()
_asking = threading.Lock()


def resolved(run: RunServices, python: str) -> Path:
    """The path of an interpreter that may be used.

    Its folder has to be in the project or in one of the folders that `allowed_external_paths` adds. The program, which
    may be a link of a venv, its folder and `pyvenv.cfg` must be such that other users cannot change them.

    Raises:
        PathSecurityError: It is somewhere else.
        UntrustedError: Others can change it.
        InterpreterMissing: There is no program.
    """
    path = Path(os.path.normpath(run.files.root / python))
    missing = f"executor.python: there is no program {python!r}: create the venv, or correct the path"
    try:
        run.files.stat(str(path.parent))
    except PathSecurityError as error:
        raise PathSecurityError(
            f"executor.python: {python!r} is outside the project: add its folder to allowed_external_paths, with"
            f" allow_external: true ({error})"
        ) from error
    except OSError as error:
        raise InterpreterMissing(missing) from error
    if not path.is_file() or not os.access(path, os.X_OK):
        raise InterpreterMissing(missing)
    for file in (path, path.parent, path.parent.parent / "pyvenv.cfg"):
        if file.exists():
            believe(file)
    return path


def environment_of(run: RunServices, python: str) -> Environment:
    """What is installed in an interpreter, asked once a run; errors are those of `resolved` and `_ask`."""
    with _asking:
        known = _known.setdefault(run, {})
        if python not in known:
            known[python] = _ask(resolved(run, python), python)
        return known[python]


def _ask(path: Path, python: str) -> Environment:
    """Ask an interpreter what it is."""
    from pamola_tasks_executor.messages import command, environment

    name = f"the interpreter {python}"
    try:
        said = subprocess.run(
            command(path, "-c", _QUESTION),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            timeout=_ASKING,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise InterpreterSilent(f"{name} did not say within {_ASKING:.0f} s what it is") from error
    except OSError as error:
        raise InterpreterMissing(f"{name} cannot be started: {error.strerror or type(error).__name__}") from error
    lines = said.stdout.decode("utf-8", "replace").splitlines()
    answer = next((line.removeprefix("pamola ") for line in reversed(lines) if line.startswith("pamola ")), "")
    if said.returncode:
        how = f"ended with exit code {said.returncode}"
        raise InterpreterCrashed(f"{name} {how} when it was asked for its version: is it a Python of 3.9 or newer?")
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        implementation, version, distributions = json.loads(answer)
        version = tuple(int(number) for number in version)
        if version < OLDEST:
            is_old = f"{name} is Python {'.'.join(map(str, version))}"
            raise InterpreterTooOld(f"{is_old}; steps need {'.'.join(map(str, OLDEST))} or newer there")
        found = {str(name): str(version) for name, version in distributions.items()}
        return Environment(str(implementation), version, found)
    raise InterpreterGarbage(f"{name} did not say what it is: it is not a Python interpreter")


def objections(run: RunServices, plan: Plan) -> Iterator[str]:
    """Why steps of a plan cannot run in the interpreters that they name."""
    locks = [name for name in getattr(run.config, "locked", ()) if name in _LOCKS]
    settings: Any = run.config.plugin("executor")
    for step in plan:
        if locks and step.options.python not in (None, getattr(settings, "python", None)):
            place = run.config.origins()["locked"].place
            yield f"step {step.id}: python is locked by {place} ({locks[0]}): only the project file may set it"
        elif python := stated_interpreter(settings, step):
            if sys.platform == "win32":
                yield f"step {step.id}; another interpreter (python) cannot be used on Windows: leave it out"
                continue
            try:
                environment_of(run, python)
            except InterpreterError as error:
                yield f"step {step.id}: {error} [{error.code}]"


def fingerprint_parts(run: RunServices, step: Step) -> dict[str, str]:
    """What a step's results also follow from: the interpreter that it runs in, and what is installed there."""
    python = stated_interpreter(run.config.plugin("executor"), step)
    return environment_of(run, python).parts() if python else {}


def facts(run: RunServices) -> dict[str, Any]:
    """The interpreters of a run for its report: by path what they are, which steps ran there, and the libraries."""
    steps: dict[str, list[str]] = {}
    for step in run.plan:
        if python := stated_interpreter(run.config.plugin("executor"), step):
            steps.setdefault(python, []).append(step.id)
    known = _known.get(run, {})
    return {
        "interpreters": [
            {"interpreter": python, "python": known[python].python, "steps": ", ".join(names)}
            for python, names in steps.items()
            if python in known
        ],
        "libraries": [
            {"interpreter": python, "distribution": name, "version": version}
            for python in steps
            if python in known
            for name, version in sorted(known[python].distributions.items())
        ],
    }
