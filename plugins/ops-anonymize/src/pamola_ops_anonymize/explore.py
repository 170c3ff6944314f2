"""The steps of an exploration: what columns look like, what each setting would give, and all of them together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pandas as pd

from pamola_tasks import Effects, Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError, DataRefused, ParameterError

from . import charts
from .anonymize import AnonymizeOperation
from .column_roles import stated_roles
from .costs import refuse_many
from .identifiers import DIRECT, INSENSITIVE, PERSON, QUASI, identifiers_of, likely_roles
from .trial import trial
from .unlisted import identifiers_to_drop, judge_quasi_identifiers

_TOLD = "told"
_MOST_FRONTS, _MOST_POINTS = 3, 500  # that a chart shows
_FIGURES = ("k", "prosecutor", "journalist", "marketer", "loss", "rows_suppressed")


def _write(ctx: OperationContext, dataset: str, told: Mapping[str, Any]) -> None:
    ctx.data.write(dataset, pd.DataFrame({_TOLD: [json.dumps(told)]}))


def _read(ctx: OperationContext, dataset: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(str(ctx.data.frame(dataset)[_TOLD].iloc[0]))
    return told


class LooksOperation(AnonymizeOperation):
    """Find out what the columns look like, which all settings with the same roles have in common."""

    output_dataset: str = writes("{input}_looks")

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Not stated: what is written is a document in one cell."""
        return {}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Write for each role the columns that look like it, with the reasons."""
        ctx.stage("reading")
        frame = ctx.data.frame(self.input_dataset)
        ctx.stage("judging")
        self._check_columns(frame)
        stated = stated_roles(self)
        judged = [name for name in frame.columns if stated.get(name, INSENSITIVE) == INSENSITIVE]
        looks = likely_roles(frame, judged, identifiers_of(ctx.run), self.quasi_identifiers)
        ctx.stage("writing")
        _write(
            ctx, self.output_dataset, {role: {str(name): why for name, why in looks[role].items()} for role in looks}
        )
        return OperationResult.success()


class SettingOperation(AnonymizeOperation):
    """Measure what one setting would give. No table is written, and nothing enters the register of releases.

    Args:
        looks: What its columns look like.
    """

    output_dataset: str = writes()
    looks: str = reads()

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Not stated: what is written is a document in one cell."""
        return {}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Write the figures, or why the setting cannot be had."""
        ctx.stage("reading")
        try:
            told = self._measured(ctx)
        except (DataError, DataRefused, ParameterError) as error:
            told = {"problem": str(error)}
        ctx.stage("writing")
        _write(ctx, self.output_dataset, told)
        return OperationResult.success()  # the last step tells the figures, of all settings together

    def _measured(self, ctx: OperationContext) -> dict[str, Any]:
        frame, looks, stated = ctx.data.frame(self.input_dataset), _read(ctx, self.looks), stated_roles(self)
        unlisted = {name: why for name, why in looks[QUASI].items() if name not in stated}
        if self.on_identifiers == "fail":
            identifiers_to_drop(self, ctx, {name: why for name, why in looks[DIRECT].items() if name not in stated})
        added: list[Any] = [*unlisted] if self.on_unlisted == "quasi" else []
        if self.on_unlisted == "fail":
            judge_quasi_identifiers(self, ctx, unlisted)
        quasi = [*self.quasi_identifiers, *added]
        knowable = [name for name in looks[QUASI] if name not in quasi and stated.get(name) not in (DIRECT, PERSON)]
        needed = dict.fromkeys([*quasi, *self.sensitive_attributes, *self.person_columns, *knowable])
        frame = frame[list(needed)]
        if self.strategy == "hierarchy":
            refuse_many(frame, quasi)
        asked: Any = self
        ctx.stage("trying")
        found = trial(attrs.evolve(asked, quasi_identifiers=quasi), ctx, frame, knowable)
        risk = found["highest_risk"]
        return {
            "k": found["k_measured"],
            "prosecutor": risk,
            # without a table of the population, it is the table itself
            "journalist": risk if self.population is None else 1 / max(found["k_measured"] or 1, 1),
            "marketer": found["average_risk"],
            "knowable": found["knowable"],
            "loss": found["information_loss"],
            "rows_suppressed": found["rows_suppressed"],
            "quasi_identifiers": quasi,
        }


class ExplorationOperation(Operation):
    """Put what settings would give together: a table, and which of them no other is better than.

    A setting is on the front where no other with the same quasi-identifiers has both a lower risk and a lower loss
    (Pareto). The picture is the R-U confidentiality map of G. T. Duncan, S. A. Keller-McNulty and S. L. Stokes,
    National Institute of Statistical Sciences, technical report 121, 2001.

    Args:
        measured: The datasets with the figures of settings.
        settings: All settings, by number; those that were measured name a dataset of `measured`.
        about: What is explored, in words.
        table: What the table of them is called.
    """

    measured: list[str] = reads()
    table: str = writes("settings", internal=True)
    settings: list[dict[str, Any]]
    about: str

    version = "1.0"
    category = "metrics"

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Write the table, and the artifact `exploration`; the metrics are the same without the chart."""
        found = []
        ctx.stage("reading")
        for setting in self.settings:
            told = dict(setting)
            found.append(told | (_read(ctx, setting["dataset"]) if "dataset" in setting else {}))
        ctx.stage("comparing")
        front = pareto(found)
        for each in found:
            each["on_front"] = each["number"] in front
        ctx.stage("writing")
        ctx.data.write(self.table, pd.DataFrame(map(_flat, found)))
        told = {"settings": found, "front": front, "reached": sum("problem" not in each for each in found)}
        with ctx.artifact("exploration", "json", self.about, category="internal", tags=[charts.TAG]) as file:
            document = {"schema": 1, **told, charts.TAG: [chart_of(found)] if told["reached"] else []}
            file.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode())
        return OperationResult.success(told)


