"""m-invariance: a person is in classes with the same set of sensitive values in all releases.

X. Xiao and Y. Tao: m-Invariance: towards privacy preserving re-publication of dynamic datasets, SIGMOD 2007, section 5.
The set is the person's signature, of m values or more. Records with the same signature make a bucket, in which every
value of the signature has equally many records: new records fill it up, and where none has the value, counterfeits do.
Buckets are then split into classes in which each value again has equally many.

As there, new records only go where the others stay eligible: no value may have more than one m-th of them. Beyond the
paper, a class has k real records or more, and what finds no bucket is held back instead of leaving one unbalanced.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs
import numpy as np

from .domains import Codes, Floats, Ints

Signature = tuple[int, ...]


@attrs.define(eq=False)
class Bucket:
    """Records with one signature.

    Attributes:
        signature: The values, ascending.
        records: For each of them the real records that have it.
        copies: How many records each value has in the end, counterfeits included.
    """

    signature: Signature
    records: dict[int, list[int]]
    copies: int = 0

    @classmethod
    def of(cls, signature: Signature) -> Bucket:
        return cls(signature, {value: [] for value in signature})

    @property
    def real(self) -> int:
        """How many real records it has."""
        return sum(map(len, self.records.values()))

    @property
    def most(self) -> int:
        return max(map(len, self.records.values()))


class _Pool:
    """New records that have no bucket yet, by value; the last of each value is the next to be taken."""

    def __init__(self, value: Ints, records: Sequence[int], values: int, m: int) -> None:
        self.records: list[list[int]] = [[] for _ in range(values)]
        for record in reversed(records):
            self.records[int(value[record])].append(record)
        self.count = np.array(list(map(len, self.records)), dtype=np.int64)
        self.m = m

    def can_give(self, value: int) -> bool:
        """Whether there is a record with this value, and the others are eligible without it."""
        if not self.count[value]:
            return False
        self.count[value] -= 1
        eligible = self.eligible
        self.count[value] += 1
        return eligible

    @property
    def eligible(self) -> bool:
        """Whether no value has more than one m-th of the records."""
        return bool(self.count.max(initial=0) * self.m <= self.count.sum())

    def take(self, value: int) -> int:
        self.count[value] -= 1
        return self.records[value].pop()


def buckets_of(value: Ints, signatures: Sequence[Signature | None], values: int, m: int, k: int) -> list[Bucket]:
    """Put records into balanced buckets of k real records or more; those that are in none are held back.

    Args:
        value: The sensitive value of each record, from 0.
        signatures: Of each record the signature that it has from an earlier release; None for a new one.
        values: How many values there are, those included that only signatures have.
        m: The least size of a signature.
        k: The least number of real records.
    """
    made: dict[Signature, Bucket] = {}
    new = []
    for record, signature in enumerate(signatures):
        if signature is None:
            new.append(record)
        else:
            made.setdefault(signature, Bucket.of(signature)).records[int(value[record])].append(record)
    pool = _Pool(value, new, values, m)
    _hold_back_surplus(pool)
    for bucket in made.values():
        _balance(bucket, pool, k)
    _assign(pool, made, k)
    kept = [bucket for bucket in made.values() if bucket.real >= k]
    for bucket in kept:
        bucket.copies = bucket.most
        bucket.records = {value: sorted(records) for value, records in bucket.records.items()}
    return kept


def _hold_back_surplus(pool: _Pool) -> None:
    """Leave out records of values that are too frequent, as few as possible."""
    while pool.count.any() and not pool.eligible:
        value = int(pool.count.argmax())
        others = int(pool.count.sum() - pool.count[value])
        pool.count[value] = min(int(pool.count[value]) - 1, others // (pool.m - 1))
        del pool.records[value][: len(pool.records[value]) - int(pool.count[value])]


def _balance(bucket: Bucket, pool: _Pool, k: int) -> None:
    """Fill up values that have fewer records than the most frequent one, and all of them until there are k."""
    copies = bucket.most
    while True:
        for value, records in bucket.records.items():
            while len(records) < copies and pool.can_give(value):
                records.append(pool.take(value))
        if bucket.real >= k or not any(pool.can_give(value) for value in bucket.signature):
            return
        copies += 1


def _assign(pool: _Pool, made: dict[Signature, Bucket], k: int) -> None:
    """Take equally many records of each of some frequent values, m of them or a few more, until none is left."""
    while True:
        order = np.argsort(-pool.count, kind="stable")
        order = order[pool.count[order] > 0]
        found = _step(pool.count[order], pool.m, k)
        if found is None:
            return
        taken, times = found
        signature = tuple(sorted(order[:taken].tolist()))
        bucket = made.setdefault(signature, Bucket.of(signature))
        for each in signature:
            bucket.records[each] += [pool.take(each) for _ in range(times)]


def _step(count: Ints, m: int, k: int) -> tuple[int, int] | None:
    """How many of the most frequent values, and how many records of each, can be taken with the rest eligible.

    Of all ways the one that takes most records, up to as many values as a class has records: large buckets can be split
    where it loses least.
    """
    total = int(count.sum())
    best, found = 0, None
    for taken in range(m, min(len(count), max(2 * m, k)) + 1):
        after = int(count[taken]) if taken < len(count) else 0
        times = min(int(count[taken - 1]), (total - m * after) // taken)
        if taken > m:
            times = min(times, (total - m * int(count[0])) // (taken - m))
        if times > 0 and taken * times > best:
            best, found = taken * times, (taken, times)
    return found


Cost = Callable[[Ints], float]
Distance = Callable[[Ints, int], Floats]

MOST_GATHERED = 256
"""Records of each value up to which classes are gathered, which loses less than halving, in quadratic time."""


def classes_in(bucket: Bucket, codes: Codes, k: int, cost: Cost, distance: Distance) -> list[tuple[list[Ints], int]]:
    """Split a bucket into classes, each with k real records and equally many of each value, to lose little.

    Args:
        bucket: The bucket.
        codes: Signed integers, shape (dimensions, records).
        k: The least number of real records.
        cost: What it loses to give some records the same cells.
        distance: How far some records are from another.

    Returns:
        For each class the real records of each value, in the order of the signature, and how many of each value it has
        with counterfeits.
    """
    whole = [np.array(records, dtype=np.int64) for records in bucket.records.values()]
    waiting, done = [(whole, bucket.copies, cost(np.concatenate(whole)))], []
    while waiting:
        part, copies, loses = waiting.pop()
        if copies <= MOST_GATHERED and all(len(records) == copies for records in part):
            done += _gathered(part, math.ceil(k / len(part)), distance)
            continue
        best: tuple[float, list[tuple[list[Ints], int, float]]] | None = None
        for row in codes if copies > 1 and sum(map(len, part)) >= 2 * k else ():
            sides = _halves(part, copies, row)
            if all(sum(map(len, side)) >= k for side, _ in sides):
                priced = [(side, times, cost(np.concatenate(side))) for side, times in sides]
                total = sum(price for _, _, price in priced)
                if total < loses and (best is None or total < best[0]):
                    best = total, priced
        if best is None:
            done.append((part, copies))
        else:
            waiting += best[1]
    return done


def _gathered(part: list[Ints], times: int, distance: Distance) -> list[tuple[list[Ints], int]]:
    """Classes of `times` records of each value that are nearest to the record farthest from the last class.

    As MDAV does for microaggregation (J. Domingo-Ferrer and V. Torra 2005). What is left joins the last class.
    """
    left, done = list(part), []
    seed = int(left[0][0])
    while len(left[0]) >= 2 * times:
        every = np.concatenate(left)
        seed = int(every[distance(every, seed).argmax()])
        orders = [np.argsort(distance(records, seed), kind="stable") for records in left]
        done.append(([records[order[:times]] for records, order in zip(left, orders, strict=True)], times))
        left = [np.sort(records[order[times:]]) for records, order in zip(left, orders, strict=True)]
    return [*done, (left, len(left[0]))]


def _halves(part: list[Ints], copies: int, row: Codes) -> tuple[tuple[list[Ints], int], tuple[list[Ints], int]]:
    """Both halves of a class along one dimension, each value divided alike."""
    low, high = copies // 2, copies - copies // 2
    left, right = [], []
    for records in part:
        order = records[np.argsort(row[records], kind="stable")]
        first = min(low, max(len(order) - high, math.floor(len(order) * low / copies + 0.5)))
        left.append(order[:first])
        right.append(order[first:])
    return (left, low), (right, high)
