"""What the name of a column says that it holds: meanings of words, parts of words and stems, in several languages.

The words are in `meanings.txt`. A name is split into words; a word is taken apart where all its parts are known
(`huseduc`: husband, education), so that `average` says nothing of an age. Cyrillic is transliterated, accents go.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .roles import INSENSITIVE, QUASI, SENSITIVE


class Meaning(NamedTuple):
    """What something holds.

    Attributes:
        name: `age`, `place` …
        role: The role that a column of it has.
        what: In words, with an article.
    """

    name: str
    role: str
    what: str


_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґў",
        "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh shch  y  e yu ya i i e g u".split(" "),
        strict=True,
    )
)
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ı": "i", **_CYRILLIC})
_BOUNDARY = re.compile(r"([^\W\d_])(?=\d)|(\d)(?=[^\W\d_])|([^\W\dA-Z_])(?=[A-Z])|([A-Z])(?=[A-Z][^\W\dA-Z_])")

# What may stand beside a part of a word without changing its meaning: numbers, which of several, less than …
_BESIDE = frozenset(
    "ln log nb nr no num non nbr of the in at is has ever evr yrs yr years year sq sqr squared group grp cat cod code"
    " lt ge gt le lev level lvl status stat type class cls highest current curr cur prev last first frst second scnd"
    " third old big small sml smll sm lg lrg vlg med other oth cent center central outer inner size total tot only yng"
    " young more less number dummy change diff miss capita head ref com"
    " comp firm out sin step sp own abb abbr par post pre rep mth mths app appl hr hourly weekly monthly annual"
    " ann".split()
)
_BEFORE = frozenset(
    "lnmfhwcdy"
)  # one letter, at the beginning: log, number, mother, father, husband, wife, change, dad, year
_AFTER = frozenset("army")  # one letter, at the end: a variant, the respondent, months, years


def words_of(name: str) -> list[str]:
    """The words of a name (`HomeCity (2)`: home, city, 2), lower case, in Latin letters, without accents."""
    split = _BOUNDARY.sub(lambda found: found.group(0) + " ", name)
    lower = split.lower().translate(_LETTERS)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(letter))
    return re.findall(r"[^\W\d_]+|\d+", plain)


def meanings_of(name: str) -> list[Meaning]:
    """What the words of a name say, in their order; empty where they say nothing."""
    words = words_of(name)
    if len(words) == 1 and (alone := _known().alone.get(words[0])):
        return [alone]
    found = [meaning for word in words for meaning in _meanings_of_word(word)]
    return found or list(_meanings_of_word("".join(words)) if words else ())  # `PClass`, `ZIPcode`


def meaning_of(name: str) -> Meaning | None:
    """What a name says as a whole: the hours of a job are a measure, the income of a mother is an income."""
    found = meanings_of(name)
    for role in (INSENSITIVE, SENSITIVE, QUASI):
        for meaning in found:
            if meaning.role == role:
                return meaning
    return None


class _Words(NamedTuple):
    alone: dict[str, Meaning]
    whole: dict[str, Meaning]
    parts: dict[str, Meaning]
    stems: dict[str, Meaning]


@cache
def _known() -> _Words:
    """What is written in `meanings.txt`."""
    known = _Words({}, {}, {}, {})
    text = Path(__file__).with_name("meanings.txt").read_text(encoding="utf-8")
    for section in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        head, _, words = section.partition("\n")
        name, role, what = re.fullmatch(r"(\w+)\] ([\w -]+): (.+)", head).groups()  # type: ignore[union-attr]
        meaning = Meaning(name, role, what)
        for word in words.split():
            bare = word.strip("=*+")
            if word.startswith("="):
                known.alone.setdefault(bare, meaning)
                continue
            known.whole.setdefault(bare, meaning)
            if word != bare or len(bare) > 3:
                known.parts.setdefault(bare, meaning)
            if word.endswith("*"):
                known.stems.setdefault(bare, meaning)
    return known


@cache
def _meanings_of_word(word: str) -> tuple[Meaning, ...]:
    known = _known()
    if found := known.whole.get(word):
        return (found,)
    parts = _parts_of(word)
    if not parts and word[0] in _BEFORE and len(word) > 3:
        parts = _parts_of(word[1:])
    if not parts and word[-1] in _AFTER and len(word) > 3:
        parts = _parts_of(word[:-1])
    return parts or ()


def _parts_of(word: str) -> tuple[Meaning, ...] | None:
    """The meanings of the parts that a word can be taken apart into, longest first; None where it cannot."""
    if not word:
        return ()
    known = _known()
    for size in range(len(word), 0, -1):
        head, rest = word[:size], word[size:]
        meaning = known.parts.get(head)
        if meaning is None and head not in _BESIDE:
            continue
        after = _parts_of(rest)
        if after is None and head in known.stems:
            after = ()
        if after is not None:
            return after if meaning is None else (meaning, *after)
    return None
