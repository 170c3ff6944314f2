"""What the parameters of `AnonymizeOperation` say together: what contradicts itself is refused first of all."""

from __future__ import annotations

import math
from typing import Any, get_args

import attrs

from pamola_tasks.errors import ParameterError

from .column_roles import stated_roles
from .columns import is_number
from .local_suppression import MOST_COLUMNS
from .registering import check_register
from .release_settings import OUTPUTS, Output
from .updating import check_update

ROLES = ("quasi_identifiers", "sensitive_attributes", "direct_identifiers", "insensitive_attributes")


def number(at_least: float, below: float = math.inf, *, above: bool = False) -> Any:
    """A validator: a number in these bounds, or None."""

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None:
            return
        if not is_number(value) or not (value > at_least if above else value >= at_least) or not value <= below:
            words = f"{'above' if above else 'at least'} {at_least:g}" + (
                f", at most {below:g}" if below < math.inf else ""
            )
            raise ParameterError(f"AnonymizeOperation: `{attribute.name}` has to be a number, {words}, not {value!r}")

    return check


def check_parameters(operation: Any) -> None:
    """Refuse parameters that contradict each other."""
    for position, role in enumerate(ROLES):
        for other in ROLES[position + 1 :]:
            both = [name for name in getattr(operation, role) if name in getattr(operation, other)]
            if both:
                raise ParameterError(
                    f"AnonymizeOperation: {', '.join(both)} is in both `{role}` and `{other}`: a column has one role"
                )

    stated = stated_roles(operation)
    if unknown := [name for name in operation.unconfirmed if name not in stated]:
        raise ParameterError(
            f"AnonymizeOperation: `unconfirmed` lists {', '.join(unknown)}, and no role is stated for it: there is"
            f" nothing to confirm"
        )
    check_register(operation)
    check_update(operation)
    _check_persons(operation)
    _check_models(operation)
    _check_columns_of_options(operation)


def _check_persons(operation: Any) -> None:
    for role in ("sensitive_attributes", "insensitive_attributes"):
        kept = [name for name in operation.person_columns if name in getattr(operation, role)]
        if kept:
            raise ParameterError(
                f"AnonymizeOperation: {', '.join(kept)} is in both `person` and `{role}`: a column that identifies"
                f" persons is not released"
            )
    if operation.person_records == "apart" and not operation.person_columns:
        raise ParameterError("AnonymizeOperation: `person_records` is for records of persons: name `person`")
    if operation.person_columns and operation.person_records == "together" and operation.recoding == "full-domain":
        raise ParameterError(
            "AnonymizeOperation: `recoding: full-domain` writes each record's own value at one level, so that not"
            " all records of a person are alike: set `person_records: apart`"
        )
    if (
        operation.person_columns
        and operation.person_records == "together"
        and (operation.nulls, operation.suppressed_records) == ("suppress", "keep")
    ):
        raise ParameterError(
            "AnonymizeOperation: `nulls: suppress` with `suppressed_records: keep` writes some records of a person with"
            " `*` and not others: set `person_records: apart`, or leave one of them out"
        )


