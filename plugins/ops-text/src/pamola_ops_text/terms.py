"""Words and numbers that are known, looked for in a text: values of its record, and lists of the task."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import NamedTuple

import attrs

from .findings import Finding
from .mapped_text import MappedText, fold, folded, searchable

_WORD = re.compile(r"[^\W_]+")
_FURTHEST = 3  # characters between two words of a term
_LEAST_ANY_CASE = 4  # letters of a part of a name that is found in small letters, too
_LEAST_DIGITS = 5  # of a number that is found however its digits are grouped
_LEAST_PART = 4  # digits of a word that is found without the rest of its value
_SEPARATORS = frozenset(" \t./()+-")
#: Words of names that name no person alone.
PARTICLES = frozenset(
    "mr mrs ms miss dr prof sir dame jr sr von van der den de del della di da dos du la le los las el al bin ibn ben"
    " ter ten zu zur vom of the and und et y e".split()
)


class Word(NamedTuple):
    """A word of a text, without case and accents."""

    text: str
    start: int  #: in the folded text
    end: int


@attrs.frozen(eq=False)
class Words:
    """A text as terms are looked for in it: its words, and its digits."""

    original: str
    text: MappedText
    words: list[Word]
    has_capitals: bool

    @classmethod
    def of(cls, original: str, searched: MappedText) -> Words:
        """The words of a text, from the form of it that is searched."""
        text = folded(searched)
        words = [Word(match[0], match.start(), match.end()) for match in _WORD.finditer(text.text)]
        return cls(original, text, words, any(each.isupper() for each in original))

    def finding(self, start: int, end: int, term: Term) -> Finding:
        """A finding at these places of the folded text."""
        return Finding(*self.text.span(start, end), term.entity, value=term.value)

    def is_capital(self, word: Word) -> bool:
        """Whether a word begins with a capital letter."""
        return self.original[self.text.span(word.start, word.end)[0]].isupper()


@attrs.frozen
class Term:
    """A value that is looked for, None where several have the word, and the entity that it is of."""

    value: str | None
    entity: str


class Terms:
    """Terms, by the words that they consist of.

    Args:
        stop_words: Words of the language that are parts of names only where they begin with a capital letter.
    """

    def __init__(self, stop_words: Collection[str] = ()) -> None:
        self._stop_words = stop_words
        self._whole: dict[str, list[tuple[list[str], Term]]] = {}  # by the first word
        self._parts: dict[str, Term] = {}
        self._numbers: dict[str, Term] = {}
        self._within: dict[str, Term] = {}  # of scripts that do not divide words by blanks

    def add(self, value: str, entity: str, *, parts: bool = False) -> None:
        """Have a value looked for; with `parts` also single words of it, if it consists of letters only."""
        term = Term(value, entity)
        text = fold(searchable(value).text)
        words = _WORD.findall(text)
        digits = "".join(each for each in text if each.isdigit())
        if not words:
            return
        if any(unicodedata.category(each) == "Lo" for each in text):
            for each in (" ".join(text.split()), *(words if parts else ())):
                if len(each) > 1:
                    self._within.setdefault(each, term)
        if len(text) > 1:
            self._whole.setdefault(words[0], []).append((words, term))
        if len(digits) >= _LEAST_DIGITS and not any(each.isalpha() for each in text):
            self._numbers.setdefault(digits, term)
        for word in words if parts else ():
            if (len(word) >= _LEAST_PART) if word.isdigit() else not digits and self._is_part(word):
                known = self._parts.setdefault(word, term)
                if known.value != value:
                    self._parts[word] = attrs.evolve(known, value=None)

    @staticmethod
    def _is_part(word: str) -> bool:
        return len(word) > 1 and word not in PARTICLES

    def find(self, text: Words) -> Iterator[Finding]:
        """All places of a text that have one of the terms."""
        for place, word in enumerate(text.words):
            for words, term in self._whole.get(word.text, ()):
                last = place + len(words) - 1
                if self._is_here(text, place, words):
                    yield text.finding(word.start, text.words[last].end, term)
            part = self._parts.get(word.text)
            if part is not None and self._counts(text, word):
                yield text.finding(word.start, word.end, part)
        for within, term in self._within.items():
            for match in re.finditer(re.escape(within), text.text.text):
                yield text.finding(match.start(), match.end(), term)
        if self._numbers:
            yield from self._grouped(text)

    @staticmethod
    def _is_here(text: Words, place: int, words: list[str]) -> bool:
        here = text.words[place : place + len(words)]
        return [each.text for each in here] == words and all(
            after.start - before.end <= _FURTHEST for before, after in pairwise(here)
        )

    def _counts(self, text: Words, word: Word) -> bool:
        """Whether a word that is a part of a name is meant as such."""
        if word.text.isdigit() or text.is_capital(word):
            return True
        if word.text in self._stop_words:
            return False
        return len(word.text) >= _LEAST_ANY_CASE or not text.has_capitals

    def _grouped(self, text: Words) -> Iterator[Finding]:
        """Numbers, whatever separates groups of their digits."""
        places = [place for place, each in enumerate(text.text.text) if each.isdigit()]
        digits = "".join(text.text.text[place] for place in places)
        for number, term in self._numbers.items():
            at = digits.find(number)
            while at >= 0:
                here = places[at : at + len(number)]
                if self._is_one_number(text.text.text, here, places[at - 1 : at], places[at + len(number) :][:1]):
                    yield text.finding(here[0], here[-1] + 1, term)
                at = digits.find(number, at + 1)

    @staticmethod
    def _is_one_number(text: str, here: list[int], before: list[int], after: list[int]) -> bool:
        if (before and before[0] + 1 == here[0]) or (after and here[-1] + 1 == after[0]):
            return False
        gaps = (text[one + 1 : other] for one, other in pairwise(here))
        return all(len(gap) < _FURTHEST and _SEPARATORS.issuperset(gap) for gap in gaps)
