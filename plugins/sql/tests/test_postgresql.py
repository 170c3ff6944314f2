"""From a table of a PostgreSQL server into a table of it: values, order, what is done again, and what a kill leaves."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("postgresql")

TABLE = """create table people (
    id int primary key, small smallint, large bigint, amount numeric(12, 2), exact numeric, odd numeric, cash money,
    born date, seen timestamptz, noted timestamp, woken time, stay interval, flag bool, share real, ratio float8,
    name text, code char(4), kind varchar(9), raw bytea, uid uuid, tags text[], scores numeric[], facts jsonb,
    plain json, address inet, mood mood, place place, squares int[], code_of uuid)"""
ROW = r"""insert into people values (%s, 3, 9000000000, 1.50, 12345678901234567890.123, 'NaN', 12.5,
    '1931-02-28', '2024-03-31 02:30+02', '2024-01-01 00:00', '12:13:14.5', '1 mon 2 days', true, 1.5, 0.1,
    'Ümlaut "q", NA', 'ab', 'xy', '\x0102', '6f1d9f4e-96f5-4f0c-a8b5-0c5b9c0b1d11', '{a,"b c",null}', '{1.50,2}',
    '{"b": 1, "a": [1, 2.50, null]}', '{"z": "ü", "a":12345678901234567890.5}', '10.0.0.1/8', 'so so',
    '("a, b",2)', '{{1,2},{3,4}}', '6f1d9f4e-96f5-4f0c-a8b5-0c5b9c0b1d11')"""
MASKED = """\
sql: {outputs: {people_masked: "postgresql://clinic?table=out_people"}}
input_datasets: {people: "postgresql://clinic?table=people"}
operations:
  - DropOperation: {input_dataset: people, columns: [kind]}
  - MaskOperation: {input_dataset: people_dropped, output_dataset: people_masked, columns: [code_of]}
"""
TASK = """\
input_datasets: {people: "postgresql://clinic?table=people"}
sql: {outputs: {people_dropped: "postgresql://clinic?table=out_people"}}
operations:
  - DropOperation: {input_dataset: people, columns: [kind]}
