"""Values from outside as the types of the schema: strictly, with every problem and the path to it, never the value."""

from __future__ import annotations

import collections.abc
import enum
import math
import os
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

import attrs

from pamola_tasks.parameters import FitError, annotations_of, describe, fit, kind_of
from pamola_tasks.secret import Secret
from pamola_tasks_config.documents import Path, dotted
from pamola_tasks_config.references import has_reference, is_one_reference, is_secret_reference, malformed
from pamola_tasks_config.resembling import hint, suggestion
from pamola_tasks_config.schema import limits

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_TRUE = frozenset(("true", "yes", "1", "on"))
_FALSE = frozenset(("false", "no", "0", "off"))
_NOTHING = frozenset(("none", "null", "~", ""))
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")


@attrs.frozen
class Wrong:
    """A value that does not fit.

    Attributes:
        path: Where it stands.
        message: What was expected, and what kind of value was found.
        at_key: Whether the key itself is wrong, not its value.
    """

    path: Path
    message: str
    at_key: bool = False


def plain(value: Any) -> Any:
    """A value that Python code gave (tuples, paths, enum members …) in the kinds that files have."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if attrs.has(type(value)) and not isinstance(value, type):
        return plain(attrs.asdict(value, recurse=False))
    return value


class Fitting:
    """Fits values to types and collects what is wrong with them.

    Args:
        final: Whether references are expanded by now. Before, a reference is accepted wherever it may turn out to fit.
    """

    def __init__(self, *, final: bool) -> None:
        self.final = final
        self.wrong: list[Wrong] = []

    def say(self, path: Path, message: str, *, at_key: bool = False) -> Any:
        """Note a problem; None stands for the value that is not there."""
        self.wrong.append(Wrong(path, message, at_key))
        return None

    def fit(self, value: Any, kind: Any, path: Path) -> Any:
        """The value as this type has it; None, with a problem noted, where it does not fit."""
        origin = typing.get_origin(kind) or kind
        arguments = typing.get_args(kind)
        if isinstance(value, str) and not self.final and has_reference(value):
            return self._reference(value, kind, path)
        if isinstance(value, Secret) and kind is not Secret and kind is not Any:
            return self._secret(value, kind, path)
        if origin is typing.Literal and isinstance(value, str):
            return self._choice(value, kind, path)
        if origin in (typing.Union, types.UnionType):
            return self._union(value, kind, path)
        if origin in _LISTS:
            if not isinstance(value, list):
                return self.say(path, _expected(kind, value))
            element = next((a for a in arguments if a is not Ellipsis), Any)
            items = [self.fit(item, element, (*path, index)) for index, item in enumerate(value)]
            return origin(items) if origin in (tuple, set, frozenset) else items
        if origin in _MAPPINGS:
            if not isinstance(value, Mapping):
                return self.say(path, _expected(kind, value))
            inner = arguments[1] if len(arguments) == 2 else Any
            return {key: self.fit(item, inner, (*path, key)) for key, item in value.items()}
        if isinstance(kind, type) and attrs.has(kind):
            return self.section(value, kind, path)
        try:
            found = fit(value, kind)
        except FitError:
            return self.say(path, _expected(kind, value))
        if isinstance(found, float) and not math.isfinite(found):
            return self.say(path, "expected a finite number")
        return self._limited(found, path)

    def section(self, value: Any, cls: type, path: Path, *, complete: bool = True) -> Any:
        """A mapping as an attrs class.

        Args:
            value: The mapping; nothing stands for an empty one.
            cls: The class.
            path: Where it stands.
            complete: Whether keys without a default must be there (one layer alone may be incomplete).
        """
        value = {} if value is None else value
        if not isinstance(value, Mapping):
            return self.say(path, f"expected a mapping, got {kind_of(value)}")
        fields = {field.alias: field for field in attrs.fields(cls) if field.init}
        hints = annotations_of(cls)
        before = len(self.wrong)
        for key in value:
            if key not in fields:
                known = f"; there are {', '.join(fields)}" if not suggestion(key, fields) else ""
                self.say((*path, key), f"unknown key{hint(key, fields)}{known}", at_key=True)
        ready = {
            alias: self.fit(value[alias], hints.get(field.name, Any), (*path, alias))
            for alias, field in fields.items()
            if alias in value
        }
        if complete:
            for alias, field in fields.items():
                if field.default is attrs.NOTHING and alias not in value:
                    self.say(path, f"the key {alias!r} ({describe(hints.get(field.name, Any))}) is missing")
        if len(self.wrong) > before or not (complete or set(fields) <= set(value)):
            return None
        try:
            return cls(**ready)
        except (ValueError, TypeError) as error:
            name = re.match(r"'(\w+)'", str(error.args[0]) if error.args else "")
            where = (*path, name[1]) if name is not None and name[1] in value else path
            return self.say(where, _without_value(error, ready))

    def _reference(self, value: str, kind: Any, path: Path) -> Any:
        problem = malformed(value)
        if problem:
            return self.say(path, problem)
        if not is_one_reference(value) and not _takes_text(kind):
            return self.say(path, f"expected {describe(kind)}, got text around a reference")
        if is_secret_reference(value) and not _takes_secret(kind):
            return self.say(path, "this key is shown in reports and cannot hold a secret")
        return None

    def _secret(self, value: Secret, kind: Any, path: Path) -> Any:
        if _takes_secret(kind):
            return value
        return self.say(path, "this key is shown in reports and cannot hold a secret")

    def _choice(self, value: str, kind: Any, path: Path) -> Any:
        allowed = typing.get_args(kind)
        for choice in allowed:
            if isinstance(choice, str) and choice.lower() == value.lower():
                return choice
        return self.say(path, f"expected {describe(kind)}{hint(value, [c for c in allowed if isinstance(c, str)])}")

    def _union(self, value: Any, kind: Any, path: Path) -> Any:
        members = typing.get_args(kind)
        if value is None and type(None) in members:
            return None
        tried: list[list[Wrong]] = []
        for member in members:
            if member is type(None):
                continue
            attempt = Fitting(final=self.final)
            found = attempt.fit(value, member, path)
            if not attempt.wrong:
                return found
            tried.append(attempt.wrong)
        only = [member for member in members if member is not type(None)]
        if len(tried) == 1 and tried[0] != [Wrong(path, _expected(only[0], value))]:
            # What is wrong lies within the value, or is a limit.
            self.wrong.extend(tried[0])
        else:
            self.say(path, _expected(kind, value))
        return None

    def _limited(self, value: Any, path: Path) -> Any:
        minimum, above = limits().get(dotted(path), (None, None))
        if isinstance(value, int | float) and not isinstance(value, bool):
            if minimum is not None and value < minimum:
                return self.say(path, f"expected {minimum:g} or more")
            if above is not None and value <= above:
                return self.say(path, f"expected more than {above:g}")
        return value


def _expected(kind: Any, value: Any) -> str:
    return f"expected {describe(kind)}, got {kind_of(value)}"


def _members(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def _takes_secret(kind: Any) -> bool:
    return any(member is Secret or member is Any for member in _members(kind))


def _takes_text(kind: Any) -> bool:
    return any(member in (str, Any, Secret) for member in _members(kind))


def _without_value(error: Exception, values: Mapping[str, Any]) -> str:
    """What a class's own check says, without the value that it may quote at its end."""
    text = str(error.args[0]) if error.args else ""
    for value in values.values():
        for form in (f": {value}", f": {value!r}", f" (got {value!r})"):
            text = text.removesuffix(form)
    quoted = any(isinstance(value, str) and value and value in text for value in values.values())
    return "not allowed by the plugin that the section belongs to" if quoted or not text else text


