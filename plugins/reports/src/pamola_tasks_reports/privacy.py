"""What a report may say in clear when the run encrypts: counts and settings, nothing that may quote data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pamola_tasks_reports.glossary import KEY as GLOSSARY
from pamola_tasks_reports.parts import COLUMN_LINEAGE

# What a release says of itself: names of columns and counts, never a cell.
_OF_A_RELEASE = ("verdict", "roles", "knowable", "risk")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,30}")


def without_values(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report without what may quote data; each place that lost something says `withheld` what.

    Numbers, booleans and labels (`k-anonymity`, `mondrian`, settings of the step) stay. Of a nested metric only the
    entries named after a column stay, since other keys may be values themselves (counts of values, for instance).
    """
    columns = set(_columns(report))
    public = dict(report)
    public["operations"] = [_operation(entry, columns) for entry in report.get("operations", ())]
    steps = {str(entry.get("step")) for entry in report.get("operations", ())}
    public["metrics"] = {
        key: _kept(value, columns, ())[0] if key in steps and isinstance(value, Mapping) else value
        for key, value in report.get("metrics", {}).items()
        if key in steps or _is_plain_fact(value, ())
    }
    public["sections"] = {
        key: {**section, "facts": _kept(section.get("facts", {}), columns, ())[0] | _terms(section), "text": ""}
        for key, section in report.get("sections", {}).items()
    }
    if COLUMN_LINEAGE in public["sections"]:  # names of columns and datasets, which the report has anyway
        public["sections"][COLUMN_LINEAGE] = report["sections"][COLUMN_LINEAGE]
    public["artifacts"] = [{k: v for k, v in entry.items() if k != "metadata"} for entry in report.get("artifacts", ())]
    public["errors"] = [_without_traceback(entry) for entry in report.get("errors", ())]
    public["error"] = _without_traceback(report["error"]) if report.get("error") else None
    return public


def _columns(report: Mapping[str, Any]) -> Iterable[str]:
    for kind in ("inputs", "outputs"):
        for dataset in report.get(kind, ()):
            yield from dataset.get("columns") or ()


def _operation(entry: Mapping[str, Any], columns: set[str]) -> dict[str, Any]:
    labels = [value for value in entry.get("settings", {}).values() if isinstance(value, str)]
    said = entry.get("metrics", {})
    clear = {key: said[key] for key in _OF_A_RELEASE if key in said and isinstance(said.get("verdict"), Mapping)}
    metrics, withheld = _kept({key: item for key, item in said.items() if key not in clear}, columns, labels)
    public = {**entry, "metrics": {**metrics, **clear}}
    if entry.get("details"):
        public["details"], more = _kept(entry["details"], columns, labels)
        withheld += more
    if public.pop("charts", None):
        withheld.append("charts")
    if entry.get("error"):
        public["error"] = _without_traceback(entry["error"])
    if withheld:
        public["withheld"] = withheld
    return public


def _kept(facts: Mapping[str, Any], columns: set[str], labels: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    kept: dict[str, Any] = {}
    withheld: list[str] = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            inner = {k: v for k, v in value.items() if k in columns and _is_plain_fact(v, labels)}
            if len(inner) < len(value):
                withheld.append(key)
            if inner:
                kept[key] = inner
        elif _is_plain_fact(value, labels):
            kept[key] = value
        else:
            withheld.append(key)
    return kept, withheld


def _is_plain_fact(value: Any, labels: Iterable[str]) -> bool:
    if isinstance(value, str):
        return value in labels or _LABEL.fullmatch(value) is not None
    return value is None or isinstance(value, (bool, int, float))


def _terms(section: Mapping[str, Any]) -> dict[str, Any]:
    """The terms that a section explains, which are those of a field."""
    return {key: item for key, item in section.get("facts", {}).items() if key == GLOSSARY}


def _without_traceback(error: Mapping[str, Any]) -> dict[str, Any]:
    """Messages of ours hold no values; the frames of a traceback, and what other libraries add to it, may."""
    return {key: value for key, value in error.items() if key != "traceback"}
