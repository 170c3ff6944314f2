"""Whether a change between two runs is for the better: what figures are about, and which way is better.

Figures are judged like with like only. What a step that releases a table was asked for and how it went about it may
differ: that is what a comparison is for. Every other setting says what its figures are about or how they are counted,
as do all settings of a step that only measures; where one differs, the figures that it concerns are not judged. The
verdict is judged only where the same was asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pamola_tasks_reports.formatting import is_number
from pamola_tasks_reports.reading import mapping, rows_by, rows_of, texts, union

_COLUMNS = "quasi_identifiers sensitive_attributes person population fields columns field_name original_dataset".split()
# What nothing is counted by: names of files, and what is written beside the table.
_FILES = frozenset("output_dataset output_prefix output_format row_id record_risks keep_order".split())
# How a table is released that is asked for.
_WAYS = frozenset("strategy exact recoding ranges hierarchies weights output bounds on_real_records ties".split())
# What is asked of a release.
_ASKED = frozenset(
    "k l t delta method models suppression_limit suppressed_records direct_identifiers insensitive_attributes"
    " unconfirmed on_identifiers on_unlisted register max_disclosed max_below_k epsilon rho mechanism statistics by"
    " confidence clamp budget_epsilon budget_delta budget_rho".split()
)
# Settings of a release that concern some of its figures only, and which.
_CONCERNED = {
    **dict.fromkeys("sensitive_attributes l_diversity c t_distance distinguish models".split(), "sensitive attributes"),
    **dict.fromkeys("weights hierarchies ranges".split(), "loss"),
    **dict.fromkeys("delta mechanism".split(), "privacy loss"),
}
_CLAIM = re.compile(r"(.+)_(claimed|measured|before)")
_RISK = re.compile(
    r"risk|unique|prosecutor|journalist|marketer|k_map|^k$|smallest_class|suda|attack|singling|linkab|inference|member"
    r"ship|nearest|knowable|exposure|^sensitive|^l_diversity|isolated|exposed|disclos|at_risk|zayatz|pitman|snb|epsilon|rho$"
)
_LOSS = re.compile(r"(^|_)(ncp|loss|lost|discernibility|granularity)(_|$)|average_class_size|cells_suppressed")
_ROWS = re.compile(r"(rows|records|persons|cells)(_|$)")
_MORE = frozenset("k l k_map k_map_estimated smallest_class".split())
_LESS = frozenset(
    "t c alpha beta delta_presence isolated_classes epsilon rho highest average share_at_risk unique unique_share"
    " uniqueness sample_uniques marketer global expected_reidentifications zayatz pitman snb".split()
)
_OF_RISK = ("highest", "average", "unique")  # measures of a release: `{measure: {before, after}}`
_OF_SENSITIVE = frozenset("l t c alpha beta delta_presence".split())  # claims
_LOST = re.compile(r"(^|_)(ncp|information_loss)(_|$)")
_MEASURE = "information_loss_measure"  # of the loss of the table as it is published
_VERDICTS = ("not met", "met with open questions", "met")

Row = Mapping[str, Any]


def alike(old: Any, new: Any) -> bool:
    """Whether two values are the same, but for rounding."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(alike, old, new))
    if is_number(old) and is_number(new) and isinstance(old + new, float):
        return math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-12)
    return bool(old == new)


def group_of(key: str, metrics: Row) -> str:
    """The group that a figure of a step belongs to."""
    claim = _CLAIM.fullmatch(key)
    if claim and f"{claim[1]}_claimed" in metrics:
        return "claims"
    patterns = {"loss": _LOSS, "risk": _RISK, "rows": _ROWS}
    return next((group for group, pattern in patterns.items() if pattern.search(key)), "figures")


def direction(group: str, path: tuple[str, ...], old: Any, new: Any) -> str:
    """Whether it is for the better or the worse, where the field says which way is better."""
    if group == "verdict":
        known = path == ("verdict",) and old != new and {old, new} <= {*_VERDICTS}
        return ("better" if _VERDICTS.index(new) > _VERDICTS.index(old) else "worse") if known else ""
    if not is_number(old) or not is_number(new) or alike(old, new):
        return ""
    claim = _CLAIM.fullmatch(path[0]) if group == "claims" else None
    if claim and claim[2] != "measured":
        return ""
    name = claim[1] if claim else path[-1]
    if group == "risk" and path[-1] == "after":
        return ("better" if new < old else "worse") if path[-2].startswith(_OF_RISK) else ""
    if group == "loss" and _LOST.search(path[0]):
        return "better" if new < old else "worse"
    if group in ("claims", "risk") and name in _MORE | _LESS:
        return "better" if (new > old) == (name in _MORE) else "worse"
    return ""


