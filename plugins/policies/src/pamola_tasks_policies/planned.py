"""Columns that a plan's tables will have, as far as that follows from headers of inputs and from effects of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pamola_tasks.operation import Effects
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import RunServices


def planned_columns(run: RunServices, plan: Plan) -> dict[str, list[str]]:
    """The columns that each dataset of a plan is sure to have, by dataset; one that is missing here is not known.

    Columns that a step may leave out, depending on what their values look like, are not among them, nor are those that
    follow from such columns.
    """
    header = getattr(run.data_source, "header", lambda name: None)
    known: dict[str, list[str]] = {}  # all columns, also those that are not sure
    sure: dict[str, list[str]] = {}
    for step in plan:
        for name in step.reads:
            if name not in known and plan.writer_of(name) is None and (names := header(name)) is not None:
                known[name] = sure[name] = list(names)
        try:
            stated = dict(step.operation.effects({name: known[name] for name in step.reads if name in known}))
        except Exception:  # of code that is not ours, or for want of a dataset's columns: not known
            stated = {}
        for name, effects in stated.items():
            if name in step.writes:
                known[name] = list(effects.columns)
                sure[name] = [column for column in effects.columns if _stays(column, effects, known, sure)]
    return sure


def _stays(column: str, effects: Effects, known: dict[str, list[str]], sure: dict[str, list[str]]) -> bool:
    """Whether a column is sure to be written."""
    if column in effects.optional:
        return False
    sources = [each for each in effects.columns[column] if each.column in known.get(each.dataset, ())]
    return all(each.column in sure.get(each.dataset, ()) for each in sources)