def _flat(setting: Mapping[str, Any]) -> dict[str, Any]:
    knowable = setting.get("knowable") or dict.fromkeys(("k", "unique_share", "columns"))
    told = {name: setting.get(name) for name in ("number", "label", *_FIGURES, "on_front", "problem")}
    told |= {f"knowable_{name}": knowable[name] for name in ("k", "unique_share")}
    lists = {"quasi_identifiers": setting.get("quasi_identifiers"), "knowable_columns": knowable["columns"]}
    return told | {name: None if columns is None else ", ".join(columns) for name, columns in lists.items()}


def pareto(settings: Sequence[Mapping[str, Any]]) -> list[int]:
    """The numbers of settings that no other one with the same quasi-identifiers beats: those on the front."""
    reached = [each for each in settings if "problem" not in each]

    def beaten(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        ours, theirs = (one["prosecutor"], one["loss"]), (other["prosecutor"], other["loss"])
        same = sorted(one["quasi_identifiers"]) == sorted(other["quasi_identifiers"])
        return same and theirs != ours and theirs[0] <= ours[0] and theirs[1] <= ours[1]

    return [
        one["number"] for one in reached if one["k"] and not any(beaten(one, other) for other in reached if other["k"])
    ]


def chart_of(settings: Sequence[Mapping[str, Any]]) -> charts.Chart:
    """Risk and loss of the settings that were measured, those on the front joined."""
    fronts: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for each in settings:
        if each["on_front"]:
            fronts.setdefault(tuple(sorted(each["quasi_identifiers"])), []).append(each)
    joined = len(fronts) <= _MOST_FRONTS
    groups = [*fronts.values()] if joined else [[each for front in fronts.values() for each in front]]
    series = [
        {
            "name": f"best, on {', '.join(front[0]['quasi_identifiers'])}" if len(fronts) > 1 and joined else "best",
            "joined": joined,
            "points": [_point(each) for each in sorted(front, key=lambda each: each["prosecutor"])],
        }
        for front in groups
    ]
    others = [_point(each) for each in settings if "problem" not in each and not each["on_front"]]
    return {
        "kind": "points",
        "title": "Settings by risk and loss",
        "note": "Each point is a setting with its number; lower and further left is better. Best: no other with the"
        " same quasi-identifiers has less risk without more loss. Risk and loss are about the quasi-identifiers alone.",
        "x": {"label": "highest risk of re-identification", "unit": "share"},
        "y": {"label": "information loss", "unit": "share"},
        "series": [*series, *([{"name": "others", "points": others[:_MOST_POINTS]}] if others else [])],
    }


def _point(setting: Mapping[str, Any]) -> dict[str, Any]:
    return {"x": setting["prosecutor"], "y": setting["loss"], "label": str(setting["number"])}
