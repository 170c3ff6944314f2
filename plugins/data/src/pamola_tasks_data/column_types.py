"""What `data_types` says of columns: a word, or a mapping of a type and how its values are written.

data_types:
  customers: {zipcode: text, age: integer, born: {type: date, format: "%d.%m.%Y"}}     # of one dataset
  income: {type: number, decimal: ",", thousands: "."}                                 # wherever a column has this name
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.parameters import Fitter, Misfit, ValuePath, closest, describe, kind_of, unknown_name
from pamola_tasks_data.directives import format_problem, mark_problem, marks_problem

_SYNONYMS = {
    "text": ("text", "str", "string", "object"),
    "integer": ("integer", "int", "int64", "int32", "int16", "int8", "whole number"),
    "number": ("number", "float", "float64", "float32", "double"),
    "decimal": ("decimal", "numeric"),
    "boolean": ("boolean", "bool"),
    "date": ("date",),
    "datetime": ("datetime", "timestamp", "datetime64", "datetime64[ns]", "datetime64[us]"),
    "category": ("category", "categorical"),
}
_KINDS = {synonym: kind for kind, synonyms in _SYNONYMS.items() for synonym in synonyms}
_NUMBERS, _DATES = ("integer", "number", "decimal"), ("date", "datetime")
_WORDS = ("true", "false", "order", "missing")


def _words(value: Any) -> Any:
    """One word or several."""
    return value if isinstance(value, list | tuple) else (value,)


@attrs.frozen(kw_only=True)
class ColumnType:
    """The type of a column, and how its values are written where that is not as in the rest of the dataset.

    Attributes:
        type: `text`, `integer`, `number`, `decimal`, `boolean`, `date`, `datetime` or `category`.
        format: Of dates and times: directives of strptime.
        decimal: Of numbers: the mark before the fraction.
        thousands: Of numbers: the mark between groups of three digits.
        true: Of booleans: the words that mean true, whatever their case.
        false: The words that mean false.
        order: Of categories: all of them, from the lowest to the highest.
        missing: Words that mean "no value" in this column.
        trim: Whether blanks around the values do not count.
    """

    type: str
    format: str = ""
    decimal: str = ""
    thousands: str = ""
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    trim: bool = False

    def __str__(self) -> str:
        stated = attrs.asdict(self, filter=lambda field, value: bool(value) and field.name != "type")
        return " ".join([self.kind, *(f"{name} {value!r}" for name, value in stated.items())])

    @property
    def kind(self) -> str:
        """The type by the name that it goes by here."""
        return _KINDS[self.type.lower().strip()]

    def completed(self, options: Mapping[str, Any]) -> ColumnType:
        """The same with what options of its dataset say, where it says nothing itself."""
        stated: dict[str, Any] = {"trim": self.trim or bool(options.get("trim"))}
        if self.kind in _NUMBERS:
            stated |= {mark: getattr(self, mark) or options.get(mark) or "" for mark in ("decimal", "thousands")}
            if stated["thousands"] == stated["decimal"]:  # what the column says itself counts
                stated["decimal" if self.thousands else "thousands"] = ""
        elif self.kind in _DATES:
            stated["format"] = self.format or options.get(f"{self.kind}_format") or ""
        return attrs.evolve(self, **stated)


_FIELDS = tuple(field.name for field in attrs.fields(ColumnType))
_OF_KIND = {
    "format": _DATES,
    "decimal": ("number", "decimal"),
    "thousands": _NUMBERS,
    "true": ("boolean",),
    "false": ("boolean",),
    "order": ("category",),
}


def stated_for(
    data_types: Mapping[str, Any], dataset: str, *, made_here: bool = False
) -> tuple[dict[str, ColumnType], frozenset[str]]:
    """The type that holds for each column of a dataset, and the columns that it must have: those stated for it.

    A dataset that a task has written (`made_here`) is written as tasks write: of what is said of columns of any
    dataset only the type holds for it.
    """
    anywhere, own = {}, {}
    for (name, *rest), value in _entries(data_types):
        if not rest:
            found = _column_type(name, value)
            anywhere[name] = ColumnType(type=found.type, order=found.order) if made_here else found
        elif name == dataset:
            own[rest[0]] = _column_type(rest[0], value)
    return {**anywhere, **own}, frozenset(own)


def check_data_types(data_types: Mapping[str, Any]) -> None:
    """Refuse types that are not known, before anything is read."""
    for path, value in _entries(data_types):
        _column_type(path[-1], value)


def type_problems(data_types: Mapping[str, Any]) -> Iterator[Misfit]:
    """Everything that is wrong with types of columns; paths begin below `data_types`."""
    for path, value in _entries(data_types):
        yield from _typed(value, path)[1]


def datasets_named(data_types: Mapping[str, Any]) -> list[str]:
    """The datasets for which types are stated by name."""
    return list(dict.fromkeys(path[0] for path, _ in _entries(data_types) if len(path) > 1))


def _entries(data_types: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in data_types.items():
        if isinstance(value, Mapping) and not _is_type(value):
            yield from (((name, column), kind) for column, kind in value.items())
        else:
            yield (name,), value


def _is_type(value: Mapping[str, Any]) -> bool:
    """Whether a mapping beside datasets is a column's type: columns of a dataset may have the names of its keys."""
    words = [isinstance(each, str) and each.lower().strip() in _KINDS for each in value.values()]
    return "type" in value and not all(words) and set(value) <= set(_FIELDS)


