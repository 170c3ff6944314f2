"""Text on terminals, and in pipes, of which the charset lacks characters."""

from __future__ import annotations

import codecs
import io
import sys

_PLAIN = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u00b7", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u2032\u2039\u203a", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u00a0\u2007\u2009\u202f", " "),
    "\u2026": "...",
    "\u2192": "->",
    "\u2190": "<-",
    "\u21d2": "=>",
    "\u23ce": "\\n",
    "\u2022": "*",
    "\u00d7": "x",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
    "\u2248": "~",
    "\u00b1": "+/-",
    "\u00b2": "^2",
    "\u00b3": "^3",
    "\u03b4": "delta",
    "\u03b5": "epsilon",
    "\u2713": "yes",
    "\u2717": "no",
}
_HANDLER = "pamola_tasks.plain"


def adapt_streams() -> None:
    """Let stdout and stderr write ASCII for what their charset lacks: `...` for an ellipsis, escapes for letters."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def is_unicode(encoding: str | None) -> bool:
    """Whether an encoding is UTF-8, the only one of JSON that other programs read (RFC 8259, section 8.1)."""
    return codecs.lookup(encoding or "ascii").name == "utf-8"


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    escaped = (_PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in lacking)
    return "".join(escaped), error.end
