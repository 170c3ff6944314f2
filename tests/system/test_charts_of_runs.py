"""Charts of real runs: they show what is in the tables, nothing rare is in them, and only the key opens them."""

from __future__ import annotations

import base64
import csv
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

RARE = ["Atlantis-7731", "4733", "-8829", "99887766.5"]
STEPS = [
    {"id": "profile", "ProfileOperation": {"dataset_name": "people"}},
    {
        "id": "anonymize",
        "AnonymizeOperation": {
            "input_dataset": "people",
            "output_dataset": "safe",
            "k": 4,
            "quasi_identifiers": ["age", "city"],
            "sensitive_attributes": ["illness"],
        },
    },
    {"id": "risk", "RiskOperation": {"input_dataset": "safe", "quasi_identifiers": ["age", "city"]}},
    {
        "id": "utility",
        "UtilityOperation": {
            "original_dataset": "people",
            "anonymized_dataset": "safe",
            "quasi_identifiers": ["age", "city"],
        },
    },
]


@pytest.fixture
def people(project: Path) -> list[dict[str, str]]:
    """600 records, among them values that three have, one number far below all others and two far above."""
    source = random.Random(5)
    rows = [
        {
            "age": source.randint(20, 79),
            "city": source.choice(["Bern", "Bern", "Genf", "Basel"]),
            "pay": source.randint(0, 90_000) / 2,
            "illness": source.choice(["flu", "asthma", "none"]),
        }
        for _ in range(594)
    ]
    ordinary = {"age": 40, "city": "Bern", "pay": 1000.5, "illness": "flu"}
    rows += [{**ordinary, "city": RARE[0]}] * 3
    rows += [{**ordinary, "age": RARE[1]}, {**ordinary, "age": RARE[2]}, {**ordinary, "pay": RARE[3]}]
    source.shuffle(rows)
    with (project / "DATA/raw/people.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ordinary))
        writer.writeheader()
        writer.writerows(rows)
    task = {
        "task_id": "t",
        "input_datasets": {"people": "DATA/raw/people.csv"},
        "operations": STEPS,
        "outputs": ["safe"],
        "seed": 1,
    }
    (project / "configs/t.json").write_text(json.dumps(task))
    return [{key: str(value) for key, value in row.items()} for row in rows]


def charts_of(report: dict, step: str) -> dict[str, dict]:
    (entry,) = (entry for entry in report["operations"] if entry["step"] == step)
    return {chart["title"]: chart for chart in entry["charts"]}


def values_of(chart: dict, series: int) -> dict[str, float]:
    return dict(zip(chart["labels"], chart["series"][series]["values"], strict=True))


def test_charts_agree_with_the_tables_and_tell_nothing_rare(cli, project, people):
    cli("run", "t", cwd=project, code=0)
    files = {path.suffix: path.read_text() for path in (project / "DATA/reports").glob("t_report.*")}
    assert set(files) == {".json", ".md", ".html"}
    for value in RARE:
        assert [name for name, text in files.items() if value in text] == []
    report = json.loads(files[".json"])
    with (project / "DATA/processed/t/output/safe.csv").open(newline="") as file:
        safe = list(csv.DictReader(file))

    profile = charts_of(report, "profile")
    counted = Counter(row["city"] for row in people)
    # three have the rare city: they are told together with the least frequent of the others
    rarest = min((name for name in counted if name != RARE[0]), key=lambda name: counted[name])
    assert values_of(profile["city"], 0) == {
        **{name: counted[name] for name in ("Bern", "Genf", "Basel") if name != rarest},
        "2 other values": counted[rarest] + 3,
    }
    (pay,) = profile["pay"]["series"]
    amounts = sorted(float(row["pay"]) for row in people)
    inner = pay["edges"][1:-1]
    below = [sum(amount < edge for amount in amounts) for edge in inner]
    assert pay["counts"] == [b - a for a, b in zip([0, *below], [*below, len(amounts)], strict=True)]
    assert all(count == 0 or count >= 10 for count in pay["counts"])

    anonymized = charts_of(report, "anonymize")
    before, after = anonymized["age, before and after"]["series"]
    assert before["edges"] == after["edges"]
    assert sum(before["counts"]) == 600
    assert sum(after["counts"]) == pytest.approx(600, abs=0.5)
    assert all(count == 0 or count >= 10 for count in before["counts"])
    for series, table in enumerate((people, safe)):
        sizes = Counter(Counter((row["age"], row["city"]) for row in table).values())
        told = values_of(anonymized["Sizes of equivalence classes"], series)
        assert told.pop("1") == sizes[1]
        assert told.pop("2") == 2 * sizes[2]
        assert sum(told.values()) == sum(size * many for size, many in sizes.items() if size > 2)
    highest, average = anonymized["Risk of re-identification"]["readings"]
    classes = Counter((row["age"], row["city"]) for row in safe)
    assert highest["value"] == pytest.approx(1 / min(classes.values()))
    assert average["value"] == pytest.approx(len(classes) / len(safe))
    assert highest["before"] == 1
    metrics = next(entry["metrics"] for entry in report["operations"] if entry["step"] == "anonymize")
    assert values_of(anonymized["Loss by column"], 0) == metrics["ncp_set_by_column"]

    # what the step tells of its own output, and what is read back of the published cells
    again = charts_of(report, "utility")
    for title in ("age, before and after", "city, before and after"):
        for one, other in zip(anonymized[title]["series"], again[title]["series"], strict=True):
            numbers = "counts" if "counts" in one else "values"
            assert one[numbers] == pytest.approx(other[numbers], abs=0.2)
    assert charts_of(report, "risk")["Risk of re-identification"]["readings"][0]["value"] == highest["value"]


def test_two_runs_draw_the_same_bytes(cli, project, people):
    drawn = []
    for _ in range(2):
        done = cli("run", "t", "--restart", cwd=project, env={"PYTHONPROFILEIMPORTTIME": "1"}, code=0)
        assert "pamola_tasks_reports.charts.drawing" in done.stderr
        assert "matplotlib" not in done.stderr
        page = (project / "DATA/reports/t_report.html").read_text()
        assert "<script" not in page
        assert not re.search(r"href=\"[^#]|src=|url\(|@import|https?://", page)
        drawn.append(re.findall(r"<figure.*?</figure>", page, re.S))
    assert len(drawn[0]) > 10
    assert drawn[0] == drawn[1]


def test_charts_of_an_encrypted_run_are_for_who_has_the_key(cli, project, people):
    key = {"PAMOLA_KEY": base64.b64encode(bytes(range(32))).decode()}
    cli("run", "t", "--set", "use_encryption=true", cwd=project, env=key, code=0)
    for path in (project / "DATA/reports").rglob("t*"):
        if path.is_file():
            assert "Sizes of equivalence classes" not in path.read_text(), path.name
    shown = json.loads(cli("report", "t", "--json", cwd=project, env=key, code=0).stdout)
    assert "Sizes of equivalence classes" in charts_of(shown, "anonymize")
    assert "withheld" not in str([entry for entry in shown["operations"] if "charts" in entry.get("withheld", ())])
    assert '<figure class="chart' in cli("report", "t", "--format", "html", cwd=project, env=key, code=0).stdout

    without = cli("report", "t", "--format", "html", cwd=project, code=0)
    assert '<figure class="chart' not in without.stdout
    assert "encrypted and not shown: there is no key" in without.stderr
    assert "Sizes of equivalence classes" not in (project / "DATA/reports/t_report.html").read_text()
