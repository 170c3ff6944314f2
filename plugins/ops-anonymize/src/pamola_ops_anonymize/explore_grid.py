"""Which settings are explored, and the task that measures them."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks import BaseTask
from pamola_tasks.errors import ParameterError, UsageError

from .anonymize import AnonymizeOperation
from .explore import ExplorationOperation, LooksOperation, SettingOperation
from .identifiers import DIRECT, INSENSITIVE, QUASI, SENSITIVE
from .parameter_checks import ROLES

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RunServices

COLLECT = "exploration"
MOST_SETTINGS = 500

_PARAMETERS = dict(zip((QUASI, SENSITIVE, DIRECT, INSENSITIVE), ROLES, strict=True))
_OF_A_RELEASE = {  # which a measurement is not
    "register": False,
    "max_disclosed": 0,
    "max_below_k": 1.0,
    "update": "none",
    "row_id": False,
    "keep_order": False,
}
_OF_THE_TASK = frozenset(("task file", "task class", "command line"))  # layers of the configuration
_NOT_CARRIED = frozenset(
    "task_id task_type task_class description version operations outputs dependencies ops-anonymize".split()
)


@attrs.frozen(kw_only=True)
class Setting:
    """One setting.

    Attributes:
        number: From 1, in the order of the grid; 1 is that of the task.
        label: In words.
        parameters: What it changes of the task's step.
        problem: Why no step can have it.
    """

    number: int
    label: str
    parameters: dict[str, Any]
    problem: str = ""


@attrs.frozen(kw_only=True)
class Grid:
    """What is tried.

    Attributes:
        ks: The k.
        strategies: The strategies.
        suppression: With the strategy `hierarchy`, the limits of suppression.
        roles: For columns, the roles that are tried.
    """

    ks: Sequence[int]
    strategies: Sequence[str]
    suppression: Sequence[float]
    roles: Mapping[str, Sequence[str]] = attrs.Factory(dict)

    def settings(self, operation: AnonymizeOperation) -> list[Setting]:
        """All settings of the grid for this step, the step's own first.

        Raises:
            UsageError: There are too many.
        """
        made = [(label_of(operation), dict[str, Any]())]
        for roles, strategy in itertools.product(self._roles(), self.strategies):
            limits = self.suppression if strategy == "hierarchy" else (0.0,)
            for limit, k in itertools.product(limits, self.ks):
                changed = changes(operation, strategy, k, limit, roles)
                words = [f"{column} {role}" for column, role in roles.items()]
                label = _label(strategy, changed.get("k", operation.k), limit)
                made.append((", ".join([label, *words]), changed))
        distinct: dict[str, tuple[str, dict[str, Any]]] = {}
        for label, changed in made:
            distinct.setdefault(repr(sorted(changed.items())), (label, changed))
        if len(distinct) > MOST_SETTINGS:
            raise UsageError(f"{len(distinct):,} settings are too many to explore at once: try at most {MOST_SETTINGS}")
        return [
            Setting(number=number, label=label, parameters=changed, problem=_problem(operation, changed))
            for number, (label, changed) in enumerate(distinct.values(), start=1)
        ]

    def _roles(self) -> Iterator[dict[str, str]]:
        for chosen in itertools.product(*self.roles.values()):
            yield dict(zip(self.roles, chosen, strict=True))


def changes(
    operation: AnonymizeOperation, strategy: str, k: int, limit: float, roles: Mapping[str, str]
) -> dict[str, Any]:
    """The parameters in which a setting differs from a step; what does not go with its strategy is as by default."""
    wanted: dict[str, Any] = {"k": k, "strategy": strategy, "suppression_limit": float(limit)}
    if strategy != operation.strategy:
        wanted |= {"output": None, "on_real_records": "warn", "exact": False, "recoding": "local"}
        if operation.bounds == "cuts":
            wanted["bounds"] = "rounded"
        if strategy == "suppression":
            wanted |= {"hierarchies": {}, "ranges": {}}
    for column, role in roles.items():
        for other, parameter in _PARAMETERS.items():
            named = list(wanted.get(parameter, getattr(operation, parameter)))
            if role == other and column not in named:
                wanted[parameter] = [*named, column]
            elif role != other and column in named:
                wanted[parameter] = [name for name in named if name != column]
        for parameter in ("hierarchies", "ranges", "weights") if role != QUASI else ():
            stated = wanted.get(parameter, getattr(operation, parameter))
            if column in stated:
                wanted[parameter] = {name: value for name, value in stated.items() if name != column}
    return {name: value for name, value in wanted.items() if value != getattr(operation, name)}


def with_changes(operation: Any, changed: Mapping[str, Any]) -> AnonymizeOperation:
    """The same step with other parameters."""
    made: AnonymizeOperation = attrs.evolve(operation, **changed)
    return made


def label_of(operation: AnonymizeOperation) -> str:
    """A step's own setting in words."""
    return f"{_label(operation.strategy, operation.k, operation.suppression_limit)} (as it is)"