def _check_models(operation: Any) -> None:
    needed = {"l-diversity": "l", "t-closeness": "t", "delta-disclosure": "delta", "k-map": "population"}
    name = needed.get(operation.method)
    if name is not None and getattr(operation, name) is None:
        raise ParameterError(f"AnonymizeOperation: method {operation.method} needs `{name}`")
    if operation.population is not None and operation.method != "k-map":
        raise ParameterError("AnonymizeOperation: `population` is for method k-map: k is counted in it")
    asked = [name for name in ("l", "t", "delta") if getattr(operation, name) is not None]
    if asked and not operation.sensitive_attributes:
        raise ParameterError(
            f"AnonymizeOperation: `{asked[0]}` protects sensitive attributes, and `sensitive_attributes` is empty"
        )
    recursive = operation.l_diversity == "recursive"
    if recursive != (operation.c is not None):
        raise ParameterError("AnonymizeOperation: recursive (c, l)-diversity needs `c`, and nothing else has one")
    if operation.l is None and operation.l_diversity != "distinct":
        raise ParameterError(f"AnonymizeOperation: `l_diversity: {operation.l_diversity}` needs `l`")
    if operation.l is not None and operation.l_diversity != "entropy" and operation.l != int(operation.l):
        raise ParameterError(f"AnonymizeOperation: `l` has to be a whole number, not {operation.l!r}")
    _check_suppression(operation)
    _check_cuts(operation)
    if operation.strategy != "hierarchy":
        for name, default in (("suppression_limit", 0.0), ("recoding", "local")):
            if getattr(operation, name) != default:
                raise ParameterError(f"AnonymizeOperation: `{name}` is for strategy hierarchy")
    if operation.suppression_limit and (operation.t is not None or operation.delta is not None):
        raise ParameterError(
            "AnonymizeOperation: `suppression_limit` does not go with `t` or `delta`: leaving records out would"
            " change the table that classes are compared with"
        )
    if operation.output is not None and operation.output not in get_args(Output):
        raise ParameterError(
            f"AnonymizeOperation: `output` has to be one of {', '.join(get_args(Output))}, not {operation.output!r}"
        )
    if operation.method == "k-map" and operation.suppressed_records == "keep":
        raise ParameterError(
            "AnonymizeOperation: `suppressed_records: keep` does not go with k-map: a suppressed record matches the"
            " whole population"
        )
    if operation.on_real_records != "warn" and (operation.output or OUTPUTS[operation.strategy]) != "representative":
        raise ParameterError(
            "AnonymizeOperation: `on_real_records` is for representatives: take strategy microaggregation, or set"
            " `output: representative`"
        )
    if operation.method == "k-map" and operation.output == "representative":
        raise ParameterError(
            "AnonymizeOperation: k-map counts the records that a cell covers, which a representative does not"
            " state: set `output` to `ranges` or `labels`"
        )


def _check_suppression(operation: Any) -> None:
    if operation.strategy != "suppression":
        if operation.exact:
            raise ParameterError("AnonymizeOperation: `exact` is for strategy suppression")
        return
    if len(operation.quasi_identifiers) > MOST_COLUMNS:
        raise ParameterError(
            f"AnonymizeOperation: strategy suppression tries all sets of quasi-identifiers: name at most"
            f" {MOST_COLUMNS}, or take another strategy"
        )
    for option in ("hierarchies", "ranges"):
        if getattr(operation, option):
            raise ParameterError(
                f"AnonymizeOperation: strategy suppression keeps a value or suppresses it, and `{option}` do nothing:"
                f" leave them out, or take strategy hierarchy"
            )
    if operation.output not in (None, "labels"):
        raise ParameterError("AnonymizeOperation: strategy suppression writes values and `*`: leave `output` out")
    more = [name for name in ("l", "t", "delta", "models", "population", "person") if getattr(operation, name)]
    if operation.exact and more:
        raise ParameterError(
            f"AnonymizeOperation: `exact` finds the fewest suppressed cells for k alone: leave it out, or `{more[0]}`"
        )


def _check_cuts(operation: Any) -> None:
    if operation.bounds != "cuts":
        return
    reason = ""
    if operation.strategy != "mondrian" or operation.output not in (None, "ranges"):
        reason = "it writes the box of a class as ranges: leave `output` out, and take strategy mondrian, which cuts"
    elif operation.update == "m-invariant":
        reason = "classes of `update: m-invariant` are made by sensitive values, not by cuts"
    elif operation.person_columns and operation.person_records == "together":
        reason = "records of a person may lie in several boxes: set `person_records: apart`"
    if reason:
        raise ParameterError(f"AnonymizeOperation: `bounds: cuts` does not apply here, since {reason}")


def _check_columns_of_options(operation: Any) -> None:
    for option in ("hierarchies", "ranges", "weights"):
        other = sorted(set(getattr(operation, option)) - set(operation.quasi_identifiers))
        if other:
            raise ParameterError(
                f"AnonymizeOperation: `{option}` names {', '.join(other)}, which is not a quasi-identifier"
            )
    both = sorted(set(operation.hierarchies) & set(operation.ranges))
    if both:
        raise ParameterError(f"AnonymizeOperation: {', '.join(both)} has both a hierarchy and `ranges`")
    for column, weight in operation.weights.items():
        if not (math.isfinite(weight) and weight > 0):
            raise ParameterError(f"AnonymizeOperation: the weight of {column} has to be above 0, not {weight!r}")
    for column, widths in operation.ranges.items():
        if not widths or not all(math.isfinite(width) and width > 0 for width in widths):
            raise ParameterError(f"AnonymizeOperation: `ranges` of {column} have to be numbers above 0")
