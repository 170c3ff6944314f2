"""What plugins contribute under a name: an object, or where to import it from when it is first used."""

from __future__ import annotations

from typing import Any


class Contribution:
    """Something that a plugin adds under a name, and what it replaces.

    A plain object or `"module:object"` is the same as a `Contribution` that replaces nothing.

    Args:
        target: The object, or `"module:object"`, imported when it is first used.
        replaces: The name of a contribution of another plugin that this one takes the place of.
    """

    __slots__ = ("replaces", "target")

    def __init__(self, target: Any, *, replaces: str = "") -> None:
        self.target = target
        self.replaces = replaces

    def __repr__(self) -> str:
        return f"Contribution({self.target!r}, replaces={self.replaces!r})"
