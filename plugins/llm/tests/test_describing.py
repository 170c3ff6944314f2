"""Descriptions of reports by a model that invents numbers, and texts that it rewrites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from model_stub import Stub

from pamola_tasks import Kernel
from pamola_tasks.protocols import RunOptions
from pamola_tasks_llm.numerals import unfounded

FIGURES = [20_000, 5, 0.109_590_690_285, 14.965, 0.2, 1_234.5]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "20,000 records in classes of 5; the loss is 11 %, or 10.96 percent, and the risk 0.2, that is 20%."),
        ("de", "20.000 Datensätze in Klassen von 5; der Verlust ist 10,96 %, das Risiko 0,2 oder 20 Prozent."),
        ("fr", "20 000 lignes par groupes de cinq ; la perte est de 11 pour cent, la moyenne 14,97."),
        ("de", "Das sind 1.234,5 Punkte; fünf und 5 sind dasselbe, in column_77 auch."),
        ("ar", "٢٠٬٠٠٠ ٥".replace("٬", "")),
        ("en", "No numbers at all, and one or another word."),
    ],
)
def test_numbers_of_a_report_are_founded(language: str, text: str) -> None:
    assert unfounded(text, FIGURES, ["column_77"], language) == []


@pytest.mark.parametrize(
    ("language", "text", "wrong"),
    [
        ("en", "All but 7 of 20,001 records.", ["7", "20,001"]),
        ("en", "A loss of 12 %, at k = 4.", ["12", "4"]),
        ("en", "Twenty thousand of them, all but seven.", ["Twenty", "thousand", "seven"]),
        ("de", "Alle außer sieben, also ein Drittel von 20.000, genauer 20.00.", ["sieben"]),
        ("fr", "Seulement huit lignes.", ["huit"]),
        ("en", "½ of 5² at stage Ⅳ", ["½", "²", "Ⅳ"]),
        ("en", "a risk of 20, and 0.1", ["20"]),
        ("en", "column_78", ["78"]),
        ("en", "٧ records", ["7"]),
    ],
)
def test_numbers_that_are_not_in_a_report_are_found(language: str, text: str, wrong: list[str]) -> None:
    assert [each for each in unfounded(text, FIGURES, ["column_77"], language) if each in wrong] == wrong


def run(place: Path, task: str, operation: dict[str, Any], frame: pd.DataFrame | None = None) -> Any:
    inputs = {} if frame is None else {"people": "DATA/raw/people.csv"}
    document = {"task_id": task, "input_datasets": inputs, "operations": [operation]}
    (place / f"configs/{task}.json").write_text(json.dumps(document))
    datasets = {} if frame is None else {"people": frame}
    return Kernel(place).run(task, options=RunOptions(datasets=datasets, console=False, quiet=True))


def test_a_description_has_no_number_of_its_own(place: Path, stub: Stub, nothing_around: None) -> None:
    """The first answer invents one and is refused; a model that goes on inventing gets nothing written."""
    frame = pd.DataFrame({"age": [20 + n % 9 for n in range(60)], "city": ["canary-7f3a"] * 3 + ["b"] * 57})
    parameters = {"input_dataset": "people", "k": 3, "quasi_identifiers": ["age"], "insensitive_attributes": ["city"]}
    made = run(place, "release", {"AnonymizeOperation": parameters}, frame)
    assert made.success, made.record.error
    (place / "configs/prj_config.json").write_text(json.dumps({"llm": stub.settings()}))
    replies = iter([["Von 60 Zeilen fehlen 17."], ["Alle 60 Zeilen blieben; jede Klasse hat mindestens *drei*."]])
    stub.answer = lambda asked: {"sentences": next(replies)}
    step = {"DescribeOperation": {"task": "release", "language": "de"}}
    outcome = run(place, "words", step)
    if outcome.results["DescribeOperation"].metrics.get("description") is None:
        raise AssertionError(outcome.record.error)
    asked = [json.loads(json.loads(body)["messages"][1]["content"]) for body in stub.bodies]
    assert [each["refused"] for each in asked] == [[], ["17"]]
    assert asked[0]["steps"][0]["figures"]["rows_in"] == 60
    assert b"canary" not in stub.sent()
    report = json.loads((place / "DATA/reports/words_report.json").read_text())
    assert "Alle 60 Zeilen blieben" in (place / "DATA/reports/words_report.md").read_text()
    assert report["operations"][0]["metrics"]["numbers_refused"] == ["17"]
    again = run(place, "words", step)
    assert again.record.steps[0].status == "skipped"
    assert len(stub.bodies) == 2
    stub.answer = lambda asked: {"sentences": ["Es waren 4711."]}
    failed = run(place, "lies", step)
    assert "states 1 numbers that are not in the report" in failed.record.error["message"]
    assert not [*(place / "DATA/processed/lies").rglob("*_description*")]
    unknown = run(place, "none", {"DescribeOperation": {"task": "nothing"}})
    assert "has no report yet" in unknown.record.error["message"]


def test_texts_are_rewritten_alike_or_suppressed(place: Path, stub: Stub, nothing_around: None) -> None:
    """One prompt for each different text, without anything beside it; what is known of its record is looked for."""
    texts = ["Ada Lovelace was here", "call 0151 2345678", None, "Ada Lovelace was here", "fine", "mail a@b.example"]
    frame = pd.DataFrame({"note": texts, "name": ["Ada Lovelace", "B", "C", "D", "E", "F"], "city": ["Aachen"] * 6})
    answers = {"Ada Lovelace was here": "Somebody was here", "fine": "fine"}
    stub.answer = lambda asked: {"text": answers.get(asked["text"], asked["text"])}
    step = {"RewriteTextOperation": {"input_dataset": "people", "columns": ["note"], "known_columns": ["name"]}}
    (place / "configs/prj_config.json").write_text(json.dumps({"llm": stub.settings()}))
    refused = run(place, "rewrite", step, frame)
    assert "llm.level is schema" in refused.record.error["message"]
    assert not stub.bodies
    settings = stub.settings(level="levels", levels=["note"])
    (place / "configs/prj_config.json").write_text(json.dumps({"llm": settings}))
    outcome = run(place, "rewrite", step, frame)
    assert outcome.success, outcome.record.error
    written = pd.read_csv(place / "DATA/processed/rewrite/output/people_rewritten.csv")
    assert list(written["note"].fillna("")) == ["Somebody was here", "*", "", "Somebody was here", "fine", "*"]
    assert b"Aachen" not in stub.sent()
    metrics = outcome.results["RewriteTextOperation"].metrics
    assert metrics["refused_for"] == {"a long number": 1, "an e-mail address": 1}
    assert metrics["texts"] == 4
    (kept,) = (place / "DATA/processed/rewrite/internal").rglob("*_prompts.jsonl")
    assert "Ada" not in kept.read_text()
    report = (place / "DATA/reports/rewrite_report.json").read_text()
    assert "nothing proves" in report
    assert "Ada" not in report
    answers["Ada Lovelace was here"] = "It was ADA LOVELACE"
    step["RewriteTextOperation"]["on_refused"] = "fail"
    failed = run(place, "strict", step, frame.head(1))
    assert "a known value of its record" in failed.record.error["message"]
