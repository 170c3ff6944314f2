"""Markdown and HTML: the same facts, nothing that is obeyed, readable."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.protocols import ReportSection
from pamola_tasks_reports import TaskReporter, as_html, as_markdown
from pamola_tasks_reports.formatting import duration, moment, size, value

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)>"\' onload="x" | a\n# b\x1b[2J\u202e&lt;'


class Page(html.parser.HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def hostile(facts: Any) -> Any:
    """The same facts with every text, names of metrics included, made hostile."""
    if isinstance(facts, str):
        return facts + HOSTILE
    if isinstance(facts, list):
        return [hostile(item) for item in facts]
    if isinstance(facts, dict):
        return {key: hostile(item) for key, item in facts.items()} | {HOSTILE: HOSTILE}
    return facts


@pytest.fixture
def report(tmp_path: Path, make_run: Any) -> Any:
    section = ReportSection(title="Privacy", key="privacy", facts={"k": 5}, text="**Good** on `age`.\n\n- one\n- two")
    run = make_run(tmp_path, success=False, sections=[section])
    run.record.steps[0].metrics["columns"] = {"age": {"missing": 0, "mean": 38.44}, "sex": {"missing": 2}}
    reporter = TaskReporter.of_run(run)
    reporter.add_metric("k", 5)
    return reporter.generate_report()


def test_facts_have_the_names_that_the_field_gives_them(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path, success=True)
    run.record.steps[0].metrics |= {"ncp_set": 0.02, "l_diversity": {"income": {"l": 4}, "sex": {"l": 1}}}
    report = TaskReporter.of_run(run).generate_report()
    for page in (as_html(report).decode(), as_markdown(report).decode()):
        assert "NCP-set" in page
        assert "l-diversity" in page
        assert "ncp set" not in page


def test_the_page_is_whole_and_loads_nothing(report: Any) -> None:
    text = as_html(report).decode()
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(page.tags)
    assert all(re.fullmatch("#[a-z0-9]+", value or "") for name, value in page.attributes if name == "href")
    assert {name for name, _ in page.attributes} <= {
        "lang", "charset", "http-equiv", "content", "name", "class", "style", "title", "id", "href", "scope", "open",
        "data-label", "aria-label", "tabindex", "role", "viewbox", "width", "height", "x", "y", "rx", "d",
    }  # fmt: skip
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none'")
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "http" not in style[1]


def test_the_page_is_made_for_dark_screens_and_for_paper(report: Any) -> None:
    text = as_html(report).decode()
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text


def test_nothing_in_a_report_is_obeyed_by_a_browser(report: Any) -> None:
    harmless, page = Page(as_html(report).decode()), Page(as_html(hostile(report)).decode())
    assert page.open == []
    assert set(page.tags) <= set(harmless.tags) | {"br"}
    assert {name for name, _ in page.attributes} <= {name for name, _ in harmless.attributes}
    assert all(re.fullmatch(r"[a-z0-9 ]*", v or "") for name, v in page.attributes if name == "class")
    assert all(re.fullmatch(r"width:[0-9.]+%", v or "") for name, v in page.attributes if name == "style")
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_nothing_in_a_report_is_obeyed_by_markdown_or_a_terminal(report: Any) -> None:
    report["sections"] = {}  # their text is Markdown and may have headings
    text = as_markdown(hostile(report)).decode()
    assert all(line.isprintable() for line in text.split("\n"))
    marked_up = re.sub(r"`[^`\n]*`", "", re.sub(r"^```\n.*?^```$", "", text, flags=re.M | re.S))
    assert not re.search(r"(?<!\\)<", marked_up)
    harmless = as_markdown(report).decode()
    headings = [line for line in marked_up.split("\n") if line.startswith("#")]
    assert all("alert" in line or line.lstrip("# ") in harmless for line in headings)
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.M):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_markdown_renders_without_html_of_its_own(report: Any) -> None:
    markdown = pytest.importorskip("markdown")
    page = Page(markdown.markdown(as_markdown(hostile(report)).decode(), extensions=["tables", "fenced_code"]))
    assert not {"script", "img", "a"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_both_say_the_same(report: Any) -> None:
    page, text = Page(as_html(report).decode()).text, as_markdown(report).decode()
    for wanted in (
        "Anonymize patients",
        "failed",
        "k is larger than the table",
        "30,162",
        "38.44",
        "looks like a direct identifier",
        "DATA/processed/t_1/output/safe.csv",
        "pamola-tasks-reports",
        "configs/prj_config.yaml:3:1",
        "2026-03-01 09:30:00 UTC",
        "12.5 s",
    ):
        assert wanted in page, wanted
        assert wanted in text, wanted


def test_facts_of_columns_become_a_table(report: Any) -> None:
    text = as_markdown(report).decode()
    assert re.search(r"^\| age +\| +0 \| +38.44 \|$", text, re.M)
    assert re.search(r"^\| sex +\| +2 \| +\|$", text, re.M)


def test_prose_of_plugins_is_formatted(report: Any) -> None:
    text = as_html(report).decode()
    assert "<p><strong>Good</strong> on <code>age</code>.</p>" in text
    assert "<ul><li>one</li><li>two</li></ul>" in text


@pytest.mark.parametrize("report", [{}, {"task": {}}, {"task": {"id": "t"}, "operations": [{}], "inputs": [{}]}])
def test_a_report_of_which_much_is_missing_is_shown_as_far_as_it_goes(report: Any) -> None:
    assert as_markdown(report)
    assert Page(as_html(report).decode()).open == []


def test_what_withholds_says_so(tmp_path: Path, make_run: Any) -> None:
    report = TaskReporter.of_run(make_run(tmp_path, encrypts=True)).generate_report()
    assert "top\\_values" in as_markdown(report).decode() or "top_values" in as_markdown(report).decode()
    assert "withheld, because it may quote data" in as_html(report).decode()


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (0.00042, "0.42 ms"),
        (0.42, "0.42 s"),
        (9.999, "10.0 s"),
        (59.96, "1 min 0 s"),
        (119.6, "2 min 0 s"),
        (3725, "1 h 2 min"),
        (None, ""),
    ],
)
def test_durations_carry_over(seconds: Any, wanted: str) -> None:
    assert duration(seconds) == wanted


def test_numbers_are_readable() -> None:
    assert [size(n) for n in (0, 999, 1000, 1_234_567, 999_960_000, None)] == [
        "0 B", "999 B", "1.0 kB", "1.2 MB", "1.0 GB", "",
    ]  # fmt: skip
    assert [value(v) for v in (30162, 9999, 0.123456, 1e6, True, None, [1, 2], [])] == [
        "30,162", "9999", "0.1235", "1,000,000", "yes", "–", "1, 2", "none",
    ]  # fmt: skip
    assert value(list(range(20))).endswith("… (20 in all)")
    assert moment("2026-03-01T09:30:00.123Z") == "2026-03-01 09:30:00 UTC"
    assert moment(None) == ""


def test_the_written_json_is_valid_and_has_a_line_for_each_entry(report: Any, tmp_path: Path) -> None:
    from pamola_tasks_reports.store import as_json

    document = as_json(report)
    assert json.loads(document) == report
    assert sum(line.startswith(b'    {"step"') for line in document.splitlines()) == 2
