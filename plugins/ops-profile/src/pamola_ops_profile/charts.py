"""What a profile and correlations look like, in the form of charts that a report shows.

A chart reveals nothing beyond the profile: no bar rests on fewer than `min_count` records. What is left of a
column after its listed values is a bar of its own only where that many records have it; else it joins the rarest one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .correlation import Correlation
from .table_profile import ColumnProfile, TableProfile

TAG = "charts"
MOST_VALUES = 10
MOST_MISSING = 60
WIDEST_MATRIX = 40
LONGEST_LABEL = 80
LONGEST_REST = 3  # times the bar of the most frequent value

Chart = dict[str, Any]


def charts_of_profile(profile: TableProfile) -> list[Chart]:
    """Which columns lack values, then how each column is distributed; columns that look like direct identifiers not."""
    charts = [_missing(profile)] if any(column.missing for column in profile.columns) else []
    for column in profile.columns:
        chart = None if column.role == "direct identifier" else _distribution(column, profile.min_count)
        if chart is not None:
            charts.append(chart)
    return charts


def _missing(profile: TableProfile) -> Chart:
    lacking = sorted((column for column in profile.columns if column.missing), key=lambda column: -column.missing)
    told = lacking[:MOST_MISSING]
    few = any(column.missing < profile.min_count for column in told)
    return {
        "kind": "bars",
        "title": "Missing values",
        "quotes_values": False,
        "note": "Share of the records without a value."
        + (f" – means fewer than {profile.min_count} records." if few else "")
        + (f" {len(lacking) - len(told)} more columns lack values." if len(lacking) > len(told) else ""),
        "labels": [_label(column.name) for column in told],
        "unit": "share",
        "series": [
            {
                "name": "missing",
                "values": [c.missing / c.records if c.missing >= profile.min_count else None for c in told],
            }
        ],
    }


def _distribution(column: ColumnProfile, min_count: int) -> Chart | None:
    said = {"title": _label(column.name), "note": _note(column)}
    if column.histogram and not _few(column):
        return {
            **said,
            "kind": "histogram",
            "scale": "moment" if column.kind == "moment" else "number",
            "series": [
                {
                    "name": "",
                    "edges": [column.histogram[0].low, *(bar.high for bar in column.histogram)],
                    "counts": [bar.count for bar in column.histogram],
                }
            ],
        }
    bars, others = _bars(column, min_count)
    if not bars:
        return None
    return {
        **said,
        "note": " ".join([said["note"], *([f"{others}."] if others else [])]),
        "kind": "bars",
        "labels": [_label(name) for name, _ in bars],
        "series": [{"name": "", "values": [count for _, count in bars]}],
    }


def _few(column: ColumnProfile) -> bool:
    """Whether a column of numbers has so few values, none of them rare, that each can have a bar."""
    return column.kind == "number" and column.distinct == len(column.common_values) <= MOST_VALUES


def _bars(column: ColumnProfile, min_count: int) -> tuple[list[tuple[str, int]], str]:
    """The most frequent values and the rest, none of them of fewer than `min_count` records.

    The rest is told in words, the second that is returned, where its bar would leave nothing of the others.
    """
    shown = [(value.value, value.count) for value in column.common_values[:MOST_VALUES]]
    if _few(column):
        numbers = sorted((float(value), count) for value, count in shown)
        return [(f"{number:.15g}", count) for number, count in numbers], ""
    rest = column.records - column.missing - sum(count for _, count in shown)
    while shown and 0 < rest < min_count:
        rest += shown.pop()[1]
    if not rest or not shown:
        return shown, ""
    others = column.distinct - len(shown)
    name = f"{others:,} other values" if others > 1 else "1 other value"
    if rest > LONGEST_REST * shown[0][1]:
        return shown, f"The {name} are those of {rest:,} records"
    return [*shown, (name, rest)], ""


def _note(column: ColumnProfile) -> str:
    told = [f"{column.distinct:,} different values" if column.distinct != 1 else "One value only"]
    if "0.5" in column.quantiles:
        told.append(f"median {_short(column.quantiles['0.5'])}")
    role = f" Looks like a {column.role}: {column.reason}." if column.role else ""
    return f"{', '.join(told)}.{role}"


def _short(value: float | str) -> str:
    if isinstance(value, str):
        return value[:16].replace("T", " ").removesuffix(" 00:00")
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def charts_of_correlations(pairs: Sequence[Correlation]) -> list[Chart]:
    """All pairs as a heat map, and the strongest ones as bars."""
    measured = [pair for pair in pairs if pair.value is not None]
    if not measured:
        return []
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.left, pair.right)))
    strength = {name: max((p.strength for p in measured if name in (p.left, p.right)), default=0.0) for name in names}
    kept = set(sorted(names, key=lambda name: -strength[name])[:WIDEST_MATRIX])
    shown = [name for name in names if name in kept]
    place = {name: index for index, name in enumerate(shown)}
    values: list[list[float | None]] = [[None] * len(shown) for _ in shown]
    for pair in measured:
        if pair.left in place and pair.right in place:
            row, column = place[pair.left], place[pair.right]
            values[row][column] = values[column][row] = pair.value
    strongest = sorted(measured, key=lambda pair: -pair.strength)[:MOST_VALUES]
    left_out = f" The {len(shown)} columns with the strongest ties of {len(names)}." if len(shown) < len(names) else ""
    return [
        {
            "kind": "matrix",
            "title": "How columns go together",
            "quotes_values": False,
            "note": "Pearson's correlation (-1 to 1) of two columns of numbers, Cramér's V (0 to 1) of two of"
            " categories, the correlation ratio (0 to 1) of one of each. Blue is positive, orange negative." + left_out,
            "rows": [_label(name) for name in shown],
            "columns": [_label(name) for name in shown],
            "values": values,
        },
        {
            "kind": "bars",
            "title": "Strongest ties",
            "quotes_values": False,
            "note": "The greater of Pearson's and Spearman's correlation without its sign for numbers; else as above.",
            "labels": [_label(f"{pair.left} ~ {pair.right}") for pair in strongest],
            "unit": "number",
            "series": [{"name": "", "values": [pair.strength for pair in strongest]}],
        },
    ]


def _label(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
