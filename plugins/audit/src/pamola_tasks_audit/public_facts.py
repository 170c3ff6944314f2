"""What a bundle says of a release: what is listed here, and nothing else that the run's report has.

The report of a run is written for who may see the original: it has distributions, settings with values, the host and
the user. What a recipient gets is made of these parts, each of which is of the released table or a word of ours:
the verdict and its sentence; of each released column its role, who said so, what was done and what it lost; claims and
what was measured of the release; how many records were released and suppressed. Not among them: questions and reasons,
which may count the original; names of columns that were left out; any figure of the original.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How a cell is to be read, by what the run says was done to its column. Other words are not repeated.
READING = {
    "unchanged": "as in the original",
    "intervals and sets": "a value; `[20,40)`: from 20, below 40; `[17,24]`: 17 to 24; `<20`, `>=75`: below, from; "
    "`{a|b}`: one of these; `*`: suppressed",
    "labels of a hierarchy": "a value, or the label of a group of values; `*`: suppressed",
    "a value for its class": "a value that represents all records of its class; `*`: suppressed",
    "intervals or groups": "a value, an interval (`[20,40)`: from 20, below 40; `<20`, `>=75`: below, from), or the"
    " name of a group of values",
    "rare cells suppressed": "as in the original; `*`: suppressed",
    "cut at top or bottom": "a value; those beyond a highest or lowest one are written as that",
    "noise added": "a value to which random noise was added",
    "characters masked": "a value of which characters were replaced",
    "pseudonyms": "a pseudonym in place of the value",
    "categories changed by chance": "a value; with a probability, one that replaced the original one",
    "values swapped": "a value of this record or of another one",
    "values shuffled": "a value of some record of the table",
    "dates shifted": "a date; all dates of a person were moved by the same number of days",
}
_CHANGED = "changed"
RECODED = ["intervals and sets", "labels of a hierarchy", "a value for its class", "intervals or groups",
           "rare cells suppressed", "cut at top or bottom"]  # fmt: skip
_ROLES = ("direct identifier", "quasi-identifier", "sensitive", "insensitive", "person")
_SAID = ("stated", "proposed")
_NUMBERS = (
    "rows_out rows_suppressed rows_suppressed_kept equivalence_classes average_class_size information_loss"
    " epsilon delta persons_out"
).split()
_CLAIM = re.compile(r"([a-z][a-z0-9_]*)_(claimed|measured)")
_TYPES = {"int": "whole number", "uint": "whole number", "float": "number", "double": "number", "decimal": "number",
          "bool": "truth value", "date": "date or time", "timestamp": "date or time"}  # fmt: skip


def table_of(report: Mapping[str, Any], output: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """What is said of one released table.

    Args:
        report: The report of the run.
        output: Its entry among the outputs.
        types: The type of each column, as the data source names it.
    """
    name, columns = str(output["name"]), [str(column) for column in output["columns"] or types]
    said = _mapping(_mapping(report.get("verdict"), "datasets"), name)
    step = _step_of(report, name)
    metrics, settings = _mapping(step, "metrics"), _mapping(step, "settings")
    told = _list(said, "roles") or _list(metrics, "roles")  # of a table of which nothing is claimed
    roles = {str(each.get("column")): each for each in told if isinstance(each, Mapping)}
    covered = [c for c in columns if _role(roles.get(c)) == "quasi-identifier" and roles[c].get("loss") is not None]
    diverse = {c: _mapping(facts).get("l") for c, facts in _mapping(metrics, "l_diversity").items()}
    counted = "population" if settings.get("population") else str(metrics.get("counted", "records"))
    knowable = _mapping(said, "knowable")
    return {
        "name": name,
        "rows": output.get("rows"),
        "columns": columns,
        "verdict": str(said.get("verdict", "none claimed")),
        "sentence": str(said.get("sentence", "nothing is claimed of this table")),
        "quasi_identifiers": covered,
        "counted": counted if counted in ("records", "persons", "population") else "records",
        "claims": claims_in(metrics),
        "formal_dp": said.get("formal_dp") is True,
        "distinct": {c: least for c, least in diverse.items() if c in columns and isinstance(least, int)},
        "sensitive": {
            c: measured
            for c, facts in _mapping(metrics, "sensitive").items()
            if c in columns and (measured := _measures(_mapping(facts)))
        },
        "knowable": {
            "columns": [c for c in _list(knowable, "columns") if c in columns],
            **{key: value for key in ("k", "unique", "unique_share") if _is_number(value := knowable.get(key))},
        },
        "figures": {key: metrics[key] for key in _NUMBERS if _is_number(metrics.get(key))},
        "left_out": dict(Counter(_role(each) for column, each in roles.items() if column not in columns)),
        "dictionary": [_column(column, roles.get(column), types.get(column, "")) for column in columns],
    }


def _measures(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Entropy l and t of a sensitive column, and how the distance was measured."""
    found = {key: value for key in ("l_entropy", "t") if _is_number(value := facts.get(key))}
    if "t" in found and facts.get("t_distance") in ("ordered", "categorical"):
        found["t_distance"] = facts["t_distance"]
    return found


