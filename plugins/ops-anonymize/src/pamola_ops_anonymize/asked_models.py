"""The privacy models that a step of `AnonymizeOperation` asks for, made from those that plugins register."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ParameterError

from .conditions import Promise
from .privacy_models import KAnonymity, KMap, models_of, registered_models

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices


def promise_of(operation: Any, registered: Mapping[str, Any]) -> Promise:
    """What a step asks of every class beside k.

    Args:
        operation: The step's `AnonymizeOperation`.
        registered: The privacy models that plugins bring, by name.

    Raises:
        ParameterError: A model is unknown, cannot be made, or needs sensitive attributes that are not named.
    """
    k = ("k-anonymity" if operation.population is None else "k-map", {"k": operation.k})
    counted, *models = models_of(registered, [k, *_asked(operation)])
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"AnonymizeOperation: the privacy model {twice[0]!r} is asked for twice")
    without = [model.name for model in models if model.of_sensitive]
    if without and not operation.sensitive_attributes:
        raise ParameterError(
            f"AnonymizeOperation: {without[0]} protects sensitive attributes, and `sensitive_attributes` is empty"
        )
    if type(counted) not in (KAnonymity, KMap):  # another plugin's: the search itself sees to ours
        models.append(counted)
    recursive = operation.l is not None and operation.l_diversity == "recursive"
    return Promise(
        distance=operation.t_distance,
        others=tuple(models),
        l_of_recursive=int(operation.l) if recursive and operation.l is not None else 2,
    )


def _asked(operation: Any) -> list[tuple[str, Mapping[str, Any]]]:
    asked: list[tuple[str, Mapping[str, Any]]] = []
    if operation.l is not None:
        asked.append(("l-diversity", {"l": operation.l, "diversity": operation.l_diversity, "c": operation.c}))
    if operation.t is not None:
        asked.append(("t-closeness", {"t": operation.t}))
    if operation.delta is not None:
        asked.append(("delta-disclosure", {"delta": operation.delta}))
    return [*asked, *operation.models.items()]


def problems_of_models(run: RunServices, step: Step) -> list[str]:
    """Why the privacy models that a step asks for cannot be used."""
    operation: Any = step.operation
    try:
        promise_of(operation, registered_models(run))
    except ParameterError as error:
        return [f"step {step.id}: {error}"]
    return []
