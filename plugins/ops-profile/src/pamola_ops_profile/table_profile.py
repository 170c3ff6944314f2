"""The profile of a table and of its columns, as facts."""

from __future__ import annotations

from typing import Any

import attrs

from .patterns import Pattern


@attrs.frozen
class CommonValue:
    """A value that at least `min_count` records have."""

    value: str
    count: int


@attrs.frozen
class Bar:
    """Records from `low` to below `high`; the first bar also holds what is below, the last what is above."""

    low: float | str
    high: float | str
    count: int


@attrs.frozen(kw_only=True)
class ColumnProfile:
    """One column, by the threshold rule of A. Hundepool et al.: Statistical Disclosure Control, Wiley 2012.

    Attributes:
        name: As in the table.
        dtype: As pandas has it.
        kind: `number`, `moment`, `truth`, `text`, or `empty` where every value is missing.
        missing: Records without a value.
        distinct: Different values.
        approximate: Where the column has so many distinct values that not all are kept, which are of a sample and
            how near they are, in 95 of 100 cases; else empty, and all facts are exact.
        read_alike: Values of text that differ from another only in what a reader does not see (case, blanks around
            them, Unicode form, invisible characters), by the service `identifiers`; None where nothing says so.
        rare_values: Values that fewer than `min_count` records have.
        rare_records: Records that have one of those.
        common_values: The most frequent values, most frequent first; of numbers and moments those from which no few
            others can be derived by subtracting.
        patterns: The most frequent ways in which texts are written, letters as `a` or `A` and digits as `9`.
        lowest: Mean of the `min_count` lowest values, for numbers and moments; None where there are too few.
        highest: Mean of the `min_count` highest.
        quantiles: For each share of the records the mean of the `min_count` values round it.
        mean: Arithmetic mean.
        deviation: Sample standard deviation.
        histogram: Bars, ascending.
        role: `direct identifier`, `quasi-identifier`, `sensitive`, or empty: what the column looks like.
        reason: Why it looks like that.
    """

    name: str
    dtype: str
    kind: str
    records: int
    missing: int
    distinct: int
    rare_values: int
    rare_records: int
    common_values: list[CommonValue]
    lowest: float | str | None = None
    highest: float | str | None = None
    quantiles: dict[str, float | str] = attrs.Factory(dict)
    mean: float | str | None = None
    deviation: float | None = None
    histogram: list[Bar] = attrs.Factory(list)
    patterns: list[Pattern] = attrs.Factory(list)
    role: str = ""
    reason: str = ""
    read_alike: int | None = None
    approximate: str = ""


@attrs.frozen(kw_only=True)
class Exposure:
    """What the likely quasi-identifiers reveal in combination.

    Attributes:
        columns: Which they are.
        records: Rows of the table.
        classes: Different combinations.
        smallest_class: Records of the rarest combination: the table's k.
        unique_records: Records with a unique combination.
    """

    columns: list[str]
    records: int
    classes: int
    smallest_class: int
    unique_records: int

    def told(self) -> dict[str, Any]:
        """Its facts, with a sentence that names the columns that they are about."""
        listed = ", ".join(self.columns)
        sentence = (
            f"{self.unique_records:,} of {self.records:,} records are unique on what looks like quasi-identifiers"
            f" ({listed}); the smallest equivalence class has {self.smallest_class:,}"
        )
        return {"sentence": sentence, **attrs.asdict(self)}


@attrs.frozen(kw_only=True)
class TableProfile:
    """A table, by the threshold rule of A. Hundepool et al.: Statistical Disclosure Control, Wiley 2012.

    Attributes:
        records: Rows.
        duplicate_records: Rows that are equal to an earlier one, by hashes of 64 bits; of more than 2,097,152 different
            rows estimated by a random part of them.
        missing_cells: Cells without a value.
        memory_bytes: About what the table takes in memory.
        min_count: The floor under every number that rests on few records.
        columns: One a column, in the table's order.
        exposure: None where no column looks like a quasi-identifier.
    """

    records: int
    duplicate_records: int
    missing_cells: int
    memory_bytes: int
    min_count: int
    columns: list[ColumnProfile]
    exposure: Exposure | None
