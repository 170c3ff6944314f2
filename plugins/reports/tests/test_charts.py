"""Charts: their form, what is drawn of it, and what stands beside the picture for who cannot see it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.protocols import ReportSection
from pamola_tasks.record import Artifact
from pamola_tasks_reports import TaskReporter, as_html, as_markdown
from pamola_tasks_reports.charts.axes import moment_ticks, ticks
from pamola_tasks_reports.charts.svg import width_of
from pamola_tasks_reports.formatting import percent

BARS = {
    "kind": "bars",
    "title": "Loss by column",
    "note": "What each column lost.",
    "labels": ["age", "sex", "zip"],
    "unit": "share",
    "series": [{"name": "set", "values": [0.04, 0.0, None]}, {"name": "hier", "values": [0.18, 0.09, 0.36]}],
}
COLUMNS = {
    "kind": "columns",
    "title": "Sizes of equivalence classes",
    "axis": "records in the class",
    "labels": ["1", "2", "3–4", "5–9", "10+"],
    "series": [{"name": "before", "values": [400, 300, 200, 100, 0]}, {"name": "after", "values": [0, 0, 0, 600, 400]}],
    "limit": {"before": 3, "label": "k = 5"},
}
HISTOGRAM = {
    "kind": "histogram",
    "title": "age",
    "series": [{"name": "", "edges": [10, 20, 30, 50, 60], "counts": [40, 80, 30, 0]}],
}
DATES = {
    "kind": "histogram",
    "title": "admitted",
    "scale": "moment",
    "series": [
        {"name": "before", "edges": ["2024-01-01", "2024-07-01", "2025-01-01"], "counts": [10, 20]},
        {"name": "after", "edges": ["2024-01-01", "2024-07-01", "2025-01-01"], "counts": [12.5, 17.5]},
    ],
}
GAUGE = {
    "kind": "gauge",
    "title": "Risk",
    "readings": [{"label": "Prosecutor", "value": 0.2, "before": 1.0}, {"label": "Marketer", "value": 0.05}],
    "limit": {"at": 0.1, "label": "limit"},
}
MATRIX = {
    "kind": "matrix",
    "title": "Ties",
    "rows": ["a", "b"],
    "columns": ["a", "b"],
    "values": [[None, -0.5], [-0.5, None]],
}
POINTS = {
    "kind": "points",
    "title": "What k costs",
    "x": {"label": "risk", "unit": "share"},
    "y": {"label": "loss", "unit": "share"},
    "series": [
        {"name": "wide", "joined": True, "points": [{"x": 0.5, "y": 0.1, "label": "k = 2"}, {"x": 0.1, "y": 0.4}]},
        {"name": "narrow", "points": [{"x": 0.25, "y": 0.2, "label": "k = 4"}]},
    ],
}
ALL = [BARS, COLUMNS, HISTOGRAM, DATES, GAUGE, MATRIX, POINTS]


def report_of(*charts: Any) -> dict[str, Any]:
    return {"task": {"id": "t"}, "operations": [{"step": "s", "status": "success", "charts": list(charts)}]}


def pictures(*charts: Any) -> list[ET.Element]:
    """The pictures of a page, each read by a strict XML parser."""
    page = as_html(report_of(*charts)).decode()
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", page, re.S)]


def shapes(picture: ET.Element, kind: str, tag: str = "rect") -> list[dict[str, Any]]:
    """Bars of a kind that stand for a value, each with what it says when pointed at."""
    return [
        {**{key: float(shape.get(key, 0)) for key in ("x", "y", "width", "height")}, "said": title.text}
        for shape in picture.iter(tag)
        if kind in shape.get("class", "").split() and (title := shape.find("title")) is not None
    ]


def test_each_chart_is_one_picture_with_a_name_and_a_description() -> None:
    for chart, picture in zip(ALL, pictures(*ALL), strict=True):
        assert picture.get("role") == "img"
        assert (picture[0].tag, picture[0].text) == ("title", chart["title"])
        assert picture[1].tag == "desc"
        assert picture[1].text


def test_bars_are_as_long_as_their_values() -> None:
    (picture,) = pictures(BARS)
    hier = shapes(picture, "s1")
    assert [bar["said"] for bar in hier] == ["age, hier: 18 %", "sex, hier: 9.0 %", "zip, hier: 36 %"]
    assert hier[0]["width"] == pytest.approx(2 * hier[1]["width"], abs=0.05)
    assert hier[2]["width"] == pytest.approx(4 * hier[1]["width"], abs=0.05)
    assert [bar["width"] for bar in shapes(picture, "s0")][1:] == [0, 0]
    assert shapes(picture, "s0")[2]["said"] == "zip, set: –"


def test_columns_are_as_high_as_their_values_and_the_limit_stands_before_its_class() -> None:
    (picture,) = pictures(COLUMNS)
    before, after = shapes(picture, "s0"), shapes(picture, "s1")
    assert [bar["height"] / after[3]["height"] for bar in before] == pytest.approx(
        [4 / 6, 3 / 6, 2 / 6, 1 / 6, 0], abs=0.001
    )
    (limit,) = (line for line in picture.iter("line") if line.get("class") == "limit")
    place = float(limit.get("x1", ""))
    assert after[2]["x"] + after[2]["width"] < place < before[3]["x"]
    assert "k = 5" in [text.text for text in picture.iter("text")]


def test_the_area_of_a_histogram_is_the_number_of_records() -> None:
    (picture,) = pictures(HISTOGRAM)
    bars = shapes(picture, "s1")
    assert [bar["said"] for bar in bars] == ["10 to 20: 40", "20 to 30: 80", "30 to 50: 30", "50 to 60: 0"]
    heights = [bar["height"] for bar in bars]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.05)
    assert heights[2] == pytest.approx(heights[0] * 30 / 2 / 40, abs=0.05)  # twice as wide
    assert bars[2]["width"] == pytest.approx(2 * bars[0]["width"], abs=1)


def test_a_gauge_fills_its_track_by_the_share_and_marks_what_was_before() -> None:
    (picture,) = pictures(GAUGE)
    track = max(float(shape.get("width", 0)) for shape in picture.iter("rect") if shape.get("class") == "track")
    (over,), (under,) = shapes(picture, "over"), shapes(picture, "s1")
    assert over["width"] / track == pytest.approx(0.2)
    assert under["width"] / track == pytest.approx(0.05)
    assert over["said"] == "Prosecutor: 20 % (before: 100 %)"


def test_a_deep_cell_is_a_strong_tie() -> None:
    (picture,) = pictures(MATRIX)
    cells = [(cell.get("class"), cell.get("fill-opacity")) for cell in picture.iter("rect")]
    assert cells == [("cell none", None), ("cell minus", "0.5"), ("cell minus", "0.5"), ("cell none", None)]


def test_points_stand_where_their_numbers_are_and_only_a_joined_group_has_a_line() -> None:
    (picture,) = pictures(POINTS)
    found = {
        title.text: [float(number) for number in re.findall(r"M([\d.]+) ([\d.]+)", shape.get("d", ""))[0]]
        for shape in picture.iter("path")
        if (title := shape.find("title")) is not None
    }
    first, second, third = (
        found["wide, k = 2: 50 %, 10 %"],
        found["wide: 10 %, 40 %"],
        found["narrow, k = 4: 25 %, 20 %"],
    )
    across, up = (first[0] - second[0]) / 0.4, (first[1] - second[1]) / 0.3
    assert third == pytest.approx([second[0] + across * 0.15, second[1] + up * 0.2], abs=0.1)
    assert [shape.get("class") for shape in picture.iter("path") if "line" in shape.get("class", "")] == [
        "line joined s1"
    ]
    texts = [text.text for text in picture.iter("text")]
    assert {"risk", "loss", "wide", "narrow", "k = 2"} <= set(texts)
    assert "| wide: k = 2   | 50 % | 10 % |" in as_markdown(report_of(POINTS)).decode()


def test_the_numbers_stand_beside_the_picture_and_in_markdown() -> None:
    page, text = as_html(report_of(*ALL)).decode(), as_markdown(report_of(*ALL)).decode()
    for wanted in ("Loss by column", "What each column lost.", "18 %", "3–4", "2024-07-01 to 2025-01-01", "-0.50"):
        assert wanted in page
        assert wanted in text
    assert page.count("<summary>Numbers</summary>") == len(ALL)
    assert re.search(r"^\| 20 to 30 +\| +80 \|$", text, re.M)


NAMES = [
    "x",
    "a_column_with_a_very_long_name_that_nobody_wants_to_read_to_its_end",
    "عمر المريض",
    "年齢と性別",
    "W" * 60,
]


@pytest.mark.parametrize("count", [1, 2, 30, 200])
@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_its_picture_however_many_and_long_the_names(count: int, name: str) -> None:
    labels = [f"{name}{index}" for index in range(count)]
    values = [1.0 / (index + 1) for index in range(count)]
    bars = {**BARS, "labels": labels, "series": [{"name": name, "values": values}] * 2}
    gauge = {
        **GAUGE,
        "readings": [
            {"label": label, "value": value, "before": 1} for label, value in zip(labels, values, strict=True)
        ],
    }
    points = [{"x": value, "y": 1 - value, "label": label} for label, value in zip(labels, values, strict=True)]
    axis = {"label": name}
    plane = {**POINTS, "x": axis, "y": axis, "series": [{"name": name, "points": points}] * 4}
    for picture in pictures(bars, {**bars, "kind": "columns", "unit": "count"}, gauge, plane):
        width = float(picture.get("viewBox", "").split()[2])
        for text in (text for text in picture.iter("text") if text.get("x") != "0" or text.get("y") != "0"):
            wide = width_of("".join(t for t in [text.text or "", *(s.text or "" for s in text.iter("tspan"))]))
            x = float(text.get("x", ""))
            kinds = text.get("class", "").split()
            begin = x - wide if "end" in kinds else x - wide / 2 if "mid" in kinds else x
            assert begin >= -1, ET.tostring(text)
            assert begin + wide <= width + 1, ET.tostring(text)


def test_a_long_name_is_cut_and_said_in_whole_when_pointed_at() -> None:
    (picture,) = pictures({**BARS, "labels": [NAMES[1], "b", "c"]})
    cut = next(text for text in picture.iter("text") if (text.text or "").endswith("…"))
    assert cut.find("title").text == NAMES[1]  # type: ignore[union-attr]


HOSTILE = '</svg><script>alert(1)</script><img src=x onerror=alert(1)>"\' onload="x" \x1b[2J\u202e\x00\ud800&lt;]]>'


def test_nothing_in_a_chart_is_obeyed() -> None:
    charts = [json.loads(json.dumps(chart)) for chart in ALL]
    for chart in charts:
        chart["title"] = chart["note"] = HOSTILE
        for key in ("labels", "rows", "columns"):
            if key in chart:
                chart[key] = [HOSTILE] * len(chart[key])
        for item in [*chart.get("series", []), *chart.get("readings", [])]:
            item["label"] = item["name"] = HOSTILE
            for point in item.get("points", []):
                point["label"] = HOSTILE
        for axis in {"x", "y"} & set(chart):
            chart[axis]["label"] = HOSTILE
        if "limit" in chart:
            chart["limit"]["label"] = HOSTILE
    page = as_html(report_of(*charts)).decode()
    assert "<script" not in page
    assert "<img" not in page
    assert not {"\x1b", "\u202e", "\x00"} & set(page)
    harmless = {element.tag for picture in pictures(*ALL) for element in picture.iter()}
    for picture in pictures(*charts):
        assert {element.tag for element in picture.iter()} <= harmless
        for element in picture.iter():
            assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    assert all(line.isprintable() for line in as_markdown(report_of(*charts)).decode().split("\n"))


@pytest.mark.parametrize(
    ("chart", "said"),
    [
        ("pie", "a chart is an object"),
        ({"kind": "pie", "title": "t"}, "`kind` has to be one of bars, columns, histogram, gauge, matrix, points"),
        ({**BARS, "title": 5}, "`title` has to be text"),
        ({**BARS, "labels": []}, "`labels` has to be a list with something in it"),
        ({**BARS, "labels": ["x"] * 201}, "`labels` has 201 entries, and at most 200 are drawn"),
        ({**BARS, "series": [{"values": [1]}]}, "`values` has to have one entry for each of `labels`"),
        ({**BARS, "series": [{"values": [1, 2, "3"]}]}, "`values` has to be a number"),
        ({**BARS, "series": [{"values": [1, 2, -3]}]}, "a bar cannot be below 0"),
        ({**BARS, "series": [{"values": [1, 2, float("inf")]}]}, "a number that can be drawn"),
        ({**BARS, "series": [{"values": [1, 2, 10**400]}]}, "a number that can be drawn"),
        ({**BARS, "series": [5]}, "`series` is a list of objects"),
        ({**BARS, "unit": "metres"}, "`unit` has to be one of"),
        ({**BARS, "limit": 5}, "`limit` is an object"),
        ({**HISTOGRAM, "series": [{"edges": [1, 2], "counts": [1, 2]}]}, "one entry more than `counts`"),
        ({**HISTOGRAM, "series": [{"edges": [2, 1], "counts": [1]}]}, "`edges` have to ascend"),
        ({**HISTOGRAM, "scale": "moment"}, "ISO 8601"),
        ({**GAUGE, "readings": [{"label": "x", "value": 1.5}]}, "a reading must be between 0 and 1"),
        ({**POINTS, "x": "risk"}, "`x` is an object"),
        ({**POINTS, "y": {"label": "loss", "unit": "metres"}}, "`unit` has to be one of"),
        ({**POINTS, "series": POINTS["series"] * 3}, "`series` has 6 entries, and at most 4 are drawn"),
        ({**POINTS, "series": [{"points": [{"x": -1, "y": 0}]}]}, "a point cannot be below 0"),
        ({**POINTS, "series": [{"points": [{"x": 1}]}]}, "`y` has to be a number"),
        ({**MATRIX, "values": [[1, 0]]}, "`values` has to have a list for each of `rows`"),
        ({**MATRIX, "values": [[1, 2], [0, 0]]}, "must be between -1 and 1"),
    ],
)
def test_what_is_no_chart_is_said_in_its_place_and_the_others_are_drawn(chart: Any, said: str) -> None:
    report = report_of(chart, COLUMNS)
    assert said in re.sub("</?code>", "`", as_html(report).decode())
    assert said in as_markdown(report).decode()
    assert len(pictures(chart, COLUMNS)) == 1


@pytest.mark.parametrize(
    "values",
    [[0, 0, 0], [1e300, 1, 0], [1e-300, 0, 0], [None, None, None], [5e-324, 0, 0]],
)
def test_extreme_numbers_are_drawn(values: list[float | None]) -> None:
    series = [{"name": "", "values": values}]
    drawn = pictures({**BARS, "series": series}, {**COLUMNS, "labels": list("abc"), "series": series})
    edges = [{"name": "", "edges": [-1e300, 0, 1e300], "counts": [1, 2]}]
    drawn += pictures({**HISTOGRAM, "series": edges}, {**HISTOGRAM, "series": [{"edges": [5, 5], "counts": [9]}]})
    points = [{"x": value or 0, "y": value or 0} for value in values]
    drawn += pictures({**POINTS, "series": [{"points": points, "joined": True}]})
    assert len(drawn) == 5
    assert not [1 for one in drawn for element in one.iter() for text in element.attrib.values() if "nan" in text]


def test_charts_of_a_plugin_stand_in_its_section(tmp_path: Path, make_run: Any) -> None:
    section = ReportSection(title="Approval", key="approval", facts={"k": 5, "charts": [GAUGE]}, text="Approved.")
    report = TaskReporter.of_run(make_run(tmp_path, sections=[section])).generate_report()
    page = as_html(report).decode()
    assert page.index("<h2>Approval</h2>") < page.index('<figure class="chart') < page.index("<h3>Configuration</h3>")
    assert "<dt>charts</dt>" not in page


def test_charts_of_a_step_are_read_from_its_artifact(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path)
    (tmp_path / "DATA/processed/t_1/output/profile.json").write_text(json.dumps({"schema": 1, "charts": [BARS]}))
    artifact = run.record.steps[0].artifacts[0]
    artifact.tags.append("charts")
    report = TaskReporter.of_run(run).generate_report()
    assert report["operations"][0]["charts"] == [BARS]
    assert "charts" not in report["operations"][1]

    artifact.sha256 = "0" * 64
    changed = TaskReporter.of_run(run).generate_report()
    assert "charts" not in changed["operations"][0]
    assert "the file is another than the step left" in " ".join(changed["warnings"])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"charts": 5}', "[" * 100_000])
def test_an_artifact_that_holds_no_charts_takes_nothing_from_the_report(
    tmp_path: Path, make_run: Any, content: str
) -> None:
    run = make_run(tmp_path)
    (tmp_path / "DATA/processed/t_1/output/profile.json").write_text(content)
    run.record.steps[0].artifacts = [
        Artifact("json", "DATA/processed/t_1/output/profile.json", tags=["charts"]),
        Artifact("json", "DATA/processed/t_1/output/gone.json", tags=["charts"]),
    ]
    report = TaskReporter.of_run(run).generate_report()
    assert "charts" not in report["operations"][0]
    assert report["operations"][0]["metrics"]["rows"] == 30162
    assert "gone.json" in " ".join(report["warnings"])


def test_charts_are_withheld_where_the_run_encrypts(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path, encrypts=True, sections=[ReportSection(title="A", key="a", facts={"charts": [GAUGE]})])
    (tmp_path / "DATA/processed/t_1/output/profile.json").write_text(json.dumps({"charts": [BARS]}))
    run.record.steps[0].artifacts[0].tags.append("charts")
    report = TaskReporter.of_run(run).generate_report()
    assert "Loss by column" not in json.dumps(report)
    assert "charts" in report["operations"][0]["withheld"]
    assert '<figure class="chart' not in as_html(report).decode()


def test_a_claim_and_what_was_measured_stand_at_the_top() -> None:
    report = report_of()
    report["operations"][0]["metrics"] = {"k_claimed": 5, "k_measured": 6, "k_before": 1, "l_claimed": 2}
    head = as_html(report).decode().split("</header>")[0]
    assert "<dt>k (asked 5, before 1)</dt><dd>6</dd>" in head
    assert "<dt>l" not in head


def test_losses_by_column_become_one_table() -> None:
    report = report_of()
    report["operations"][0]["metrics"] = {"ncp_set": {"age": 0.25, "sex": 0}, "ncp_hier": {"age": 0.5, "sex": 0.125}}
    assert re.search(r"^\| age +\| +0\.25 \| +0\.5 \|$", as_markdown(report).decode(), re.M)


def test_the_same_report_is_the_same_page() -> None:
    program = """
