"""The privacy models that a step of `AnonymizeOperation` asks for, made from those that plugins register."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ParameterError

from .conditions import Promise
from .privacy_models import KAnonymity, KMap, models_of, registered_models

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices

    from .privacy_models import PrivacyModel


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
    of_population = [model for model in models if model.of_population]
    if of_population and operation.population is None:
        raise ParameterError(
            f"AnonymizeOperation: {of_population[0].name} compares the release with a population: name it in"
            f" `population`, with method k-map"
        )
    if of_population and operation.person_records == "apart":
        raise ParameterError(
            f"AnonymizeOperation: {of_population[0].name} needs all records of a person in one class: leave out"
            f" `person_records: apart`"
        )
    if any(getattr(model, "delta_min", 0) for model in of_population) and (
        (operation.strategy, operation.bounds) != ("mondrian", "tight")
    ):
        raise ParameterError(
            "AnonymizeOperation: `delta_min` above 0 needs strategy mondrian and `bounds: tight`: otherwise cells"
            " overlap, or persons of the population are in no class of the release"
        )
    if type(counted) not in (KAnonymity, KMap):  # another plugin's: the search itself sees to ours
        models.append(counted)
    _check_claims(models, counted)
    recursive = operation.l is not None and operation.l_diversity == "recursive"
    return Promise(
        distance=operation.t_distance,
        distinguish=operation.distinguish,
        others=tuple(models),
        l_of_recursive=int(operation.l) if recursive and operation.l is not None else 2,
    )


def _check_claims(models: list[PrivacyModel], counted: PrivacyModel) -> None:
    """Refuse models whose claims would take the place of other metrics, or cannot be shown; `counted` claims k."""
    owners = {"k": "the operation itself"}
    for model in models:
        what = f"AnonymizeOperation: the privacy model {model.name!r}"
        try:
            words, claim = model.words(), model.claims()
        except Exception as error:
            raise ParameterError(f"{what} cannot say what it promises: {error or type(error).__name__}") from error
        if not isinstance(words, str):
            raise ParameterError(f"{what}: words must give text, not {type(words).__name__}")
        if claim is None:
            continue
        if not (isinstance(claim, tuple) and len(claim) == 2 and isinstance(claim[0], str) and _is_number(claim[1])):
            raise ParameterError(f"{what}: claims must give a name and a number, or None")
        if model is counted and claim[0] == "k":
            continue
        if claim[0] in owners:
            raise ParameterError(
                f"{what} claims {claim[0]!r}, which {owners[claim[0]]} claims: the metrics `{claim[0]}_claimed` and"
                f" `{claim[0]}_measured` can be those of one only"
            )
        owners[claim[0]] = f"the privacy model {model.name!r}"


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


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