def from_text(text: str, kind: Any) -> Any:
    """Text of an environment variable as the kind of value that a key's type takes; text where none fits.

    Args:
        text: The variable's value.
        kind: The key's type.
    """
    word = text.strip().lower()
    members = _members(kind)
    if type(None) in members and word in _NOTHING:
        return None
    for member in members:
        origin = typing.get_origin(member) or member
        if origin is bool and word in _TRUE | _FALSE:
            return word in _TRUE
        if origin is int and _INTEGER.fullmatch(word) and -(1 << 63) <= int(word) < 1 << 63:
            return int(word)
        if origin is float:
            try:
                return float(word)
            except ValueError:
                continue
        if origin in _LISTS:
            arguments = typing.get_args(member) or (str,)
            return [from_text(item.strip(), arguments[0]) for item in text.split(",")] if word else []
        if origin is Any:
            return _guessed(text, word)
    return text


def _guessed(text: str, word: str) -> Any:
    """What text means where the type does not say: true, false, nothing, a number, a list, else text."""
    if word in ("true", "yes", "on", "false", "no", "off"):
        return word in _TRUE
    if word in ("none", "null"):
        return None
    if _INTEGER.fullmatch(word):
        return int(word)
    try:
        number = float(word)
    except ValueError:
        return [item.strip() for item in text.split(",")] if "," in text else text
    return number if math.isfinite(number) else text