"""


def test_a_table_becomes_a_table(cli, project: Path, server):
    """Values and types come back; nothing changed is skipped, and each change of either table is seen.

    A column that a step changes becomes text.
    """
    server(
        "drop table if exists people, out_people",
        "create type mood as enum ('so so', 'well')",
        "create type place as (name text, floor int)",
        TABLE,
        *(ROW % number for number in (2, 3, 1)),
        "insert into people (id) values (4)",
        "create role reader",
        "create table out_people (old int)",
        "grant select on out_people to reader with grant option",
    )
    (project / "configs/people.yaml").write_text(MASKED)
    done = cli("run", "people", "--set", "chunk_size=2", "--set", "memory_limit_mb=2000", cwd=project, code=0)
    assert "4 done" in done.stdout
    (types,) = server(
        "select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum)"
        " from pg_attribute where attrelid = 'out_people'::regclass and attnum > 0 and not attisdropped"
    )
    assert types[0] == (
        "id integer, small smallint, large bigint, amount numeric(12,2), exact numeric, odd numeric, cash money,"
        " born date, seen timestamp with time zone, noted timestamp without time zone, woken time without time zone,"
        " stay interval, flag boolean, share real, ratio double precision, name text, code character(4), raw bytea,"
        " uid uuid, tags text[], scores numeric[], facts jsonb, plain json, address inet, mood mood, place place,"
        " squares integer[], code_of text"
    )
    assert server("select id from out_people") == [(1,), (2,), (3,), (4,)], "not in the order of the primary key"
    (last,) = server("select row_to_json(q)::text from out_people q where id = 4")
    assert {value for key, value in json.loads(last[0]).items() if key != "id"} == {None}
    same = "p.plain::jsonb = o.plain::jsonb and o.code_of like '%*%'"
    for name in types[0].split(", ")[:-1]:
        column = name.split()[0]
        same += f" and p.{column} = o.{column}" if column != "plain" else ""
    assert server(f"select count(*) from people p join out_people o using (id) where {same}") == [(3,)]
    assert server("select has_table_privilege('reader', 'out_people', 'select with grant option')") == [(True,)]

    report = json.loads((project / "DATA/reports/people_report.json").read_text())
    section = report["sections"]["databases"]["facts"]
    assert [row["changes seen by"] for row in section["tables"]] == ["number of rows and xmin"] * 2
    assert [row["rows"] for row in section["tables"]] == [4, 4]
    assert section["tables"][0]["order"] == "by the primary key (id)"
    assert section["tables"][1]["sha256"] == report["outputs"][0]["sha256"]
    (source,) = report["inputs"]
    assert (source["path"], source["rows"], source["step"]) == ("postgresql://clinic?table=people", 4, "read_people")
    assert (source["version"], source["sha256"]) == tuple(
        section["tables"][0][key] for key in ("fingerprint", "sha256")
    )
    assert (
        report["sections"]["column_lineage"]["facts"]["people_masked"]["columns"]["code_of"][0]["dataset"] == "people"
    )
    assert not [p for p in project.rglob("*") if p.is_file() and server.secret.encode() in p.read_bytes()]

    server("delete from out_people where id = 1")
    assert "1 done, 3 unchanged" in cli("run", "people", cwd=project, code=0).stdout
    assert server("select count(*), max(pg_typeof(uid)::text) from out_people") == [(4, "uuid")]
    report = json.loads((project / "DATA/reports/people_report.json").read_text())
    assert report["inputs"] == [source]
    record = json.loads(cli("history", "people", "--json", cwd=project, code=0).stdout)[0]
    assert record["input_files"][0] == {
        key: source[key] for key in ("name", "path", "sha256", "bytes", "rows", "version")
    }
    verified = cli("verify", "people", cwd=project, code=0)
    assert "1 as recorded, 1 elsewhere" in verified.stdout
    server("update people set name = 'other' where id = 3")
    assert "4 done" in cli("run", "people", cwd=project, code=0).stdout
    assert server("select name from out_people where id = 3") == [("other",)]
    reason = json.loads((project / "DATA/reports/people_report.json").read_text())["operations"][0]["reason"]
    assert reason.startswith("rows of postgresql://clinic?table=people changed from 4 rows, xmin ")


def test_rows_of_a_query(cli, project: Path, server):
    """Its order is what it says, or a warning; a change is seen by a hash; nothing can be written by it."""
    server("drop table if exists visits", "create table visits as select generate_series(1, 5) as n, 'x' as text")
    (project / "configs/visits.yaml").write_text(
        'input_datasets: {visits: "postgresql://clinic?query=select+n,+text+from+visits+where+n+<+4"}\n'
        "operations: [{DropOperation: {input_dataset: visits, columns: [text]}}]\n"
    )
    done = cli("run", "visits", "--json", cwd=project, code=0)
    report = json.loads((project / "DATA/reports/visits_report.json").read_text())
    (table,) = report["sections"]["databases"]["facts"]["tables"]
    assert (table["changes seen by"], table["rows"]) == ("number of rows and a hash of all values", 3)
    assert (table["table"], table["order"]) == ("postgresql://clinic?query=…", "not determined")
    assert "the query has no ORDER BY" in done.stdout
    server("insert into visits values (0, 'x')")
    assert "2 done" in cli("run", "visits", cwd=project, code=0).stdout
    deleting = "input_datasets.visits=postgresql://clinic?query=delete from visits returning n, text"
    refused = cli("run", "visits", "--set", deleting, cwd=project, code=1)
    assert "postgresql://clinic?query=…" in refused.stdout + refused.stderr
    assert server("select count(*) from visits") == [(6,)]


def waiting(server) -> list[tuple[int]]:
    """Processes of the server that wait for a lock."""
    return server(
        "select pid from pg_stat_activity where application_name = 'pamola-tasks' and wait_event_type = 'Lock'"
    )


def tables(server) -> list[str]:
    """Tables whose names begin with out."""
    return [
        name for (name,) in server("select relname::text from pg_class where relname like 'out%' and relkind = 'r'")
    ]


def test_a_kill_at_the_last_moment_leaves_the_old_table(start, cli, project: Path, server):
    """All rows are in the new table, and the old one is about to be dropped.

    A connection that is lost at the same moment is an attempt that failed: another one follows.
    """
    server(
        "drop table if exists people, out_people",
        "create table people as select n, 'x' as kind from generate_series(1, 1000) n",
        "create table out_people as select 7 as old",
    )
    (project / "configs/people.yaml").write_text(TASK)
    with server.connected() as reader, reader.cursor() as cursor:
        cursor.execute("select * from out_people")
        cursor.fetchall()  # the transaction holds a lock on the table
        process = start("run", "people", cwd=project)
        while not waiting(server):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.kill()
        process.communicate()
        assert server("select old from out_people") == [(7,)]
    while waiting(server):
        time.sleep(0.05)
    assert tables(server) == ["out_people"]
    assert server("select old from out_people") == [(7,)]
    with server.connected() as reader, reader.cursor() as cursor:
        cursor.execute("select * from out_people")
        cursor.fetchall()
        process = start("run", "people", "--set", "retry.initial_wait=0.01", cwd=project)
        ended: list[int] = []
        while len(ended) < 2:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
            ended += [pid for (pid,) in waiting(server) if pid not in ended]
            if len(ended) == 1:
                server(f"select pg_terminate_backend({ended[0]})")
    done = process.communicate()[0]
    assert " unchanged" in done, "a server that is too busy to be asked has its table read again"
    report = json.loads((project / "DATA/reports/people_report.json").read_text())
    assert report["operations"][-1]["attempts"] == 2
    assert tables(server) == ["out_people"]
    assert server("select count(*), min(n), max(n) from out_people") == [(1000, 1, 1000)]
    server("create view seen as select * from out_people", "insert into people values (0, 'x')")
    failed = cli("run", "people", "--set", "retry.max_retries=0", cwd=project, code=1)
    assert "other objects of the database (views, foreign keys) depend on the table" in failed.stdout + failed.stderr
    assert tables(server) == ["out_people"]
    server("drop view seen")


WRONG = """\
output_format: csv
input_datasets:
  people: "postgresql://me:hunter22@clinic?table=people"
  other: "postgresql://other?table=people"
  placed: "postgresql://127.0.0.1:5432/clinic?table=people"
  foreign: "oracle://clinic?table=people"
