"""What is said of a column: as facts, in words, and as the setting that decides."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Word:
    """A word that several values are."""

    text: str
    count: int


@attrs.frozen
class Misfit:
    """Values that are not what the column looks like, of one kind."""

    kind: str  #: `whole numbers`, `numbers`, `dates`, `missing-value words` or `other text`
    count: int
    words: list[Word] = attrs.Factory(list)


@attrs.frozen
class Question:
    """What is ambiguous or may be meant otherwise, and the settings of which one decides."""

    text: str
    settings: list[str] = attrs.Factory(list)  #: YAML, one line each


@attrs.frozen(kw_only=True)
class ColumnDescription:
    """What one column is taken for.

    Attributes:
        name: Its name.
        dtype: The dtype that pandas has it in.
        read_as: The same in words.
        stated: Whether `data_types` says it.
        records: Rows.
        missing: Rows without a value.
        looks_like: What at least the stated share of its values are, if it was read as text: `dates as dd.mm.yyyy`.
            Else as `read_as`.
        share: The share of its values that are.
        misfits: The others.
        setting: The one that makes it what it looks like; empty where it is that, and where that is ambiguous.
        type: The type that `setting` states, as `data_types` takes it; None where it states none.
        questions: What else there is to decide.
        ordered: Whether it looks like numbers or dates.
    """

    name: str
    dtype: str
    read_as: str
    stated: bool
    records: int
    missing: int
    looks_like: str
    share: float
    misfits: list[Misfit] = attrs.Factory(list)
    setting: str = ""
    type: Mapping[str, Any] | None = None
    questions: list[Question] = attrs.Factory(list)
    ordered: bool = False

    @property
    def in_words(self) -> str:
        """One line: `93 % whole numbers, 7 % missing-value words: 'unknown' ×112`."""
        if not self.misfits:
            return f"{self.looks_like} (100 %)" if self.ordered or self.unread else self.looks_like
        values = self.records - self.missing
        parts = [f"{_percent(self.share)} {self.looks_like}"]
        for misfit in self.misfits:
            words = ", ".join(f"{word.text!r} ×{word.count:,}" for word in misfit.words)
            parts.append(f"{_percent(misfit.count / values)} {misfit.kind}" + (f": {words}" if words else ""))
        return ", ".join(parts)

    @property
    def unread(self) -> bool:
        """Whether it looks like something else than it is read as."""
        return self.looks_like != self.read_as


def _percent(share: float) -> str:
    whole = round(100 * share)
    if whole == 100 and share < 1:
        return f"{min(99.9, round(100 * share, 1))} %"
    return f"{whole} %" if whole or not share else "under 1 %"


def key_of(name: str) -> str:
    """A key as YAML writes it in a flow mapping."""
    return (
        name
        if re.fullmatch(r"[^\W\d][\w-]*", name) and name.lower() not in _YAML_WORDS
        else json.dumps(name, ensure_ascii=False)
    )


_YAML_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")


def flow_of(value: Any) -> str:
    """A value as YAML writes it on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow_of(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow_of, value)) + "]"
    return (
        value
        if isinstance(value, str) and re.fullmatch(r"[a-z]{2,}", value) and value not in _YAML_WORDS
        else json.dumps(value, ensure_ascii=False)
    )
