"""The comparison of two runs as people read it: its top, its sections, and the same in Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks_reports.document import Top
from pamola_tasks_reports.formatting import count, duration, moment, named, size, value
from pamola_tasks_reports.html import html_page
from pamola_tasks_reports.markdown import markdown_page

if TYPE_CHECKING:
    from pamola_tasks_reports.pieces import Pieces

_WORDS = {
    "verdict": {"better": "better", "worse": "worse"},
    "claims": {"better": "stronger", "worse": "weaker"},
    "risk": {"better": "lower risk", "worse": "higher risk"},
    "loss": {"better": "less lost", "worse": "more lost"},
}
_TONES = {"better": "good", "worse": "bad"}
_MAIN = (("verdict",), ("information_loss",), ("rows_out",))  # at the top, beside what was measured of claims
_MOST = 6  # of them

Row = Mapping[str, Any]


def comparison_page(told: Row, format_: str) -> bytes:
    """A comparison in `md` or `html`; of facts that are the same only the number, unless they are in it."""
    top = _top(told)
    if format_ == "html":
        return html_page(top, "comparison", lambda page: _sections(told, page))
    return markdown_page(top, lambda page: _sections(told, page))


def without_the_same(told: Row) -> dict[str, Any]:
    """A comparison with those facts only that differ."""
    differing = ("changed", "new", "gone")
    groups = [{**g, "facts": [fact for fact in g["facts"] if fact["change"] in differing]} for g in told["groups"]]
    return {**told, "groups": groups}


def _top(told: Row) -> Top:
    number, same = told["differences"], count(told["same"], "fact is", "facts are")
    differs = f"{count(number, 'fact differs', 'facts differ')}; {same} the same in both runs."
    hidden = f" {count(told['hidden'], 'secret is', 'secrets are')} hidden in both reports, and not compared."
    altered = f"What follows proves nothing: {'; '.join(told['altered'])}. " if told["altered"] else ""
    return Top(
        title=f"Two runs of {told['task'].get('id', '')}",
        subtitle=f"{moment(told['old']['started'])} and {moment(told['new']['started'])}",
        status="not as recorded" if altered else count(number, "difference") if number else "no difference",
        tone="bad" if altered else "quiet",
        sentence=altered
        + (differs if number else f"Nothing differs: {same} the same in both runs.")
        + (hidden if told["hidden"] else ""),
        figures=list(_figures(told)),
        footer=f"Run {told['old']['id']} compared with run {told['new']['id']}. {told['chosen']}",
    )


def _figures(told: Row) -> list[tuple[str, str]]:
    found = [
        (fact, _name(fact, group["key"]))
        for group in told["groups"]
        for fact in group["facts"]
        if fact["change"] == "changed"
        and (fact["path"] in _MAIN or (group["key"] == "claims" and fact["path"][0].endswith("_measured")))
    ]
    return [(name, f"{value(fact['old'])} → {value(fact['new'])}") for fact, name in found[:_MOST]]


def _sections(told: Row, page: Pieces) -> Iterator[str]:
    if minded := [*told["altered"], *told["notes"]]:
        yield page.section("Mind", [page.bullets(minded, "odd")])
    yield page.section("The runs", [_runs(told, page)])
    figures = {f["step"] for g in told["groups"] if g["key"] in ("claims", "risk", "loss") for f in g["facts"]}
    if about := [_about(each) for each in told["subjects"] if each["step"] in figures or not each["step"]]:
        yield page.section("What the figures are about", [page.bullets(about)])
    for group in told["groups"]:
        facts = [fact for fact in group["facts"] if fact["change"] != "hidden"]
        if facts:
            pieces = [_table(group["key"], facts, page)]
            if group["same"] and not any(fact["change"] == "same" for fact in facts):
                pieces.append(page.paragraph(f"{group['same']:,} more the same."))
            yield page.section(group["title"], pieces)
    same = [f"{g['title']} ({g['same']:,})" for g in told["groups"] if g["same"] and not g["facts"]]
    if same:
        yield page.section("The same in both runs", [page.paragraph(f"{', '.join(same)}.")])


def _runs(told: Row, page: Pieces) -> str:
    runs = (told["old"], told["new"])
    rows = [
        ["run", *(page.code(str(run["id"])) for run in runs)],
        ["started", *(moment(run["started"]) for run in runs)],
        ["outcome", *(str(run["status"]) for run in runs)],
        ["took", *(duration(run["seconds"]) for run in runs)],
        ["peak memory", *(size(run["peak_memory_bytes"]) for run in runs)],
        ["by", *(f"{run['user']} on {run['host']}" for run in runs)],
    ]
    if any(run["kept"] for run in runs):
        rows.append(["older table kept as", *(page.code(", ".join(run["kept"].values())) for run in runs)])
    if any(run["error"] for run in runs):
        rows.append(["failed because", *(str(run["error"] or "") for run in runs)])
    return page.table(["", "old", "new"], rows)


def _about(subject: Row) -> str:
    """What the figures of a step are about: a number says nothing without its columns. And what was asked otherwise
    where the verdict changed."""
    step, old, new = subject["step"], subject["old"], subject["new"]
    if subject["same"] or not (step == "" or (old and new)):
        return f"{step}: {_setting(old or new)}"
    of = f" of {' and '.join(subject['concerns'])}" if subject["concerns"] else ""
    which = f"its figures{of}" if step else "it"
    return (
        f"{step or 'the verdict'}, not the same in both runs: {_setting(old)} in the old one, {_setting(new)} in the"
        f" new one; so {which} cannot be called better or worse"
    )


def _setting(about: Row) -> str:
    return "; ".join(f"{named(key)} {value(item)}" for key, item in about.items()) or "nothing stated"


def _table(group: str, facts: Iterable[Row], page: Pieces) -> str:
    facts = list(facts)
    if group == "warnings" or all(fact["path"][0] in ("reason", "open question") for fact in facts):
        cells = [[fact["change"], str(fact["new"] or fact["old"])] for fact in facts]
        return page.table(["", "text"], cells)
    judged, placed = any(fact["direction"] for fact in facts), any(any(fact["where"]) for fact in facts)
    headers = ["", "old", "new", "change", *(["that is"] if judged else []), *(["set by"] if placed else [])]
    rows = [
        [
            _name(fact, group),
            _value(fact, "old"),
            _value(fact, "new"),
            _change(fact),
            *([page.badge(_WORDS[group][fact["direction"]], _TONES[fact["direction"]]) if fact["direction"] else ""]
              if judged else []),
            *([" → ".join(dict.fromkeys(filter(None, fact["where"])))] if placed else []),
        ]
        for fact in facts
    ]  # fmt: skip
    return page.table(headers, rows)


def _name(fact: Row, group: str) -> str:
    first, *more = fact["path"]
    known = named(first) if group in ("claims", "risk", "loss", "rows", "figures") else first
    return " › ".join([*([fact["step"]] if fact["step"] else []), known, *more])


def _value(fact: Row, run: str) -> str:
    item = fact[run]
    if item is None and fact["change"] == ("new" if run == "old" else "gone"):
        return ""
    if str(fact["path"][-1]).startswith("SHA-256"):
        return f"{str(item)[:12]}…"
    return value(item)


def _change(fact: Row) -> str:
    old, new, change = fact["old"], fact["new"], str(fact["change"])
    if fact["absolute"] is not None:
        amount = f"{'+' if fact['absolute'] > 0 else '−'}{value(abs(fact['absolute']))}"
        share = fact["relative"]
        return amount if not share else f"{amount} ({'+' if share > 0 else '−'}{100 * abs(share):.3g}%)"
    if change == "changed" and all(
        isinstance(item, list) and all(isinstance(i, str) for i in item) for item in (old, new)
    ):
        moved = [f"+{item}" for item in new if item not in old] + [f"−{item}" for item in old if item not in new]
        return ", ".join(moved) or "another order"
    return change
