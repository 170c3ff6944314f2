"""Turns values from configuration files and calls into typed ones, strictly.

No guessing: text is not a number, a number is not text, a value is not a list. All problems are reported together,
each with the path to the value and the kind that was expected, never with the value itself.
"""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ParameterError
from pamola_tasks.secret import Secret

if TYPE_CHECKING:
    import cattrs

T = typing.TypeVar("T")
ValuePath: typing.TypeAlias = "tuple[str | int, ...]"

UNIONS = (typing.Union, types.UnionType)
MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_LIST_LIKE = (list, tuple, set, frozenset)
LISTS: dict[Any, Any] = {kind: kind for kind in _LIST_LIKE}  # and what makes one of a list
LISTS |= {collections.abc.Sequence: list, collections.abc.Iterable: list, collections.abc.Set: set}
_NOTHING = type(None)
_ACCEPTED: dict[Any, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (int, float),
    str: (str,),
    _NOTHING: (_NOTHING,),
    Path: (str, Path),
    Secret: (str, Secret),
}
_WORDS: dict[Any, str] = dict.fromkeys(LISTS, "a list") | dict.fromkeys(MAPPINGS, "a mapping")
_WORDS |= {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    _NOTHING: "nothing",
    Path: "a path",
    Secret: "a secret",
}


class Field(str):
    """A part of a path: the name of a class's field, where other texts are keys of mappings."""

    __slots__ = ()


@attrs.frozen
class Misfit:
    """A value that does not fit."""

    path: ValuePath  #: keys, and numbers of list items from 0
    message: str  #: what was expected, and what kind of value was found
    at_key: bool = False  #: whether the key itself is wrong, not its value

    def __str__(self) -> str:
        """`fields[2].low: expected …`; an unknown or missing parameter is named by its message."""
        text = ""
        for part in self.path[:-1] if self.at_key else self.path:
            if isinstance(part, int):
                text += f"[{part}]"
            else:
                text += (": " if isinstance(part, Field) else ".") * bool(text) + part
        return f"{text}: {self.message}" if text else self.message


def fit(value: Any, kind: Any) -> Any:
    """The value as this type has it; `ValueError` where it is not a value of this type."""
    fitter = Fitter()
    found = fitter.fit(value, kind)
    if fitter.misfits:
        raise ValueError("; ".join(map(str, fitter.misfits)))
    return found


def build(cls: type[T], values: Mapping[str, Any], *, what: str = "") -> T:
    """An instance of an attrs class from values of the right kind.

    Args:
        cls: An attrs class: an operation, or a plugin's settings.
        values: Values by parameter name.
        what: What is being built, for messages; the class's name unless given.

    Raises:
        ParameterError: Unknown or missing parameters, values that do not fit; `problems` has them all.
    """
    fitter = Fitter()
    made: T = fitter.section(values, cls, ())
    if not fitter.misfits:
        return made
    raise ParameterError(
        problems=tuple(f"{what or cls.__name__}: {misfit}" for misfit in fitter.misfits),
        parameters=tuple(str(misfit.path[0]) if misfit.path else "" for misfit in fitter.misfits),
    )


