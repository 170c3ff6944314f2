"""Operations as functions of a frame: a run in a private folder that is removed when it has ended."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.display import first_page, shortened, table
from pamola_tasks.errors import OperationError, PamolaTaskError, ParameterError, PluginError
from pamola_tasks.kernel import BaseTask, Kernel
from pamola_tasks.protocols import RunOptions

if TYPE_CHECKING:
    from pamola_tasks.outcome import Outcome

_TABLE = "table"
_MOST = 20  # metrics in a text of findings
_OVERRIDES = {"history.anchor": False}  # or the user's own folder would have a note of it


class Findings(Mapping[str, Any]):
    """What a function found: the metrics of its operation, by name."""

    def __init__(self, metrics: Mapping[str, Any], files: Mapping[str, Any], report: Mapping[str, Any]) -> None:
        self._metrics = metrics
        self.files = files  #: the content of JSON files that it wrote, by name
        self.report = report  #: the JSON report of the run
        self.warnings: list[str] = list(report.get("warnings", ()))

    def __getitem__(self, name: str) -> Any:
        return self._metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def __repr__(self) -> str:
        lines = [f"{name}: {shortened(value)}" for name, value in self.items()]
        more = [f"… {len(lines) - _MOST} more"] if len(lines) > _MOST else []
        return "\n".join([*lines[:_MOST], *more, *(f"warning: {text}" for text in self.warnings)])

    def _repr_html_(self) -> str:
        plain = table(("metric", "value"), [(name, shortened(value)) for name, value in self.items()])
        return first_page(_kernel(os.getcwd()), self.report) or plain


class _OneStep(BaseTask):
    """A task of one operation on one frame."""

    def __init__(self, operation: str, parameters: Mapping[str, Any]) -> None:
        super().__init__(operation, "function", operation)
        self._asked = operation, parameters

    def configure_operations(self) -> None:
        operation, parameters = self._asked
        self.add_step(operation, step={"id": operation}, **parameters)


def run_on(frame: Any, operation: str, *, reads: str = "input_dataset", writes: str = "", **parameters: Any) -> Any:
    """Run an operation on a frame as a task would, in a private folder of its own that is removed afterwards.

    Plugins and their choice are those of the project of the current folder; its configuration is not read.

    Args:
        frame: The table.
        operation: The operation's name.
        reads: The parameter that names the dataset it reads.
        writes: The parameter that names the dataset it writes; empty if it writes none.
        **parameters: Its other parameters.

    Returns:
        `Findings`; with `writes`, the table that it wrote and its findings.

    Raises:
        ParameterError: A parameter names a dataset that the frame or the result takes the place of.
        PamolaTaskError: What made the run fail.
    """
    if given := sorted(parameters.keys() & {reads, writes}):
        raise ParameterError(f"{operation}: leave {given[0]!r} out: a function reads its frame and returns the result")
    with tempfile.TemporaryDirectory(prefix="pamola-", ignore_cleanup_errors=True) as folder:
        kernel = Kernel(folder, loaded=_kernel(os.getcwd()).plugins)
        named = {reads: _TABLE, **({writes: "result"} if writes else {})}
        task = _OneStep(operation, {**named, **parameters})
        task.input_datasets = {_TABLE: ""}
        outcome = kernel.run(
            task, options=RunOptions(overrides=_OVERRIDES, datasets={_TABLE: frame}, console=False, quiet=True)
        )
        if outcome.error is not None:
            error = outcome.error
            raise error if isinstance(error, PamolaTaskError | KeyboardInterrupt) else _told(outcome) from error
        findings = _findings(outcome, operation, Path(folder))
        return (outcome.datasets["result"], findings) if writes else findings


def _told(outcome: Outcome) -> OperationError:
    return OperationError(str((outcome.record.error or {}).get("message") or outcome.status))


def _findings(outcome: Outcome, operation: str, root: Path) -> Findings:
    report = json.loads(outcome.report.read_bytes()) if outcome.report is not None else {}
    result = outcome.results[operation]
    written = [artifact for artifact in result.artifacts if artifact.artifact_type == "json"]
    files = {artifact.name: json.loads((root / artifact.path).read_bytes()) for artifact in written}
    return Findings(result.metrics, files, report)


@lru_cache(maxsize=4)
def _kernel(folder: str) -> Kernel:
    """The kernel of a current folder."""
    return Kernel()


def function(name: str) -> Any:
    """A function that a plugin adds (`pamola_add_functions`).

    Raises:
        AttributeError: No plugin adds one of this name.
    """
    missing = f"module 'pamola_tasks' has no attribute {name!r}"
    try:
        added = _kernel(os.getcwd()).contributions("pamola_add_functions", "the function")
        if name in added:
            return added[name]
    except PluginError as error:
        raise AttributeError(f"{missing}, and no plugin could be asked: {error}") from error
    raise AttributeError(f"{missing}; plugins add {', '.join(added) or 'none'}")
