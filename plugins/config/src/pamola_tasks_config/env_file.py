r"""A file of variables (`.env`), read only where the key `env_file` names it.

It adds variables that the environment does not have; the environment of the process stays unchanged. A line is
`NAME=value`, `NAME='value'` or `NAME="value"`, with `export` before it and a comment after it if wanted. Quoted values
may go over several lines; in double quotes `\n`, `\r`, `\t`, `\"`, `\$` and `\\` are escapes. Variables in values are
not expanded: shells and other readers of such files disagree on how.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from pamola_tasks_config.document import MAX_NODES, Document
from pamola_tasks_config.documents import decode, read_bytes

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files

_ORDER = 5  # its problems are shown after those of other sources
_START = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[^\s=#'\"]+)[ \t]*=[ \t]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?>(?:[^"\\]++|\\.)*))"', re.DOTALL)
_PLAIN = re.compile(r"[^\n]*")
_END = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMENT = re.compile(r"(?:^|[ \t])#")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "$": "$", "\\": "\\"}


@attrs.frozen
class EnvFile:
    """The variables of a file.

    Attributes:
        document: The file, with what is wrong in it.
        values: Values by name.
        offsets: Where the names stand.
    """

    document: Document
    values: Mapping[str, str]
    offsets: Mapping[str, int]

    def place(self, name: str) -> str:
        """Where a variable is said: `.env:3:1`."""
        return self.document.where(self.offsets[name])


def read_env_file(files: Files, name: str) -> EnvFile | None:
    """Read a file of variables, or None where there is none of this name; mistakes are in `document.problems`.

    Args:
        files: Opens the file, which must lie in the project.
        name: The file.

    Raises:
        ValidationError: It is too large, or no UTF-8 text.
    """
    data = read_bytes(files, name)
    return _Reader(decode(data, files.name(name), "env", _ORDER)).read() if data is not None else None


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = document.text
        self.at = 0
        self.values: dict[str, str] = {}
        self.offsets: dict[str, int] = {}

    def read(self) -> EnvFile:
        if "\0" in self.text:
            raise self.document.fail(self.text.index("\0"), "a NUL character; this is not a text file")
        while self.at < len(self.text):
            nothing = _NOTHING.match(self.text, self.at)
            if nothing is not None:
                self.at = nothing.end()
                continue
            if len(self.offsets) >= MAX_NODES:
                raise self.document.fail(self.at, f"more than {MAX_NODES:,} variables")
            self._line()
        return EnvFile(self.document, self.values, self.offsets)

    def _line(self) -> None:
        start = _START.match(self.text, self.at)
        if start is None:
            self._skip(self.at, "expected NAME=value")
            return
        name, offset = start["name"], start.start("name")
        if not _NAME.fullmatch(name):
            self._skip(offset, "a name is made of letters, digits and _, and does not begin with a digit")
            return
        value = self._value(start.end())
        if value is None:
            return
        if name in self.offsets:
            line, _ = self.document.place(self.offsets[name])
            self.document.report(offset, f"the variable stands twice (first in line {line})", (name,))
            return
        self.values[name], self.offsets[name] = value, offset

    def _value(self, start: int) -> str | None:
        """The value that begins here; None, with a problem reported, where there is none."""
        mark = self.text[start : start + 1]
        if mark not in ("'", '"'):
            line = _PLAIN.match(self.text, start)
            assert line is not None
            self.at = line.end() + 1
            text = _COMMENT.split(line[0], maxsplit=1)[0].strip()
            return self._without_variables(start, text)
        quoted = (_SINGLE if mark == "'" else _DOUBLE).match(self.text, start)
        if quoted is None:
            self.at = len(self.text)
            self.document.report(start, "a quote that does not end")
            return None
        end = _END.match(self.text, quoted.end())
        if end is None:
            self._skip(quoted.end(), "text behind a quoted value")
            return None
        self.at = end.end()
        if mark == "'":
            return quoted[1]
        unknown = next((found for found in _ESCAPE.finditer(quoted[1]) if found[1] not in _ESCAPES), None)
        if unknown is not None:
            at = start + 1 + unknown.start()
            self.document.report(at, r"not an escape: there are \n, \r, \t, \", \$ and \\")
            return None
        if self._without_variables(start + 1, quoted[1]) is None:
            return None
        return _ESCAPE.sub(lambda found: _ESCAPES[found[1]], quoted[1])

    def _without_variables(self, start: int, text: str) -> str | None:
        variable = re.search(r"(?<!\\)\$[A-Za-z_{(]", text)
        if variable is None:
            return text
        at = start + variable.start()
        self.document.report(at, "variables in values are not expanded here: write a literal $ in single quotes")
        return None

    def _skip(self, offset: int, message: str) -> None:
        """Report a problem and continue with the next line."""
        self.document.report(offset, message)
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1
