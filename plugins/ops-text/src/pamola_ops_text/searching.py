"""Finds in a text all that a task asks for: by recognizers, by the values of its record, and by lists."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from .findings import Finding, merged
from .mapped_text import MappedText, fold, searchable
from .terms import Terms, Words

if TYPE_CHECKING:
    from .recognizers import Asked

MOST_KEPT = 10_000  # records whose terms, and texts whose findings, are kept for those that are alike
Known = tuple[str | None, ...]


class Searching:
    """Finds what identifies persons in texts.

    Args:
        asked: What the recognizers look for.
        known: By column of a record the entity that its value is.
        deny_list: By entity words and names that are found everywhere.
        names: By entity names that are found everywhere, whole and by their words.
        allow_list: Findings that stay, with all that is found within them.
    """

    def __init__(
        self,
        asked: Asked,
        known: Mapping[str, str],
        deny_list: Mapping[str, Sequence[str]],
        names: Mapping[str, Iterable[str]],
        allow_list: Sequence[str],
    ) -> None:
        from .recognizers import Recognizers  # which takes seconds to import

        self.recognizers = Recognizers(asked)
        self._known = known
        self._stop_words = frozenset(map(fold, self.recognizers.stop_words))
        self._listed = Terms(self._stop_words)
        for parts, listed in ((False, deny_list), (True, names)):
            for entity, values in listed.items():
                for value in values:
                    self._listed.add(value, entity, parts=parts)
        self._allowed = {_spelling(each) for each in allow_list}
        self._terms: dict[Known, Terms] = {}
        self._found: dict[tuple[str, Known], list[Finding]] = {}

    def find(self, text: str, known: Known = ()) -> list[Finding]:
        """What is to be replaced in a text of a record with these values: in order, without overlaps."""
        found = self._found.get((text, known))
        if found is None:
            found = self._search(text, known)
            _keep(self._found, (text, known), found)
        return found

    def _search(self, text: str, known: Known) -> list[Finding]:
        searched = searchable(text)
        found = [_in_original(each, searched) for each in self.recognizers.find(searched.text)]
        words = Words.of(text, searched)
        found += [*self._listed.find(words), *self._of_record(known).find(words)]
        if self._allowed:
            stay = [each for each in found if _spelling(text[each.start : each.end]) in self._allowed]
            found = [each for each in found if not any(one.start <= each.start and each.end <= one.end for one in stay)]
        return merged(found, text)

    def _of_record(self, known: Known) -> Terms:
        terms = self._terms.get(known)
        if terms is None:
            terms = Terms(self._stop_words)
            for value, entity in zip(known, self._known.values(), strict=False):
                if value is not None:
                    terms.add(value, entity, parts=True)
            _keep(self._terms, known, terms)
        return terms


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[key] = value


def known_of(piece: pd.DataFrame, columns: Sequence[str]) -> list[Known]:
    """For each record its values of these columns, as text; None where one is missing."""
    if not columns:
        return [()] * len(piece)
    texts = [[_written(value) for value in piece[name].astype(object)] for name in columns]
    return list(zip(*texts, strict=True))


def _written(value: Any) -> str | None:
    if pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return str(value.date())
    return str(value)


def _in_original(finding: Finding, searched: MappedText) -> Finding:
    start, end = searched.span(finding.start, finding.end)
    return Finding(start, end, finding.entity, finding.score)


def _spelling(text: str) -> str:
    return " ".join(fold(searchable(text).text).split())
