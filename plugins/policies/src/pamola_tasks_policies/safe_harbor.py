"""The rule of Safe Harbor, 45 CFR 164.514(b)(2): the eighteen categories, postal codes, dates and ages over 89.

What a column is called and what its cells look like is all that can be looked at. The rule also asks that no one who
releases the data knows of a way to identify a person with what is left, which no program can say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from .rules import SafeHarbor

#: The categories by their letters in 164.514(b)(2)(i), and words in the names of columns that hold them; of B and C
#: what is not judged by postal codes, dates and ages.
CATEGORIES: dict[str, tuple[str, str]] = {
    "A": ("names", r"(?:first|last|sur|family|given|middle|maiden|full|patient|person)_?name|name"),
    "B": (
        "geographic subdivisions smaller than a state",
        r"(?:street_?)?address(?:_line)?_?\d?|street|city|town|county|precinct|latitude|longitude|lat|lon|lng|geocode",
    ),
    "C": ("dates more exact than a year, and ages over 89", r""),
    "D": ("telephone numbers", r"(?:tele)?phone(?:_?(?:number|no))?|mobile|cell_?phone|tel"),
    "E": ("fax numbers", r"fax(?:_?(?:number|no))?"),
    "F": ("email addresses", r"e_?mail(?:_?address)?"),
    "G": ("social security numbers", r"ssn|social_?security(?:_?(?:number|no))?"),
    "H": ("medical record numbers", r"mrn|medical_?record(?:_?(?:number|no|id))?"),
    "I": ("health plan beneficiary numbers", r"(?:beneficiary|member|subscriber|health_?plan)_?(?:id|number|no)"),
    "J": ("account numbers", r"account(?:_?(?:id|number|no))?|iban"),
    "K": ("certificate and license numbers", r"(?:license|licence|certificate)(?:_?(?:id|number|no))?"),
    "L": ("vehicle identifiers, license plates included", r"vin|vehicle_?id|(?:license|number)_?plate|plate"),
    "M": ("device identifiers and serial numbers", r"device_?id|serial(?:_?(?:number|no))?|imei"),
    "N": ("web addresses", r"url|website|web_?address|homepage"),
    "O": ("IP addresses", r"ip(?:_?address)?"),
    "P": ("biometric identifiers", r"fingerprint|voice_?print|retina|iris_?scan|biometric\w*"),
    "Q": ("full-face photographs", r"photo(?:graph)?|picture|face_?image"),
    "R": (
        "other unique numbers and codes",
        r"(?:patient|person|customer|user|client|employee)_?(?:id|number|no|code)|uuid",
    ),
}
_NAMES = {letter: re.compile(f"(?:.*_)?(?:{words})", re.I) for letter, (_, words) in CATEGORIES.items() if words}
_CELLS = {
    "F": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "G": re.compile(r"\d{3}-\d{2}-\d{4}"),
    "N": re.compile(r"https?://\S+", re.I),
    "O": re.compile(r"(?:\d{1,3}\.){3}\d{1,3}"),
    "D": re.compile(r"\+?(?:1[ -.])?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}"),
}
_ZIP = re.compile(r"(?:.*_)?(?:zip(?:_?code)?|postal_?code|post_?code)(?:_?\d)?", re.I)
_AGE = re.compile(r"(?:.*_)?age(?:_?(?:years|in_years|at_\w+))?", re.I)
_SHORT_ZIP = re.compile(r"(\d{3})(?:[*Xx]{2}|-?\*+)?")
_FULL_DATE = re.compile(r"\d{4}-\d{1,2}(?:-\d{1,2})?(?:[T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_OPEN_END = re.compile(r"\s*(?:(?:>=|≥|>)\s*(?:89|90)|90\s*\+|90 (?:or|and) (?:older|over|above))\s*", re.I)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def breaches(frame: pd.DataFrame, rule: SafeHarbor) -> Iterator[str]:
    """What of a table is against the rule: the column, its category, and how many cells; never a cell."""
    for name in map(str, frame.columns):
        if name in rule.harmless:
            continue
        column = frame[name]
        texts = _texts(column)
        found = next((letter for letter, words in _NAMES.items() if words.fullmatch(_snake(name))), None)
        if found is None:
            found = next((letter for letter, form in _CELLS.items() if any(map(form.fullmatch, texts))), None)
        if name in rule.zips or _ZIP.fullmatch(_snake(name)):
            yield from _zips(name, texts, rule)
        elif name in rule.dates or _holds_dates(column, texts):
            if few := sum(_FULL_DATE.search(text) is not None for text in texts):
                yield f"{name} holds {few:,} dates more exact than a year (C)"
        elif name in rule.ages or _AGE.fullmatch(_snake(name)):
            if few := sum(map(_over_89, texts)):
                yield f"{name} holds {few:,} different ages over 89 that are not of one category `>=90` (C)"
        elif found is not None:
            yield f"{name} looks like {CATEGORIES[found][0]} ({found}); list it in `harmless` if it is not"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[\s.-]+", "_", name)


def _texts(column: pd.Series[Any]) -> list[str]:
    """The distinct values of a column as text; whole numbers without a point."""
    values = column.dropna().unique().tolist()
    return [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]


def _zips(name: str, texts: list[str], rule: SafeHarbor) -> Iterator[str]:
    first = [match[1] if (match := _SHORT_ZIP.fullmatch(text.strip())) else None for text in texts if text.strip("* ")]
    if longer := sum(each is None for each in first):
        yield f"{name} holds {longer:,} different postal codes of more than three digits (B)"
    if rule.small_zips is None:
        if any(each not in (None, "000") for each in first):
            yield (
                f"{name} holds postal codes, and `small_zips` does not say which first three digits have 20,000 or"
                f" fewer people by the current census (B)"
            )
    elif small := sum(each in rule.small_zips for each in first):
        yield f"{name} holds {small:,} postal codes of areas with 20,000 or fewer people, in place of 000 (B)"


def _holds_dates(column: pd.Series[Any], texts: list[str]) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_datetime64_any_dtype(column.dtype)) or (
        bool(texts) and sum(_FULL_DATE.match(text.strip("[]() ")) is not None for text in texts) > len(texts) / 2
    )


def _over_89(text: str) -> bool:
    return not _OPEN_END.fullmatch(text) and any(float(number) > 89 for number in _NUMBER.findall(text))
