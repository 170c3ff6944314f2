"""The operation that moves all dates of a person by the same number of days."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext, writes
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.validators import columns_of_person, person_columns, some_columns, whole_number

from .columns import Ints, codes_of, missing_in
from .perturbing import PerturbOperation


class DateShiftOperation(PerturbOperation):
    """Move all dates of a person by the same number of days, drawn for each person: intervals between them are kept.

    Each person's dates move by at least one and at most `max_days` days, back or forth, all numbers of days with the
    same probability. Who knows some intervals of a person can still find them if no one else has the same: how many
    persons that concerns is measured. Seasons and weekdays are lost, the latter unless `whole_weeks` is set.

    Args:
        input_dataset: The table.
        output_dataset: What the perturbed table is called.
        columns: Columns of dates, or of dates with times.
        person: Columns that together identify the person of a record.
        max_days: By how many days at most.
        whole_weeks: Shift by whole weeks, so that weekdays stay.
        purpose: With it, the shift of a person follows from the project's key, this word and the person, in place of
            the step's seed: tables and runs with the same purpose move a person's dates alike.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_shifted")
    columns: list[str] = attrs.field(validator=some_columns)
    person: str | list[str] = attrs.field(validator=person_columns)
    max_days: int = attrs.field(default=365, validator=whole_number(1))
    whole_weeks: bool = False
    purpose: str | None = None

    done: ClassVar[str] = "dates shifted"

    def __attrs_post_init__(self) -> None:
        if both := sorted(set(self.columns) & set(columns_of_person(self.person))):
            raise ParameterError(f"DateShiftOperation: {both[0]} is both in `columns` and in `person`")
        if self.whole_weeks and self.max_days < 7:
            raise ParameterError("DateShiftOperation: `max_days` below 7 holds no whole week (`whole_weeks`)")
        if self.max_days > 36_525:
            raise ParameterError("DateShiftOperation: `max_days` is more than a hundred years")

    def changed(self) -> list[str]:
        """Those of `columns`."""
        return list(self.columns)

    def decide(self) -> Mapping[str, Sequence[str]]:
        """Those of `person`."""
        return {"person": columns_of_person(self.person)}

    def perturb(self, ctx: OperationContext, frame: pd.DataFrame) -> tuple[dict[str, pd.Series[Any]], dict[str, Any]]:
        """Draw a shift for each person, and add it."""
        names = columns_of_person(self.person)
        missing_in(self.input_dataset, frame, names, "which identify the person")
        for name in self.columns:
            if not pd.api.types.is_datetime64_any_dtype(frame[name].dtype):
                raise DataError(
                    f"{self.input_dataset}: column {name} (named in `columns`) holds no dates but {frame[name].dtype}:"
                    f" state {name}: date in data_types; `pamola-task data` says what its values look like"
                )
        of, count = codes_of([frame[name] for name in names], len(frame))
        unit = 7 if self.whole_weeks else 1
        most = self.max_days // unit
        if self.purpose is None:
            drawn = ctx.rng.integers(2 * most, size=count)
        else:
            drawn = _keyed(frame, names, of, count, ctx.derive_key(f"date shift {self.purpose}"), 2 * most)
        shift = unit * np.where(drawn < most, drawn - most, drawn - most + 1)
        days = pd.to_timedelta(pd.Series(shift[of], index=frame.index), unit="D")
        try:
            written = {name: frame[name] + days for name in self.columns}
        except (OverflowError, pd.errors.OutOfBoundsDatetime):
            raise DataError(f"{self.input_dataset}: a shift leads out of the time that dates can be in") from None
        ctx.stage("measuring")
        before, after = (_moments(frame[self.columns]), _moments(pd.DataFrame(written)))
        return written, {
            "method": "date shift",
            "persons": count,
            "intervals": _intervals(before, after, of, count),
            "month_kept": _kept(frame, written, "month"),
            "weekday_kept": _kept(frame, written, "day_of_week"),
        }


def _keyed(frame: pd.DataFrame, names: Sequence[str], of: Ints, count: int, key: bytes, span: int) -> Ints:
    """A number below `span` for each person, by keyed BLAKE2b (RFC 7693) of the person's cells as text."""
    first = np.empty(count, dtype=np.int64)
    first[of[::-1]] = np.arange(len(of))[::-1]
    cells = [frame[name].iloc[first].map(_text).tolist() for name in names]
    found = np.empty(count, dtype=np.int64)
    for person, texts in enumerate(zip(*cells, strict=True)):
        digest = hashlib.blake2b("\x1f".join(texts).encode(), key=key, digest_size=16).digest()
        found[person] = int.from_bytes(digest) % span
    return found


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():  # as gaps in a column make it
        return str(int(value))
    return str(value)


def _moments(frame: pd.DataFrame) -> Ints:
    """Dates as nanoseconds, int64 of shape (rows, columns); the least number where missing."""
    columns = [frame[name].dt.tz_convert("UTC").dt.tz_localize(None) if frame[name].dt.tz is not None else frame[name]
               for name in frame.columns]  # fmt: skip
    return np.stack([column.astype("datetime64[ns]").to_numpy().view(np.int64) for column in columns], axis=1)


def _intervals(before: Ints, after: Ints, of: Ints, count: int) -> dict[str, Any]:
    """Whether intervals were kept, and how many persons no other has the intervals of."""
    rows, columns = before.shape
    person = np.repeat(of, columns)
    column = np.tile(np.arange(columns), rows)
    there = before.ravel() != np.iinfo(np.int64).min
    person, column, old, new = person[there], column[there], before.ravel()[there], after.ravel()[there]
    order = np.lexsort((column, old, person))
    person, column, old, new = person[order], column[order], old[order], new[order]
    starts = np.flatnonzero(np.append(True, person[1:] != person[:-1])[: len(person)])
    sizes = np.diff(np.append(starts, len(person)))
    since = old - np.repeat(old[starts], sizes)
    changed = int((since != new - np.repeat(new[starts], sizes)).sum())
    place = np.arange(len(person)) - np.repeat(starts, sizes)
    several = int((sizes > 1).sum())
    mixed = _mixed(since.view(np.uint64) ^ _mixed((place * columns + column).astype(np.uint64)))
    patterns = np.add.reduceat(mixed, starts) if len(starts) else np.zeros(0, dtype=np.uint64)
    _, number, times = np.unique(patterns, return_inverse=True, return_counts=True)
    alone = int(((times[number] == 1) & (sizes > 1)).sum())
    return {
        "changed": changed,
        "persons_with_several_dates": several,
        "persons_with_intervals_of_their_own": alone,
        "share_with_intervals_of_their_own": alone / max(1, count),
    }


def _mixed(values: Any) -> Any:
    """The finalizer of SplitMix64 (G. Steele, D. Lea and C. Flood, OOPSLA 2014): a bijection."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def _kept(frame: pd.DataFrame, written: Mapping[str, pd.Series[Any]], part: str) -> dict[str, float]:
    """Of each column the part of its dates that are still of the same month or weekday."""
    found = {}
    for name, column in written.items():
        there = frame[name].notna().to_numpy()
        same = getattr(frame[name].dt, part).to_numpy()[there] == getattr(column.dt, part).to_numpy()[there]
        found[name] = float(same.mean()) if len(same) else 0.0
    return found
