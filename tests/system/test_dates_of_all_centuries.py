"""Dates of the years 1 to 9999, with and without a zone, through every operation that takes dates and every format."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROLES = {"input_dataset": "x", "quasi_identifiers": ["at"]}
ANONYMOUS = {**ROLES, "k": 3, "insensitive_attributes": ["n"]}
AT = {"input_dataset": "x", "columns": ["at"]}
STEPS: list[dict[str, Any]] = [
    {"AnonymizeOperation": {**ANONYMOUS, "output_dataset": "ranges"}},
    {"AnonymizeOperation": {**ANONYMOUS, "output_dataset": "labels", "strategy": "hierarchy"}},
    {"AnonymizeOperation": {**ANONYMOUS, "output_dataset": "means", "strategy": "microaggregation"}},
    {"GeneralizeOperation": {**AT, "output_dataset": "decades", "method": "period", "period": "decade"}},
    {"PseudonymizeOperation": {**AT, "output_dataset": "tokens"}},
    {"MaskOperation": {**AT, "output_dataset": "masked", "method": "partial", "keep_first": 4}},
    {"SuppressOperation": {**AT, "output_dataset": "fewer", "suppress": "cells", "min_count": 2}},
    {"DropOperation": {"input_dataset": "x", "output_dataset": "kept", "columns": ["g"]}},
    {"ProfileOperation": {"dataset_name": "x", "min_count": 1}},
    {"CorrelationOperation": {"primary_dataset": "x", "secondary_dataset": "y", "join_key": "n"}},
    {
        "CorrelationOperation": {
            "primary_dataset": "x",
            "secondary_dataset": "y",
            "join_key": "at",
            "output_prefix": "by",
        }
    },
    {"RiskOperation": ROLES},
    *(
        {"UtilityOperation": {"original_dataset": "x", "anonymized_dataset": name, "quasi_identifiers": ["at"]}}
        for name in ("ranges", "labels", "means", "decades")
    ),
]
DAYS = [datetime.datetime(year, 3, day) for day in range(1, 11) for year in (1, 1600, 1892, 2300, 9999)]


def column(zone: str, hours: int) -> pd.Series[Any]:
    moments = [day + datetime.timedelta(hours=hours * (place % 20)) for place, day in enumerate(DAYS)]
    stamps = pd.Series(pd.DatetimeIndex(moments).as_unit("us"))
    return stamps.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else stamps


@pytest.mark.parametrize("kind", ["days", "times", "UTC", "Europe/Berlin", "Python's dates"])
def test_every_operation_takes_dates_of_all_centuries(cli, project: Path, kind: str) -> None:
    """Berlin was 53:28 minutes ahead before 1893, which no offset of ISO 8601 says: such columns are in UTC."""
    at = column(kind if kind in ("UTC", "Europe/Berlin") else "", 0 if kind == "days" else 1)
    if kind == "Python's dates":
        at = pd.Series([day.date() for day in DAYS])
    frame = pd.DataFrame({"n": range(len(at)), "at": at, "g": list("abcde") * 10})
    frame.to_parquet(project / "DATA/raw/x.parquet")
    path = "DATA/raw/x.parquet"
    task = {"task_id": "t", "input_datasets": {"x": path, "y": path}, "operations": STEPS}
    (project / "configs/t.json").write_text(json.dumps(task))
    cli("run", "t", cwd=project, code=0, env={"PAMOLA_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="})

    def released(name: str) -> list[str]:
        table = pd.read_csv(project / f"DATA/processed/t/output/{name}.csv", dtype=str)
        return table.sort_values("n", key=lambda numbers: numbers.astype(int))["at"].tolist()

    moments = [pd.Timestamp(value) for value in at]
    for value, written in zip(moments, released("kept"), strict=True):
        assert pd.Timestamp(written) == value
    for value, written in zip(moments, released("ranges"), strict=True):
        first, _, last = written.lstrip("[").rstrip(")").partition(",")
        low, high = ("", first[1:]) if first[0] == "<" else (first.removeprefix(">="), last)
        for end in filter(None, (low, high)):
            stamp = pd.Timestamp(end)
            there = value if stamp.tzinfo or not value.tzinfo else value.tz_localize(None)
            assert stamp <= there if end == low else there < stamp
    assert {text[:6] for text in released("decades")} == {"[0001-", "[1600-", "[1890-", "[2300-", "[9990-"}
    assert {text[:4] for text in released("masked")} == {"0001", "1600", "1892", "2300", "9999"}
    profile = json.loads(next((project / "DATA").rglob("*profile.json")).read_text())
    (told,) = [each for each in profile["columns"] if each["name"] == "at"]
    assert (told["lowest"][:10], told["highest"][:10]) == ("0001-03-01", "9999-03-10")


@pytest.mark.parametrize("format", ["csv", "jsonl", "json", "xlsx", "parquet"])
def test_dates_of_all_centuries_pass_through_every_format(cli, project: Path, format: str) -> None:
    """Written by one task and read, with its type stated, by the next."""
    for zone in ("", "Europe/Berlin"):
        frame = pd.DataFrame({"n": range(len(DAYS)), "at": column(zone, 1), "g": list("abcde") * 10})
        frame.to_parquet(project / "DATA/raw/x.parquet")
        drop = {"DropOperation": {"input_dataset": "x", "output_dataset": "kept", "columns": ["g"]}}
        first = {"task_id": "t", "input_datasets": {"x": "DATA/raw/x.parquet"}, "output_format": format}
        (project / "configs/t.json").write_text(json.dumps({**first, "operations": [drop]}))
        again = {
            "DropOperation": {"input_dataset": "y", "output_dataset": "z", "columns": ["n"], "output_format": "parquet"}
        }
        second = {"task_id": "u", "input_datasets": {"y": f"DATA/processed/t/output/kept.{format}"}}
        types = {"data_types": {"y": {"at": "datetime"}}}
        (project / "configs/u.json").write_text(json.dumps({**second, **types, "operations": [again]}))
        for task in ("t", "u"):
            cli("run", task, cwd=project, code=0)
        found = pd.read_parquet(project / "DATA/processed/u/output/z.parquet")["at"]
        assert [pd.Timestamp(value) for value in found] == frame["at"].tolist()