def judged(key: str, old: Row, new: Row) -> bool:
    """Whether a figure of a step is about the same in both runs, and counted in the same way.

    Args:
        key: The figure, among the metrics.
        old: The step, as the report of the old run has it.
        new: The same of the new run.
    """
    metrics = [mapping(step, "metrics") for step in (old, new)]
    group, name = group_of(key, {**metrics[0], **metrics[1]}), key.removesuffix("_measured")
    kind = "loss" if group == "loss" else "privacy loss" if name in ("epsilon", "rho") else ""
    if key.startswith(("sensitive", "l_diversity")) or name in _OF_SENSITIVE:
        kind = "sensitive attributes"
    if any(_concerned(each, old, new) in ("", kind) for each in differing(old, new)):
        return False
    if key.startswith("information_loss") and metrics[0].get(_MEASURE) != metrics[1].get(_MEASURE):
        return False
    return mapping(metrics[0], key).get("columns") == mapping(metrics[1], key).get("columns")


def differing(old: Row, new: Row) -> set[str]:
    """The settings of a step that say what its figures are about and how they are counted, and that differ."""
    about = [_about(each, released=_releases(old, new)) for each in (old, new)]
    return {key for key in union(*about) if about[0].get(key) != about[1].get(key)}


def subjects(old: Row, new: Row) -> Iterator[dict[str, Any]]:
    """What the verdict and the figures of each step with claims, risk or loss are about, in both runs.

    Of the verdict only what was not asked alike, where it would be judged otherwise.
    """
    words = [mapping(report, "verdict").get("verdict") for report in (old, new)]
    if direction("verdict", ("verdict",), *words) and any(asked := asked_otherwise(old, new)):
        yield {"step": "", "same": False, "concerns": ["the verdict"], "old": asked[0], "new": asked[1]}
    before, after = (rows_by(rows_of(report, "operations"), "step") for report in (old, new))
    for step in union(before, after):
        told = [each.get(step, {}) for each in (before, after)]
        if any(_has_figures(each) for each in told):
            differs = differing(*told) if all(told) else {"step"}
            about = [_about(each, released=_releases(*told)) for each in told]
            shown = [{k: v for k, v in each.items() if k in differs or k in _COLUMNS} for each in about]
            concerned = sorted({_concerned(each, *told) for each in differs})
            concerns = [] if "" in concerned else concerned
            yield {"step": step, "same": not differs, "concerns": concerns, "old": shown[0], "new": shown[1]}


def asked_otherwise(old: Row, new: Row) -> list[dict[str, Any]]:
    """What was not asked alike in both runs: settings, claims, roles and what looks knowable, by step; in each run."""
    asked = [
        {
            f"{step['step']} › {key}": item
            for step in rows_of(report, "operations")
            if _has_figures(step)
            for key, item in _asked(step).items()
        }
        for report in (old, new)
    ]
    keys = [key for key in union(*asked) if not alike(asked[0].get(key), asked[1].get(key))]
    return [{key: each[key] for key in keys if key in each} for each in asked]


# ---------------------------------------------------------------- of one step


def _releases(*steps: Row) -> bool:
    return any(step.get("writes") for step in steps)


def _concerned(setting: str, *steps: Row) -> str:
    """Which figures a setting concerns; nothing where all."""
    known = _CONCERNED.get(setting, "")
    return known if _releases(*steps) or known == "sensitive attributes" else ""


def _has_figures(step: Row) -> bool:
    metrics = mapping(step, "metrics")
    return bool({group_of(key, metrics) for key in metrics} & {"claims", "risk", "loss"})


def _about(step: Row, *, released: bool) -> dict[str, Any]:
    """What figures are about, and how they are counted."""
    settings, metrics = mapping(step, "settings"), mapping(step, "metrics")
    left_out = _FILES | (_WAYS | _ASKED) - _CONCERNED.keys() if released else _FILES
    about = {key: _sorted(item) for key, item in settings.items() if item and key not in left_out}
    covered = [str(row.get("column")) for row in rows_of(metrics, "roles") if row.get("loss") is not None]
    if covered:  # with those that the step took for quasi-identifiers itself
        about["quasi_identifiers"] = sorted(covered)
    if metrics.get("counted"):
        about["counted"] = metrics["counted"]
    if about.keys() & {*_COLUMNS}:
        return about
    chosen = texts(metrics, "likely_quasi_identifiers")  # by the step itself
    return about | {"columns": sorted(chosen) or f"all of {', '.join(texts(step, 'reads'))}"}


def _asked(step: Row) -> dict[str, Any]:
    """What is asked of a table, and which questions are raised."""
    metrics = mapping(step, "metrics")
    asked = {key: _sorted(item) for key, item in mapping(step, "settings").items() if item}
    asked = {"operation": step.get("name"), **{key: asked[key] for key in asked.keys() - _FILES - _WAYS}}
    asked |= {key.replace("_", " "): item for key, item in metrics.items() if key.endswith("_claimed")}
    asked |= {f"role of {column}": role for column, role in _roles(step).items()}
    if known := mapping(metrics, "knowable").get("columns"):
        asked["knowable columns"] = _sorted(known)
    return asked


def _roles(step: Row) -> dict[str, str]:
    rows = rows_by(rows_of(mapping(step, "metrics"), "roles"), "column")
    return {column: str(row.get("role")) for column, row in rows.items()}


def _sorted(item: Any) -> Any:
    return sorted(item) if isinstance(item, list) and all(isinstance(each, str) for each in item) else item
