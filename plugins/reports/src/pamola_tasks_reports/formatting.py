"""Numbers, times and sizes as people read them; and values as JSON holds them."""

from __future__ import annotations

import datetime
import enum
import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from pamola_tasks.secret import Secret

_SHOWN_ITEMS = 12


def is_number(item: Any) -> bool:
    """Whether it is a number, which booleans are not."""
    return isinstance(item, (int, float)) and not isinstance(item, bool)


def duration(seconds: Any) -> str:
    """`0.42 s`, `12.3 s`, `3 min 12 s`, `2 h 5 min`; empty for anything else."""
    if not is_number(seconds):
        return ""
    if seconds < 0.0995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(number: Any) -> str:
    """A number of bytes: `512 B`, `1.2 MB` (powers of 1000); empty for anything else."""
    if not is_number(number):
        return ""
    if number < 1000:
        return f"{number:.0f} B"
    amount = float(number)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def moment(text: Any) -> str:
    """`2026-03-01T09:30:00.123Z` as `2026-03-01 09:30:00 UTC`; other text as it is."""
    shown = "" if text is None else str(text)
    if len(shown) >= 20 and shown[10] == "T" and shown.endswith("Z"):
        return f"{shown[:10]} {shown[11:19]} UTC"
    return shown


def count(number: Any, one: str, many: str = "") -> str:
    """`1 step`, `30,162 rows`."""
    told = f"{number:,}" if isinstance(number, int) else value(number)
    return f"{told} {one if number == 1 else many or one + 's'}"


def value(item: Any) -> str:
    """Any JSON value in one line: grouped digits, four significant digits, at most a dozen items of a list."""
    if item is None:
        return "–"
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, int):
        return f"{item:,}" if abs(item) >= 10_000 else str(item)
    if isinstance(item, float):
        if item.is_integer() and abs(item) < 1e15:
            return value(int(item))
        return f"{item:,.0f}" if 10_000 <= abs(item) < 1e15 else f"{item:.4g}"
    if isinstance(item, Mapping):
        return ", ".join(f"{key}: {value(inner)}" for key, inner in item.items()) or "none"
    if isinstance(item, (list, tuple)):
        shown = ", ".join(value(inner) for inner in item[:_SHOWN_ITEMS])
        return f"{shown}, … ({len(item)} in all)" if len(item) > _SHOWN_ITEMS else shown or "none"
    return str(item)


def percent(share: float) -> str:
    """A share in percent: `0 %`, `<0.1 %`, `2.3 %`, `46 %`."""
    number = 100 * share
    if 0 < number < 0.1:
        return "<0.1 %"
    if number >= 9.95 or number == 0:
        return f"{number:.0f} %" if abs(number - round(number)) < 0.05 else f"{number:.1f} %"
    return f"{number:.1f} %"


def named(key: str) -> str:
    """The name of a fact in words, in the field's own spelling: `ncp_set` is NCP-set."""
    name = key.replace("_", " ")
    for plain, term in _TERMS.items():
        name = re.sub(rf"\b{plain}\b", term, name)
    return name


_TERMS = {
    "ncp set": "NCP-set",
    "ncp hier": "NCP-hier",
    "l diversity": "l-diversity",
    "t closeness": "t-closeness",
    "quasi identifier(s?)": r"quasi-identifier\1",
    "opendp": "OpenDP",
}


def printable(text: str) -> str:
    """The text with characters that are not printed (control, bidi) as escapes; its line ends stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def flat(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested facts as pairs, the names joined: `loss › age`."""
    for key, item in facts.items():
        name = before + named(key)
        if isinstance(item, Mapping) and item:
            yield from flat(item, f"{name} › ")
        else:
            yield name, item


def plain(value: Any) -> Any:
    """A value as JSON: numbers of numpy become numbers, NaN and infinities become null, sets are sorted.

    Secrets stay as they are, for the redactor to mask.
    """
    if value is None or (isinstance(value, (bool, int, str, Secret)) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if attrs.has(type(value)):
        return plain(attrs.asdict(value, recurse=False))
    as_python = getattr(value, "tolist", None)  # numpy, pandas and pyarrow scalars and arrays
    if callable(as_python):
        return plain(as_python())
    return str(value)
