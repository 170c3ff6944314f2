"""JSON (RFC 8259) as a tree with places; strict, without extensions."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from pamola_tasks_config.documents import Budget, Document, Node, check_number

_BLANK = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?>(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"-?[A-Za-z_]\w*")
_WORDS = {"true": True, "false": False, "null": None}


def read(document: Document) -> Node:
    """The whole document as one value."""
    return _Reader(document).whole()


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = document.text
        self.budget = Budget(document)
        self.at = 0

    def whole(self) -> Node:
        self.blank()
        if self.at == len(self.text):
            self.fail("the file is empty; a configuration is at least {}")
        node = self.value(1)
        self.blank()
        if self.at != len(self.text):
            self.fail("more text behind the end of the value")
        return node

    def fail(self, message: str) -> NoReturn:
        raise self.document.fail(self.at, message)

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        if self.text.startswith(("//", "/*", "#"), self.at):
            self.fail("JSON has no comments; a YAML file may have them")

    def taken(self, mark: str) -> bool:
        if self.text.startswith(mark, self.at):
            self.at += 1
            return True
        return False

    def value(self, depth: int) -> Node:
        start = self.at
        self.budget.take(start, depth=depth)
        if self.taken("{"):
            return self.mapping(start, depth)
        if self.taken("["):
            return self.sequence(start, depth)
        if self.text.startswith('"', start):
            return Node(self.string(), start, self.at)
        return self.scalar(start)

    def mapping(self, start: int, depth: int) -> Node:
        items: dict[str, Node] = {}
        keys: dict[str, int] = {}
        self.blank()
        closed = self.taken("}")
        while not closed:
            key_at = self.at
            if not self.text.startswith('"', key_at):
                self.fail('expected a key in double quotes, or "}"' if not items else "expected a key in double quotes")
            key = self.string()
            self.blank()
            if not self.taken(":"):
                self.fail('expected ":" after the key')
            self.blank()
            node = self.value(depth + 1)
            if key in items:
                line, _ = self.document.place(keys[key])
                self.document.report(key_at, f"the key stands twice (first in line {line})", (key,))
            else:
                items[key], keys[key] = node, key_at
            self.blank()
            closed = self.taken("}")
            if not closed:
                if not self.taken(","):
                    self.fail('expected "," or "}"')
                self.blank()
        return Node(items, start, self.at, keys=keys)

    def sequence(self, start: int, depth: int) -> Node:
        items: list[Node] = []
        self.blank()
        closed = self.taken("]")
        while not closed:
            items.append(self.value(depth + 1))
            self.blank()
            closed = self.taken("]")
            if not closed:
                if not self.taken(","):
                    self.fail('expected "," or "]"')
                self.blank()
        return Node(items, start, self.at)

    def string(self) -> str:
        match = _STRING.match(self.text, self.at)
        if match is None:
            self.fail("a text that does not end, or has a wrong escape or a control character in it")
        text = json.loads(match[0])
        assert isinstance(text, str)
        if any(0xD800 <= ord(character) < 0xE000 for character in text):
            self.document.report(self.at, "half of a surrogate pair, which is no character")
            text = ""
        self.at = match.end()
        return text

    def scalar(self, start: int) -> Node:
        number = _NUMBER.match(self.text, start)
        if number is not None:
            self.at = number.end()
            whole = number[1] is None and number[2] is None
            # Python refuses to convert very long digit strings; 64 bits have at most 20.
            value = (int(number[0]) if len(number[0]) <= 20 else 1 << 64) if whole else float(number[0])
            return Node(check_number(self.document, start, value), start, self.at)
        word = _WORD.match(self.text, start)
        if word is not None and word[0] in _WORDS:
            self.at = word.end()
            return Node(_WORDS[word[0]], start, self.at)
        if word is not None and word[0].lstrip("-") in ("NaN", "Infinity"):
            self.at = word.end()
            self.document.report(start, "not a finite number (NaN and Infinity are not allowed)")
            return Node(None, start, self.at)
        self.fail("expected a value: text in double quotes, a number, true, false, null, [ or {")