def _label(strategy: str, k: int, limit: float) -> str:
    return f"{strategy}, k = {k}" + (f", up to {100 * limit:g} % suppressed" if limit else "")


def _problem(operation: AnonymizeOperation, changed: Mapping[str, Any]) -> str:
    try:
        with_changes(operation, changed)
    except ParameterError as error:
        return str(error)
    return ""


def step_to_explore(plan: Plan, name: str | None, task: str) -> Step:
    """The step of a plan that anonymizes.

    Raises:
        UsageError: There is none, or there are several and none of them is named.
    """
    found = [step for step in plan if step.name == "AnonymizeOperation"]
    if not found:
        raise UsageError(f"{task} has no step with AnonymizeOperation: there is nothing to explore")
    chosen = [step for step in found if name is None or step.id == name]
    if len(chosen) != 1:
        listed = ", ".join(step.id for step in found)
        raise UsageError(f"--step: name the step of {task} to explore, one of {listed}")
    return chosen[0]


def steps_before(plan: Plan, step: Step) -> list[Step]:
    """The steps that make what a step reads, in order.

    Raises:
        UsageError: One of them releases something or spends a privacy budget, which an exploration must not.
    """
    needed, before = set(step.reads), list[Any]()
    for each in reversed([*plan]):
        if each.id != step.id and needed & set(each.writes):
            before.insert(0, each)
            needed |= set(each.reads)
    for each in before:
        if each.name == "AnonymizeOperation" or hasattr(each.operation, "budget"):
            raise UsageError(
                f"{step.id} reads what {each.id} releases, and an exploration releases nothing: explore a task that"
                f" reads the table which was released"
            )
    return before


class ExploreTask(BaseTask):
    """The task that measures all settings; it has folders, checkpoints, a history and reports of its own.

    Args:
        run: The task that is explored, configured.
        step: The step that anonymizes.
        settings: What is tried.
    """

    def __init__(self, run: RunServices, step: Step, settings: Sequence[Setting]) -> None:
        config, self._step, self._settings = run.config, step, settings
        self._before = steps_before(run.plan, step)
        super().__init__(f"explore-{config.task_id}", "exploration", f"Explore settings of {config.task_id}")
        self._carried = _carried(config)
        if not self._before:  # what settings gave stays, so that others can be tried beside them
            self._carried["checkpoints"] = {**self._carried.get("checkpoints", {}), "keep_intermediate": True}

    def get_default_config(self) -> dict[str, Any]:
        """What the task that is explored says of its data."""
        return self._carried

    def configure_operations(self) -> None:
        """The steps before, what columns look like, each setting, and all of them together."""
        for step in self._before:
            self.add_operation(step.name, step={"id": step.id}, **step.operation.parameters())
        operation: Any = self._step.operation
        looks: dict[str, str] = {}
        measured, told = [], []
        for setting in self._settings:
            facts: dict[str, Any] = {"number": setting.number, "label": setting.label, "changes": setting.parameters}
            if setting.problem:
                told.append(facts | {"problem": setting.problem})
                continue
            asked = with_changes(operation, {**setting.parameters, **_OF_A_RELEASE})
            given = {name: value for name, value in asked.parameters().items() if name != "output_dataset"}
            roles = repr([given[parameter] for parameter in (*ROLES, "person")])
            if roles not in looks:
                looks[roles] = f"looks_{_short(roles)}"
                plain = {"k": 2, "input_dataset": asked.input_dataset, "person": asked.person}
                plain |= {parameter: given[parameter] for parameter in ROLES}
                self.add_operation(
                    LooksOperation, step={"id": looks[roles]}, output_dataset=looks[roles], register=False, **plain
                )
            dataset = _name_of(setting)
            self.add_operation(
                SettingOperation, step={"id": dataset}, output_dataset=dataset, looks=looks[roles], **given
            )
            measured.append(dataset)
            told.append(facts | {"dataset": dataset})
        about = f"Settings of {self._step.id} by risk and loss: not to be released"
        self.add_operation(ExplorationOperation, step={"id": COLLECT}, measured=measured, settings=told, about=about)


def _name_of(setting: Setting) -> str:
    """The same for the same setting, whatever else is tried."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", setting.label.partition(" (")[0].partition("%")[0]).strip("_").lower()
    return f"{plain[:40]}_{_short(repr(sorted(setting.parameters.items())))}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _carried(config: Any) -> dict[str, Any]:
    """What was set for a task, and not for the whole project or this machine."""
    values = config.to_dict()
    stated = {key.partition(".")[0] for key, origin in config.origins().items() if origin.layer in _OF_THE_TASK}
    always = {"input_datasets", "auxiliary_datasets", "data_types"}
    return {key: values[key] for key in sorted((stated | always) - _NOT_CARRIED) if key in values}
