"""A configuration file as a tree whose every value knows its place in the text, and what is wrong with it."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import attrs

from pamola_tasks.errors import ValidationError
from pamola_tasks.parameters import ValuePath

MAX_DEPTH = 64
MAX_NODES = 10_000

Scalar: TypeAlias = "str | int | float | bool | None"
KeyPath: TypeAlias = "tuple[str, ...]"  # of keys


@attrs.frozen(eq=False)
class Node:
    """A value and its place."""

    value: Scalar | dict[str, Node] | list[Node]
    start: int  #: offset of its first character in the text
    end: int  #: offset after its last character; `start` in TOML
    flow: bool = True  #: written in one piece (`{…}`, `[…]`, a scalar), not spread over lines by indentation
    keys: Mapping[str, int] = attrs.Factory(dict)  #: where the keys of a mapping are

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, *path: str) -> Node | None:
        """The node below at a path of keys, or None."""
        node: Node | None = self
        for key in path:
            node = node.value.get(key) if node is not None and isinstance(node.value, dict) else None
        return node

    def below_at(self, part: str | int) -> Node | None:
        """The value of a key, or the item of this number; None where there is none."""
        if isinstance(self.value, dict) and isinstance(part, str):
            return self.value.get(part)
        found = isinstance(self.value, list) and isinstance(part, int) and part < len(self.value)
        return self.value[part] if found else None  # type: ignore[index, return-value]

    def mapping(self, *path: str) -> dict[str, Any]:
        """The mapping at a path, without places; empty where there is none."""
        node = self.at(*path)
        return node.plain() if node is not None and isinstance(node.value, dict) else {}

    def below(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
        """This node, and every node below it that has a path of keys, with that path; parents first."""
        yield path, self
        if isinstance(self.value, dict):
            for key, child in self.value.items():
                yield from child.below((*path, key))


class Problem(NamedTuple):
    """One thing that is wrong, sortable by file and place."""

    order: int  #: of the file, environment or call; lower is shown first
    line: int  #: from 1; 0 where there is no line
    column: int  #: from 1
    text: str  #: the whole line for people


def dotted(path: Iterable[str | int]) -> str:
    """`('operations', 0, 'k')` as `operations[0].k`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def in_words(problems: Iterable[Problem]) -> tuple[str, ...]:
    """The lines of problems in order, each once, with what is not printed escaped: a key may hold anything."""
    texts = dict.fromkeys(problem.text for problem in sorted(problems))
    return tuple(
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text) for text in texts
    )


def leaves(values: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is not a mapping, with its path; an empty mapping is a value too."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def scalars(value: Any, path: ValuePath = ()) -> list[tuple[ValuePath, Any]]:
    """Every value that holds no others, in mappings and lists, with its path."""
    found: list[tuple[ValuePath, Any]] = []
    changed(value, lambda item, place: found.append((place, item)), path)
    return found


def changed(value: Any, change: Callable[[Any, ValuePath], Any], path: ValuePath = ()) -> Any:
    """A value with every value in it that holds no others changed; `change` gets it with its path."""
    if isinstance(value, Mapping):
        return {key: changed(item, change, (*path, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [changed(item, change, (*path, number)) for number, item in enumerate(value)]
    return change(value, path)


def put(values: Any, path: ValuePath, value: Any) -> None:
    """Set the value at a path; other values on the way are replaced by mappings."""
    *parents, last = path
    for part, following in zip(parents, path[1:], strict=True):
        kind = list if isinstance(following, int) else dict
        if not isinstance(part, int) and not isinstance(values.get(part), kind):
            values[part] = {}
        values = values[part]
    values[last] = value


def nested(values: Iterable[tuple[KeyPath, Any]]) -> dict[str, Any]:
    """Values by path as nested mappings."""
    found: dict[str, Any] = {}
    for path, value in values:
        put(found, path, value)
    return found


@attrs.define(eq=False)
class Document:
    """A configuration file that was read."""

    name: str  #: relative to the project
    format: str  #: `yaml`, `json` or `toml`
    text: str  #: without a byte order mark
    bom: bool = False  #: whether there was one
    order: int = 0  #: its place among the sources, for the order of problems
    problems: list[Problem] = attrs.field(factory=list, init=False)  #: what did not stop the reading
    root: Node = attrs.field(factory=lambda: Node({}, 0, 0), init=False)
    counted: int = attrs.field(default=0, init=False)  #: how many values were found
    _lines: list[int] = attrs.field(init=False, repr=False)

    @_lines.default
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\r\n?|\n", self.text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1."""
        line = bisect.bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def where(self, offset: int) -> str:
        """`configs/t_1.yaml:12:8`."""
        line, column = self.place(offset)
        return f"{self.name}:{line}:{column}"

    def problem(self, offset: int, message: str, path: ValuePath = ()) -> Problem:
        """A problem at a place of this file."""
        subject = f"{dotted(path)}: " if path else ""
        return Problem(self.order, *self.place(offset), f"{self.where(offset)}: {subject}{message}")

    def report(self, offset: int, message: str, path: ValuePath = ()) -> None:
        """Note a problem and continue reading, so that all of a file's problems are shown together."""
        self.problems.append(self.problem(offset, message, path))

    def fail(self, offset: int, message: str) -> ValidationError:
        """The error for a text that cannot be read on from here, with what was found before."""
        self.report(offset, message)
        return ValidationError(problems=in_words(self.problems))

    def find(self, path: ValuePath) -> tuple[int, int]:
        """Offsets of the key and of the value at a path, or of the nearest thing above that is there."""
        node, key = self.root, self.root.start
        for part in path:
            if isinstance(node.value, dict) and isinstance(part, str) and part in node.value:
                keys, node = node.keys, node.value[part]
                key = keys.get(part, node.start)
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                key = node.start
            else:
                break
        return key, node.start

    def count(self, offset: int, values: int = 1, depth: int = 0) -> None:
        """Count one more value, or, for an alias, all the values that it means, and stop at the limits."""
        self.counted += values
        if self.counted > MAX_NODES:
            raise self.fail(offset, f"more than {MAX_NODES:,} values (with aliases expanded)")
        if depth > MAX_DEPTH:
            raise self.fail(offset, f"nested deeper than {MAX_DEPTH} levels")

    def number(self, offset: int, value: float) -> float | None:
        """A number; refused where other readers could not represent it: beyond 64 bits, or not finite."""
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            self.report(offset, "a whole number beyond 64 bits")
        elif not isinstance(value, int) and not math.isfinite(value):
            self.report(offset, "not a finite number (NaN and Infinity are not allowed)")
        else:
            return value
        return None
