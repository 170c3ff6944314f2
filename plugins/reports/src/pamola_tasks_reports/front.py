"""The first page: the verdict, what was done to each column, risk before and after, what is open, who answers for it.

All of it comes from what steps claim and measure under the same few keys, whatever was released and how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks_reports.formatting import count, is_number, moment, percent, size, value
from pamola_tasks_reports.formatting import named as in_words
from pamola_tasks_reports.parts import Row, items, named, part, rows, steps

if TYPE_CHECKING:
    from pamola_tasks_reports.pieces import Pieces

KEYS = ("verdict", "roles", "knowable", "risk")  # metrics of a step that are shown here, and not once more below

TONES = {"met": "good", "met with open questions": "odd", "not met": "bad"}
_MOST_COLUMNS = 30


def front(report: Row, page: Pieces) -> Iterator[tuple[str, Iterable[str]]]:
    """Title and pieces of each section of the first page."""
    verdict = part(report, "verdict")
    datasets = named(verdict, "datasets")
    for name, told in datasets.items():
        place = f" of {name}" if len(datasets) > 1 else ""
        if place:
            yield name, [page.verdict(str(told.get("verdict", "")), _tone(told), str(told.get("sentence", "")))]
        yield f"Columns{place}", _columns(rows(told, "roles"), page)
        yield f"Risk before and after{place}", _risks(told, _maker(report, name), page)
    released = [str(row.get("name", "")) for row in rows(report, "outputs") if not row.get("internal")]
    for name in (name for name in released if name not in datasets):  # nothing is claimed of it
        yield f"Columns of {name}", _columns(rows(_maker(report, name), "roles"), page)
    questions = [str(text) for text in items(verdict, "open_questions")]
    yield "Open questions", [page.bullets(questions, "odd")] if questions else []
    yield "Data", _data(report, page)
    yield "Who, when, for whom", [_who(report, page)] if datasets or part(report, "run") else []


def _tone(verdict: Row) -> str:
    return TONES.get(str(verdict.get("verdict")), "quiet")


def _maker(report: Row, dataset: str) -> Row:
    """The metrics of the step that wrote a dataset."""
    return next((part(step, "metrics") for step in steps(report) if dataset in items(step, "writes")), {})


# ---------------------------------------------------------------- columns


def _columns(roles: list[Row], page: Pieces) -> Iterator[str]:
    """Column, role, what was done, loss; of many columns, those of the role that most have are one line together."""
    if not roles:
        return
    if len(roles) <= _MOST_COLUMNS:
        yield _table(roles, page)
        return
    kinds: dict[tuple[str, str], list[Row]] = {}
    for row in roles:
        kinds.setdefault((str(row.get("role", "")), str(row.get("done", ""))), []).append(row)
    alike = [kind for kind, members in kinds.items() if len(members) > 6]
    single = [row for kind, members in kinds.items() if kind not in alike for row in members]
    if single:
        yield _table(single, page)
    yield page.facts(
        (f"{count(len(kinds[kind]), 'column')}: {', '.join(filter(None, kind))}", _names(kinds[kind], page))
        for kind in alike
    )
    yield page.folded(f"All {len(roles)} columns", [_table(roles, page)])


def _names(members: list[Row], page: Pieces) -> str:
    return page.codes(str(row.get("column", "")) for row in members)


def _table(roles: Iterable[Row], page: Pieces) -> str:
    def role(row: Row) -> str:
        proposed = row.get("said") == "proposed"
        reason = ": ".join(filter(None, ("proposed", row.get("reason")))) if proposed else ""
        return page.remark(str(row.get("role", "")), reason)

    def loss(row: Row) -> str:
        lost: Any = row.get("loss")
        return page.share(percent(lost), lost) if is_number(lost) else "–"

    cells = [[page.code(str(row.get("column", ""))), role(row), str(row.get("done", "")), loss(row)] for row in roles]
    return page.table(["Column", "Role", "What was done", "Loss"], cells, right=[3])


# ---------------------------------------------------------------- risks


def _risks(told: Row, metrics: Row, page: Pieces) -> Iterator[str]:
    """What was asked for and measured, and the risk of it, each before and after."""
    shown = [
        [in_words(name), value(asked), "" if before is None else value(before), value(measured)]
        for name, asked, before, measured in claims(metrics)
    ]
    risk = part(metrics, "risk")
    for name, figures in named(risk, "measures").items():
        shown.append([in_words(name), "", *(_share(figures.get(side)) for side in ("before", "after"))])
    if shown:
        columns = [str(name) for name in items(risk, "columns")]
        caption = f"On {value(columns)}" if columns else ""
        yield page.table(["Measure", "Asked", "Before", "After"], shown, right=[1, 2, 3], caption=caption)
    knowable = part(told, "knowable")
    if is_number(knowable.get("k")):
        columns = [str(name) for name in items(knowable, "columns")]
        counted, share = metrics.get("counted", "records"), _share(knowable.get("unique_share"))
        unique = f"{value(knowable.get('unique'))} unique {counted} ({share})"
        yield page.paragraph(
            f"On the {count(len(columns), 'column')} that look knowable ({value(columns)}):"
            f" k = {value(knowable['k'])}, {unique}."
        )


def claims(metrics: Row) -> Iterator[tuple[str, Any, Any, Any]]:
    """What was measured of each thing that a step claimed: metrics `<name>_claimed`, `_before` and `_measured`."""
    for key in metrics:
        name = key.removesuffix("_claimed")
        if key != name and metrics.get(f"{name}_measured") is not None:
            yield name, metrics[key], metrics.get(f"{name}_before"), metrics[f"{name}_measured"]


def _share(share: Any) -> str:
    return percent(share) if is_number(share) else "" if share is None else value(share)


# ---------------------------------------------------------------- data, people


def _data(report: Row, page: Pieces) -> Iterator[str]:
    datasets = [(row, role) for role in ("input", "output") for row in rows(report, f"{role}s")]
    cells = [
        [
            str(row.get("name", "")),
            ", ".join(filter(None, [role, encryption(row)])),
            "" if row.get("rows") is None else f"{row['rows']:,}",
            "" if row.get("columns") is None else str(len(row["columns"])),
            size(row.get("bytes")),
            page.file(
                ", ".join(str(row[key]) for key in ("path", "version") if row.get(key)) or "in memory",
                str(row.get("sha256") or ""),
            ),
        ]
        for row, role in datasets
    ]
    if cells:
        yield page.table(["Dataset", "Role", "Rows", "Columns", "Size", "File and SHA-256"], cells, right=[2, 3, 4])


def encryption(file: Row) -> str:
    """`encrypted (simple, key 1f2e…)`, as it was found on the disk."""
    if not file.get("encrypted"):
        return ""
    key = f"key {file['key_id']}" if file.get("key_id") else ""
    how = ", ".join(filter(None, [str(file.get("encryption_mode") or ""), key]))
    return f"encrypted ({how})" if how else "encrypted"


def _who(report: Row, page: Pieces) -> str:
    """Who ran it and when; for whom, and who approves of it, to be filled in where it is not configured."""
    run = part(report, "run")
    shown = [
        ("Run by", str(run.get("user") or "")),
        ("When", moment(run.get("finished") or run.get("started"))),
        ("Run", page.code(str(run.get("id") or ""))),
    ]
    pairs = [(name, text) for name, text in shown if text]
    verdict = part(report, "verdict")
    if named(verdict, "datasets") and verdict.get("verdict") != "not met":
        pairs += [("For whom", _recipient(report) or page.blank())]
        pairs += [(name, page.blank()) for name in ("Approved by", "Date, signature")]
    return page.facts(pairs)


def _recipient(report: Row) -> str:
    configured: Mapping[str, Any] = part(part(report, "configuration"), "audit.recipient")
    return str(configured.get("value") or "")
