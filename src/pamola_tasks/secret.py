"""`Secret`: a value that must not be shown, and its replacement."""

from __future__ import annotations

MASK = "***"


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
