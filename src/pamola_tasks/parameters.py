"""Turns values from configuration files and calls into an operation's typed parameters, strictly.

Nothing is guessed: text is no number, a number is no text, one value is no list. Every problem is reported at once,
each with the parameter's name, its type and, for a name nobody knows, the one that was probably meant.
"""

from __future__ import annotations

import collections.abc
import difflib
import enum
import types
import typing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ParameterError
from pamola_tasks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import cattrs

T = typing.TypeVar("T")

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    set: "a list",
    frozenset: "a list",
    dict: "a mapping",
    type(None): "nothing",
    Path: "a path",
    Secret: "a secret",
}
_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)


class FitError(ValueError):
    """A value does not fit a type; the message says what was expected and what kind of value was given."""


def build(cls: type[T], values: Mapping[str, Any], *, what: str = "") -> T:
    """An instance of an attrs class from values of the right kind.

    Args:
        cls: An attrs class: an operation, or a plugin's settings.
        values: Values by parameter name.
        what: What is being built, for messages; the class's name unless given.

    Raises:
        ParameterError: Unknown or missing parameters, values that do not fit; `problems` has them all.
    """
    what = what or cls.__name__
    fields = {field.alias: field for field in attrs.fields(cls) if field.init}  # type: ignore[arg-type]
    hints = annotations_of(cls)
    problems: list[tuple[str, str]] = []
    ready: dict[str, Any] = {}
    meant: set[str | None] = set()
    for key, value in values.items():
        if key in fields:
            try:
                ready[key] = fit(value, hints.get(fields[key].name, Any))
            except FitError as error:
                problems.append((key, f"{what}: {key}{_joined(error)}"))
        else:
            meant.add(probably := _parameter_meant(key, fields))
            problems.append((key, f"{what}: {unknown_name(key, fields, 'parameter', probably)}"))
    missing = [
        (alias, f"{what}: the parameter {alias!r} ({describe(hints.get(field.name, Any))}) is missing")
        for alias, field in fields.items()
        if alias not in values and alias not in meant and field.default is attrs.NOTHING
    ]
    problems = missing + problems
    if not problems:
        try:
            return cls(**ready)
        except ParameterError as error:
            problems.extend(zip(error.parameters, error.problems, strict=True))
        except (ValueError, TypeError) as error:
            problems.append(("", f"{what}: {error.args[0] if error.args else error}"))
    names, messages = zip(*problems, strict=True)
    raise ParameterError(problems=messages, parameters=names)


def _parameter_meant(name: str, fields: Mapping[str, attrs.Attribute[Any]]) -> str | None:
    """Operations have several words for the dataset that they read; whoever uses another one means that one."""
    datasets = [alias for alias, field in fields.items() if field.metadata.get("pamola_dataset")]
    return datasets[0] if "dataset" in name and len(datasets) == 1 else closest(name, fields)


def _joined(error: FitError) -> str:
    """`: expected …`, or `[2]: expected …` where the problem lies within the value."""
    text = str(error)
    return text if text.startswith(("[", ".")) else f": {text}"


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    return next(iter(difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)), None)


def unknown_name(name: str, known: Iterable[str], what: str, meant: str | None = None) -> str:
    """The message for a name that nobody knows: with the one probably meant, or all there are."""
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


def fit(value: Any, kind: Any) -> Any:
    """The value as this type has it.

    Raises:
        FitError: It is no value of this type.
    """
    import cattrs

    try:
        return _converter().structure(value, kind)
    except FitError:
        raise
    except cattrs.StructureHandlerNotFoundError:
        if isinstance(kind, type) and not isinstance(value, kind):
            raise FitError(f"expected {describe(kind)}, got {kind_of(value)}") from None
        return value
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
        raise FitError(f"expected {describe(kind)}, got {kind_of(value)}") from error


def kind_of(value: Any) -> str:
    """What kind of value this is, in a word or two; never the value."""
    if isinstance(value, bool):
        return "true or false"
    for kind, word in _WORDS.items():
        if type(value) is kind:
            return word
    return f"a {type(value).__name__}"


def describe(kind: Any) -> str:
    """A type in words: `a whole number`, `a list of text`, `one of 'a', 'b'`, `a number or nothing`."""
    if kind is Any or kind is attrs.NOTHING:
        return "anything"
    if kind in _WORDS:
        return _WORDS[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(a) for a in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(a) for a in arguments)
    if origin in _LISTS:
        inner = [a for a in arguments if a is not Ellipsis]
        return f"a list of {describe(inner[0]).removeprefix('a ')}" if len(set(inner)) == 1 else "a list"
    if origin in (dict, collections.abc.Mapping):
        return "a mapping"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(repr(member.value) for member in kind)
    return f"a {getattr(kind, '__name__', str(kind))}"


