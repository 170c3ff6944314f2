"""Files of inputs and columns that steps name and will not have, reported all at once before anything runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.parameters import closest
from pamola_tasks.record import is_address
from pamola_tasks_data.column_lineage import ColumnLineage, Missing
from pamola_tasks_data.origin import input_files, is_output, writer_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RunServices

_LONGEST = 60  # characters of a name in a list of them


def plan_problems(run: RunServices, plan: Plan) -> list[str]:
    """Files and columns that steps name and that will not be there, each with the place that names it, and why.

    What cannot be known is left alone: columns behind a step whose effects are not stated, in a file that cannot be
    read now, or that another task will have written.
    """
    lineage = ColumnLineage.of(run, plan)
    columns = (
        _placed(run, missing.step, missing.column, _column(plan, lineage, missing)) for missing in lineage.missing
    )
    return [*_files(run, plan, lineage.unreadable), *columns]


def _placed(run: RunServices, step: Step, named: str, message: str) -> str:
    """A message about what a step names, with the place where that is written, where the configuration knows it."""
    at = getattr(run.config, "problem_of", lambda *_: "")
    return at(step, named, message) or f"step {step.id}: {message}"


# ---------------------------------------------------------------- files


def _files(run: RunServices, plan: Plan, unreadable: Mapping[str, str]) -> Iterator[str]:
    """Inputs that steps read, and whose file is not there or has no header that can be read."""
    files = input_files(run)
    for name in dict.fromkeys(name for step in plan for name in step.reads if plan.writer_of(name) is None):
        path, key = files.get(name), "input_datasets" if name in run.config.input_datasets else "auxiliary_datasets"
        stated = run.config.get(f"{key}.{name}")
        if is_address(stated) and name not in run.data_source.names():
            scheme = stated.partition(":")[0]
            yield run.config.problem_at((key, name), f"no installed plugin reads {scheme}:// (dataset {name})")
        elif is_address(stated) and name in unreadable:
            yield run.config.problem_at((key, name), unreadable[name])
        if path is None or name in run.options.datasets or (run.dry and is_output(run, path)):
            continue
        if not _is_absent(run, path):
            if name in unreadable:
                yield run.config.problem_at((key, name), unreadable[name])
            continue
        if owner := writer_of(run, path):
            hint = f": run `pamola-task run {owner}` first"
        else:
            hint = f": did you mean {meant}?" if (meant := _near(run, path)) else ""
        yield run.config.problem_at((key, name), f"there is no file {path} (dataset {name}){hint}")


def _is_absent(run: RunServices, path: str) -> bool:
    """Whether there is no such file; of one that cannot be looked at, who reads it says why."""
    try:
        run.files.stat(path)
    except FileNotFoundError:
        return True
    except (PamolaTaskError, OSError):
        return False
    return False


def _near(run: RunServices, path: str) -> str:
    """The file that was probably meant: one of its folder with a name like it."""
    folder, name = os.path.split(path)
    with contextlib.suppress(PamolaTaskError, OSError):
        if meant := closest(name, (each for each, _ in run.files.iter(folder or "."))):
            return os.path.join(folder, meant)
    return ""


# ---------------------------------------------------------------- columns


def _column(plan: Plan, lineage: ColumnLineage, missing: Missing) -> str:
    stated = missing.step.operation.parameters().items()
    role = next((name for name, value in stated if _names(value, missing.column)), None)
    named = f"{missing.column} (named in `{role}`)" if role else missing.column
    return f"{missing.dataset} has no column {named}: {_why(plan, lineage, missing)}"


def _names(stated: object, column: str) -> bool:
    """Whether a parameter names a column, in itself or in what it holds."""
    if isinstance(stated, dict):
        return column in stated or any(_names(value, column) for value in stated.values())
    return stated == column or (isinstance(stated, list | tuple) and any(_names(value, column) for value in stated))


def _why(plan: Plan, lineage: ColumnLineage, missing: Missing) -> str:
    dataset: str | None = missing.dataset
    while dataset is not None and (writer := plan.writer_of(dataset)) is not None:
        before = (name for name in writer.reads if missing.column in lineage.columns.get(name, ()))
        if (had := next(before, None)) is not None:
            return f"step {writer.id} leaves it out of {had}"
        dataset = next(iter(writer.reads), None)
    there = lineage.columns[missing.dataset]
    names = [name if name.isprintable() and len(name) <= _LONGEST else f"{name[:_LONGEST]!r} …" for name in there[:12]]
    listed = f"it has {', '.join(names)}" + (" …" if len(there) > 12 else "")
    if missing.column in (name.strip() for name in there):
        blank = sum(name != name.strip() for name in there)
        return f"{listed}; {blank} of these begin or end with a blank: set data: {{trim: true}}"
    meant = closest(missing.column, there)
    return f"did you mean {meant!r}?" if meant else listed