import json, sys
from pamola_tasks_reports import as_html
sys.stdout.buffer.write(as_html(json.loads(sys.stdin.read())))
found = {"matplotlib", "numpy", "pandas"} & set(sys.modules)
assert not found, found
"""
    document = json.dumps(report_of(*ALL))
    pages = [
        subprocess.run(
            [sys.executable, "-c", program], input=document.encode(), check=True, timeout=240, capture_output=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert pages[0] == pages[1] == as_html(report_of(*ALL))


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (17, 91), (-3.2, 8.1), (0, 1e-7), (1e6, 1e6 + 3), (0, 1e300), (0, 7)]
)
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    found = ticks(low, high, 5)
    assert 1 <= len(found) <= 7
    assert all(low <= tick <= high * (1 + 1e-9) for tick in found)
    gaps = {float(f"{later - earlier:.6g}") for earlier, later in pairwise(found)}
    assert all(f"{gap:.0e}"[0] in "125" for gap in gaps)


@pytest.mark.parametrize(
    ("low", "high", "first"),
    [
        ("1900-05-01", "2024-01-01", "1950"),
        ("2021-01-01", "2024-06-01", "2021"),
        ("2025-01-01", "2026-01-01", "2025-01"),
        ("2025-03-01", "2025-03-20", "03-01"),
        ("2025-03-01T08:00:00", "2025-03-01T20:00:00", "09:00"),
    ],
)
def test_moments_have_ticks_of_their_own_scale(low: str, high: str, first: str) -> None:
    from datetime import UTC, datetime

    begin, end = (datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in (low, high))
    found = moment_ticks(begin, end)
    assert found[0][1] == first
    assert 1 <= len(found) <= 6


def test_shares_are_told_as_percent() -> None:
    assert [percent(one) for one in (0, 0.0004, 0.0234, 0.2, 0.4649, 1)] == [
        "0 %", "<0.1 %", "2.3 %", "20 %", "46.5 %", "100 %",
    ]  # fmt: skip


def test_of_many_bars_the_longest_are_drawn() -> None:
    """The others are counted, and all of them are in the table of numbers."""
    names = [f"column {number:02}" for number in range(60)]
    chart = {"kind": "bars", "title": "Loss", "labels": names, "series": [{"name": "", "values": [*range(60)]}]}
    page = as_html(report_of(chart)).decode()
    picture = page.partition('<figure class="chart')[2].partition("</svg>")[0]
    drawn = picture.partition("</desc>")[2]
    assert [name for name in names if f">{name}<" in drawn] == names[36:]
    assert "and 36 with less, in the table of numbers" in drawn
    assert all(f"<td>{name}</td>" in page for name in names)
