"""Names with line ends, control and bidi characters: a line of a log and a record of JSON stay one."""

from __future__ import annotations

import json
import random

NAMES_SCRIPT = """
import json, os
from pamola_tasks import BaseTask, Operation, OperationResult

NAMES = json.loads(open("names.json", encoding="utf-8").read())


class Names(Operation):
    def execute(self, ctx):
        for number, name in enumerate(NAMES):
            ctx.logger.info("NAME %d %s END", number, name)
            ctx.run.warn(f"WARN {number} {name} END")
            ctx.run.reporter.add_operation(name, "success", {name: name})
        ctx.progress(1, 1, NAMES[0])
        return OperationResult.success({name: number for number, name in enumerate(NAMES)})


class T(BaseTask):
    def __init__(self):
        super().__init__("t_1", "analysis", NAMES[1])

    def configure_operations(self):
        self.add_operation(Names)
"""


def names() -> list[str]:
    """Two hundred names, each with something that ends lines, moves the cursor or turns the direction of reading."""
    choose = random.Random(4)
    signs = [chr(code) for code in [*range(32), *range(0x7F, 0xA0)]]
    signs += list(
        "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u200b\u0085"
    )
    signs += [
        "\r\n",
        "\x1b[2K\x1b[1A",
        "\x1b]0;title\x07",
        "\n2026-11-23T04:05:06.000Z | ERROR   | - | x | y:1 | forged",
    ]
    signs += ['"}\n{"level": "ERROR", "message": "forged"}', "\n\n", "\x0b\x0c", "\x1c\x1d\x1e"]
    return [f"n{number}{choose.choice(signs)}{''.join(choose.choices(signs, k=3))}e" for number in range(200)]


def test_two_hundred_hostile_names_give_two_hundred_lines_and_records(cli, project):
    hostile = names()
    (project / "names.json").write_text(json.dumps(hostile))
    (project / "names.py").write_text(NAMES_SCRIPT)
    done = cli("-v", "run", "names.py:T", cwd=project, code=0)
    for text in ((project / "logs/t_1.log").read_text(), done.stderr):
        lines = text.split("\n")
        assert text.isascii() or all(line.isprintable() for line in lines)
        assert len(text.splitlines()) == len(lines) - 1
        for word in ("NAME", "WARN"):
            found = [line for line in lines if f" {word} " in line and line.endswith(" END")]
            assert len(found) == len(hostile)
        assert not [line for line in lines if line.startswith("{") or line.endswith("forged")]

    (project / "logs/t_1.log").unlink()
    done = cli("run", "names.py:T", "--restart", "--log-format", "json", "--json", cwd=project, code=0)
    records = [json.loads(line) for line in (project / "logs/t_1.log").read_text().splitlines()]
    assert sum(" END" in record["message"] and record["message"].startswith("NAME ") for record in records) == 200
    assert not [record for record in records if record["message"] == "forged"]
    on_stderr = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert sum(record.get("message", "").startswith("NAME ") for record in on_stderr) == 200  # the rest are events
    outcome = json.loads(done.stdout)
    assert len(outcome["warnings"]) == 200
    assert len(outcome["steps"][0]["metrics"]) == 200

    for line in (project / "configs/execution_log.jsonl").read_text().split("\n")[:-1]:
        json.loads(line.partition(" ")[2])
    for line in (project / "DATA/processed/t_1/.state/journal.jsonl").read_text().split("\n")[:-1]:
        json.loads(line.partition(" ")[2])
    report = json.loads((project / "DATA/reports/t_1_report.json").read_text())
    assert len(report["warnings"]) == 200
    page = (project / "DATA/reports/t_1_report.html").read_text()
    markdown = (project / "DATA/reports/t_1_report.md").read_text()
    for text in (page, markdown):
        assert not [sign for sign in set(text) if not sign.isprintable() and sign != "\n"]
    assert not [line for line in markdown.split("\n") if line.endswith("forged") and line.startswith("2026")]


def test_what_is_printed_for_people_holds_no_control_character(cli, project):
    (project / "names.json").write_text(json.dumps(names()))
    (project / "names.py").write_text(NAMES_SCRIPT)
    done = cli("run", "names.py:T", cwd=project, code=0)
    for arguments in (["report", "t_1"], ["history"], ["list"], ["status"], ["show", "names.py:T"]):
        more = cli(*arguments, cwd=project)
        assert not {sign for sign in more.stdout + more.stderr if not sign.isprintable() and sign != "\n"}, arguments
    assert not {sign for sign in done.stdout + done.stderr if not sign.isprintable() and sign != "\n"}


def test_reports_escape_what_a_browser_would_take_for_markup(cli, project):
    hostile = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "[x](javascript:alert(1))", "a|b`c`"]
    (project / "names.json").write_text(json.dumps(hostile))
    (project / "names.py").write_text(NAMES_SCRIPT)
    cli("run", "names.py:T", cwd=project, code=0)
    page = (project / "DATA/reports/t_1_report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert 'href="javascript:' not in page


WRITES = """
import pandas
from pamola_tasks import BaseTask, Operation, OperationResult, writes

class Writes(Operation):
    output_dataset: str = writes("table")
    def execute(self, ctx):
        ctx.data.write(self.output_dataset, pandas.DataFrame({"=name": ["=1+1", "plain"], "n": [-1, 2]}))
        return OperationResult.success()

class T(BaseTask):
    def __init__(self):
        super().__init__("t_1")
    def configure_operations(self):
        self.add_operation(Writes)
"""


def test_csv_is_faithful_unless_it_is_for_spreadsheets_and_then_holds_no_formula(cli, project):
    (project / "writes.py").write_text(WRITES)
    table = project / "DATA/processed/t_1/output/table.csv"
    cli("run", "writes.py:T", cwd=project, code=0)
    assert table.read_text() == "=name,n\n=1+1,-1\nplain,2\n"
    cli("run", "writes.py:T", "--set", "data.csv_for_spreadsheets=true", cwd=project, code=0)
    assert table.read_text() == "'=name,n\n'=1+1,-1\nplain,2\n"
