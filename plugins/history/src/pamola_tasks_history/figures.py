"""The table of `history --metrics`: the main figures of runs, as their records have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pamola_tasks_history.events import moment

_OTHERS = {"information_loss": "loss", "rows_out": "rows out"}
_ENOUGH = 18  # characters of a run's id, which begins with the time in milliseconds


def table_of(records: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows: a row for each step that has figures, and a column for each figure that a run has.

    A claim is one column: what was measured, and in brackets what was claimed. What was measured on all that looks
    knowable is another one; `about` names the columns of both.
    """
    runs = [(record, record.get("figures") or {"": {}}) for record in records]
    keys = dict.fromkeys(key for _, steps in runs for figures in steps.values() for key in figures)
    claims = [key.removesuffix("_claimed") for key in keys if key.endswith("_claimed")]
    others = [key for key in _OTHERS if key in keys]
    judged = any(record.get("verdict") for record in records)
    stepwise = any(len(steps) > 1 for _, steps in runs)
    headers = [
        "when (UTC)",
        "task",
        "outcome",
        "run",
        *(["verdict"] if judged else []),
        *(["step"] if stepwise else []),
    ]
    headers += [f"{name.replace('_', ' ')} (claimed)" for name in claims]
    headers += [*(["all that looks knowable"] if "knowable" in keys else []), *(_OTHERS[key] for key in others)]
    rows = []
    for record, steps in runs:
        run = _run(record, judged)
        for step, figures in steps.items():
            row = [*run, *([step] if stepwise else []), *(_claim(figures, name) for name in claims)]
            row += [*([_knowable(figures)] if "knowable" in keys else []), *(_other(figures, key) for key in others)]
            rows.append(row + ([_about(figures)] if "columns" in keys else []))
            run = [""] * len(run)
    return headers + (["about"] if "columns" in keys else []), rows


def fits(headers: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> bool:
    """Whether the table fits a terminal of so many columns, where the last column of the table may be cut."""
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return sum(widths[:-1]) + 2 * len(widths[:-1]) + _ENOUGH <= columns


def blocks(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """The same, a figure a line, with an empty line between rows of the table."""
    found = [[(name, cell) for name, cell in zip(headers, row, strict=True) if cell] for row in rows]
    return [line for block in found for line in (*block, ("", ""))][:-1]


def _run(record: Mapping[str, Any], judged: bool) -> list[str]:
    when = moment(record.get("started") or record["timestamp"])
    outcome, run_id = record["status"].replace("_", " "), record["task_run_id"][:_ENOUGH]
    verdict = [str(record.get("verdict") or "")] if judged else []
    return [f"{when:%Y-%m-%d %H:%M}" if when else "", record["task_id"], outcome, run_id, *verdict]


def _claim(figures: Mapping[str, Any], name: str) -> str:
    if f"{name}_claimed" not in figures:
        return ""
    measured = figures.get(f"{name}_measured")
    return f"{'–' if measured is None else _number(measured)} ({_number(figures[f'{name}_claimed'])})"


def _knowable(figures: Mapping[str, Any]) -> str:
    """`k = 1, 46 % unique, on 8`."""
    if not (found := figures.get("knowable")):
        return ""
    k = "–" if found.get("k") is None else _number(found["k"])
    return f"k = {k}, {_percent(found.get('unique_share') or 0)} unique, on {len(found.get('columns') or ())}"


def _about(figures: Mapping[str, Any]) -> str:
    """The columns that were listed, and the others that look knowable."""
    listed = [str(name) for name in figures.get("columns") or ()]
    others = [str(name) for name in (figures.get("knowable") or {}).get("columns") or () if str(name) not in listed]
    return ", ".join(listed) + (f"; knowable too: {', '.join(others)}" if others else "")


def _other(figures: Mapping[str, Any], key: str) -> str:
    """A number, and of a loss by which measure: `0.138 set`."""
    number, measure = _number(figures.get(key)), str(figures.get(f"{key}_measure") or "")
    return f"{number} {measure.removeprefix('ncp_')}".rstrip() if number else ""


def _percent(share: float) -> str:
    """A share in whole percents, never 0 % or 100 % where it is not."""
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "under 1 %"
    return "over 99 %" if rounded == 100 and share < 1 else f"{rounded} %"


def _number(item: Any) -> str:
    if item is None:
        return ""
    return f"{item:,}" if isinstance(item, int) else f"{item:.4g}"
