"""Pseudonyms of values: HMAC-SHA-256 (RFC 2104, FIPS 198-1), each distinct value once where values repeat.

What is written is bit for bit what `hmac.new(key, text.encode(), "sha256").hexdigest()` gives.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from .columns import distinct_texts

BLOCK = 64  # bytes of a SHA-256 block
SAMPLE = 5_000  # values looked at to judge whether they repeat: well under a hundredth of the work on a chunk
WORTHWHILE = 0.2  # share of hashes saved from which finding the distinct values costs less than it saves (measured)
TRIAL = 3  # pieces whose values are remembered before it is judged that they do not come again


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
    """Gives each value its pseudonym, column by column and piece by piece.

    Args:
        key: The secret key, at least 16 bytes.
        size: How many bytes of the 32 are used.
        remember: Whether to keep every value with its pseudonym, in `known`; else only while that saves time.
    """

    def __init__(self, key: bytes, *, size: int = 32, remember: bool = False) -> None:
        if len(key) < 16:
            raise ValueError("a key of at least 16 bytes is needed")
        self.known: dict[str, bytes] = {}
        self._digests = keyed_hash(key)
        self._size = size
        self._remember = remember
        self._pieces = 0
        self._learns = True

    def column(self, column: pd.Series[Any]) -> pd.Series[str]:
        """The pseudonyms of a column, as text in hexadecimal digits; missing values stay missing."""
        texts = None if self._remember else _plain_texts(column)
        self._pieces += 1
        if texts is not None and not self._repeats(texts):
            return self._each(column, texts)
        codes, distinct = distinct_texts(column)
        return pd.Series(
            _hexadecimal(self._of_distinct(distinct), self._size).take(codes, allow_fill=True), index=column.index
        )

    def _repeats(self, texts: Sequence[str]) -> bool:
        """Whether enough values stand in the piece twice, or are known, for finding the distinct ones to pay off.

        In a sample of n out of N values, each of which occurs m times, about n (m - 1) n / 2N are repetitions.
        """
        if len(texts) <= SAMPLE:
            return True
        # some positions fall together, which is cheaper than drawing without replacement from all of them
        chosen = np.unique(np.random.default_rng(len(texts)).integers(0, len(texts), SAMPLE))
        sample = [texts[position] for position in chosen.tolist()]
        seen = sum(text in self.known for text in sample) / len(sample) if self.known else 0.0
        if self._pieces > TRIAL and seen < WORTHWHILE:
            self._learns = False
            self.known.clear()
        repeated = len(sample) - len(set(sample))
        further = 2 * repeated * len(texts) / len(sample) ** 2
        return seen + (1 - seen) * further / (1 + further) >= WORTHWHILE

    def _each(self, column: pd.Series[Any], texts: Sequence[str]) -> pd.Series[str]:
        digests = self._digests(texts)
        if self._learns and self._pieces <= TRIAL:
            self.known.update(zip(texts, digests, strict=True))
        return pd.Series(_hexadecimal(digests, self._size), index=column.index)

    def _of_distinct(self, distinct: list[str]) -> list[bytes]:
        if not self.known:
            digests = self._digests(distinct)
            if self._learns:
                self.known.update(zip(distinct, digests, strict=True))
            return digests
        # one look-up a value: in a large dict each costs as much as a sixth of a hash
        found = list(map(self.known.get, distinct))
        new = [position for position, digest in enumerate(found) if digest is None]
        texts = [distinct[position] for position in new]
        digests = self._digests(texts)
        for position, digest in zip(new, digests, strict=True):
            found[position] = digest
        self.known.update(zip(texts, digests, strict=True))
        return cast("list[bytes]", found)


def _plain_texts(column: pd.Series[Any]) -> list[str] | None:
    """The values of a column that holds text and no gaps; None for any other."""
    if not isinstance(column.dtype, pd.StringDtype) and column.dtype != object:
        return None
    if column.hasnans:
        return None
    texts: list[str] = column.tolist()
    if column.dtype == object and not all(type(text) is str for text in texts):
        return None
    return texts


def _hexadecimal(digests: Sequence[bytes], size: int) -> pd.api.extensions.ExtensionArray:
    """Text of the first `size` bytes of each, made in one piece: a string object for each would cost a tenth more."""
    whole = b"".join(digests) if size == 32 else b"".join(digest[:size] for digest in digests)
    digits = binascii.hexlify(whole)
    offsets: npt.NDArray[np.int64] = np.arange(len(digests) + 1, dtype=np.int64) * (2 * size)
    texts = pa.LargeStringArray.from_buffers(len(digests), pa.py_buffer(offsets), pa.py_buffer(digits))
    column: pd.api.extensions.ExtensionArray = pd.array(texts, dtype=pd.StringDtype("pyarrow"))
    return column
