"""Tables of SQLite and DuckDB files of the project, read and written."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import duckdb
import pytest

PROJECT = """\
output_format: parquet
checkpoints: {keep_intermediate: true}
sql:
  databases:
    lite: {url: "sqlite:DATA/raw/clinic.sqlite"}
    duck: {url: "duckdb:DATA/raw/clinic.duckdb"}
    lite_out: {url: "sqlite:DATA/out/out.sqlite", write: ["*"]}
    duck_out: {url: "duckdb:DATA/out/out.duckdb", write: ["*"]}
"""
TASK = """\
input_datasets: {people: "sqlite://lite?table=people", visits: "duckdb://duck?query=select+*+from+visits+order+by+n"}
sql: {outputs: {people_dropped: "duckdb://duck_out?table=people", visits_dropped: "sqlite://lite_out?table=visits"}}
operations:
  - DropOperation: {input_dataset: people, columns: [kind]}
  - DropOperation: {input_dataset: visits, columns: [kind]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a file of each kind, which have the same number of rows."""
    root = tmp_path / "project"
    (root / "configs").mkdir(parents=True)
    (root / "DATA/raw").mkdir(parents=True)
    (root / ".pamola.toml").touch()
    (root / "configs/prj_config.yaml").write_text(PROJECT)
    (root / "configs/people.yaml").write_text(TASK)
    with sqlite3.connect(root / "DATA/raw/clinic.sqlite") as lite:
        lite.execute(
            "create table people (id integer primary key, name text, share real, amount numeric, any_, raw blob,"
            " kind text, born date, empty)"
        )
        rows = [(n, None, None, None, None, None, "x", None, None) for n in range(12_000, 0, -1)]
        lite.executemany("insert into people values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        lite.execute(
            "update people set name = 'Ümlaut', share = 0.1, amount = 2, any_ = 'text', raw = x'0102',"
            " born = '1931-02-28' where id = 12000"
        )
        lite.execute("update people set amount = 0.1, any_ = 9007199254740993 where id = 11999")
    lite.close()
    with duckdb.connect(root / "DATA/raw/clinic.duckdb") as duck:
        duck.execute(
            "create table visits as select range::int n, uuid() u, ['a', null] l, {'a': 1.5::decimal(5,2)} s,"
            " 170141183460469231731687303715884105727::hugeint h, 1.50::decimal(5,2) d, date '1931-02-28' born,"
            " timestamp '2024-01-01 00:00:01' seen, true flag, 'x' kind from range(1000)"
        )
    return root


def test_files_are_read_and_written(cli, project: Path):
    """Values come back, a value that is of another kind than others of its column is said, and changes are seen."""
    done = cli("run", "people", cwd=project, code=0)
    assert "6 done" in done.stdout
    said = " ".join((done.stdout + done.stderr).split())
    for column, kinds in (("amount", "integer, real"), ("any_", "integer, text")):
        assert f"column {column} has values of several kinds ({kinds}) and is read as text" in said
    with duckdb.connect(project / "DATA/out/out.duckdb", read_only=True) as duck:
        assert duck.execute("select count(*), min(id), first(id), count(empty) from people").fetchall() == [
            (12000, 1, 1, 0)
        ]
        found = duck.execute("select * from people where id > 11998 order by id desc").fetchall()
        types = [row[:2] for row in duck.execute("describe people").fetchall()]
        assert duck.execute("select table_name from information_schema.tables").fetchall() == [("people",)]
    assert found[0] == (12000, "Ümlaut", 0.1, "2", "text", "AQI=", "1931-02-28", None)
    assert found[1][3:5] == ("0.1", "9007199254740993")
    assert types[:3] == [("id", "BIGINT"), ("name", "VARCHAR"), ("share", "DOUBLE")]
    with duckdb.connect(project / "DATA/raw/clinic.duckdb", read_only=True) as duck:
        uid = duck.execute("select u::text from visits where n = 7").fetchone()[0]
    with sqlite3.connect(project / "DATA/out/out.sqlite") as lite:
        row = lite.execute("select * from visits where n = 7").fetchone()
        assert lite.execute("select name from sqlite_schema").fetchall() == [("visits",)]
    lite.close()
    hugeint = "170141183460469231731687303715884105727"
    day = "1931-02-28"
    assert row == (7, uid, '["a",null]', '{"a":1.5}', hugeint, "1.50", day, "2024-01-01 00:00:01.000000", 1)
    report = json.loads((project / "DATA/reports/people_report.json").read_text())
    assert [(each["path"], each["rows"]) for each in report["inputs"]] == [
        ("sqlite://lite?table=people", 12000),
        ("duckdb://duck?query=…", 1000),
    ]
    assert "6 unchanged" in cli("run", "people", cwd=project, code=0).stdout
    with duckdb.connect(project / "DATA/out/out.duckdb") as duck:
        duck.execute("create table other as select 1")
    with sqlite3.connect(project / "DATA/out/out.sqlite") as lite:
        lite.execute("update visits set flag = 0 where n = 7")
    lite.close()
    done = cli("run", "people", cwd=project, code=0)
    assert "1 done, 5 unchanged" in done.stdout, "another table of a file is not the one that was written"
    with duckdb.connect(project / "DATA/out/out.duckdb", read_only=True) as duck:
        assert duck.execute("select count(*) from information_schema.tables").fetchall() == [(2,)]


REFUSED = """\
input_datasets:
  away: "sqlite://away?table=people"
  query: "duckdb://duck?query=select+*+from+read_csv('configs/people.yaml')"
  blob: "sqlite://lite?query=select+1+as+a+union+all+select+x'00'"
  none: "sqlite://lite?table=nothing"
operations:
  - DropOperation: {input_dataset: away, columns: [kind]}
  - DropOperation: {input_dataset: query, columns: [kind]}
  - DropOperation: {input_dataset: blob, columns: [kind]}
  - DropOperation: {input_dataset: none, columns: [kind]}
"""
MESSAGES = (
    "../away.sqlite",
    'duckdb://duck?query=…: Cannot access file "configs/people.yaml"',
    "column 'a' has blobs among its values (blob, integer)",
    "sqlite://lite?table=nothing: no such table: nothing",
)


def test_what_files_are_refused(cli, project: Path):
    """A file outside the project, another file in a query, values of no one type, a missing table."""
    with sqlite3.connect(project.parent / "away.sqlite") as lite:
        lite.execute("create table people (kind)")
    lite.close()
    added = '    away: {url: "sqlite:../away.sqlite"}\n'
    (project / "configs/prj_config.yaml").write_text(f"{PROJECT}{added}")
    (project / "configs/people.yaml").write_text(REFUSED)
    done = cli("run", "people", "--set", "continue_on_error=true", cwd=project)
    assert done.returncode in (1, 4), done.stdout + done.stderr
    errors = json.loads((project / "DATA/reports/people_report.json").read_text())["errors"]
    said = " ".join(error["message"] for error in errors)
    assert [message for message in MESSAGES if message not in said] == []
    (project / "configs/people.yaml").write_text(TASK.replace("duckdb://duck?", "sqlite://duck?"))
    done = cli("run", "people", cwd=project)
    assert "database duck is reached by duckdb://duck?…" in done.stdout + done.stderr
