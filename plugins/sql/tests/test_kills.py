"""Runs from table to table that are killed: the target is the old table or the whole new one, and nothing is left over.

`PAMOLA_DURABILITY=all` (`nox -s durability`) kills at 20 moments and not at 3, with more rows.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

KILLS, ROWS = (20, 20_000) if os.environ.get("PAMOLA_DURABILITY") == "all" else (3, 4_000)
TASK = """\
input_datasets: {people: "postgresql://clinic?table=persons"}
sql: {outputs: {people_dropped: "postgresql://clinic?table=out_persons"}}
operations:
  - DropOperation: {input_dataset: people, columns: [kind]}
"""
STATE = "select count(*), coalesce(sum(hashtextextended(q::text, 0)::numeric), 0)::text from out_persons q"


def test_a_kill_never_leaves_half_a_table(begin, cli, project: Path, server):
    """Killed at moments all over the run; the same command then finishes what is left to do."""
    server(
        "drop table if exists persons, out_persons",
        "create table persons as select n, md5(n::text)::uuid as person, (n % 90)::numeric(5, 2) as age, 'x' as kind"
        f" from generate_series(1, {ROWS}) n",
    )
    (project / "configs/people.yaml").write_text(TASK)
    assert "3 done" in cli("run", "people", cwd=project, code=0).stdout
    seconds = json.loads((project / "DATA/reports/people_report.json").read_text())["run"]["seconds"]
    whole = server(STATE)
    assert whole[0][0] == ROWS
    for moment in range(KILLS):
        server(
            "drop table out_persons",
            "create table out_persons as select 7 as old",
            f"update persons set kind = '{moment}'",
        )
        old = server(STATE)
        begin().kill(seconds * (moment + 0.5) / KILLS)
        while server("select pid from pg_stat_activity where application_name = 'pamola-tasks'"):
            time.sleep(0.02)
        assert server(STATE) in (old, whole)
        assert server("select relname::text from pg_class where relname ~ '^(out_persons|pamola)'") == [
            ("out_persons",)
        ]
    said = cli("run", "people", cwd=project, code=0).stdout
    assert server(STATE) == whole, said
    server("drop table persons, out_persons")
