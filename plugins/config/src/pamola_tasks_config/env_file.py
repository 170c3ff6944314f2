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
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")  # a line without a variable, or what follows one
_START = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[^\s=#'\"]+)[ \t]*=[ \t]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(
    r"""'(?P<raw>[^']*)'|"(?P<text>(?>(?:[^"\\]++|\\.)*))"|(?P<open>['"])|(?P<bare>[^\n]*)""", re.DOTALL
)
_COMMENT = re.compile(r"(?:^|[ \t])#")
_VARIABLE = re.compile(r"(?<!\\)\$[A-Za-z_{(]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "$": "$", "\\": "\\"}


@attrs.frozen
class EnvFile:
    """The variables of a file, by name, with the places of the names."""

    document: Document  #: the file, with what is wrong in it
    values: Mapping[str, str]
    offsets: Mapping[str, int]

    def place(self, name: str) -> str:
        """Where a variable is said: `.env:3:1`."""
        return self.document.where(self.offsets[name])


def read_env_file(files: Files, name: str) -> EnvFile | None:
    """Read a file of variables, or None where there is none of this name; mistakes are in `document.problems`."""
    data = read_bytes(files, name)
    return variables_of(decode(data, files.name(name), "env", _ORDER)) if data is not None else None


def variables_of(document: Document) -> EnvFile:
    """The variables of a text; ValidationError where it is not text, or has too many lines."""
    text, at = document.text, 0
    if "\0" in text:
        raise document.fail(text.index("\0"), "a NUL character; this is not a text file")
    values: dict[str, str] = {}
    offsets: dict[str, int] = {}
    while at < len(text):
        nothing = _NOTHING.match(text, at)
        if nothing is not None:
            at = nothing.end()
            continue
        if len(offsets) >= MAX_NODES:
            raise document.fail(at, f"more than {MAX_NODES:,} variables")
        start = _START.match(text, at)
        if start is None or not _NAME.fullmatch(start["name"]):
            if start is None:
                document.report(at, "expected NAME=value")
            else:
                wrong = "a name consists of letters, digits and _, and does not start with a digit"
                document.report(start.start("name"), wrong)
            at = text.find("\n", at) + 1 or len(text)
            continue
        name, offset = start["name"], start.start("name")
        value, at = _value(document, start.end())
        if value is not None and name in offsets:
            line, _ = document.place(offsets[name])
            document.report(offset, f"the variable is defined twice (first in line {line})", (name,))
        elif value is not None:
            values[name], offsets[name] = value, offset
    return EnvFile(document, values, offsets)


def _value(document: Document, start: int) -> tuple[str | None, int]:
    """The value that begins here, None with a problem reported where there is none, and where to read on."""
    text = document.text
    found = _VALUE.match(text, start)
    assert found is not None
    if found["open"] is not None:
        document.report(start, "a quote that does not end")
        return None, len(text)
    if found["bare"] is not None:
        bare = _COMMENT.split(found["bare"], maxsplit=1)[0].strip()
        return _without_variables(document, start, bare), found.end() + 1
    end = _NOTHING.match(text, found.end())
    if end is None:
        document.report(found.end(), "text behind a quoted value")
        return None, text.find("\n", found.end()) + 1 or len(text)
    if found["raw"] is not None:
        return found["raw"], end.end()
    quoted = found["text"]
    unknown = next((escape for escape in _ESCAPE.finditer(quoted) if escape[1] not in _ESCAPES), None)
    if unknown is not None:
        document.report(start + 1 + unknown.start(), r"not an escape: there are \n, \r, \t, \", \$ and \\")
        return None, end.end()
    checked = _without_variables(document, start + 1, quoted)
    return checked and _ESCAPE.sub(lambda escape: _ESCAPES[escape[1]], checked), end.end()


def _without_variables(document: Document, start: int, text: str) -> str | None:
    variable = _VARIABLE.search(text)
    if variable is None:
        return text
    message = "variables in values are not expanded here: write a literal $ in single quotes"
    document.report(start + variable.start(), message)
    return None
