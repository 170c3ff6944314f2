"""`${env:NAME}` and `${secret:NAME}` in values: expanded once, what comes out is never looked at again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.secret import Secret

_REFERENCE = re.compile(r"\$\{(env|secret):([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


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
