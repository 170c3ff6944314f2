"""What operations with differential privacy share: how a loss is stated, what it costs, and how it is entered."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs

from pamola_tasks import OperationContext
from pamola_tasks.errors import ParameterError

from .accounting import Limit, Spending, rho_of
from .budget_persons import people_of
from .columns import columns_of_person, is_number, positive, wrong
from .identifiers import identifiers_of, likely_direct_identifiers
from .origins import origins_of
from .persons import repeated
from .privacy_budget import PrivacyLedger, Request, ledger_of
from .register import register_of
from .same_persons import population_of
from .sampled import Sample

Mechanism = Literal["laplace", "gaussian"]

LEAST_LOSS, MOST_LOSS = 1e-9, 1e9


class Private(Protocol):
    """The parameters by which an operation states a loss and a budget."""

    input_dataset: str
    mechanism: Mechanism
    epsilon: float | None
    delta: float | None
    rho: float | None
    person: str | list[str] | None
    contributions: int | None
    budget: str | None
    budget_epsilon: float | None
    budget_delta: float | None
    budget_rho: float | None


def probability(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: a number between 0 and 1, or nothing."""
    if value is not None and not (is_number(value) and 0 < value < 1):
        raise wrong(operation, attribute.name, "a number between 0 and 1", value)


def loss(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: an epsilon or a rho that noise can be made for, or nothing."""
    positive(operation, attribute, value)
    if value is not None and not LEAST_LOSS <= value <= MOST_LOSS:
        raise wrong(operation, attribute.name, f"a number from {LEAST_LOSS:g} to {MOST_LOSS:g}", value)


def check_loss(operation: Private) -> None:
    """Refuse parameters that do not state a loss, a person or a budget whole.

    Raises:
        ParameterError: With what is missing, or does nothing.
    """
    name = type(operation).__name__
    if (operation.person is None) != (operation.contributions is None):
        raise ParameterError(
            f"{name}: `person` needs `contributions`, how many records of a person are written at most"
            if operation.contributions is None
            else f"{name}: `contributions` bounds the records of a person: name `person`"
        )
    gaussian = operation.mechanism == "gaussian"
    if operation.rho is not None and (not gaussian or operation.delta is not None):
        raise ParameterError(f"{name}: `rho` belongs to `mechanism: gaussian`, and takes the place of `delta` too")
    if operation.rho is None and gaussian != (operation.delta is not None):
        raise ParameterError(f"{name}: `delta` belongs to `mechanism: gaussian`, which needs it, or `rho`")
    if operation.budget_delta is not None and operation.budget_epsilon is None:
        raise ParameterError(f"{name}: `budget_delta` needs a `budget_epsilon` beside it")


def rho_of_loss(operation: Private) -> float:
    """The rho of an operation with Gaussian noise."""
    if operation.rho is not None:
        return operation.rho
    assert operation.epsilon is not None
    assert operation.delta is not None
    return rho_of(operation.epsilon, operation.delta)


def request_of(ctx: OperationContext, operation: Private, cost: Spending, **facts: Any) -> Request:
    """What a step asks of the ledger; `facts` are for its entry, beside the task and the dataset."""
    stated = operation.budget_epsilon is not None or operation.budget_rho is not None
    return Request(
        budget=operation.budget or operation.input_dataset,
        cost=cost,
        limit=Limit(operation.budget_epsilon, operation.budget_delta or 0.0, operation.budget_rho) if stated else None,
        origins=origins_of(ctx.run, operation.input_dataset),
        run_id=ctx.run.record.run_id,
        step=ctx.step.id,
        facts={
            "task_id": ctx.run.record.task_id,
            "dataset": operation.input_dataset,
            **facts,
            "mechanism": operation.mechanism,
        },
    )


def ledger_in(ctx: OperationContext) -> PrivacyLedger:
    """The ledger of the step's project."""
    return ledger_of(ctx.run, ctx.directories.get_directory("configs"), _register_folder(ctx))


def with_people(ctx: OperationContext, operation: Private, request: Request) -> Request:
    """The request with the persons of the table, which is read for them."""
    people = people_of(
        ctx,
        register_of(ctx.run, _register_folder(ctx)),
        operation.input_dataset,
        columns_of_person(operation.person),
        population_of(ctx.run, operation.input_dataset),
        lambda frame: likely_direct_identifiers(frame, frame.columns, identifiers_of(ctx.run)),
    )
    return attrs.evolve(request, people=tuple(people))


def _register_folder(ctx: OperationContext) -> Path | None:
    return None if "places" in vars(ctx.run) else ctx.directories.get_directory("releases")


def spend(ledger: PrivacyLedger, request: Request) -> dict[str, Any]:
    """Enter a cost, and say so in metrics."""
    _, after = ledger.spend(request)
    return {
        "budget": request.budget,
        "spent": request.cost.told(),
        "spent_rho": request.cost.rho,
        "spent_altogether": after.spent.told(),
        "rho_altogether": after.spent.rho,
        "limit": None if after.limit is None else after.limit.told(),
    }


def warn_of_repeats(ctx: OperationContext, operation: Private, sample: Sample) -> None:
    """Warn where what is promised for each record is less for a person: an identifier of these columns repeats."""
    frame = sample.frame
    found = repeated(frame, likely_direct_identifiers(frame, frame.columns, identifiers_of(ctx.run)))
    if found:
        where = "" if sample.is_whole else f" in a random sample of {len(frame):,} records"
        ctx.warn(
            f"{operation.input_dataset}: {', '.join(map(str, found))} repeats{where}, so that one person may have"
            f" several records. epsilon holds for each record: a person with n records loses n times as much. State"
            f" `person` and `contributions`"
        )


def whose(operation: Private) -> str:
    """Whose loss is bounded."""
    return "person" if columns_of_person(operation.person) else "record"


def pure(epsilon: float, releases: int) -> Spending:
    """The cost of independent releases of epsilon each, without delta."""
    return Spending(epsilon * releases, 0.0, math.fsum([epsilon**2 / 2] * releases))
