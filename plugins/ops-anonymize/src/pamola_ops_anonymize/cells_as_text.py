"""Columns that have to be read as the text that is in the file, whatever the other cells of the column look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RunServices


def read_as_text(run: RunServices, plan: Plan) -> None:
    """Have the columns that a step pseudonymizes read as text: else one cell more would change all pseudonyms.

    A column that another step computes with keeps the type that is found in the file, with a warning; `data_types` says
    otherwise.
    """
    steps = [step for step in plan if hasattr(step.operation, "columns_as_text")]
    computed = (
        {name for step in plan if step not in steps for name in _computed_with(step.operation)} if steps else set()
    )
    for step in steps:
        operation: Any = step.operation
        operation.reads_as_text = {}
        for read in step.reads:
            for dataset in _origins(plan, read):
                _choose(run, step, dataset, operation.columns_as_text(read), computed)


def _choose(run: RunServices, step: Step, dataset: str, named: list[str], computed: set[str]) -> None:
    """Have columns of a dataset read as text for a step."""
    stated = {**run.config.data_types, **(run.config.data_types.get(dataset) or {})}
    columns = [name for name in named if name not in stated]
    wanted = vars(step.operation)["reads_as_text"]
    wanted[dataset] = [*wanted.get(dataset, ()), *(name for name in columns if name not in computed)]
    for name in computed.intersection(columns):
        run.warn(
            f"step {step.id}: {name} is pseudonymized as the type that its column is taken for, since another step"
            f" computes with it: state the type (data_types: {{{dataset}: {{{name}: …}}}}), or other cells of the"
            f" column can change its pseudonyms"
        )


def _computed_with(operation: Any) -> Iterator[str]:
    """Columns that an operation looks at as numbers, dates or categories."""
    for parameter in ("columns", "quasi_identifiers"):
        named = getattr(operation, parameter, None)
        if isinstance(named, list | tuple) and type(operation).__name__ not in ("DropOperation", "MaskOperation"):
            yield from map(str, named)


def _origins(plan: Plan, dataset: str) -> Iterator[str]:
    """The datasets of the task that a dataset comes from."""
    made = {name: step for step in plan for name in step.writes}
    waiting, seen = [dataset], {dataset}
    while waiting:
        name = waiting.pop()
        if name not in made:
            yield name
            continue
        waiting += [read for read in made[name].reads if read not in seen]
        seen.update(made[name].reads)