sql: {outputs: {people_dropped: "postgresql://clinic?table=people"}}
operations:
  - DropOperation: {input_dataset: people, columns: [kind]}
  - DropOperation: {input_dataset: other, columns: [kind]}
  - DropOperation: {input_dataset: placed, columns: [kind]}
  - DropOperation: {input_dataset: foreign, columns: [kind]}
"""
MESSAGES = (
    "step read_people: an address holds neither user nor password",
    "step read_other: the project file names no database 'other' under sql.databases: it has clinic",
    "step read_placed: it is not an address: postgresql://DATABASE?table=SCHEMA.TABLE, or ?query=SELECT+…, where",
    "step write_people_dropped: the project file does not let a task replace table people of database clinic",
    "step write_people_dropped: a table is filled from the file of people_dropped, and csv keeps no types",
    "input_datasets.foreign: no installed plugin reads oracle:// (dataset foreign)",
)


def test_what_is_refused(cli, project: Path, server):
    """Before anything is read or written, all at once, in words that hold no password."""

    def refused(task: str) -> str:
        (project / "configs/people.yaml").write_text(task)
        done = cli("run", "people", cwd=project)
        assert done.returncode not in (0, 70), done.stdout + done.stderr
        left = [path.read_bytes() for path in project.rglob("*") if path.is_file() and path.parent.name != "configs"]
        assert not [content for content in (done.stdout.encode(), *left) if b"hunter22" in content]
        return " ".join((done.stdout + done.stderr).split())

    said = refused(WRONG)
    assert [message for message in MESSAGES if message not in said] == []
    own = "sql: {databases: {clinic: {password: hunter22}}, outputs: {a: 'postgresql://clinic?query=select+1'}}"
    said = refused("\n".join(own if line.startswith("sql:") else line for line in TASK.splitlines()))
    assert "sql.databases.clinic.password: only the project file can say which databases there are" in said
    assert "sql.outputs.a: a table is written" in said
    said = refused(TASK.replace("table=people", "table=nowhere.people"))
    assert "postgresql://clinic?table=nowhere.people: there is no such table" in said


def test_a_password_is_written_by_reference(cli, project: Path, server):
    """Also in the project file; and a wrong one is refused by the server in words."""
    file = project / "configs/prj_config.yaml"
    (project / "configs/people.yaml").write_text(TASK)
    wrong = {"CLINIC_PASSWORD": "not-the-password"}
    done = cli("run", "people", cwd=project, env=wrong)
    assert done.returncode == 1
    assert "password authentication failed for user" in done.stdout + done.stderr
    assert "not-the-password" not in done.stdout + done.stderr
    written = file.read_text()
    file.write_text(written.replace("${env:CLINIC_PASSWORD}", server.secret))
    done = cli("run", "people", cwd=project)
    assert done.returncode not in (0, 70)
    assert "sql.databases.clinic.password: it is written out: refer to it as" in done.stdout + done.stderr
    assert server.secret not in done.stdout + done.stderr
    file.write_text(written.replace("postgresql://", f"postgresql://owner:{server.secret}@"))
    done = cli("run", "people", cwd=project)
    assert "sql.databases.clinic.url: it holds a user or password" in done.stdout + done.stderr
    assert server.secret not in done.stdout + done.stderr