@cache
def _converter() -> cattrs.Converter:
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=True)

    def exactly(kind: type, *accepted: type) -> None:
        def hook(value: Any, _: Any) -> Any:
            fits = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
            if fits:
                return float(value) if kind is float else value
            raise FitError(f"expected {describe(kind)}, got {kind_of(value)}")

        converter.register_structure_hook(kind, hook)

    exactly(bool, bool)
    exactly(int, int)
    exactly(float, int, float)
    exactly(str, str)

    def path(value: Any, _: Any) -> Path:
        if isinstance(value, (str, Path)):
            return Path(value)
        raise FitError(f"expected a path, got {kind_of(value)}")

    def secret(value: Any, _: Any) -> Secret:
        if isinstance(value, (str, Secret)):
            return value if isinstance(value, Secret) else Secret(value)
        raise FitError(f"expected a secret, got {kind_of(value)}")

    converter.register_structure_hook(Path, path)
    converter.register_structure_hook(Secret, secret)

    def is_list(kind: Any) -> bool:
        return kind in _LISTS or typing.get_origin(kind) in _LISTS

    def list_hook(kind: Any) -> typing.Callable[[Any, Any], Any]:
        origin = typing.get_origin(kind) or kind
        make = {collections.abc.Sequence: list, collections.abc.Iterable: list, collections.abc.Set: set}.get(
            origin, origin
        )
        arguments = typing.get_args(kind)
        fixed = origin is tuple and bool(arguments) and Ellipsis not in arguments
        element = arguments[0] if arguments else Any

        def hook(value: Any, _: Any) -> Any:
            if not isinstance(value, (list, tuple, set, frozenset)):
                raise FitError(f"expected {describe(kind)}, got {kind_of(value)}")
            if fixed and len(value) != len(arguments):
                raise FitError(f"expected {len(arguments)} values, got {len(value)}")
            found = []
            for index, item in enumerate(value):
                try:
                    found.append(fit(item, arguments[index] if fixed else element))
                except FitError as error:
                    raise FitError(f"[{index}]{_joined(error)}") from None
            return make(found)

        return hook

    converter.register_structure_hook_factory(is_list, list_hook)

    def is_mapping(kind: Any) -> bool:
        return (typing.get_origin(kind) or kind) in (dict, collections.abc.Mapping, collections.abc.MutableMapping)

    def mapping_hook(kind: Any) -> typing.Callable[[Any, Any], Any]:
        key_type, value_type = typing.get_args(kind) or (Any, Any)

        def hook(value: Any, _: Any) -> Any:
            if not isinstance(value, collections.abc.Mapping):
                raise FitError(f"expected {describe(kind)}, got {kind_of(value)}")
            found = {}
            for key, item in value.items():
                try:
                    found[fit(key, key_type)] = fit(item, value_type)
                except FitError as error:
                    raise FitError(f".{key}{_joined(error)}") from None
            return found

        return hook

    converter.register_structure_hook_factory(is_mapping, mapping_hook)

    def is_union(kind: Any) -> bool:
        return typing.get_origin(kind) in (typing.Union, types.UnionType)

    def union_hook(kind: Any) -> typing.Callable[[Any, Any], Any]:
        members = typing.get_args(kind)

        def hook(value: Any, _: Any) -> Any:
            if value is None and type(None) in members:
                return None
            wrong: list[FitError] = []
            for member in members:
                if member is type(None):
                    continue
                try:
                    return fit(value, member)
                except FitError as error:
                    wrong.append(error)
            if len(wrong) == 1:
                raise wrong[0]
            raise FitError(f"expected {describe(kind)}, got {kind_of(value)}")

        return hook

    converter.register_structure_hook_factory(is_union, union_hook)

    def literal_hook(kind: Any) -> typing.Callable[[Any, Any], Any]:
        def hook(value: Any, _: Any) -> Any:
            for allowed in typing.get_args(kind):
                if value == allowed and type(value) is type(allowed):
                    return allowed
            raise FitError(f"expected {describe(kind)}, got {kind_of(value)}")

        return hook

    def is_literal(kind: Any) -> bool:
        origin: Any = typing.get_origin(kind)
        return origin is typing.Literal

    converter.register_structure_hook_factory(is_literal, literal_hook)

    def section_hook(kind: Any) -> typing.Callable[[Any, Any], Any]:
        def hook(value: Any, _: Any) -> Any:
            if isinstance(value, kind):
                return value
            if not isinstance(value, collections.abc.Mapping):
                raise FitError(f"expected {describe(kind)}, got {kind_of(value)}")
            try:
                return build(kind, value, what="")
            except ParameterError as error:
                raise FitError("; ".join(p.removeprefix(f"{kind.__name__}: ") for p in error.problems)) from None

        return hook

    converter.register_structure_hook_factory(lambda kind: isinstance(kind, type) and attrs.has(kind), section_hook)
    return converter


def json_schema(cls: type) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of an attrs class's parameters."""
    hints = annotations_of(cls)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for field in attrs.fields(cls):
        if not field.init:
            continue
        schema = schema_of(hints.get(field.name, Any))
        if field.default is attrs.NOTHING:
            required.append(field.alias)
        elif not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            schema["default"] = _as_json(field.default)
        elif "template" in field.metadata:
            schema["default"] = field.metadata["template"]
        properties[field.alias] = schema
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _as_json(value: Any) -> Any:
    """A default as JSON has it."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, collections.abc.Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_as_json(item) for item in value]
    if attrs.has(type(value)):
        return {field.name: _as_json(getattr(value, field.name)) for field in attrs.fields(type(value))}
    return str(value)


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type."""
    simple = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string", Secret: "string"}
    if kind in simple:
        return {"type": simple[kind]}
    if kind is type(None):
        return {"type": "null"}
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema_of(argument) for argument in arguments]}
    if origin in _LISTS:
        items = [a for a in arguments if a is not Ellipsis]
        return {"type": "array", **({"items": schema_of(items[0])} if len(items) == 1 else {})}
    if origin in (dict, collections.abc.Mapping, collections.abc.MutableMapping):
        return {"type": "object", **({"additionalProperties": schema_of(arguments[1])} if len(arguments) == 2 else {})}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    if isinstance(kind, type) and attrs.has(kind):
        return json_schema(kind)
    return {}
