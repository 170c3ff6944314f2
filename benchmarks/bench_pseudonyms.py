"""What pseudonyms of 1,000,000 e-mail addresses cost, as a multiple of the best plain list comprehension.

    python benchmarks/bench_pseudonyms.py [ROUNDS]

CPU time, measured in turn; the least of each. Wanted: at most 0.6 where 198,660 addresses are distinct, and at most 1
where all are. Whether the pseudonyms are those of `hmac` is checked on every one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import platform
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from pamola_ops_anonymize.pseudonyms import Pseudonymizer

KEY = bytes(range(32))
ROWS = 1_000_000
PIECE = 100_000


def copied_hmac(column: pd.Series) -> pd.Series:
    """A list comprehension over copies of one `hmac` object."""
    copy = hmac.new(KEY, digestmod="sha256").copy

    def pseudonym(text: str) -> str:
        state = copy()
        state.update(text.encode())
        return state.hexdigest()

    return pd.Series([pseudonym(text) for text in column], index=column.index, dtype="string")


def copied_hashes(column: pd.Series) -> pd.Series:
    """A list comprehension over copies of the two SHA-256 states that the key gives."""
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in KEY.ljust(64, b"\0"))).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in KEY.ljust(64, b"\0"))).copy

    def pseudonym(text: str) -> str:
        first = inner()
        first.update(text.encode())
        second = outer()
        second.update(first.digest())
        return second.hexdigest()

    return pd.Series([pseudonym(text) for text in column], index=column.index, dtype="string")


def ours(column: pd.Series) -> pd.Series:
    """The whole column at once."""
    return Pseudonymizer(KEY).column(column)


def ours_in_pieces(column: pd.Series) -> pd.Series:
    """Pieces of 100,000, as a step reads them."""
    pseudonymizer = Pseudonymizer(KEY)
    pieces = (column.iloc[start : start + PIECE] for start in range(0, len(column), PIECE))
    return pd.concat([pseudonymizer.column(piece) for piece in pieces])


def tables() -> dict[str, pd.Series]:
    """Addresses by how many are distinct."""
    rng = np.random.default_rng(1)
    numbers = np.append(np.arange(198_660), rng.integers(0, 198_660, ROWS - 198_660))
    rng.shuffle(numbers)
    return {
        f"{len(np.unique(found)):,} distinct": pd.Series([f"user{number}@example{number % 97}.org" for number in found])
        for found in (numbers, np.arange(ROWS))
    }


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, pandas {pd.__version__}")
    ways: list[Callable[[pd.Series], pd.Series]] = [copied_hmac, copied_hashes, ours, ours_in_pieces]
    for title, column in tables().items():
        wanted = [hmac.digest(KEY, text.encode(), "sha256").hex() for text in column]
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for way in ways:
                started = time.process_time()
                found = way(column)
                least[way] = min(least[way], time.process_time() - started)
                if found.tolist() != wanted:
                    sys.exit(f"{way.__name__} differs from hmac")
        best = min(least[copied_hmac], least[copied_hashes])
        print(f"{ROWS:,} addresses, {title}")
        for way, seconds in least.items():
            print(f"  {way.__name__:16} {seconds:6.2f} s  {seconds / best:5.2f}")


if __name__ == "__main__":
    main()
