"""TOML 1.0 as a tree with places: `tomllib` gives the meaning of the text, a scan of it the places.

The scan comes first and holds the limits. On anything that it does not understand it stops, and leaves the complaint
to `tomllib`, which is the judge.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import re
import tomllib
from typing import Any

from pamola_tasks.parameters import ValuePath
from pamola_tasks_config.document import MAX_DEPTH, Document, Node

# What was taken is not given back, so that a long text is not tried in other ways: `*+`, and `(?>…)` round repeated
# groups, which Python before 3.11.5 mistakes with `*+`.
_BASIC = r'"(?>(?:[^"\\\n]++|\\[^\n])*)"'
_LITERAL = r"'[^'\n]*'"
_LONG = r'''"""(?>(?:[^"\\]++|\\.|"(?!""))*)"{3,5}|\'\'\'.*?'{3,5}(?!')'''
_PART = re.compile(rf"[A-Za-z0-9_-]+|{_BASIC}|{_LITERAL}")
_KEY = re.compile(rf"(?>(?:{_PART.pattern})(?:[ \t]*\.[ \t]*(?:{_PART.pattern}))*)[ \t]*")
_VALUE = re.compile(rf"{_LONG}|{_BASIC}|{_LITERAL}|[^,\]}}\n#]+", re.DOTALL)
_SPACE = re.compile(r"(?>(?:[ \t\r\n]++|#[^\n]*+)*)")
_COMMA = re.compile(rf"{_SPACE.pattern}(,?){_SPACE.pattern}")
_HEADER = re.compile(r"(\[{1,2})[ \t]*")
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


def read(document: Document) -> Node:
    """The whole document as a mapping."""
    scan = _Scan(document)
    with contextlib.suppress(_Unclear):
        scan.run()
    try:
        data = tomllib.loads(document.text)
    except tomllib.TOMLDecodeError as error:
        raise _failure(document, str(error)) from None
    except RecursionError:
        raise document.fail(0, f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        # Python refuses to convert very long digit strings.
        raise document.fail(0, "a number with more digits than can be read") from None
    document.counted = 0  # a scan that gave up has not counted all of it

    def node(data: Any, path: ValuePath, depth: int) -> Node:
        _, start = scan.place(path)
        document.count(start, depth=depth)
        if isinstance(data, dict):
            items = {name: node(child, (*path, name), depth + 1) for name, child in data.items()}
            return Node(items, start, start, keys={name: scan.place((*path, name))[0] for name in data})
        if isinstance(data, list):
            return Node([node(child, (*path, n), depth + 1) for n, child in enumerate(data)], start, start)
        if isinstance(data, datetime.datetime | datetime.date | datetime.time):
            data = data.isoformat()  # the other formats have no dates: there they are text
        elif isinstance(data, int | float) and not isinstance(data, bool):
            data = document.number(start, data)
        return Node(data, start, start)

    return node(data, (), 1)


def _failure(document: Document, message: str) -> Exception:
    found = _AT.search(message)
    offset = len(document.text)
    if found is not None:
        lines = document.text.splitlines(keepends=True)
        offset = sum(map(len, lines[: int(found[1]) - 1])) + int(found[2]) - 1
    # The message may quote a key or a character, never a value.
    return document.fail(min(offset, len(document.text)), f"not TOML: {message.partition(' (at ')[0]}")


class _Unclear(Exception):
    """The scan met something that it does not understand."""


class _Scan:
    """Finds the places of keys and values."""

    def __init__(self, document: Document) -> None:
        self.document, self.text = document, document.text
        self.at = 0
        self.places: dict[ValuePath, tuple[int, int]] = {}  # of key and value
        self.arrays: dict[ValuePath, int] = {}  # the newest element of arrays of tables

    def place(self, path: ValuePath) -> tuple[int, int]:
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (0, 0))

    def run(self) -> None:
        table: ValuePath = ()
        self.take(_SPACE)
        while (start := self.at) < len(self.text):
            if self.text[start] == "[":
                brackets = len(self.take(_HEADER)[1])
                table = self.resolved(self.key())
                if brackets == 2:
                    self.arrays[table] = self.arrays.get(table, -1) + 1
                    self.places.setdefault(table, (start, start))
                    table = (*table, self.arrays[table])
                self.expect("]" * brackets)
                self.document.count(start, depth=len(table) + 1)
                self.places[table] = (start, start)
            else:
                self.pair(table, len(table) + 1)
            self.take(_SPACE)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Unclear
        self.at = match.end()
        return match

    def expect(self, mark: str) -> None:
        if not self.text.startswith(mark, self.at):
            raise _Unclear
        self.at += len(mark)

    def resolved(self, parts: ValuePath) -> ValuePath:
        """A header's path, arrays of tables standing for their newest element."""
        path: ValuePath = ()
        for number, part in enumerate(parts):
            path = (*path, part)
            if path in self.arrays and number < len(parts) - 1:
                path = (*path, self.arrays[path])
        return path

    def key(self) -> ValuePath:
        parts = [part[0] for part in itertools.islice(_PART.finditer(self.take(_KEY)[0]), MAX_DEPTH + 1)]
        if len(parts) > MAX_DEPTH:
            raise self.document.fail(self.at, f"nested deeper than {MAX_DEPTH} levels")
        return tuple(map(_unquoted, parts))

    def pair(self, prefix: ValuePath, depth: int) -> None:
        start, parts = self.at, self.key()
        self.expect("=")
        path = (*prefix, *parts)
        for length in range(len(prefix) + 1, len(path)):
            self.places.setdefault(path[:length], (start, start))
        self.take(_SPACE)
        self.value(path, start, depth + len(parts))

    def value(self, path: ValuePath, key: int, depth: int) -> None:
        start, mark = self.at, self.text[self.at : self.at + 1]
        self.document.count(start, depth=depth)
        if mark in ("[", "{"):
            self.at += 1
            self.items(path, depth, "]" if mark == "[" else "}")
        else:
            self.take(_VALUE)
        self.places[path] = (key, start)

    def items(self, path: ValuePath, depth: int, end: str) -> None:
        """The values of a list, or the pairs of an inline table."""
        self.take(_SPACE)
        for index in itertools.count():
            if self.text.startswith(end, self.at):
                break
            if end == "]":
                self.value((*path, index), self.at, depth + 1)
            else:
                self.pair(path, depth)
            if not self.take(_COMMA)[1]:
                break
        self.expect(end)


def _unquoted(key: str) -> str:
    if key[0] not in "\"'":
        return key
    try:
        return next(iter(tomllib.loads(f"{key} = 0")))
    except tomllib.TOMLDecodeError:
        raise _Unclear from None
