"""Columns through a plan, as operations state it: what follows from which, and which that steps name are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

import attrs

from pamola_tasks import Effect, Effects, Operation
from pamola_tasks.operation import Direct
from pamola_tasks.protocols import ReportSection

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RunServices

_DIRECT = get_args(Direct)  # the later ones change more of a value


@attrs.frozen
class Missing:
    """A column that a step names, and a dataset does not have."""

    step: Step
    dataset: str
    column: str


class _NotReadable(LookupError):
    """The columns of a dataset were asked for of which the header cannot be read."""


class _Known(dict[str, list[str]]):
    """The columns of datasets that can be read."""

    def __missing__(self, name: str) -> list[str]:
        raise _NotReadable(name)


@attrs.frozen
class ColumnLineage:
    """What each dataset and artifact follows from, in columns of the inputs.

    A step whose effects are not stated ends the chain: what it writes counts as an input of which nothing is known. So
    does a step that reads no dataset, such as one that copies a table from elsewhere; once it has run, its columns are
    known.
    """

    columns: dict[str, list[str]] = attrs.Factory(dict)  #: by dataset, where they are known
    written: dict[str, Effects] = attrs.Factory(dict)  #: by what is written
    missing: list[Missing] = attrs.Factory(list)
    unreadable: dict[str, str] = attrs.Factory(dict)  #: why tables that steps read cannot be read, by dataset

    @classmethod
    def of(cls, run: RunServices, plan: Plan) -> ColumnLineage:
        """Follow the columns of the inputs that can be known without reading their rows."""
        found = cls()
        if all(type(step.operation).effects is Operation.effects for step in plan):
            return found  # not even the inputs are opened
        header = getattr(run.data_source, "header", lambda name: None)
        for name in dict.fromkeys(name for step in plan for name in step.reads if plan.writer_of(name) is None):
            if (names := header(name)) is not None:
                found.columns[name] = names
        refused: dict[str, str] = getattr(run.data_source, "unreadable", {})
        left = {each.name: each.columns for each in (*run.record.intermediates, *run.record.outputs) if each.columns}
        for name in (name for step in plan if not step.reads for name in step.writes if name in left):
            found.columns[name] = list(left[name] or ())
        for step in plan:
            if found.columns.keys() | refused.keys() >= set(step.reads):
                found._follow(step, run, refused)
        return found

    def _follow(self, step: Step, run: RunServices, refused: Mapping[str, str]) -> None:
        known = _Known({name: self.columns[name] for name in step.reads if name in self.columns})
        try:
            stated = dict(step.operation.effects(known))
        except _NotReadable as error:  # what is not asked for need not be a table, such as a hierarchy
            self.unreadable.update({name: refused[name] for name in error.args if name in refused})
            return
        except Exception as error:  # of code that is not ours: the step itself may well run
            run.warn(f"step {step.id}: its effects cannot be stated: {type(error).__name__}")
            return
        named = ((effect.dataset, effect.column) for effects in stated.values() for effect in _all(effects))
        needed = (pair for effects in stated.values() for pair in effects.needs)
        for dataset, column in dict.fromkeys([*needed, *named]):
            if column not in self.columns.get(dataset, (column,)):
                self.missing.append(Missing(step, dataset, column))
        for name, effects in stated.items():
            self.written[name] = self._from_inputs(effects)
            if name in step.writes:
                self.columns[name] = list(effects.columns)

    def _from_inputs(self, effects: Effects) -> Effects:
        read = {effect.dataset for effect in _all(effects)}
        of_rows = [effect for name in sorted(read & self.written.keys()) for effect in self.written[name].whole]
        return attrs.evolve(
            effects,
            columns={name: self._resolved(found) for name, found in effects.columns.items()},
            whole=_merged([*self._resolved(effects.whole), *of_rows]),
        )

    def _resolved(self, effects: Iterable[Effect]) -> tuple[Effect, ...]:
        return _merged(below for effect in effects for below in self._below(effect))

    def _below(self, effect: Effect) -> Iterator[Effect]:
        before = self.written.get(effect.dataset)
        if before is None:
            yield effect
            return
        for below in before.columns.get(effect.column, ()):
            masking = below.masking or effect.masking
            yield attrs.evolve(below, kind=_after(below.kind, effect.kind), masking=masking)


def _all(effects: Effects) -> Iterator[Effect]:
    yield from effects.whole
    for found in effects.columns.values():
        yield from found


def _after(first: Any, then: Any) -> Any:
    """The kind of two effects one after the other: what only decides on values does so whatever happened before."""
    if then not in _DIRECT:
        return then
    return max(first, then, key=_DIRECT.index) if first in _DIRECT else first


def _merged(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """Each effect once: one that two ways lead to hides values only where both of them do."""
    found: dict[tuple[str, str, str], Effect] = {}
    for effect in effects:
        key = effect.dataset, effect.column, effect.kind
        found[key] = attrs.evolve(effect, masking=effect.masking and (key not in found or found[key].masking))
    return tuple(found.values())


def column_lineage(run: RunServices) -> ReportSection | None:
    """From which columns of the inputs each column of what the run left follows, and how."""
    if "data_source" not in vars(run) or "plan" not in vars(run):  # a run that failed early
        return None
    left: dict[str, Any] = {each.name: each for each in run.record.artifacts}
    left |= {each.name: each for each in run.record.outputs}
    facts: dict[str, Any] = {}
    for name, effects in ColumnLineage.of(run, run.plan).written.items():
        if name not in left:  # an intermediate dataset, or a step that did not get so far
            continue
        there = getattr(left[name], "columns", None)
        columns = {column: found for column, found in effects.columns.items() if there is None or column in there}
        told = {column: [attrs.asdict(effect) for effect in found] for column, found in columns.items()}
        facts[name] = {"columns": told, "whole": [attrs.asdict(effect) for effect in effects.whole]}
    return ReportSection(title="Column lineage", key="column_lineage", facts=facts) if facts else None
