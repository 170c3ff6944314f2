"""From a table of a PostgreSQL server into a table of it: values, order, what is done again, and what a kill leaves."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from pamola_ops_anonymize.dropping import DropOperation
from pamola_tasks.plan import Plan
from pamola_tasks_sql.operations import ReadTableOperation, WriteTableOperation
from pamola_tasks_sql.planning import add_steps

KIND = "processes" if os.environ.get("PAMOLA_DURABILITY") == "all" else "threads"

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
input_datasets:
  people: "postgresql://clinic?table=people"
  visits: "postgresql://clinic?query=select+n,+text+from+visits+where+n+<+4"
operations:
  - DropOperation: {input_dataset: visits, columns: [text]}
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

    A column that a step changes becomes text. The order of a query's rows is what it says, or a warning; a change of
    them is seen by a hash.
    """
    server(
        "drop table if exists people, out_people, visits",
        "create table visits as select generate_series(1, 5) as n, 'x' as text",
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
    assert "6 done" in done.stdout
    assert "the query has no ORDER BY" in done.stdout + done.stderr
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
    by_step = {row["step"]: row for row in report["sections"]["databases"]["facts"]["tables"]}
    read, query, written = (by_step[name] for name in ("read_people", "read_visits", "write_people_masked"))
    assert read["changes seen by"] == written["changes seen by"] == "number of rows and xmin"
    assert query["changes seen by"] == "number of rows and a hash of all values"
    assert [row["rows"] for row in (read, query, written)] == [4, 3, 4]
    assert (query["table"], query["order"]) == ("postgresql://clinic?query=…", "not determined")
    assert read["order"] == "by the primary key (id)"
    assert written["sha256"] == {each["name"]: each["sha256"] for each in report["outputs"]}["people_masked"]
    (source,) = (each for each in report["inputs"] if each["name"] == "people")
    assert (source["path"], source["rows"], source["step"]) == ("postgresql://clinic?table=people", 4, "read_people")
    assert (source["version"], source["sha256"]) == (read["fingerprint"], read["sha256"])
    assert (
        report["sections"]["column_lineage"]["facts"]["people_masked"]["columns"]["code_of"][0]["dataset"] == "people"
    )
    assert not [p for p in project.rglob("*") if p.is_file() and server.secret.encode() in p.read_bytes()]

    server("delete from out_people where id = 1")
    assert "1 done, 5 unchanged" in cli("run", "people", "--set", f"executor.kind={KIND}", cwd=project, code=0).stdout
    assert server("select count(*), max(pg_typeof(uid)::text) from out_people") == [(4, "uuid")]
    report = json.loads((project / "DATA/reports/people_report.json").read_text())
    assert source in report["inputs"]
    record = json.loads(cli("history", "people", "--json", cwd=project, code=0).stdout)[0]
    assert {key: source[key] for key in ("name", "path", "sha256", "bytes", "rows", "version")} in record["input_files"]
    verified = cli("verify", "people", cwd=project, code=0)
    assert "2 as recorded, 2 elsewhere" in verified.stdout
    server("update people set name = 'other' where id = 3", "insert into visits values (0, 'x')")
    assert "6 done" in cli("run", "people", cwd=project, code=0).stdout
    assert server("select name from out_people where id = 3") == [("other",)]
    report = json.loads((project / "DATA/reports/people_report.json").read_text())
    assert [each["rows"] for each in report["inputs"] if each["name"] == "visits"] == [4]
    (reason,) = (step["reason"] for step in report["operations"] if step["step"] == "read_people")
    assert reason.startswith("rows of postgresql://clinic?table=people changed from 4 rows, xmin ")


def test_types_go_with_the_step_into_another_process():
    """As they are known when it begins, however early it was found out that the step can be sent."""
    source, target = "postgresql://clinic?table=people", "postgresql://clinic?table=out_people"
    plan, metrics = Plan(), {}
    plan.add(ReadTableOperation(source=source, output_dataset="people"), name="read")
    plan.add(DropOperation(input_dataset="people", columns=["kind"]))
    writes = plan.add(WriteTableOperation(input_dataset="people_dropped", target=target)).operation
    record = SimpleNamespace(metrics=metrics, inputs=[], intermediates=[], outputs=[])
    config = SimpleNamespace(input_datasets={}, auxiliary_datasets={}, plugin=lambda name: SimpleNamespace(outputs={}))
    add_steps(SimpleNamespace(plan=plan, record=record, config=config), plan)
    assert pickle.loads(pickle.dumps(writes)).kept_types() == {}
    metrics["read"] = {"types": {"id": "uuid", "kind": "mood"}}
    assert pickle.loads(pickle.dumps(writes)).kept_types() == writes.kept_types() == {"id": "uuid"}


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


@contextlib.contextmanager
def held(server) -> Iterator[None]:
    """Another program reads the table out_people: it cannot be dropped meanwhile."""
    with server.connected() as reader, reader.cursor() as cursor:
        cursor.execute("select * from out_people")
        cursor.fetchall()
        yield


def passed_on(door: socket.socket, port: int) -> None:
    """Let others reach the server by this door, at which nothing listens yet."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                outside, inside = door.accept()[0], socket.create_connection(("127.0.0.1", port))
                for pair in ((outside, inside), (inside, outside)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    door.listen()
    threading.Thread(target=serve, daemon=True).start()


def test_a_database_that_is_not_there_at_some_moments(begin, cli, project: Path, server):
    """A connection that is refused or lost is an attempt that failed: another one follows.

    A database that is reached only after the run has decided what to do is read once, and not by the next run again. A
    run that is killed when all rows are in the new table, and the old one is about to be dropped, leaves the old one.
    """
    server(
        "drop table if exists people, out_people",
        "create table people as select n, 'x' as kind from generate_series(1, 1000) n",
        "create table out_people as select 7 as old",
    )
    (project / "configs/people.yaml").write_text(TASK)
    patient = ("--set", "retry.initial_wait=0.05", "--set", "retry.backoff=1", "--set", "retry.max_retries=1000")
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        config = project / "configs/prj_config.yaml"
        config.write_text(config.read_text().replace(f":{server.port}/", f":{door.getsockname()[1]}/"))
        with held(server):
            run = begin(*patient)
            run.wait(lambda: run.steps() == ["read_people"])
            passed_on(door, server.port)
            run.wait(lambda: waiting(server))
            run.kill()
        while waiting(server):
            pass
        assert tables(server) == ["out_people"]
        assert server("select old from out_people") == [(7,)]
        with held(server):
            run = begin(*patient)
            run.wait(lambda: waiting(server))
            ((lost,),) = waiting(server)
            server(f"select pg_terminate_backend({lost})")
            run.wait(lambda: set(waiting(server)) - {(lost,)})
        assert "1 done, 2 unchanged" in run.end.result().stdout
        report = json.loads((project / "DATA/reports/people_report.json").read_text())
        assert report["operations"][-1]["attempts"] == 2
        assert tables(server) == ["out_people"]
        assert server("select count(*), min(n), max(n) from out_people") == [(1000, 1, 1000)]
        server("create view seen as select * from out_people", "insert into people values (0, 'x')")
        failed = cli("run", "people", "--set", "retry.max_retries=0", cwd=project, code=1)
        assert (
            "other objects of the database (views, foreign keys) depend on the table" in failed.stdout + failed.stderr
        )
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
    "sql.databases.clinic.password: it is written out: refer to it as",
)
MISSING = """\
input_datasets:
  people: "postgresql://clinic?table=nowhere.people"
  visits: "postgresql://clinic?query=delete from people returning n, kind"
operations:
  - DropOperation: {input_dataset: people, columns: [kind]}
  - DropOperation: {input_dataset: visits, columns: [kind]}
"""


def test_what_is_refused(cli, project: Path, server):
    """Before anything is read or written, all at once; by the server where it knows. No words hold a password.

    The project file has it by reference, and a query cannot write.
    """
    configuration = project / "configs/prj_config.yaml"
    written = configuration.read_text()

    def refused(task: str, *arguments: str, config: str = written, **environment: str) -> str:
        configuration.write_text(config)
        (project / "configs/people.yaml").write_text(task)
        done = cli("run", "people", *arguments, cwd=project, env=environment)
        assert done.returncode not in (0, 70), done.stdout + done.stderr
        left = [path.read_bytes() for path in project.rglob("*") if path.is_file() and path.parent.name != "configs"]
        said = done.stdout + done.stderr
        assert not [
            content
            for content in (said.encode(), *left)
            for secret in (b"hunter22", b"not-the-password", server.secret.encode())
            if secret in content
        ]
        return " ".join(said.split())

    said = refused(WRONG, config=written.replace("${env:CLINIC_PASSWORD}", server.secret))
    assert [message for message in MESSAGES if message not in said] == []
    own = "sql: {databases: {clinic: {password: hunter22}}, outputs: {a: 'postgresql://clinic?query=select+1'}}"
    placed = written.replace("postgresql://", f"postgresql://owner:{server.secret}@")
    said = refused("\n".join(own if line.startswith("sql:") else line for line in TASK.splitlines()), config=placed)
    assert "sql.databases.clinic.password: only the project file can say which databases there are" in said
    assert "sql.outputs.a: a table is written" in said
    assert "sql.databases.clinic.url: it holds a user or password" in said
    server("drop table if exists people", "create table people as select generate_series(1, 6) as n, 'x' as kind")
    said = refused(MISSING, "--set", "continue_on_error=true")
    assert "postgresql://clinic?table=nowhere.people: there is no such table" in said
    errors = json.loads((project / "DATA/reports/people_report.json").read_text())["errors"]
    assert [each["message"].partition(": ")[0] for each in errors if "query" in each["message"]] == [
        "postgresql://clinic?query=…"
    ]
    assert server("select count(*) from people") == [(6,)]
    assert "password authentication failed for user" in refused(TASK, CLINIC_PASSWORD="not-the-password")
