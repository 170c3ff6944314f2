"""Pseudonyms of values: HMAC-SHA-256 (RFC 2104, FIPS 198-1), each distinct value once where values repeat.

What is written is bit for bit what `hmac.new(key, text.encode(), "sha256").hexdigest()` gives.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .columns import MISSING, distinct_texts

BLOCK = 64  # bytes of a SHA-256 block
SAMPLE = 5_000  # values looked at to judge whether they repeat: well under a hundredth of the work on a piece
WORTHWHILE = 0.2  # share of hashes saved from which finding the distinct values costs less than it saves (measured)
LOOK_UP = 0.15  # what a remembered value costs a piece that is looked up, as a part of hashing one value (measured)
MOST_REMEMBERED = 4  # times the records of a piece: beyond that there is hardly anything left to save

_TEXT = pa.large_string()
_NOTHING = pa.array([], _TEXT)


def keyed_hash(key: bytes) -> Callable[[Iterable[str]], list[bytes]]:
    """A function from texts to the 32 bytes of HMAC-SHA-256 of each.

    The two blocks that follow from the key are hashed once and their states copied: a third of the time of
    `hmac.digest`, and less than copying an `hmac` object, whose methods are Python.

    Args:
        key: Any number of bytes, used as RFC 2104 says.
    """
    block = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block)).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block)).copy

    def digests(texts: Iterable[str]) -> list[bytes]:
        found: list[bytes] = []
        add = found.append
        for text in texts:
            first = inner()
            first.update(text.encode("utf-8", "surrogatepass"))
            second = outer()
            second.update(first.digest())
            add(second.digest())
        return found

    return digests


class Pseudonymizer:
    """Gives each value of a column its pseudonym, piece by piece.

    Values that earlier pieces had are remembered while looking them up costs less than hashing them again.

    Args:
        key: The secret key, at least 16 bytes.
        size: How many bytes of the 32 are used.
        keep: Whether every value and its hash are kept in `known`.
    """

    def __init__(self, key: bytes, *, size: int = 32, keep: bool = False) -> None:
        if len(key) < 16:
            raise ValueError("a key of at least 16 bytes is needed")
        self.known: dict[str, bytes] = {}
        self._digests = keyed_hash(key)
        self._size = size
        self._keep = keep
        self._remembers = True
        self._values = self._pseudonyms = _NOTHING  # those remembered, in the same order

    def column(self, column: pd.Series[Any]) -> pd.Series[str]:
        """The pseudonyms of a piece of the column, as text in hexadecimal digits; missing values stay missing."""
        texts = plain_texts(column)
        if texts is None:
            codes, distinct = distinct_texts(column)
            made = self._of(distinct).take(pa.array(codes, mask=codes == MISSING))
        elif len(self._values) or _repeats(texts):
            made = self._looked_up(texts)
        else:
            made = self._one_by_one(texts)
        return pd.Series(pd.array(made, dtype=pd.StringDtype("pyarrow")), index=column.index)

    def _looked_up(self, texts: Any) -> Any:
        """Pseudonyms of values that repeat: those remembered, and the others, each of which is hashed once."""
        before = len(self._values)
        places = pc.index_in(texts, value_set=self._values)
        new = pc.and_(pc.is_null(places), pc.is_valid(texts))
        found = texts.filter(new).dictionary_encode()
        places = pc.replace_with_mask(places, new, pc.add(found.indices, pa.scalar(before, pa.int32())))
        values = pa.concat_arrays([self._values, found.dictionary])
        pseudonyms = pa.concat_arrays([self._pseudonyms, self._of(found.dictionary.to_pylist())])
        saved = len(texts) - texts.null_count - len(found)
        if saved < LOOK_UP * before:
            self._values = self._pseudonyms = _NOTHING
            self._remembers = False
        elif self._remembers and len(values) <= MOST_REMEMBERED * len(texts):
            self._values, self._pseudonyms = values, pseudonyms
        return pseudonyms.take(places)

    def _one_by_one(self, texts: Any) -> Any:
        """Pseudonyms of values that hardly repeat; they may come again in the next piece."""
        present = texts.drop_null()
        made = self._of(present.to_pylist())
        if self._remembers:
            self._values, self._pseudonyms = present, made
        return made if len(present) == len(texts) else pc.replace_with_mask(texts, pc.is_valid(texts), made)

    def _of(self, texts: Sequence[str]) -> Any:
        digests = self._digests(texts)
        if self._keep:
            self.known.update(zip(texts, digests, strict=True))
        return _hexadecimal(digests, self._size)


def plain_texts(column: pd.Series[Any]) -> Any:
    """A column of text as one array of Arrow; None for a column of anything else, or of what is not Unicode."""
    if not isinstance(column.dtype, pd.StringDtype) and column.dtype != object:
        return None
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) != "string":
        return None
    try:
        texts = pa.array(column, _TEXT, from_pandas=True)
    except (UnicodeEncodeError, pa.ArrowInvalid):
        return None
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _repeats(texts: Any) -> bool:
    """Whether enough values stand in the piece twice for finding the distinct ones to pay off.

    In a sample of n out of N values, each of which occurs m times, about n (m - 1) n / 2N are repetitions.
    """
    if len(texts) <= SAMPLE:
        return True
    # some positions fall together, which is cheaper than drawing without replacement from all of them
    chosen = np.unique(np.random.default_rng(len(texts)).integers(0, len(texts), SAMPLE))
    sample = texts.take(pa.array(chosen))
    repeated = len(sample) - len(sample.unique())
    further = 2 * repeated * len(texts) / len(sample) ** 2
    return further / (1 + further) >= WORTHWHILE


def _hexadecimal(digests: Sequence[bytes], size: int) -> Any:
    """Text of the first `size` bytes of each, made in one piece: a string object for each would cost a tenth more."""
    whole = b"".join(digests) if size == 32 else b"".join(digest[:size] for digest in digests)
    digits = binascii.hexlify(whole)
    offsets: npt.NDArray[np.int64] = np.arange(len(digests) + 1, dtype=np.int64) * (2 * size)
    return pa.LargeStringArray.from_buffers(len(digests), pa.py_buffer(offsets), pa.py_buffer(digits))
