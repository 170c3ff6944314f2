"""Which jobs may begin, as those that they need end."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class ReadySet:
    """Which of several things may begin: each after those that it needs, in the order given.

    Args:
        needs: For each, by name, the names of those that it needs; names that are not among them are there already.

    Attributes:
        ready: Those that may begin and have not been taken, in the order given.

    Raises:
        graphlib.CycleError: Some need each other.
    """

    def __init__(self, needs: Mapping[str, Iterable[str]]) -> None:
        self._place = {name: number for number, name in enumerate(needs)}
        self._sorter = TopologicalSorter({name: [n for n in of if n in needs] for name, of in needs.items()})
        self._sorter.prepare()
        self.ready: list[str] = []
        self._add()

    def take(self, name: str) -> None:
        """Begin one of those that are ready."""
        self.ready.remove(name)

    def done(self, name: str) -> None:
        """Let begin what needs nothing else than this."""
        self._sorter.done(name)
        self._add()

    def _add(self) -> None:
        if more := self._sorter.get_ready():
            self.ready = sorted([*self.ready, *more], key=self._place.__getitem__)
