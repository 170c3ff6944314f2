"""From which columns those of a dataset follow, as operations state it, as the facet `columnLineage` has it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from openlineage.client import facet_v2 as facets

from pamola_tasks import Effect, Effects
from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.operation import Direct

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import DatasetRecord

_DIRECT = get_args(Direct)
_WORTH_READING = 16 << 20  # bytes of a file that is read for the types of its columns alone
_TYPES_IN_FRONT = ("parquet", "memory")  # formats that say them without their rows


class ColumnEdges:
    """The columns of a run's datasets, and the edges between them.

    Args:
        run: The run.
    """

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._names: dict[str, Sequence[str]] = {}
        self._types: dict[str, Mapping[str, str]] = {}

    def names(self, record: DatasetRecord) -> Sequence[str]:
        """The columns of a dataset, as its file or its record has them; empty where neither does."""
        if record.name not in self._names:
            header = getattr(self._run.data_source, "header", lambda name: None)
            found = record.columns if record.step else None
            found = found or header(record.name) or record.columns
            if not found:
                return ()
            self._names[record.name] = [str(column) for column in found]
        return self._names[record.name]

    def types(self, record: DatasetRecord) -> Mapping[str, str]:
        """The types of a dataset's columns, as they are in memory once read; empty where it takes a large file."""
        if record.name not in self._types:
            source, small = self._run.data_source, record.bytes is not None and record.bytes <= _WORTH_READING
            found: Mapping[str, str] = {}
            if (small or record.format in _TYPES_IN_FRONT) and source.has_dataset(record.name):
                with contextlib.suppress(PamolaTaskError):  # which a step that reads it reports
                    found = source.schema(record.name)
            self._types[record.name] = {str(column): str(kind) for column, kind in found.items()}
        return self._types[record.name]

    def of(
        self, step: Step, known: Mapping[str, DatasetRecord], identity: Callable[[str], tuple[str, str]]
    ) -> dict[str, Any]:
        """What makes the facet of each dataset that a step wrote, given a producer; none where nothing is stated."""
        columns = {name: self.names(known[name]) for name in step.reads if name in known}
        if len(columns) < len(step.reads) or not all(columns.values()):
            return {}
        try:
            stated = dict(step.operation.effects(columns))
        except Exception as error:  # of code that is not ours, which did its work all the same
            self._run.warn(f"step {step.id}: its effects cannot be stated: {type(error).__name__}")
            return {}
        written = [name for name in step.writes if name in known and name in stated]
        return {name: _facet(stated[name], self.names(known[name]), identity) for name in written}

    def copied(self, record: DatasetRecord, place: tuple[str, str]) -> Any:
        """What makes the facet of a dataset that a step copied from elsewhere."""
        same = {name: [Effect(dataset=record.name, column=name)] for name in record.columns or ()}
        return _facet(Effects(columns=same), record.columns or (), lambda _: place)


def _facet(effects: Effects, there: Collection[str], identity: Callable[[str], tuple[str, str]]) -> Any:
    lineage = facets.column_lineage_dataset

    def field(effect: Effect) -> Any:
        kind = "DIRECT" if effect.kind in _DIRECT else "INDIRECT"
        how = lineage.Transformation(type=kind, subtype=effect.kind, masking=effect.masking)
        return lineage.InputField(*identity(effect.dataset), effect.column, transformations=[how])

    columns = {name: found for name, found in effects.columns.items() if not there or name in there}
    return lambda producer: lineage.ColumnLineageDatasetFacet(
        fields={name: lineage.Fields(inputFields=[*map(field, found)]) for name, found in columns.items()},
        dataset=[*map(field, effects.whole)],
        producer=producer,
    )
