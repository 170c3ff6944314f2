"""Columns that look like direct identifiers or quasi-identifiers, by rules that a warning can explain.

Direct identifiers by name: the words of the name (`CustomerID`, `e-mail` and `last_name` are split) say that it holds a
name, an address for mail or network, a telephone, a number of a document or account, or an id. By value: at least 80 %
of up to 1,000 distinct values are written as an e-mail address, telephone, social security number, card number, IBAN,
UUID, network address or link. By being unique: of 20 or more values at least 95 % are distinct in a column of text
other than dates; or a column of whole numbers never repeats and counts (range at most twice the rows) or is a code (all
of one length, six digits or more).

Quasi-identifiers, harmless alone and identifying in combination, by name: age, birth, sex, origin, place, family,
education, work and body, which are what outsiders know of people and what public registers hold (L. Sweeney: Simple
demographics often identify people uniquely, 2000). By kind: dates, since others may know when something happened. How a
table's columns go together is judged in `table_roles`.

What a name has in brackets (a unit, a remark) is read with the rest of it, and left out. The module asks pandas columns
only what columns of any library answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .identifier_words import id_named, identifier_named
from .naming import meaning_of, words_of
from .roles import QUASI

SAMPLE = 1000
SHARE_OF_PATTERN = 0.8
ROWS_TO_JUDGE = 20
SHARE_OF_UNIQUE = 0.95
SHARE_OF_IDS = 0.02

_PERSON = (
    "account|author|borrower|buyer|child|citizen|client|contact|customer|debtor|doctor|donor|driver|employee|father|"
    "guest|holder|insured|learner|member|mother|owner|parent|participant|passenger|patient|payer|person|personal|"
    "physician|policyholder|respondent|spouse|staff|student|subject|subscriber|tenant|user|voter|worker"
)
_NAMES: tuple[tuple[str, str], ...] = (
    (r"(e mail|email|mail)( address| addr| id)?", "an e-mail address"),
    (r"(tele)?phone|mobile|cell(phone| phone)?|fax|msisdn|tel", "a telephone number"),
    (r"ssn|social security|nino|national insurance|snils|aadhaar|mrn|medical record", "a person's official number"),
    (r"passport|driver s? ?licen[cs]e|licen[cs]e plate|number plate|vin|imei|imsi|iban", "a number of a document"),
    (r"(tax|national|personal|citizen|identity|health|voter)( card)? (id|number|no|nr|code)", "an official number"),
    (r"(account|card|credit card|insurance|policy|contract|certificate)( (id|number|no|nr|num|code))", "a number"),
    (r"credit ?card|cc number", "a card number"),
    (r"(first|last|full|sur|given|family|middle|maiden|nick|birth|legal) ?name|surname|forename|patronymic", "a name"),
    (r"user ?name|login|screen name|handle", "a user name"),
    (r"ip( address| addr)?|mac( address| addr)|url|website|homepage|device id|cookie( id)?", "a network address"),
    (r"(street|home|mailing|postal|residential|billing|shipping)? ?address( line)?|street", "an address"),
    (r"uuid|guid", "an id"),
)
_NAME_RULES = tuple((re.compile(rf"(^|.* )({pattern})( \d+)?$"), what) for pattern, what in _NAMES)
_PERSON_RULES = (
    (re.compile(rf"^((.* )?({_PERSON}) )?name$"), "a person's name"),
    (re.compile(rf"^(row |record |case |((.* )?({_PERSON})) )?(id|identifier|uid|key|number|no|nr)$"), "an id"),
)


_BRACKETS = re.compile(r"\(.*?\)|\[.*?\]|\{.*?\}")


def reason_by_name(column: str) -> str | None:
    """Why the name alone says that the column identifies people, or None."""
    for words in (_words(column), _words(_BRACKETS.sub(" ", column))):
        for rule, what in (*_NAME_RULES, *_PERSON_RULES):
            if rule.match(words):
                return f"its name says that it holds {what}"
    elsewhere = identifier_named(" ".join(words_of(column)))
    return f"its name says that it holds {elsewhere}" if elsewhere else None


def _words(column: str) -> str:
    split = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])|([a-z])(\d)", r"\1\3\5 \2\4\6", column)
    return " ".join(re.findall(r"[^\W_]+", split)).lower()


_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}([T ].*)?|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}([T ].*)?")
_NO_TELEPHONE = re.compile(r"\d{5}-\d{4}|\d{1,4}\s*-\s*\d{1,4}")
_TELEPHONE = re.compile(r"(?=.*[+()\s-])\+?[\d(][\d\s().-]{5,22}\d")
_CARD = re.compile(r"\d(?:[ -]?\d){12,18}")
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("e-mail addresses", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")),
    ("social security numbers", re.compile(r"\d{3}-\d{2}-\d{4}")),
    ("UUIDs", re.compile(r"\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?")),
    ("IBANs", re.compile(r"[A-Z]{2}\d{2}( ?[A-Z0-9]{4}){2,7}( ?[A-Z0-9]{1,4})?")),
    ("network addresses", re.compile(r"(\d{1,3}\.){3}\d{1,3}|([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")),
    ("links", re.compile(r"https?://\S+")),
)


def reason_by_values(column: str, values: Any) -> str | None:
    """Why the values say that the column identifies people, or None. The reason holds no value."""
    present = values.dropna()
    if present.empty:
        return None
    if _is_whole(present):
        return _reason_by_whole_numbers(column, present, getattr(values, "attrs", {}).get("records", len(values)))
    if not is_text(present):
        return None
    try:
        distinct = present.unique()
    except TypeError:  # cells that cannot be hashed, such as lists: what can be read of them decides
        distinct = present.map(str).unique()
    sample = _sample(distinct)
    for what, matches in _TESTS:
        if sum(matches(value) for value in sample) >= SHARE_OF_PATTERN * len(sample):
            return f"its values look like {what}"
    unique = len(present) >= ROWS_TO_JUDGE and len(distinct) >= SHARE_OF_UNIQUE * len(present)
    if unique and not is_dates(present):
        return f"nearly every value occurs once ({len(distinct):,} distinct in {len(present):,})"
    return _reason_by_id_name(column, len(distinct), len(present))


def direct_reason(column: str, values: Any) -> str | None:
    """Why a column looks like a direct identifier, by its name or else by its values, or None."""
    named = None if is_yes_or_no(values) else reason_by_name(column)
    if named and named.endswith(" a name") and not is_text(values.dropna()):
        named = None  # a number, as French `nombre` is
    return named or reason_by_values(column, values) or _reason_by_repeated_id(column, values)


def quasi_reason(column: str, values: Any) -> str | None:
    """Why a column that is judged alone looks like a quasi-identifier, or None."""
    if is_dates(values):
        return "it holds dates, and others may know when something happened to a person"
    meaning = meaning_of(column)
    if meaning is not None and meaning.role == QUASI:
        return f"its name says that it holds {meaning.what}, which others may know of a person"
    return None


def is_yes_or_no(values: Any) -> bool:
    """Whether a column says of each record whether it has something, such as a telephone."""
    kind = getattr(values.dtype, "kind", "O")
    return kind == "b" or (kind in "iuf" and set(values.head(SAMPLE).dropna().unique()) == {0, 1})


def _reason_by_whole_numbers(column: str, present: Any, rows: int) -> str | None:
    if len(present) < ROWS_TO_JUDGE or not present.is_unique:
        return _reason_by_id_name(column, int(present.nunique()), len(present))
    low, high = int(present.min()), int(present.max())
    if high - low < 2 * rows:
        return f"its whole numbers never repeat and count through the rows ({len(present):,} distinct)"
    if low > 0 and len(str(low)) == len(str(high)) >= 6:
        return f"its whole numbers never repeat and all have {len(str(high))} digits ({len(present):,} distinct)"
    return _reason_by_id_name(column, len(present), len(present))


def _reason_by_repeated_id(column: str, values: Any) -> str | None:
    """`idcode` of a panel identifies persons with several records each; a flag or a number of persons does not."""
    if not id_named(" ".join(words_of(column))):
        return None
    distinct, present = int(values.nunique()), int(values.notna().sum())
    if distinct < ROWS_TO_JUDGE or distinct < SHARE_OF_IDS * present:
        return None
    return f"its name says that it holds an id of persons ({distinct:,} distinct in {present:,})"


def _reason_by_id_name(column: str, distinct: int, present: int) -> str | None:
    """`order_id` identifies where its values are mostly different; `country_id` does not."""
    if _words(column).endswith((" id", " identifier")) and present >= ROWS_TO_JUDGE and distinct > present / 2:
        return f"its name says that it holds an id, and most values occur once ({distinct:,} distinct in {present:,})"
    return None


def _sample(values: Any) -> list[str]:
    step = max(1, len(values) // SAMPLE)
    return [str(value).strip() for value in values[::step][:SAMPLE]]


def is_dates(values: Any) -> bool:
    present, kind = values.dropna(), getattr(values.dtype, "kind", "O")
    if kind in "biufcmM" or present.empty:
        return kind == "M"
    sample = _sample(present)
    return sum(_DATE.fullmatch(value) is not None for value in sample) >= SHARE_OF_PATTERN * len(sample)


def _is_category(values: Any) -> bool:
    return str(values.dtype) == "category"


def _is_whole(values: Any) -> bool:
    return not _is_category(values) and getattr(values.dtype, "kind", "") in ("i", "u")


def is_text(values: Any) -> bool:
    found = values.cat.categories if _is_category(values) else values
    if getattr(found.dtype, "kind", "O") in "biufcmM":
        return False
    return any(isinstance(value, str) for value in found[:SAMPLE])


def _is_telephone(value: str) -> bool:
    if _DATE.fullmatch(value) or _NO_TELEPHONE.fullmatch(value) or not _TELEPHONE.fullmatch(value):
        return False
    return 7 <= sum(character.isdigit() for character in value) <= 15


def _is_card_number(value: str) -> bool:
    """Thirteen to nineteen digits whose check digit is right (H. P. Luhn, US patent 2,950,048)."""
    if not _CARD.fullmatch(value):
        return False
    digits = [int(character) for character in reversed(value) if character.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[1::2]]
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0


def _pattern_test(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


_TESTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    *((what, _pattern_test(pattern)) for what, pattern in _PATTERNS),
    ("card numbers", _is_card_number),
    ("telephone numbers", _is_telephone),
)
