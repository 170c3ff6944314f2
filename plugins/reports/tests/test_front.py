"""The first page: verdict, columns, risk, questions, data, people; and the terms of the glossary."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.protocols import ReportSection
from pamola_tasks_reports import TaskReporter, as_html, as_markdown

SENTENCE = "k = 5 on 1 column (age); k = 1 on the 2 that look knowable"
VERDICT = {
    "dataset": "safe",
    "verdict": "met with open questions",
    "sentence": SENTENCE,
    "reasons": [],
    "open_questions": ["May others know zipcode of a person?"],
}
ROLES = [
    {"column": "age", "role": "quasi-identifier", "said": "stated", "reason": "", "done": "ranges", "loss": 0.25},
    {"column": "zipcode", "role": "quasi-identifier", "said": "proposed", "reason": "a place", "done": "unchanged",
     "loss": None},
]  # fmt: skip
KNOWABLE = {"columns": ["age", "zipcode"], "k": 1, "unique": 700, "unique_share": 0.0232}
RISK = {"columns": ["age"], "measures": {"highest (prosecutor)": {"before": 1.0, "after": 0.2}}}
TERMS = {"quasi-identifier": "What others may know.", "prosecutor": "Knows who is in.", "k-map": "Not used here."}


@pytest.fixture
def released(tmp_path: Path, make_run: Any) -> Any:
    """Makes the report of a run whose second step released a table; of an encrypted run where it `encrypts`."""

    def make(encrypts: bool = False, **more: Any) -> Any:
        terms = ReportSection(title="Terms", key="terms", facts={"glossary": TERMS})
        run = make_run(tmp_path, sections=[terms], encrypts=encrypts)
        run.record.steps[1].metrics |= {"verdict": VERDICT, "roles": ROLES, "knowable": KNOWABLE, "risk": RISK, **more}
        return TaskReporter.of_run(run).generate_report()

    return make


def both(report: Any) -> tuple[str, str]:
    page = re.sub(r"<style>.*?</style>|<wbr>|<a class=\"term\"[^>]*>|</a>", "", as_html(report).decode(), flags=re.S)
    return html.unescape(page), as_markdown(report).decode()


@pytest.mark.parametrize("encrypts", [False, True])
def test_the_first_page(released: Any, encrypts: bool) -> None:
    """In this order, in HTML and Markdown, also where the run encrypts, since nothing of it is a cell."""
    report = released(encrypts)
    order = [
        *("met with open questions", SENTENCE, "zipcode", "proposed: a place", "unchanged", "highest (prosecutor)"),
        *("100 %", "20 %", "700 unique records (2.3 %)", "May others know zipcode", "a" * 64, "b" * 64, "For whom"),
        *("Approved by", "Warnings", "Steps", "Knows who is in.", "Configuration"),
    ]
    for shown in both(report):
        at = 0
        for wanted in order:
            found = shown.lower().find(wanted.lower(), at)
            assert found >= 0, wanted
            at = found
        assert "25 %" in shown
        assert "Not used here." not in shown
        assert "Smith" not in shown or not encrypts
    assert report["operations"][1]["metrics"]["risk"] == RISK
    assert not {"verdict", "roles", "knowable", "risk"} & set(report["operations"][1].get("withheld", ()))


def test_what_no_release_follows_from_is_withheld(tmp_path: Path, make_run: Any) -> None:
    """Metrics that are only called like those of a release may quote data."""
    run = make_run(tmp_path, encrypts=True)
    run.record.steps[1].metrics |= {"roles": [{"column": "Smith"}], "risk": {"measures": {"Smith": {"before": 1}}}}
    report = TaskReporter.of_run(run).generate_report()
    assert "Smith" not in str(report)
    assert {"roles", "risk"} <= set(report["operations"][1]["withheld"])


def test_two_hundred_columns_are_few_lines(released: Any) -> None:
    """Columns of which the same was done are one line; all of them are in a folded table."""
    alike = [
        {"column": f"c{i}", "role": "insensitive", "said": "stated", "reason": "", "done": "unchanged", "loss": None}
        for i in range(198)
    ]
    page = as_html(released(roles=ROLES + alike)).decode()
    columns = page.partition("<h2>Columns</h2>")[2].partition("</section>")[0]
    shown, _, folded = columns.partition("<details>")
    assert (shown.count("<tr>"), folded.count("<tr>")) == (3, 201)
    assert "198 columns: insensitive, unchanged" in shown
    assert '<code class="short">c197</code>' in shown


def test_terms_lead_to_the_glossary(released: Any) -> None:
    """A link, which works by keyboard and touch without scripts, at the first place in a section."""
    page = as_html(released()).decode()
    places = dict(re.findall(r'<div id="(g\d+)"><dt>([^<]+)</dt>', page))
    assert sorted(places.values()) == ["prosecutor", "quasi-identifier"]
    links = re.findall(r'<a class="term" href="#(g\d+)" title="([^"]+)">([^<]+)</a>', page)
    assert {(places[anchor], meaning) for anchor, meaning, _ in links} == {
        (term, TERMS[term]) for term in places.values()
    }
    columns = page.partition("<h2>Columns</h2>")[2].partition("</section>")[0]
    assert columns.count('class="term"') == 1


def test_contents_lead_to_sections(released: Any) -> None:
    page = as_html(released()).decode()
    navigation = re.search(r"<nav.*?</nav>", page, re.S)
    assert navigation
    anchors = re.findall(r'href="#(\w+)"', navigation[0])
    assert anchors
    for anchor in anchors:
        assert page.count(f' id="{anchor}"') == 1


def test_the_foot_of_printed_pages_names_the_run(released: Any) -> None:
    report = released()
    page = as_html(report).decode()
    assert f'content: "Run {report["run"]["id"]}"' in page
    report["run"]["id"] = '"; } body { display: none'
    assert 'content: "Run bodydisplaynone"' in as_html(report).decode()


def test_the_lineage(released: Any) -> None:
    """What steps read and wrote, as a picture and in words; a step that failed and what it did not write are marked."""
    report = released()
    report["operations"][1] |= {"status": "error", "error": {"message": "no"}}
    report["outputs"] = []
    page, text = both(report)
    assert "<desc>patients → profile; patients → anonymize → safe.</desc>" in page
    assert "- patients → `anonymize` → safe" in text
    assert re.findall(r'class="node ([a-z ]+)"', page) == ["data", "step", "step bad", "data dash"]


def test_a_large_lineage_is_not_drawn(released: Any) -> None:
    """A picture of more than sixty steps and datasets says less than the table of steps."""
    report = released()
    report["operations"] = [{"step": f"s{n}", "reads": [f"d{n}"], "writes": [f"d{n + 1}"]} for n in range(31)]
    assert "Lineage" not in as_html(report).decode()
    report["operations"].pop()
    report["operations"].pop()
    assert "Lineage" in as_html(report).decode()
