"""What operations found, in the form of charts that a report shows.

No bar rests on fewer than a floor of records, so that a chart of a table as it was reveals no person: rarer values are
counted together, and bars of a histogram are joined until each holds as many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .distributions import Distribution
from .domains import Floats, Ints, OrderedDomain

TAG = "charts"
FLOOR = 10
MOST_VALUES = 10
BARS = 20
LONGEST_LABEL = 80

Chart = dict[str, Any]

_DAY = 86_400.0


def risk_gauge(readings: Mapping[str, tuple[float | None, float]], threshold: float | None = None) -> Chart:
    """Risks of re-identification.

    Args:
        readings: For each risk in words what it was before (None where that is not known), and what it is, 0 to 1.
        threshold: What a risk should not exceed.
    """
    return {
        "kind": "gauge",
        "title": "Risk of re-identification",
        "quotes_values": False,
        "note": "How likely an attacker who knows a person's quasi-identifiers finds the person's record: in the"
        " smallest equivalence class, and on average over all records.",
        "readings": [
            {"label": label, "value": value} | ({} if before is None else {"before": before})
            for label, (before, value) in readings.items()
        ],
    } | ({} if threshold is None else {"limit": {"at": threshold, "label": f"limit {100 * threshold:.3g} %"}})


def highest_and_average(sizes: Ints) -> tuple[float, float]:
    """The greatest and the mean risk of classes of these sizes; 0 where no record is left."""
    return (1.0 / int(sizes.min()), len(sizes) / int(sizes.sum())) if len(sizes) else (0.0, 0.0)


def class_sizes(series: Mapping[str, Ints], k: int | None = None) -> Chart:
    """Records by the size of the class they are in.

    Args:
        series: For each state of the table the sizes of its classes.
        k: The least size that was asked for.
    """
    largest = max((int(sizes.max(initial=0)) for sizes in series.values()), default=0)
    edges = [edge for edge in _round_sizes(k) if edge <= max(largest, k or 1)]
    labels = [_class(low, high) for low, high in zip(edges, [*edges[1:], None], strict=True)]
    chart: Chart = {
        "kind": "columns",
        "title": "Sizes of equivalence classes",
        "quotes_values": False,
        "note": "Records by how many records, itself included, share the quasi-identifiers with each.",
        "axis": "records in the class",
        "labels": labels,
        "series": [
            {"name": name, "values": np.histogram(sizes, bins=[*edges, np.inf], weights=sizes)[0].astype(int).tolist()}
            for name, sizes in series.items()
        ],
    }
    return chart if k is None else chart | {"limit": {"before": edges.index(k), "label": f"k = {k}"}}


def _round_sizes(k: int | None) -> list[int]:
    """Lower edges of classes of sizes: round numbers below k, k itself, and about doubling beyond."""
    rounds = [factor * 10**power for power in range(10) for factor in (1, 2, 5)]
    rounds.insert(2, 3)
    if k is None:
        return rounds
    return [*(edge for edge in rounds if edge < k), k, *(edge for edge in rounds if edge >= 1.6 * k)]


def _class(low: int, high: int | None) -> str:
    if high is None:
        return f"{low:,}+"
    return f"{low:,}" if high == low + 1 else f"{low:,}–{high - 1:,}"


def losses(ncp_set: Mapping[str, float], ncp_hier: Mapping[str, float]) -> Chart:
    """What each column lost."""
    return {
        "kind": "bars",
        "title": "Loss by column",
        "quotes_values": False,
        "note": "Part of its precision that a column lost: 0 % as it was, 100 % nothing left. NCP-set: as intervals and"
        " sets; NCP-hier: as labels of a hierarchy.",
        "labels": [_label(name) for name in ncp_set],
        "unit": "share",
        "series": [
            {"name": "NCP-set", "values": list(ncp_set.values())},
            {"name": "NCP-hier", "values": [ncp_hier[name] for name in ncp_set]},
        ],
    }


def attacks(found: Mapping[str, Mapping[str, Any]]) -> Chart:
    """How often attacks succeeded.

    Args:
        found: For each attack in words `rate`, `attempts_control` or `attempts_baseline` and the successes of it, and
            `risk`.
    """

    def compared(one: Mapping[str, Any]) -> float:
        return float(one[f"successes_{one['compared_with']}"] / max(1, one[f"attempts_{one['compared_with']}"]))

    return {
        "kind": "bars",
        "title": "Attacks",
        "quotes_values": False,
        "note": "How often each attack succeeded on people of the table; on people who are not in it, or by guessing"
        " where no control is stated; and the risk that the release adds, as a part of what is left.",
        "labels": [_label(name) for name in found],
        "unit": "share",
        "series": [
            {"name": "in the table", "values": [one["rate"] for one in found.values()]},
            {"name": "not in it", "values": [compared(one) for one in found.values()]},
            {"name": "risk", "values": [one["risk"] for one in found.values()]},
        ],
    }


def distribution(name: str, found: Distribution, floor: int = FLOOR) -> Chart | None:
    """A column before and after; None where too few records have a value.

    Args:
        name: The column.
        found: Its distribution.
        floor: Least number of records that a bar of the column as it was may rest on.
    """
    if int(found.before[:-1].sum()) < floor:
        return None
    notes = ["After: a range or set counts as its values in equal parts."]
    if found.untold:
        notes.append(f"{round(found.untold):,} published cells are suppressed.")
    said = {"title": f"{_label(name)}, before and after", "note": " ".join(notes)}
    places = _places(found.domain)
    if places is None:
        bars = _bars(found, floor)
        return {**said, "kind": "bars", **bars} if bars["labels"] else None
    moments = isinstance(found.domain, OrderedDomain) and found.domain.style in ("day", "instant")
    finite = np.isfinite(places)
    edges, before, after = _joined(places[finite], found.before[:-1][finite], found.after[:-1][finite], moments, floor)
    if not edges:
        return None
    told = [pd.Timestamp(edge, unit="s").isoformat() for edge in map(round, edges)] if moments else edges
    return {
        **said,
        "kind": "histogram",
        "scale": "moment" if moments else "number",
        "series": [
            {"name": "before", "edges": told, "counts": before},
            {"name": "after", "edges": told, "counts": after},
        ],
    }


def _places(domain: Any) -> Floats | None:
    """The values as numbers, dates in seconds; None for categories."""
    if not isinstance(domain, OrderedDomain):
        return None
    if domain.style in ("plain", "integral"):
        return domain.values.astype(np.float64)
    return domain.values.astype("datetime64[ms]").astype(np.int64) / 1000.0


def _bars(found: Distribution, floor: int) -> Chart:
    """The most frequent values, and the rest in one bar, each of `floor` records or more before."""
    present = found.before.copy()
    order = np.argsort(-present[:-1], kind="stable")
    shown = [code for code in order[:MOST_VALUES].tolist() if present[code] >= floor]
    rest = int(present.sum() - present[shown].sum())
    while len(shown) > 1 and 0 < rest < floor:
        rest += int(present[shown.pop()])
    labels = [_label(text) for text in found.domain.texts(shown)]
    before = [int(present[code]) for code in shown]
    after = [round(float(found.after[code]), 1) for code in shown]
    if shown and rest >= floor:
        others = found.domain.size - len(shown)
        missing = " or missing" if present[-1] else ""
        labels.append(f"{others:,} other values{missing}" if others else "missing")
        before.append(rest)
        after.append(round(float(found.after.sum() - sum(found.after[code] for code in shown)), 1))
    return {"labels": labels, "series": [{"name": "before", "values": before}, {"name": "after", "values": after}]}


def _joined(
    places: Floats, before: Ints, after: Floats, moments: bool, floor: int
) -> tuple[list[float], list[int], list[float]]:
    """Edges of bars and the records in them, neighbours joined until each bar held `floor` records before."""
    cumulated = np.cumsum(before)
    if not len(places) or cumulated[-1] < floor:
        return [], [], []
    low, high = _outermost(places, before, floor), _outermost(places[::-1], before[::-1], floor)
    inner = _edges(places, low, high, _DAY if moments else 1.0)
    bar_of = np.clip(np.searchsorted(inner, places, side="right") - 1, 0, max(len(inner) - 2, 0))
    counts = np.bincount(bar_of, weights=before, minlength=len(inner) - 1)
    masses = np.bincount(bar_of, weights=after, minlength=len(inner) - 1)
    bars: list[tuple[float, float, int, float]] = []
    begin, waiting, mass = 0, 0, 0.0
    for position in range(len(inner) - 1):
        waiting += int(counts[position])
        mass += float(masses[position])
        if waiting == 0 or waiting >= floor:
            bars.append((float(inner[begin]), float(inner[position + 1]), waiting, mass))
            begin, waiting, mass = position + 1, 0, 0.0
    while waiting:
        # too few are left at the end: they join the bar before, and that one's predecessor where it was empty
        start, _, count, more = bars.pop()
        waiting, mass = waiting + count, mass + more
        if waiting >= floor:
            bars.append((start, float(inner[-1]), waiting, mass))
            break
    edges = [bars[0][0], *(end for _, end, _, _ in bars)]
    return edges, [count for _, _, count, _ in bars], [round(mass, 1) for _, _, _, mass in bars]


def _outermost(places: Floats, counts: Ints, floor: int) -> float:
    """Mean of the first `floor` records, so that no single record shows where the table begins."""
    taken = np.minimum(np.cumsum(counts), floor)
    return float((places * np.diff(taken, prepend=0)).sum() / floor)


def _edges(places: Floats, low: float, high: float, unit: float) -> Floats:
    """Edges of bars of one width, but for the last; whole units where all values are."""
    if not high > low or not np.isfinite(high - low):  # below it by rounding, where both are means of all records
        return np.array([low, max(low, high)])
    if (high - low) / unit > 2**50 or bool((places % unit != 0).any()):
        return np.linspace(low, high, BARS + 1)
    first, last = np.floor(low / unit), np.ceil(high / unit) + 1
    width = np.ceil((last - first) / BARS)
    edges: Floats = np.append(np.arange(first, last, width), last)
    if len(edges) > 2 and edges[-1] - edges[-2] < width / 2:
        edges = np.delete(edges, -2)
    return edges * unit


def distributions(found: Mapping[str, Distribution], k: int) -> Sequence[Chart]:
    """The columns that were generalized, before and after."""
    charts = (distribution(name, one, max(FLOOR, k)) for name, one in found.items())
    return [chart for chart in charts if chart is not None]


def _label(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