def _column_type(column: str, value: Any) -> ColumnType:
    found, problems = _typed(value, (column,))
    if found is None:
        raise ConfigurationError(problems=tuple(f"data_types: {problem.message}" for problem in problems))
    return found


class _TypeFitter(Fitter):
    def expected(self, value: Any, kind: Any, path: ValuePath) -> Any:
        hint = ": put quotes around it" if kind is str and isinstance(value, int | float) else ""  # `007` would be `7`
        return self.say(path, f"expected {describe(kind)}, got {kind_of(value)}{hint}")

    def unknown(self, path: ValuePath, fields: Iterable[str], meant: str | None) -> None:
        self.say(path, unknown_name(str(path[-1]), fields, "key", meant), at_key=True)


def _typed(value: Any, path: ValuePath) -> tuple[ColumnType | None, list[Misfit]]:
    column, fitter = path[-1], _TypeFitter()
    if isinstance(value, str):
        value = {"type": value}
    elif not isinstance(value, Mapping):
        return None, [Misfit(path, _unknown(value, column))]
    value = {key: _words(given) if key in _WORDS else given for key, given in value.items()}
    found: ColumnType | None = fitter.section(value, ColumnType, path)
    problems = [attrs.evolve(each, message=f"column {column!r}: {each.message}") for each in fitter.misfits]
    if found is not None:
        problems = [Misfit((*path, name) if name else path, said) for name, said in _wrong(found, column)]
    return None if problems else found, problems


def _unknown(type_: Any, column: Any) -> str:
    meant = closest(type_, _KINDS) if isinstance(type_, str) else None
    hint = f" (did you mean {meant!r}?)" if meant else ""
    return f"unknown type {type_!r} for column {column!r}: use one of {', '.join(_SYNONYMS)}{hint}"


def _wrong(stated: ColumnType, column: Any) -> Iterator[tuple[str, str]]:
    """What does not go together in a column's type, by the key that is at fault."""
    if stated.type.lower().strip() not in _KINDS:
        yield "", _unknown(stated.type, column)
        return
    yield from ((name, f"column {column!r}: {said}") for name, said in _contradictions(stated))


def _contradictions(stated: ColumnType) -> Iterator[tuple[str, str]]:
    kind = stated.kind
    for name, kinds in _OF_KIND.items():
        if getattr(stated, name) and kind not in kinds:
            yield name, f"{name!r} is for {' and '.join(kinds)}, not for {kind}"
            return
    if stated.format and (said := format_problem(stated.format, time=kind == "datetime")):
        yield "format", said
    for name in ("decimal", "thousands"):
        if said := mark_problem(getattr(stated, name)):
            yield name, said
    if said := marks_problem(stated.decimal, stated.thousands):
        yield "thousands", said
    if bool(stated.true) != bool(stated.false):
        yield "", "state words for true and for false"
    both = {word.casefold() for word in stated.true} & {word.casefold() for word in stated.false}
    if both:
        yield "false", f"{sorted(both)[0]!r} cannot mean both true and false"
    if len(set(stated.order)) < len(stated.order):
        yield "order", "a category is there twice"
