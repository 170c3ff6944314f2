"""`Secret`: a value that must not be shown, and its replacement; variables that other programs must not inherit."""

from __future__ import annotations

import os

MASK = "***"
_OF_KEYS = ("PAMOLA_KEY", "PAMOLA_KEY_FD", "PAMOLA_PASSPHRASE")
withheld: dict[str, str] = {}  #: what `withhold` took out of the environment


def withhold() -> None:
    """Keep what opens keys from processes that are started from here: they inherit the environment."""
    read_key_descriptor()
    for name in _OF_KEYS:
        if name in os.environ and not (name == "PAMOLA_KEY_FD" and os.environ[name].isdecimal()):  # it was not open
            withheld[name] = os.environ.pop(name)


def read_key_descriptor() -> None:
    """Read the open file that PAMOLA_KEY_FD names, which can be done once; a number that cannot be read stays."""
    number = os.environ.get("PAMOLA_KEY_FD", "")
    if number.isdecimal() and len(number) < 10:
        try:
            with open(int(number), "rb", closefd=int(number) > 2) as file:
                withheld["PAMOLA_KEY_FD"] = file.read(1 << 16).decode("utf-8", "replace")
        except OSError:
            return
        del os.environ["PAMOLA_KEY_FD"]


def variables() -> dict[str, str]:
    """The environment, with what was taken out of it."""
    return {**withheld, **os.environ}


class Secret:
    """A value that is never shown: `str`, `repr` and formatting give `***`; `reveal()` gives the value.

    Args:
        value: The secret text.
        name: What the secret is called, for messages.
    """

    __slots__ = ("_value", "name")

    def __init__(self, value: str, name: str = "") -> None:
        self._value = value
        self.name = name

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({self.name or MASK!r})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __bool__(self) -> bool:
        return bool(self._value)
