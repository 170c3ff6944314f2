"""What is wrong with the hierarchy files that a step names, as far as it shows without the table: before a run."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DataError, PamolaTaskError

from .hierarchy_files import DELIMITERS, read_hierarchy

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices

LIMIT = 1 << 20  # bytes of a file that is read for this


class _NeedsValues(Exception):
    """How a file is divided shows only from the values of its column."""


def problems_of_hierarchies(run: RunServices, step: Step) -> Iterator[str]:
    """Files whose lines differ in length, have one field, or have no level of the number that is asked for."""
    at = getattr(run.config, "problem_of", lambda *named: "")
    for column, dataset in (getattr(step.operation, "hierarchies", None) or {}).items():
        if not isinstance(dataset, str) or run.plan.writer_of(dataset) is not None:
            continue
        level = (getattr(step.operation, "levels", None) or {}).get(column, 1)
        if problem := _problem(run, dataset, column, level):
            yield at(step, dataset, problem) or f"step {step.id}: {problem}"


def _problem(run: RunServices, dataset: str, column: str, level: int) -> str:
    read: Any = getattr(run.data_source, "written_text", None)
    try:
        path = {**run.config.auxiliary_datasets, **run.config.input_datasets}.get(dataset, "")
        if read is None or not path or dataset in run.options.datasets or run.files.stat(path).size > LIMIT:
            return ""
        with run.data_source.open_raw(dataset) as raw:
            file = read(dataset, raw)
    except (PamolaTaskError, OSError):  # the step that reads it says why
        return ""
    if file is None:  # a table
        return ""
    try:
        lines = read_hierarchy(
            file.text, path, column, _needs_values, file.delimiter or DELIMITERS, file.quotechar or '"'
        )
    except DataError as error:
        return str(error)
    except _NeedsValues:
        return ""
    top = max(map(len, lines)) - 1
    levels = f"{path}: the hierarchy of {column} has levels 1 to {top}, and no level {level}"
    return "" if 1 <= level <= top else levels


def _needs_values() -> Set[str]:
    raise _NeedsValues
