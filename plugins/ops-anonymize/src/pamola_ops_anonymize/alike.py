"""Which texts a reader distinguishes: one rule for diversity, pseudonyms and profiles.

Two texts are alike that differ only in case (full case folding), Unicode form (canonical caseless matching: The Unicode
Standard, 3.13, D145), blanks around them, the kind of blanks inside (a tab, a no-break space), or characters that leave
no mark (Default_Ignorable_Code_Point, such as the zero-width space, the soft hyphen and the byte order mark, and
controls). The number of blanks inside, accents, and letters of other scripts that look the same are differences.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks import OperationContext

from .domains import Ints
from .hashed_pairs import HashedPairs

Distinguish = Literal["reader", "exact"]
Normalization = Literal["nfc", "casefold", "trim"]

_TEXT = pa.large_string()
_PLAIN = "^[ -~]*$"  # what ASCII has to see
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BLANK = re.compile(r"[\s\u2800]")


def as_read(text: str) -> str:
    """A text such that those that a reader cannot distinguish are equal."""
    folded = unicodedata.normalize("NFD", _UNSEEN.sub("", text)).casefold()
    return _BLANK.sub(" ", unicodedata.normalize("NFC", folded)).strip(" ")


def all_as_read(texts: Any) -> Any:
    """The same for an array of texts, or a list of them, as an Arrow array."""
    texts = texts if isinstance(texts, pa.Array) else pa.array(list(texts), _TEXT)
    plain = pc.match_substring_regex(texts, _PLAIN)
    made = pc.ascii_trim(pc.ascii_lower(texts), characters=" ")
    odd = pc.fill_null(pc.invert(plain), False)
    if not pc.any(odd).as_py():
        return made
    return pc.replace_with_mask(made, odd, pa.array([as_read(text) for text in texts.filter(odd).to_pylist()], _TEXT))


def normalized(text: str, steps: Collection[str]) -> str:
    """A text of which only what is not in these steps makes a difference; with all of them, what `as_read` gives."""
    if "trim" in steps:
        text = _UNSEEN.sub("", text)
    if "casefold" in steps:
        text = (unicodedata.normalize("NFD", text) if "nfc" in steps else text).casefold()
    if "nfc" in steps:
        text = unicodedata.normalize("NFC", text)
    return _BLANK.sub(" ", text).strip(" ") if "trim" in steps else text


def representatives(texts: Sequence[str]) -> Ints:
    """For each of some different texts the place of the first that a reader takes for the same."""
    shown = [text.lower().strip(" ") if text.isascii() and text.isprintable() else as_read(text) for text in texts]
    first: dict[str, int] = {}
    return np.array([first.setdefault(each, place) for place, each in enumerate(shown)], dtype=np.int64)


def number_alike(places: Ints) -> int:
    """How many of some texts, of which these are the `representatives`, are taken for another."""
    count = np.bincount(places) if len(places) else np.zeros(0, dtype=np.int64)
    return int(count[count > 1].sum())


def number_spare(places: Ints) -> int:
    """By how many some texts, of which these are the `representatives`, are more than what a reader distinguishes."""
    return int((places != np.arange(len(places))).sum())


class NearCollisions:
    """Counts the texts of a column that a reader takes for another, from pieces."""

    def __init__(self) -> None:
        self._pairs = HashedPairs()

    def add(self, texts: Any) -> None:
        """Look at some texts, which may repeat: an Arrow array, or a list."""
        if not isinstance(texts, pa.Array):
            texts = pa.array([text.encode("utf-8", "replace").decode() for text in texts], _TEXT)
        texts = texts.unique().drop_null()
        self._pairs.add(all_as_read(texts), texts)

    @property
    def distinct(self) -> int:
        """How many different texts there were; about so many where they are not `exact`."""
        return int(self._pairs.members.sum()) * self._pairs.times

    @property
    def count(self) -> int:
        """The texts so far that are taken for another, likewise."""
        members = self._pairs.members
        return int(members[members > 1].sum()) * self._pairs.times

    @property
    def spare(self) -> int:
        """By how many the texts are more than what a reader distinguishes, likewise."""
        members = self._pairs.members
        return int(members.sum() - len(members)) * self._pairs.times

    @property
    def exact(self) -> bool:
        """Whether all texts were counted, and not a random part of them."""
        return self._pairs.times == 1


def tell_alike(ctx: OperationContext, dataset: str, found: Mapping[str, int], distinguish: Distinguish) -> None:
    """Warn where values of sensitive attributes are alike to a reader: how many, and how they were counted."""
    for column, number in found.items():
        if number:
            counted = "as different values" if distinguish == "exact" else "as one value for each reading"
            ctx.warn(
                f"{dataset}: {number:,} values of {column} differ from another only in case, blanks, Unicode form or"
                f" invisible characters; diversity counts them {counted} (`distinguish: {distinguish}`)"
            )
