"""Labelled texts, and how many of their labels are found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pamola_tasks.errors import DataError

from .agreement import Agreement
from .findings import Finding
from .searching import Known, Searching, known_of

COLUMNS = ("text", "start", "end", "entity")


def labels_of(
    dataset: str, frame: pd.DataFrame, known_columns: Sequence[str]
) -> dict[tuple[str, Known], list[Finding]]:
    """The labels of each text, with the values of its record.

    Args:
        dataset: Its name, for messages.
        frame: A row for each label: `text`, `start` (from 0, in characters), `end` (the one behind the last) and
            `entity`; a text without labels has a row in which these three are missing.
        known_columns: Columns with values of the text's record, where the table has them.

    Raises:
        DataError: Of a row, by its number from 1: it has no text, or a label that is not within it.
    """
    found: dict[tuple[str, Known], list[Finding]] = {}
    records = zip(known_of(frame, known_columns), *(frame[name].astype(object) for name in COLUMNS), strict=True)
    for number, (known, text, start, end, entity) in enumerate(records, 1):
        where = f"{dataset}: row {number:,}"
        if pd.isna(text):
            raise DataError(f"{where} has no text")
        labels = found.setdefault((str(text), known), [])
        missing = [pd.isna(each) for each in (start, end, entity)]
        if all(missing):
            continue
        if any(missing):
            raise DataError(f"{where} has a part of a label only: state `start`, `end` and `entity`, or none of them")
        first, last = _whole(where, "start", start), _whole(where, "end", end)
        if not 0 <= first < last <= len(str(text)):
            raise DataError(
                f"{where} has a label that is not within its text of {len(str(text)):,} characters: `start` counts"
                f" characters from 0, `end` is the one behind the last"
            )
        labels.append(Finding(first, last, str(entity)))
    return found


def _whole(where: str, name: str, value: Any) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.5
    if not number.is_integer():
        raise DataError(f"{where}: `{name}` is not a whole number")
    return int(number)


def measured(labels: dict[tuple[str, Known], list[Finding]], searching: Searching) -> Agreement:
    """Search the labelled texts as those of the table, and compare."""
    agreement = Agreement()
    for number, ((text, known), of_text) in enumerate(labels.items(), 1):
        try:
            found = searching.find(text, known)
        except DataError as error:
            raise DataError(f"labelled text {number:,}: {error}") from None
        agreement.add(of_text, found)
    return agreement
