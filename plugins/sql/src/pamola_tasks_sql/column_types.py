"""Types that columns had where they were read, for columns whose values a task leaves as they are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pamola_tasks_sql.operations import ReadTableOperation

if TYPE_CHECKING:
    from pamola_tasks.operation import Effect
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_sql.operations import WriteTableOperation


class KeptTypes:
    """The type of each column of the dataset that a step writes into a table, where it is as it was read.

    Columns are followed through the plan, as operations state their effects (`Operation.effects`), when it is called:
    when the step begins, the steps that read tables have ended. What is sent to another process is what it gives then.

    Args:
        run: The run, in the process that drives it.
        operation: The step's operation. Only types of databases of its kind are of use: `postgresql`.
    """

    def __init__(self, run: RunServices, operation: WriteTableOperation) -> None:
        self._run = run
        self._operation = operation

    def __call__(self) -> dict[str, str]:
        return {name: type_ for name, type_ in self._of(self._operation.input_dataset).items() if type_}

    def __reduce__(self) -> tuple[Any, ...]:
        return partial, (dict, self())

    def _of(self, dataset: str) -> dict[str, str]:
        """The type of each column of a dataset, as its database calls it; empty text where its values are others."""
        writer = self._run.plan.writer_of(dataset)
        if writer is None:
            return dict.fromkeys(self._there(dataset), "")
        if isinstance(writer.operation, ReadTableOperation):
            types = self._run.record.metrics.get(writer.id, {}).get("types") or {}
            same = writer.operation.address.scheme == self._operation.address.scheme
            return dict(types) if same else dict.fromkeys(types, "")
        before = {name: self._of(name) for name in writer.reads}
        try:
            effects = writer.operation.effects({name: list(types) for name, types in before.items()}).get(dataset)
        except Exception:  # of code that is not ours: it is not said what becomes of columns
            effects = None
        if effects is None:
            return dict.fromkeys(self._there(dataset), "")
        return {name: _type(list(found), before) for name, found in effects.columns.items()}

    def _there(self, dataset: str) -> list[str]:
        record = self._run.record
        known = {each.name: each.columns for each in (*record.inputs, *record.intermediates, *record.outputs)}
        header = getattr(self._run.data_source, "header", lambda name: None)
        return list(known.get(dataset) or header(dataset) or ())


def _type(effects: list[Effect], before: dict[str, dict[str, str]]) -> str:
    """The type of a column that is another one, unchanged; else empty."""
    if len(effects) != 1 or effects[0].kind != "IDENTITY" or effects[0].masking:
        return ""
    return before.get(effects[0].dataset, {}).get(effects[0].column, "")