def claims_in(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was claimed and measured, by name."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in metrics.items():
        if (named := _CLAIM.fullmatch(key)) and _is_number(value):
            found.setdefault(named[1], {})[named[2]] = value
    return {name: claim for name, claim in found.items() if len(claim) == 2}


def public_report(
    report: Mapping[str, Any],
    tables: Sequence[Mapping[str, Any]],
    files: Mapping[str, Mapping[str, Any]],
    answer: str,
    terms: Mapping[str, str],
    recipient: str,
) -> dict[str, Any]:
    """A report of schema 1 with what a recipient gets, for the writers of reports.

    Args:
        report: The report of the run.
        tables: Its tables, as `table_of` has them.
        files: For each table by name, its file in the bundle: `path`, `bytes`, `sha256`, `format`.
        answer: What was answered to open questions; empty where there were none.
        terms: On what terms it is handed over, by name.
        recipient: For whom it is.
    """
    verdict, names = _mapping(report, "verdict"), ", ".join(table["name"] for table in tables)
    return {
        "schema": 1,
        "task": {"id": str(_mapping(report, "task").get("id", "")), "description": f"Release of {names}"},
        "run": {key: _mapping(report, "run").get(key) for key in ("id", "status", "started", "finished", "seconds")},
        "status": "completed",
        "success": True,
        "verdict": {
            "verdict": verdict["verdict"],
            "sentence": "; ".join(str(table["sentence"]) for table in tables),
            "reasons": [],
            "open_questions": [answer] if answer else [],
            "datasets": {table["name"]: _verdict(table) for table in tables},
        },
        "configuration": {"audit.recipient": {"value": recipient, "layer": "release", "place": ""}}
        if recipient
        else {},
        "inputs": [],
        "outputs": [
            {"name": table["name"], "rows": table["rows"], "columns": table["columns"], **files[table["name"]]}
            for table in tables
        ],
        "operations": [_operation(report, table) for table in tables],
        "artifacts": [],
        "metrics": {},
        "warnings": [],
        "errors": [],
        "sections": {"handed_over": {"title": "Handed over", "facts": dict(terms), "text": ""}} if terms else {},
    }


def _verdict(table: Mapping[str, Any]) -> dict[str, Any]:
    roles = [
        {
            "column": c["column"],
            "role": c["role"],
            "said": c["said"],
            "reason": "",
            "done": c["done"],
            "loss": c["loss"],
        }
        for c in table["dictionary"]
    ]
    return {
        "dataset": table["name"],
        "verdict": table["verdict"],
        "sentence": table["sentence"],
        "reasons": [],
        "open_questions": [],
        "roles": roles,
        "knowable": table["knowable"],
    }


def _operation(report: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    step, losses = _step_of(report, table["name"]), [c for c in table["dictionary"] if c["loss"] is not None]
    claims = {f"{name}_{kind}": value for name, claim in table["claims"].items() for kind, value in claim.items()}
    lost = {c["column"]: c["loss"] for c in losses}
    return {
        "step": table["name"],
        "name": str(step.get("name", "")),
        "version": str(step.get("version", "")),
        "status": "success",
        "writes": [table["name"]],
        "metrics": {**claims, **table["figures"], **({"information_loss_by_column": lost} if lost else {})},
        "artifacts": [],
    }


def _column(name: str, role: Mapping[str, Any] | None, dtype: str) -> dict[str, Any]:
    told = role or {}
    done, said, loss = str(told.get("done")), str(told.get("said")), told.get("loss")
    return {
        "column": name,
        "role": _role(role),
        "said": said if said in _SAID else "not stated",
        "type": next((word for start, word in _TYPES.items() if dtype.lower().startswith(start)), "text" * bool(dtype)),
        "done": done if done in READING else _CHANGED if role else "not stated",
        "reading": READING.get(done, "not described"),
        "recoding": {},
        "loss": round(loss, 4) if isinstance(loss, float) else None,
    }


def _role(role: Mapping[str, Any] | None) -> str:
    found = str((role or {}).get("role"))
    return found if found in _ROLES else "not stated"


def _step_of(report: Mapping[str, Any], dataset: str) -> Mapping[str, Any]:
    """The step that wrote a dataset last."""
    return next((step for step in reversed([*_steps(report)]) if dataset in (step.get("writes") or ())), {})


def _steps(report: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (step for step in report.get("operations") or () if isinstance(step, Mapping))


def _list(facts: Mapping[str, Any], key: str) -> list[Any]:
    found = facts.get(key)
    return found if isinstance(found, list) else []


def _mapping(facts: Any, key: str | None = None) -> Mapping[str, Any]:
    found = facts if key is None else facts.get(key) if isinstance(facts, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