class Fitter:
    """Fits values to types and collects what is wrong with them, in `misfits`.

    Methods that give a value give None, with a problem noted, where there is none that fits.
    """

    def __init__(self) -> None:
        self.misfits: list[Misfit] = []

    def say(self, path: ValuePath, message: str, *, at_key: bool = False) -> Any:
        """Note a problem."""
        self.misfits.append(Misfit(path, message, at_key))
        return None

    def expected(self, value: Any, kind: Any, path: ValuePath) -> Any:
        """Note that a value is of another kind."""
        return self.say(path, f"expected {describe(kind)}, got {kind_of(value)}")

    def fit(self, value: Any, kind: Any, path: ValuePath = ()) -> Any:
        """The value as this type has it."""
        origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
        if kind is Any:
            return value
        if origin is typing.Literal:
            return self.choice(value, kind, path)
        if origin in UNIONS:
            return self._union(value, kind, path)
        if origin in LISTS:
            return self._list(value, kind, path)
        if origin in MAPPINGS:
            if not isinstance(value, collections.abc.Mapping):
                return self.expected(value, kind, path)
            key_kind, item_kind = arguments or (Any, Any)
            return {self.fit(k, key_kind, path): self.fit(v, item_kind, (*path, k)) for k, v in value.items()}
        if isinstance(kind, type) and attrs.has(kind):
            return self.section(value, kind, path)
        return self.leaf(value, kind, path)

    def choice(self, value: Any, kind: Any, path: ValuePath) -> Any:
        """One of the values of a Literal."""
        same = [known for known in typing.get_args(kind) if known == value and type(known) is type(value)]
        return same[0] if same else self.expected(value, kind, path)

    def _union(self, value: Any, kind: Any, path: ValuePath) -> Any:
        """The value as the first member of a union that it fits."""
        members = typing.get_args(kind)
        if value is None and _NOTHING in members:
            return None
        before, tried = self.misfits, []
        for member in members:
            if member is not _NOTHING:
                self.misfits = []
                found = self.fit(value, member, path)
                tried.append(self.misfits)
                if not self.misfits:
                    break
        self.misfits = before
        return self.fits_none(value, kind, path, tried) if tried[-1] else found

    def fits_none(self, value: Any, kind: Any, path: ValuePath, tried: list[list[Misfit]]) -> Any:
        """Note that a value fits no member of a union, given what was wrong with each."""
        if len(tried) > 1:
            return self.expected(value, kind, path)
        self.misfits += tried[0]
        return None

    def _list(self, value: Any, kind: Any, path: ValuePath) -> Any:
        if not isinstance(value, _LIST_LIKE):
            return self.expected(value, kind, path)
        origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
        fixed = origin is tuple and arguments and Ellipsis not in arguments
        kinds = arguments if fixed else (arguments or (Any,))[:1] * len(value)
        if len(value) != len(kinds):
            return self.say(path, f"expected {len(kinds)} values, got {len(value)}")
        return LISTS[origin]([self.fit(v, k, (*path, n)) for n, (v, k) in enumerate(zip(value, kinds, strict=True))])

    def section(self, value: Any, cls: type, path: ValuePath) -> Any:
        """An instance of an attrs class from a mapping."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, collections.abc.Mapping):
            return self.expected(value, cls, path)
        before = len(self.misfits)
        ready = self.fields(value, cls, path)
        return self.made(cls, ready, path) if len(self.misfits) == before else None

    def made(self, cls: type, ready: Mapping[str, Any], path: ValuePath) -> Any:
        """An instance of an attrs class from typed values."""
        try:
            return cls(**ready)
        except (ValueError, TypeError) as error:
            return self.say(path, str(error.args[0] if error.args else error))

    def fields(self, values: Mapping[str, Any], cls: Any, path: ValuePath) -> dict[str, Any]:
        """The values that an attrs class is made from, typed. Missing fields are listed first."""
        fields = {field.alias: field for field in attrs.fields(cls) if field.init}
        hints = annotations_of(cls)
        meant = {key: self.meant(key, fields) for key in values if key not in fields}
        for alias, field in fields.items():
            if field.default is attrs.NOTHING and alias not in values and alias not in meant.values():
                self.missing((*path, Field(alias)), hints.get(field.name, Any))
        ready: dict[str, Any] = {}
        for key, value in values.items():
            if key in fields:
                ready[key] = self.fit(value, hints.get(fields[key].name, Any), (*path, Field(key)))
            else:
                self.unknown((*path, Field(key)), fields, meant[key])
        return ready

    def meant(self, key: str, fields: Mapping[str, attrs.Attribute[Any]]) -> str | None:
        """The field that an unknown key probably means. Operations have several words for the dataset they read."""
        datasets = [alias for alias, field in fields.items() if field.metadata.get("pamola_dataset")]
        return datasets[0] if "dataset" in key and len(datasets) == 1 else closest(key, fields)

    def missing(self, path: ValuePath, kind: Any) -> None:
        """Note that a field without a default has no value."""
        self.say(path, f"the parameter {str(path[-1])!r} ({describe(kind)}) is missing", at_key=True)

    def unknown(self, path: ValuePath, fields: Iterable[str], meant: str | None) -> None:
        """Note a key that is not a field."""
        self.say(path, unknown_name(str(path[-1]), fields, "parameter", meant), at_key=True)

    def leaf(self, value: Any, kind: Any, path: ValuePath) -> Any:
        """A value that holds no others. Types that are not plain are structured by cattrs."""
        if kind in _ACCEPTED:
            if not isinstance(value, _ACCEPTED[kind]) or (isinstance(value, bool) and kind is not bool):
                return self.expected(value, kind, path)
            return value if kind is _NOTHING or isinstance(value, kind) else kind(value)
        if isinstance(kind, type) and isinstance(value, kind):
            return value
        import cattrs

        try:
            return _converter().structure(value, kind)
        except cattrs.StructureHandlerNotFoundError:
            return self.expected(value, kind, path) if isinstance(kind, type) else value
        except (ValueError, TypeError, KeyError, cattrs.BaseValidationError):
            return self.expected(value, kind, path)


@cache
def _converter() -> cattrs.Converter:
    import cattrs

    made = cattrs.Converter(forbid_extra_keys=True)
    for kind in _ACCEPTED:  # within dataclasses, named tuples …
        made.register_structure_hook(kind, fit)
    return made


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, whatever its case and whether its words are joined by `-` or `_`."""
    import difflib  # only where something is wrong

    names = {folded(candidate): candidate for candidate in known}
    return next((names[near] for near in difflib.get_close_matches(folded(name), names, n=1)), None)


