"""The section of the report on redacted texts: what was found, and how much of it that is, as measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.protocols import ReportSection

if TYPE_CHECKING:
    from pamola_tasks.record import RunRecord

TERMS = {
    "finding": "Characters of a text that a recognizer, a known value of the record or a list says identify a person.",
    "recall": "The share of labelled entities that is found (strict: the same characters; overlap: some of them).",
    "precision": "The share of findings that are labelled.",
    "F1": "The harmonic mean of recall and precision.",
    "covered": "The share of labelled entities of which no character stays readable, whatever it was taken for.",
    "interval": "Of a share: Wilson's 95 % interval (1927).",
}


def sections(record: RunRecord) -> list[ReportSection]:
    """The section, where a step of this pack has run."""
    steps = [
        (step.step, step.metrics)
        for step in record.steps
        if step.distribution.startswith("pamola-ops-text ") and step.metrics
    ]
    if not steps:
        return []
    facts: dict[str, Any] = {"findings": [row for step in steps for row in _found(*step)]}
    if any("agreement" in metrics for _, metrics in steps):
        facts["labels"] = [row for step in steps for row in _recall(*step)]
        facts["findings in labelled texts"] = [row for step in steps for row in _precision(*step)]
    return [ReportSection(key="free_text", title="Free text", facts={**facts, "glossary": TERMS})]


def _found(step: str, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "step": step,
            "column": column,
            "texts": metrics["texts"][column],
            "with findings": metrics["texts_with_findings"][column],
            "found": counts,
        }
        for column, counts in metrics["findings"].items()
    ]


def _of_entities(metrics: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list((metrics.get("agreement") or {"entities": {}})["entities"].items())


def _recall(step: str, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "step": step,
            "dataset": metrics["agreement"]["dataset"],
            "entity": entity,
            "labelled": each["labelled"],
            "covered": _said(each["covered"]),
            "strict recall": _said(each["strict"]["recall"]),
            "overlap recall": _said(each["overlap"]["recall"]),
        }
        for entity, each in _of_entities(metrics)
    ]


def _precision(step: str, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "step": step,
            "entity": entity,
            "found": each["found"],
            "strict precision": _said(each["strict"]["precision"]),
            "overlap precision": _said(each["overlap"]["precision"]),
            "strict F1": _rounded(each["strict"]["f1"]),
            "overlap F1": _rounded(each["overlap"]["f1"]),
        }
        for entity, each in _of_entities(metrics)
    ]


def _said(share: dict[str, Any] | None) -> str:
    if share is None:
        return "–"
    low, high = share["interval"]
    return f"{share['share']:.3f} ({low:.3f}–{high:.3f})"


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
