"""Values from outside as the types of the schema: with limits and secrets, never showing a value.

References (`${env:NAME}`, `${secret:NAME}`) are expanded once; what comes out is never looked at again.
"""

from __future__ import annotations

import enum
import math
import os
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.parameters import (
    LISTS,
    UNIONS,
    Fitter,
    Misfit,
    ValuePath,
    closest,
    describe,
    kind_of,
)
from pamola_tasks.secret import Secret
from pamola_tasks_config.document import dotted
from pamola_tasks_config.schema import limits

if TYPE_CHECKING:
    from pamola_tasks.protocols import Redactor

_TRUE = frozenset(("true", "yes", "1", "on"))
_FALSE = frozenset(("false", "no", "0", "off"))
_NOTHING = frozenset(("none", "null", "~", ""))
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_REFERENCE = re.compile(r"\$\{(env|secret):([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


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


class ConfigFitter(Fitter):
    """Fits values of the configuration.

    Args:
        expanded: Whether references are expanded by now. Before, a reference is kept wherever it may turn out to fit.
        layer: Whether the values are those of a single layer, which may be incomplete: a section stays a mapping.
    """

    def __init__(self, *, expanded: bool = True, layer: bool = False) -> None:
        super().__init__()
        self.expanded, self.layer = expanded, layer

    def fit(self, value: Any, kind: Any, path: ValuePath = ()) -> Any:
        """The value as this type has it; None, with a problem noted, where it does not fit."""
        if not self.expanded and has_reference(value):
            return self._reference(value, kind, path)
        if isinstance(value, Secret):
            return value if _takes(kind, Secret) else self._no_secret(path)
        return super().fit(value, kind, path)

    def section(self, value: Any, cls: type, path: ValuePath) -> Any:
        """A mapping as an attrs class; None is an empty one. Of a single layer, its typed fields."""
        value = {} if value is None else value
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            return self.say(path, f"expected a mapping, got {kind_of(value)}")
        return super().section(value, cls, path) if self._whole(path) else self.fields(value, cls, path)

    def _whole(self, path: ValuePath) -> bool:
        """Whether what is at this path comes from one layer as a whole: items of lists are not merged."""
        return not self.layer or any(isinstance(part, int) for part in path)

    def made(self, cls: type, ready: Mapping[str, Any], path: ValuePath) -> Any:
        """An instance of an attrs class from typed values."""
        try:
            return cls(**ready)
        except (ValueError, TypeError) as error:
            name = re.match(r"'(\w+)'", str(error.args[0]) if error.args else "")
            where = (*path, name[1]) if name is not None and name[1] in ready else path
            return self.say(where, _without_value(error, ready))

    def missing(self, path: ValuePath, kind: Any) -> None:
        """Note that a field without a default has no value."""
        if self._whole(path):
            self.say(path[:-1], f"the key {str(path[-1])!r} ({describe(kind)}) is missing")

    def unknown(self, path: ValuePath, fields: Iterable[str], meant: str | None) -> None:
        """Note an unknown key."""
        known = f" (did you mean {meant!r}?)" if meant else f"; there are {', '.join(fields)}"
        self.say(path, f"unknown key{known}", at_key=True)

    def choice(self, value: Any, kind: Any, path: ValuePath) -> Any:
        """One of the values of a Literal; texts whatever their case."""
        if not isinstance(value, str):
            return super().choice(value, kind, path)
        choices = [choice for choice in typing.get_args(kind) if isinstance(choice, str)]
        for choice in choices:
            if choice.lower() == value.lower():
                return choice
        meant = closest(value, choices)
        return self.say(path, f"expected {describe(kind)}{f' (did you mean {meant!r}?)' if meant else ''}")

    def fits_none(self, value: Any, kind: Any, path: ValuePath, tried: list[list[Misfit]]) -> Any:
        """Note that a value fits no member of a union: what is wrong is within it, or is a limit, or is its kind."""
        (first, *more), got = tried, f", got {kind_of(value)}"
        within = not more and not (len(first) == 1 and first[0].path == path and first[0].message.endswith(got))
        return super().fits_none(value, kind, path, tried) if within else self.expected(value, kind, path)

    def leaf(self, value: Any, kind: Any, path: ValuePath) -> Any:
        """A value that holds no others, finite and within the limits of its key."""
        found = super().leaf(value, kind, path)
        if not isinstance(found, int | float) or isinstance(found, bool):
            return found
        if not math.isfinite(found):
            return self.say(path, "expected a finite number")
        minimum, above = limits().get(dotted(path), (None, None))
        if minimum is not None and found < minimum:
            return self.say(path, f"expected {minimum:g} or more")
        if above is not None and found <= above:
            return self.say(path, f"expected more than {above:g}")
        return found

    def _reference(self, value: str, kind: Any, path: ValuePath) -> Any:
        if problem := malformed(value):
            return self.say(path, problem)
        if not is_one_reference(value) and not _takes(kind, str, Secret):
            return self.say(path, f"expected {describe(kind)}, got text around a reference")
        return value if _takes(kind, Secret) or not is_secret_reference(value) else self._no_secret(path)

    def _no_secret(self, path: ValuePath) -> Any:
        return self.say(path, "this key is shown in reports and cannot hold a secret")


def _members(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in UNIONS else (kind,)


def _takes(kind: Any, *wanted: Any) -> bool:
    """Whether values of one of these types fit a key."""
    return any(member is Any or member in wanted for member in _members(kind))


def _without_value(error: Exception, values: Mapping[str, Any]) -> str:
    """What a class's own check says, without the value that it may quote at its end."""
    text = str(error.args[0]) if error.args else ""
    for value in values.values():
        for form in (f": {value}", f": {value!r}", f" (got {value!r})"):
            text = text.removesuffix(form)
    quoted = any(isinstance(value, str) and value and value in text for value in values.values())
    return "not allowed by the plugin that the section belongs to" if quoted or not text else text


def from_text(text: str, kind: Any) -> Any:
    """Text of an environment variable as the kind of value that a key's type takes; text where none fits."""
    word = text.strip().lower()
    members = _members(kind)
    if type(None) in members and word in _NOTHING:
        return None
    for member in members:
        origin = typing.get_origin(member) or member
        if origin is bool and word in _TRUE | _FALSE:
            return word in _TRUE
        if origin in (int, float):
            number = _number(word)
            if number is not None and (origin is float or isinstance(number, int)):
                return origin(number)
        if origin in LISTS:
            arguments = typing.get_args(member) or (str,)
            return [from_text(item.strip(), arguments[0]) for item in text.split(",")] if word else []
    return text


def _number(word: str) -> int | float | None:
    """The number that a word is, if any; a whole one where 64 bits hold it."""
    if _INTEGER.fullmatch(word) and -(1 << 63) <= int(word) < 1 << 63:
        return int(word)
    try:
        return float(word)
    except ValueError:
        return None


class ReferredSecret(Secret):
    """A secret that is looked up when it is first revealed, so that showing a configuration needs no secret."""

    __slots__ = ("_find", "_found")

    def __init__(self, find: Callable[[], str], name: str = "") -> None:
        self._find = find
        self._found: str | None = None
        self.name = name

    @property
    def _value(self) -> str:  # type: ignore[override]  # the base class only reads it, once it is made
        if self._found is None:
            self._found = self._find()
        return self._found

    def __reduce__(self) -> tuple[Any, ...]:
        return (Secret, (self.reveal(), self.name))  # another process cannot look it up


def has_reference(value: object) -> bool:
    """Whether a text refers to the environment or to a secret."""
    return isinstance(value, str) and _REFERENCE.search(value) is not None


def is_one_reference(value: object) -> bool:
    """Whether a text is one reference and nothing else, so that its key's type decides how it is read."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def is_secret_reference(value: object) -> bool:
    """Whether a text refers to a secret."""
    return isinstance(value, str) and any(match[1] == "secret" for match in _REFERENCE.finditer(value))


def malformed(value: str) -> str:
    """What is wrong with the names that a text refers to; empty when nothing is."""
    for match in _REFERENCE.finditer(value):
        if not _NAME.fullmatch(match[2]):
            return f"${{{match[1]}:…}} needs a name of letters, digits, '_', '.' and '-'"
    return ""


def expand(value: str, environ: Mapping[str, str], find_secret: Callable[[str], str]) -> str | Secret:
    """A text with its references replaced: a `Secret`, looked up when revealed, where it refers to one.

    Raises:
        ConfigurationError: An environment variable is not set.
    """
    references = _REFERENCE.findall(value)
    for kind, name in references:
        if kind == "env" and name not in environ:
            raise ConfigurationError(f"${{env:{name}}}: this environment variable is not set")

    def replaced(match: re.Match[str]) -> str:
        return environ[match[2]] if match[1] == "env" else find_secret(match[2])

    secrets = [name for kind, name in references if kind == "secret"]
    if secrets:
        return ReferredSecret(lambda: _REFERENCE.sub(replaced, value), secrets[0])
    return _REFERENCE.sub(replaced, value)


def from_variables(value: str, environ: Mapping[str, str]) -> list[str]:
    """What the environment variables say that a text refers to."""
    return [environ[name] for kind, name in _REFERENCE.findall(value) if kind == "env"]


def is_secret(redact: Redactor, path: ValuePath, value: Any) -> bool:
    """Whether a value must not be shown: its key says so, or its own shape. (What a reference names is not written.)"""
    plain_value = isinstance(value, str | int | float) and not isinstance(value, bool) and not has_reference(value)
    if plain_value and any(redact.hides(part) for part in path if isinstance(part, str)):
        return True
    return isinstance(value, Secret) or (isinstance(value, str) and redact(value) != value)
