"""TOML 1.0 as a tree with places: `tomllib` says what the text means, a scan of the text where it says so.

The scan comes first and holds the limits. On anything that it does not understand it stops, and leaves the complaint
to `tomllib`, which is the judge.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import tomllib
from typing import Any

import attrs

from pamola_tasks.parameters import ValuePath
from pamola_tasks_config.document import MAX_DEPTH, Budget, Document, Node, check_number

_BLANK = re.compile(r"[ \t]*")
# What was taken is not given back, so that a long text is not tried in other ways: `*+`, and `(?>…)` round repeated
# groups, which Python before 3.11.5 mistakes with `*+`.
_SPACE = re.compile(r"(?>(?:[ \t\r\n]++|#[^\n]*+)*)")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?>(?:[^"\\\n]++|\\.)*)"')
_LITERAL = re.compile(r"'[^'\n]*'")
_LONG_BASIC = re.compile(r'"""(?>(?:[^"\\]++|\\.|"(?!""))*)"{3,5}', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''.*?'{3,5}(?!')", re.DOTALL)
_SCALAR = re.compile(r"[^,\]}\n#]+")
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


def read(document: Document) -> Node:
    """The whole document as a mapping."""
    scan = _Scan(document, Budget(document))
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
    budget = Budget(document)  # a scan that gave up has not counted all of it

    def node(data: Any, path: ValuePath, depth: int) -> Node:
        _, start = scan.place(path)
        budget.take(start, depth=depth)
        if isinstance(data, dict):
            items = {name: node(child, (*path, name), depth + 1) for name, child in data.items()}
            keys = {name: scan.place((*path, name))[0] for name in data}
            return Node(items, start, start, keys=keys)
        if isinstance(data, list):
            return Node([node(child, (*path, n), depth + 1) for n, child in enumerate(data)], start, start)
        if isinstance(data, datetime.datetime | datetime.date | datetime.time):
            # The other formats have no dates: there they are text.
            return Node(data.isoformat(), start, start)
        if isinstance(data, int | float) and not isinstance(data, bool):
            return Node(check_number(document, start, data), start, start)
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


@attrs.define
class _Scan:
    """Finds the places of keys and values."""

    document: Document
    budget: Budget
    at: int = 0
    places: dict[ValuePath, tuple[int, int]] = attrs.Factory(dict)  # of key and value
    arrays: dict[ValuePath, int] = attrs.Factory(dict)

    @property
    def text(self) -> str:
        return self.document.text

    def place(self, path: ValuePath) -> tuple[int, int]:
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (0, 0))

    def run(self) -> None:
        table: ValuePath = ()
        self.skip(_SPACE)
        while self.at < len(self.text):
            start = self.at
            if self.text.startswith("[", start):
                mark = "]]" if self.text.startswith("[[", start) else "]"
                self.at += len(mark)
                table = self.resolved(self.key())
                if mark == "]]":
                    count = self.arrays[table] = self.arrays.get(table, -1) + 1
                    self.places.setdefault(table, (start, start))
                    table = (*table, count)
                self.expect(mark)
                self.budget.take(start, depth=len(table) + 1)
                self.places[table] = (start, start)
            else:
                self.pair(table, len(table) + 1)
            self.skip(_SPACE)

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def expect(self, mark: str) -> None:
        self.skip(_BLANK)
        if not self.text.startswith(mark, self.at):
            raise _Unclear
        self.at += len(mark)

    def taken(self, patterns: tuple[re.Pattern[str], ...]) -> str:
        """What the first of the patterns that fits matches here."""
        for pattern in patterns:
            match = pattern.match(self.text, self.at)
            if match is not None:
                self.at += len(match[0].rstrip())
                return match[0]
        raise _Unclear

    def resolved(self, parts: ValuePath) -> ValuePath:
        """A header's path, arrays of tables standing for their newest element."""
        path: ValuePath = ()
        for number, part in enumerate(parts):
            path = (*path, part)
            if path in self.arrays and number < len(parts) - 1:
                path = (*path, self.arrays[path])
        return path

    def key(self) -> ValuePath:
        parts: list[str] = []
        while True:
            self.skip(_BLANK)
            parts.append(_unquoted(self.taken((_BARE, _BASIC, _LITERAL))))
            if len(parts) > MAX_DEPTH:
                raise self.document.fail(self.at, f"nested deeper than {MAX_DEPTH} levels")
            self.skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def pair(self, prefix: ValuePath, depth: int) -> None:
        start = self.at
        parts = self.key()
        self.expect("=")
        self.skip(_BLANK)
        path = (*prefix, *parts)
        for length in range(len(prefix) + 1, len(path)):
            self.places.setdefault(path[:length], (start, start))
        self.value(path, start, depth + len(parts))

    def value(self, path: ValuePath, key: int, depth: int) -> None:
        start, mark = self.at, self.text[self.at : self.at + 1]
        self.budget.take(start, depth=depth)
        if mark in ("[", "{"):
            self.at += 1
            self.items(path, depth, "]" if mark == "[" else "}")
        else:
            self.taken((_LONG_BASIC, _LONG_LITERAL, _BASIC, _LITERAL, _SCALAR))
        self.places[path] = (key, start)

    def items(self, path: ValuePath, depth: int, end: str) -> None:
        """The values of a list, or the pairs of an inline table."""
        index = 0
        self.skip(_SPACE)
        while not self.text.startswith(end, self.at):
            if end == "]":
                self.value((*path, index), self.at, depth + 1)
            else:
                self.pair(path, depth)
            index += 1
            self.skip(_SPACE)
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
            self.skip(_SPACE)
        self.expect(end)


def _unquoted(key: str) -> str:
    if key[0] not in "\"'":
        return key
    try:
        return next(iter(tomllib.loads(f"{key} = 0")))
    except tomllib.TOMLDecodeError:
        raise _Unclear from None
