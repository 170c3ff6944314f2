"""Minimality: what a release says to an attacker who knows the algorithm, by running it again.

R. C.-W. Wong, A. W.-C. Fu, K. Wang and J. Pei: Minimality attack in privacy preserving data publishing, VLDB 2007. The
attacker knows everyone's quasi-identifiers and the settings, and so who is in which class. Two persons of a class have
different sensitive values, and the attacker asks which of them has which: the table is anonymized both ways, and what
does not lead to the class as published is ruled out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataRefused, ParameterError

from .asked_models import promise_of
from .domains import Ints
from .measures import Grouping
from .privacy_models import registered_models
from .release import anonymized
from .ties import in_a_trial

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

RECORDS, LEAST = 500_000, 10
"""So many records are anonymized again altogether, or so many pairs are tried where that is more."""


@attrs.frozen(eq=False)
class Made:
    """A release that the settings made.

    Attributes:
        classes: Of each record of the table the class, -1 if suppressed.
        written: Of each class its cells, and how often each combination of sensitive values is in it.
    """

    classes: Ints
    written: list[tuple[Any, ...]]

    def of(self, record: int) -> tuple[Any, ...] | None:
        """What is written of the class of a record."""
        place = int(self.classes[record])
        return None if place < 0 else self.written[place]


@attrs.frozen
class Excluded:
    """What was found.

    Attributes:
        attempts: How many pairs of persons were tried.
        right: How often the attacker was right about which of two has which value.
        excluded: How often one of the two ways was ruled out.
        runs: How often the table was anonymized.
    """

    attempts: int
    right: int
    excluded: int
    runs: int


def made_by(ctx: OperationContext, dataset: str, original: str, quasi: list[str], sensitive: list[str]) -> Any:
    """The AnonymizeOperation of the task that makes a release.

    Args:
        ctx: The attack.
        dataset: The release.
        original: The table that is attacked.
        quasi: The attack's quasi-identifiers.
        sensitive: Its sensitive attributes.

    Raises:
        ParameterError: There is none, or it does what cannot be repeated.
    """
    asks = "AttackOperation: `attacks: [minimality]` anonymizes the table again"
    found = [each for each in ctx.run.plan if dataset in each.writes and each.name == "AnonymizeOperation"]
    if not found:
        raise ParameterError(f"{asks}: the step that makes {dataset} has to be an AnonymizeOperation of the same task")
    operation: Any = found[0].operation
    if operation.input_dataset != original:
        raise ParameterError(f"{asks}, which is {operation.input_dataset}: name it in `original_dataset`")
    for role, named in (("quasi_identifiers", quasi), ("sensitive_attributes", sensitive)):
        absent = [name for name in getattr(operation, role) if name not in named]
        if absent:
            raise ParameterError(f"{asks}: name {', '.join(absent)} in `{role}`, as the step that makes {dataset} does")
    if not operation.sensitive_attributes:
        raise ParameterError(f"{asks} with other sensitive values: {dataset} has no `sensitive_attributes`")
    for name, plain in (("population", None), ("update", "none")):
        if getattr(operation, name) != plain:
            raise ParameterError(f"{asks}, which is not possible where {dataset} is made with `{name}`")
    return operation


def minimality(
    operation: Any, ctx: OperationContext, frame: pd.DataFrame, attempts: int, rng: np.random.Generator
) -> Excluded:
    """Try to find out who of two persons of a class has which sensitive values.

    Args:
        operation: The step that makes the release.
        ctx: Where it is attacked.
        frame: The table.
        attempts: How many pairs are tried at most.
        rng: Chooses them, and what chance decides in each run.
    """
    sensitive = list(operation.sensitive_attributes)
    promise = promise_of(operation, registered_models(ctx.run))
    settings = operation.settings_for(ctx, promise, frame)
    chance = operation.ties == "random" and bool(promise.of_sensitive)

    def run(table: pd.DataFrame, seed: int) -> Made | None:
        try:
            with in_a_trial(seed):
                release = anonymized(table, operation.quasi_identifiers, operation.k, settings)
        except DataRefused:
            return None
        coded = release.coded
        group = Grouping.of(coded, operation.quasi_identifiers).group
        classes = np.full(len(table), -1, dtype=np.int64)
        classes[coded.index.to_numpy()] = group
        shown = coded[[*operation.quasi_identifiers, *sensitive]].astype("string").fillna("\0")
        held = shown[sensitive].agg("\x1f".join, axis=1)
        first = np.unique(group, return_index=True)[1]
        cells = list(shown[operation.quasi_identifiers].iloc[first].itertuples(index=False, name=None))
        values = [tuple(sorted(of_class)) for _, of_class in held.groupby(group)]
        return Made(classes, list(zip(cells, values, strict=True)))

    def seed() -> int:
        return int(rng.integers(2**31))

    published = run(frame, seed())
    if published is None:
        return Excluded(0, 0, 0, 1)
    held = frame[sensitive].astype("string").fillna("\0").agg("\x1f".join, axis=1).to_numpy()
    several = pd.Series(held).groupby(published.classes).nunique()
    mixed = np.flatnonzero(np.isin(published.classes, several.index[(several > 1) & (several.index >= 0)]))
    pairs = max(LEAST, RECORDS // (len(frame) * (1 + chance)))
    targets = rng.permutation(mixed)[: min(attempts, pairs)]
    right = excluded = done = 0
    for target in targets.tolist():
        others = np.flatnonzero((published.classes == published.classes[target]) & (held != held[target]))
        other = int(rng.choice(others))
        ways = [True, True]
        if promise.of_sensitive:  # else no class depends on sensitive values
            swapped = frame.copy()
            for name in sensitive:
                values = frame[name].array.copy()
                values[target], values[other] = frame[name].iloc[other], frame[name].iloc[target]
                swapped[name] = values
            ways[1] = _same(published, run(swapped, seed()), target, whole=not chance)
            ways[0] = _same(published, run(frame, seed()), target, whole=False) if chance else True
            done += 1 + chance
        excluded += ways[0] != ways[1]
        right += ways[0] if ways[0] != ways[1] else int(rng.integers(2))
    return Excluded(len(targets), right, excluded, done + 1)


def _same(published: Made, again: Made | None, target: int, *, whole: bool) -> bool:
    """Whether another run gives the class of a person as published, or all classes."""
    if again is None:
        return False
    if whole:
        return sorted(published.written, key=repr) == sorted(again.written, key=repr)
    return published.of(target) == again.of(target)
