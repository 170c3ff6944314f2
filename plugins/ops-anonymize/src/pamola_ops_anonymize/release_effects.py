"""What a release follows from: its classes from quasi-identifiers, and from what else is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pamola_tasks import Effect, Effects

from .column_roles import stated_roles
from .effects import document, hidden, if_all, kept, of_each
from .registering import stated_columns
from .roles import DIRECT, PERSON


def effects_of_release(operation: Any, columns: Mapping[str, Sequence[str]]) -> dict[str, Effects]:
    """The effects of `AnonymizeOperation`, by the names of what it writes."""
    source, roles = operation.input_dataset, stated_roles(operation)
    there = columns[source]
    released = [name for name in dict.fromkeys([*there, *roles]) if roles.get(name) not in (DIRECT, PERSON)]
    unlisted = [name for name in released if name not in roles]
    quasi = [*operation.quasi_identifiers, *(unlisted if operation.on_unlisted == "quasi" else ())]
    deciding = _deciding(operation, columns, quasi)
    written = {
        **kept(source, released),
        **hidden(source, operation.quasi_identifiers, *deciding),
        **{name: [*of_each(source, [name], "TRANSFORMATION"), *deciding] for name in quasi if name in unlisted},
    }
    order = [] if operation.keep_order else of_each(source, released, "SORT")
    suppressing = dict.fromkeys((each.dataset, each.column) for each in deciding)
    rows = [*(Effect(dataset, name, "FILTER") for dataset, name in suppressing), *order]
    table = Effects(
        columns={name: written[name] for name in released},
        whole=rows,
        optional=unlisted if operation.on_identifiers == "drop" else (),
        needs=[(source, name) for name in roles],
    )
    found = {operation.output_dataset: table, f"{operation.output_dataset}_anonymization": document({source: there})}
    if operation.row_id:
        found[f"{operation.output_dataset}_row_ids"] = Effects(whole=rows)
    return found


def _deciding(operation: Any, columns: Mapping[str, Sequence[str]], quasi: Sequence[str]) -> list[Effect]:
    """What decides on the class of a record, and so on the cells of its quasi-identifiers."""
    source = operation.input_dataset
    found = of_each(source, [*quasi, *operation.person_columns], "GROUP_BY")
    if operation.population is not None:
        person = if_all(operation.person_columns, columns[operation.population])
        found += of_each(operation.population, [*operation.quasi_identifiers, *person], "GROUP_BY")
    asked = (operation.l, operation.t, operation.delta, operation.models or None)
    protected = operation.sensitive_attributes if any(each is not None for each in asked) else []
    found += of_each(source, protected, "CONDITIONAL")
    if operation.register is not False and (operation.update != "none" or protected):  # earlier classes may be kept
        persons = stated_columns(operation) or operation.person_columns or operation.direct_identifiers
        found += of_each(source, persons, "JOIN")
    return found
