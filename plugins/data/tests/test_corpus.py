"""Sixty small files of five countries: once the settings are set that are offered, each is the table a person reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pamola_tasks_data.reading import CsvOptions

CORPUS = Path(__file__).parents[3] / "tests/corpus"
FILES = sorted(CORPUS.glob("*.csv"))
VISITS = pd.DataFrame(json.loads((CORPUS / "visits.json").read_text(encoding="utf-8")))


def test_there_are_sixty_of_them() -> None:
    assert len(FILES) == 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_table_is_what_a_person_reads_or_is_asked_of(project: Any, path: Path, size: int) -> None:
    project.put("t.csv", path.read_bytes())
    types: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for _ in range(4):  # what is trimmed or missing shows more
        source = project.source(data_types=types, csv=CsvOptions())
        source.add_file_path("t", "t.csv", **options)
        described = source.describe_columns("t")
        settings = [column.setting for column in described if column.setting]
        settings += [setting for column in described for question in column.questions for setting in question.settings]
        offered = [yaml.safe_load(setting) for setting in settings if not setting.endswith(": text}}")]
        new = {key: value for each in offered for key, value in each.get("data", {}).items()}
        if new.keys() - options.keys():
            options |= new
            continue
        for each in offered:
            for column, kind in each.get("data_types", {}).get("t", {}).items():
                types.setdefault("t", {}).setdefault(column, kind)
        if not offered:
            break
    frame = pd.concat(list(source.chunks("t", size)), ignore_index=True)
    pd.testing.assert_frame_equal(frame, source.frame("t"))
    frame.columns = [name.partition(",")[0] for name in frame.columns]
    if path.stem.endswith("missing"):
        assert frame.iloc[-1, 1:].isna().all()
        frame = frame.iloc[:-1]
    assert list(frame.columns) == list(VISITS.columns)
    assert frame["name"].tolist() == VISITS["name"].tolist()
    assert frame["born"].dt.strftime("%Y-%m-%d").tolist() == VISITS["born"].tolist()
    for column in ("weight", "cost", "visits"):
        assert frame[column].astype(float).tolist() == VISITS[column].astype(float).tolist()