def folded(name: str) -> str:
    """A name without what people confuse in names: case, and the marks between words."""
    return str(name).lower().replace("_", "").replace("-", "").replace(" ", "")


def unknown_name(name: str, known: Iterable[str], what: str, meant: str | None = None) -> str:
    """The message for an unknown name: with the one probably meant, or all there are."""
    names = list(known)
    meant = meant or closest(name, names)
    if meant:
        return f"unknown {what} {name!r}: did you mean {meant!r}?"
    listed = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return f"unknown {what} {name!r}" + (f": there are {listed}" if names else ": there are none")


def annotations_of(cls: type) -> dict[str, Any]:
    """The types of a class's fields, resolved where that is possible."""
    return _annotations(cls)


@cache
def _annotations(cls: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except (NameError, AttributeError, TypeError):
        return {f.name: _annotation(cls, f.type) for f in attrs.fields(cls)}


def _annotation(cls: type, annotation: Any) -> Any:
    """One annotation, resolved; Any where it names something that only type checkers see."""
    alone = type("alone", (), {"__annotations__": {"it": annotation}, "__module__": cls.__module__})
    try:
        return typing.get_type_hints(alone)["it"]
    except (NameError, AttributeError, TypeError):
        return Any


def kind_of(value: Any) -> str:
    """What kind of value this is, in a word or two; never the value."""
    return next((_WORDS[cls] for cls in type(value).__mro__ if cls in _WORDS), f"a {type(value).__name__}")


def describe(kind: Any) -> str:
    """A type in words: `a whole number`, `a list of text`, `one of 'a', 'b'`, `a number or nothing`."""
    if kind is Any or kind is attrs.NOTHING:
        return "anything"
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    inner = {argument for argument in arguments if argument is not Ellipsis}
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(a) for a in arguments)
    if origin in UNIONS:
        return " or ".join(describe(a) for a in arguments)
    if origin in LISTS and len(inner) == 1:
        return f"a list of {describe(*inner).removeprefix('a ')}"
    if origin in _WORDS:
        return _WORDS[origin]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(repr(member.value) for member in kind)
    return f"a {getattr(kind, '__name__', str(kind))}"
