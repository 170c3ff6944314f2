"""The steps of a task and their order, which follows from the datasets that they read and write."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.display import table
from pamola_tasks.errors import PlanError
from pamola_tasks.parameters import build, closest, unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from pamola_tasks.operation import Operation

_STEP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_READ = attrs.Factory(lambda step: step.operation.input_datasets(), takes_self=True)
_WRITTEN = attrs.Factory(lambda step: step.operation.output_datasets(), takes_self=True)


@attrs.frozen(kw_only=True)
class StepOptions:
    """What can be said of a step beside its operation's parameters."""

    id: str | None = None  #: the step's id; the operation's name unless given
    #: overrules keys of the task's `retry` section for this step: `{"max_retries": 0}`
    retry: dict[str, Any] | None = None
    timeout: float | None = None  #: seconds after which an attempt is stopped
    #: resident MiB that an attempt may take, in a process of its own; it is stopped when it takes more
    step_memory_limit_mb: int | None = None
    continue_on_error: bool | None = None  #: overrules the task's `continue_on_error` for this step
    python: str | None = None  #: path of another Python interpreter that makes the attempts


STEP_OPTIONS = tuple(field.name for field in attrs.fields(StepOptions))


@attrs.frozen(kw_only=True, eq=False)
class Step:
    """One operation in a plan."""

    id: str  #: unique in the plan; positions take no part in it, so that inserting a step moves no other's seed
    name: str  #: the operation's name, as it was asked for
    operation: Operation
    options: StepOptions = StepOptions()  #: what is said of it beside its parameters
    distribution: str = ""  #: `name version` of the distribution that the operation comes from, or empty
    reads: tuple[str, ...] = attrs.field(init=False, default=_READ)  #: names of the datasets that it reads
    writes: tuple[str, ...] = attrs.field(init=False, default=_WRITTEN)  #: names of those that it writes


@attrs.frozen(kw_only=True)
class Selection:
    """Which steps of a plan a run is meant for, by id; all unless something is said."""

    first: str | None = None  #: the first step, in the plan's order
    last: str | None = None  #: the last step, in the plan's order
    only: tuple[str, ...] = ()  #: these alone
    skip: tuple[str, ...] = ()  #: all but these

    def __bool__(self) -> bool:
        return bool(self.first or self.last or self.only or self.skip)

    def left_out(self, plan: Plan) -> dict[str, str]:
        """Ids of the steps that are not meant, and why.

        Raises:
            PlanError: A step that was named is not in the plan, or nothing is left.
        """
        ids = plan.step_ids
        for name in (self.first, self.last, *self.only, *self.skip):
            if name is not None and name not in ids:
                raise PlanError(unknown_name(name, ids, "step"))
        before = ids[: ids.index(self.first)] if self.first else ()
        after = ids[ids.index(self.last) + 1 :] if self.last else ()
        others = [step_id for step_id in ids if step_id not in self.only] if self.only else ()
        reasons = dict.fromkeys(self.skip, "left out: --skip")
        reasons |= dict.fromkeys(others, f"left out: not among --only {', '.join(self.only)}")
        reasons |= dict.fromkeys(after, f"left out: after --to {self.last}")
        reasons |= dict.fromkeys(before, f"left out: before --from {self.first}")
        if len(reasons) == len(ids):
            raise PlanError("the selection leaves no step of the plan")
        return {step_id: reasons[step_id] for step_id in ids if step_id in reasons}


