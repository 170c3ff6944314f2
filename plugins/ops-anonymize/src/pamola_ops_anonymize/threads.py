"""Columns worked on in two threads: NumPy and Arrow process long ones in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")


def each(function: Callable[[_Given], _Found], given: Iterable[_Given]) -> list[_Found]:
    """What a function gives for each of these, in their order."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(function, given))
