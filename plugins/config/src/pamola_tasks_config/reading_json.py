"""JSON (RFC 8259) as a tree with places: the standard library judges the text, the YAML reader finds the places.

Every JSON text is YAML 1.2. What the YAML parser used here does not take (tabs, halves of surrogate pairs, control
characters in texts) is blanked before it looks, one character for one, since the values are read from the text itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pamola_tasks_config.document import MAX_DEPTH, Document, Node, Scalar, check_number
from pamola_tasks_config.reading_yaml import Composer, events_of, start_of

_BLANKED = re.compile("[\t\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|(?<=\\\\u)[dD][89a-fA-F][0-9a-fA-F]{2}")
_COMMENT = re.compile(r"[ \t\r\n]*(?://|/\*|#)")
_WORDS = {
    "Expecting property name enclosed in double quotes": "expected a key in double quotes",
    "Expecting value": "expected a value: text in double quotes, a number, true, false, null, [ or {",
    "Expecting ':' delimiter": 'expected ":" after the key',
    "Expecting ',' delimiter": 'expected "," or the end of the list or mapping',
    "Extra data": "more text after the end of the value",
}


def read(document: Document) -> Node:
    """The whole document as one value."""
    text = document.text
    if not text.strip(" \t\r\n"):
        raise document.fail(len(text), "the file is empty; a configuration is at least {}")
    try:
        # Numbers and constants are judged where their places are known.
        json.loads(text, parse_int=len, parse_float=len, parse_constant=len)
    except json.JSONDecodeError as error:
        offset = error.pos + error.msg.startswith("Illegal trailing comma")
        if _COMMENT.match(text, error.pos):
            raise document.fail(offset, "JSON has no comments; a YAML file may have them") from None
        message = "expected a key in double quotes" if offset > error.pos else _WORDS.get(error.msg)
        wrong = "a text that does not end, or has a wrong escape or a control character in it"
        raise document.fail(offset, message or wrong) from None
    except RecursionError:
        raise document.fail(0, f"nested deeper than {MAX_DEPTH} levels") from None
    events = events_of(document, _BLANKED.sub(lambda found: "0" * len(found[0]) if len(found[0]) > 1 else " ", text))
    next(events), next(events)  # the beginning of the stream, and of its only document
    return _Composer(document, events).value(next(events), 1)


class _Composer(Composer):
    """Reads scalars as JSON has them."""

    def scalar(self, event: Any) -> Scalar:
        start = start_of(event)
        text = self.document.text[start : event.end_mark.index]
        if not text.startswith('"'):
            return self.number(start, text) if text not in _CONSTANTS else _CONSTANTS[text]
        value = str(json.loads(text))
        if any(0xD800 <= ord(character) < 0xE000 for character in value):
            self.document.report(start, "half of a surrogate pair, which is not a character")
            return ""
        return value

    def number(self, start: int, text: str) -> Scalar:
        if text.lstrip("-").isdigit():
            # Python refuses to convert very long digit strings; 64 bits have at most 20.
            return check_number(self.document, start, int(text) if len(text) <= 20 else 1 << 64)
        return check_number(self.document, start, float(text.replace("Infinity", "inf")))


_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