class Plan:
    """The steps of a run, in the order in which they run one by one: that in which they were added.

    A step needs the steps that write what it reads. Steps that need nothing of each other may run at the same time.

    Args:
        inputs: Datasets that are there before.
        published: The datasets that are published, where this is a part of another plan.
    """

    def __init__(self, inputs: Iterable[str] = (), published: Iterable[str] | None = None) -> None:
        self.inputs = tuple(inputs)
        self._published = None if published is None else set(published)
        self.deselected: dict[str, str] = {}
        self._steps: dict[str, Step] = {}
        self._writers: dict[str, Step] = {}
        self._readers: dict[str, list[Step]] = {}
        self._numbers: dict[str, Iterator[int]] = {}

    def __repr__(self) -> str:
        lines = [f"{step.id}: {', '.join(step.reads)} → {', '.join(step.writes)}" for step in self]
        return "\n".join([f"<Plan of {len(self)} steps>", *lines[:20], *(["…"] if len(lines) > 20 else [])])

    def _repr_html_(self) -> str:
        rows = [(step.id, step.name, ", ".join(step.reads), ", ".join(step.writes)) for step in self]
        return table(("step", "operation", "reads", "writes"), rows)

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, step_id: str) -> Step:
        if step_id not in self._steps:
            raise PlanError(f"the plan has no step {step_id!r}: it has {', '.join(self._steps) or 'none'}")
        return self._steps[step_id]

    @property
    def step_ids(self) -> list[str]:
        """Ids of all steps, in order."""
        return list(self._steps)

    def add(
        self,
        operation: Operation,
        *,
        name: str = "",
        options: Mapping[str, Any] | StepOptions | None = None,
        distribution: str = "",
        before: str | None = None,
    ) -> Step:
        """Add a step.

        Args:
            operation: Its operation.
            name: What the operation was asked for as.
            options: Those of `StepOptions`.
            distribution: Where the operation comes from.
            before: Id of the step to put it before; at the end unless given.

        Raises:
            PlanError: The id is taken, or the step writes what is an input, written by another step or read by itself.
            ParameterError: The options are wrong.
        """
        name = name or operation.name
        if not isinstance(options, Mapping | StepOptions | None):
            raise PlanError(f"step {name}: its options are a mapping of {', '.join(STEP_OPTIONS)}")
        if not isinstance(options, StepOptions):
            options = build(StepOptions, options or {}, what=f"step {name}")
        step_id = options.id or self._free_id(name)
        step = Step(id=step_id, name=name, operation=operation, options=options, distribution=distribution)
        self._check(step)
        after = [] if before is None else self.step_ids[self.step_ids.index(self[before].id) :]
        self._steps[step.id] = step
        for dataset in step.writes:
            self._writers[dataset] = step
        for dataset in step.reads:
            self._readers.setdefault(dataset, []).append(step)
        for step_id in after:
            self._steps[step_id] = self._steps.pop(step_id)
        return step

    def remove(self, step_id: str, reason: str = "") -> Step:
        """Deselect a step. Steps that need its outputs are then listed by `problems`."""
        step = self[step_id]
        del self._steps[step_id]
        for dataset in step.writes:
            del self._writers[dataset]
        for dataset in step.reads:
            self._readers[dataset].remove(step)
        self.deselected[step_id] = reason
        return step

    def reorder(self, step_ids: Iterable[str]) -> None:
        """Put all steps into this order."""
        ids = list(step_ids)
        if sorted(ids) != sorted(self._steps):
            raise PlanError("a new order has to name every step of the plan once")
        self._steps = {step_id: self._steps[step_id] for step_id in ids}

    def writer_of(self, dataset: str) -> Step | None:
        """The step that writes a dataset; None for inputs."""
        return self._writers.get(dataset)

    def needs(self, step: Step) -> tuple[str, ...]:
        """Ids of the steps that must have ended well before this one can begin."""
        return tuple(dict.fromkeys(self._writers[name].id for name in step.reads if name in self._writers))

    def final_datasets(self, outputs: Collection[str] = ()) -> set[str]:
        """Datasets that are published: those listed, and those that no later step makes another dataset of.

        A step that only looks (a profile of the result, say) does not turn a result into something intermediate.
        """
        return {dataset for step in self for dataset in step.writes if self.is_final(dataset, outputs)}

    def is_final(self, dataset: str, outputs: Collection[str] = ()) -> bool:
        """Whether a dataset that a step writes is one of `final_datasets`."""
        if self._published is not None:
            return dataset in self._published
        return dataset in outputs or not any(reader.writes for reader in self._readers.get(dataset, ()))

    def problems(self, at: Callable[[Step, str, str], str] = lambda step, dataset, message: "") -> list[str]:
        """Why this plan cannot run: datasets without a source, or that are written after they are read.

        `at` puts the place before a message about a dataset that a step names, or gives nothing.
        """
        found = []
        available = set(self.inputs)
        for step in self:
            for dataset in (name for name in step.reads if name not in available):
                writer, meant = self.writer_of(dataset), closest(dataset, available)
                known = f"did you mean {meant!r}?" if meant else ", ".join(sorted(available)) or "none"
                unwritten = f", which is neither an input nor written: {known}"
                why = f" before step {writer.id} writes it" if writer else unwritten
                message = f"step {step.id} reads {dataset!r}{why}"
                found.append(at(step, dataset, message) or message)
            available.update(step.writes)
        return found

    def _free_id(self, name: str) -> str:
        if name not in self._steps and name not in self.deselected:
            return name
        numbered = (f"{name}-{number}" for number in self._numbers.setdefault(name, itertools.count(2)))
        return next(step_id for step_id in numbered if step_id not in self._steps and step_id not in self.deselected)

    def _check(self, step: Step) -> None:
        if not _STEP_ID.fullmatch(step.id):
            raise PlanError(
                f"invalid step id {step.id!r}: use letters, digits, `.`, `_` and `-`, starting with a letter or digit"
            )
        if step.id in self._steps:
            raise PlanError(f"duplicate step id {step.id!r}: set another `id`")
        for dataset in step.writes:
            writes = f"step {step.id} writes {dataset!r}, which"
            if dataset in step.reads:
                raise PlanError(f"{writes} it also reads: give its output another name")
            if dataset in self.inputs:
                raise PlanError(f"{writes} is an input of the task: inputs stay as is")
            if writer := self.writer_of(dataset):
                raise PlanError(f"{writes} step {writer.id} writes already: a dataset is written once")
