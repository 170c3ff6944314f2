"""What a language model is sent of a table's columns: names that are names, types, a codebook; values only by level."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import pandas as pd

from pamola_tasks.errors import DataError

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

MOST_NAME = 48  # characters of a name
MOST_WORDS = 6
MOST_TEXT = 300  # of a description in the codebook
MOST_CATEGORIES = 200  # of one column
_NAME = re.compile(r"[\w .()/%°#+-]+")
_TYPES = {"i": "whole numbers", "u": "whole numbers", "f": "numbers", "b": "true or false", "M": "dates or times"}
_SPELLING = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")


@attrs.frozen(kw_only=True)
class Described:
    """What a codebook says of a column.

    Attributes:
        description: In words.
        meanings: By value what it means; empty where the codebook lists no values.
    """

    description: str = ""
    meanings: Mapping[str, str] = attrs.Factory(dict)


def sendable(name: str) -> bool:
    """Whether a column's name reads as a name: short, few words, no punctuation of sentences or markup."""
    plain = unicodedata.normalize("NFKC", name)
    words = [word for word in _SPELLING.split(plain) if word]
    return len(plain) <= MOST_NAME and 0 < len(words) <= MOST_WORDS and _NAME.fullmatch(plain) is not None


def kind_of(dtype: str) -> str:
    """The type of a column in words, from its dtype as text."""
    lowered = dtype.lower()
    if lowered.startswith("datetime"):
        return _TYPES["M"]
    for begins, letter in (("int", "i"), ("uint", "u"), ("float", "f"), ("double", "f"), ("bool", "b")):
        if lowered.startswith(begins):
            return _TYPES[letter]
    return "text"


def is_number(dtype: str) -> bool:
    """Whether a column has numbers."""
    return kind_of(dtype) in (_TYPES["i"], _TYPES["f"])


def codebook(ctx: OperationContext, dataset: str) -> dict[str, Described]:
    """A codebook by column: a table with the columns `column`, and `description`, `value`, `meaning` as far as it has.

    A column has one line, or one for each of its values.

    Raises:
        DataError: It has no `column`.
    """
    frame = ctx.data.frame(dataset).astype(object)
    frame.columns = [str(name).strip().lower() for name in frame.columns]
    if "column" not in frame:
        raise DataError(f"{dataset} cannot be a codebook: it needs a column `column`, and description, value, meaning")
    found: dict[str, Described] = {}
    for row in frame.to_dict("records"):
        name, about, value, meaning = (_text(row.get(key)) for key in ("column", "description", "value", "meaning"))
        known = found.get(name, Described())
        meanings = {**known.meanings, value: meaning} if value else known.meanings
        found[name] = Described(description=known.description or about, meanings=meanings)
    return found


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def frequent(frame: pd.DataFrame, column: str, least: int) -> list[str]:
    """The categories of a column that at least so many records have, the most frequent first."""
    counts = frame[column].dropna().astype(str).value_counts()
    return [str(value) for value in counts[counts >= least].index[:MOST_CATEGORIES]]


def entries(
    schema: Mapping[str, str],
    book: Mapping[str, Described],
    categories: Mapping[str, Iterable[str]],
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What is sent of each column, under an id that is its place and no name, and the column of each id.

    Args:
        schema: By column its dtype as text.
        book: The codebook.
        categories: By column the values that may be sent.
    """
    sent: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for number, (name, dtype) in enumerate(schema.items(), start=1):
        entry: dict[str, Any] = {"id": f"c{number}", "type": kind_of(dtype)}
        names[entry["id"]] = name
        if sendable(name):
            entry["name"] = name
        said = book.get(name, Described())
        if said.description:
            entry["description"] = said.description[:MOST_TEXT]
        if said.meanings and len(said.meanings) <= MOST_CATEGORIES:
            entry["codes"] = {value: meaning[:MOST_TEXT] for value, meaning in said.meanings.items()}
        if name in categories:
            entry["categories"] = list(categories[name])
        sent.append(entry)
    return sent, names
