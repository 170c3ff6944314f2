"""Sixty texts that look like secrets and are none, through every door of a failing and a succeeding run."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import uuid
from pathlib import Path

import pytest

HASHES = [hash_(bytes([n])).hexdigest() for n in range(4) for hash_ in (hashlib.sha256, hashlib.sha1, hashlib.md5)]
IDS = [str(uuid.UUID(int=n * 7919 + (7 << 76) + (2 << 62))) for n in range(1, 5)]
WORDS = [base64.b64encode(word.encode()).decode() for word in ("yes", "Vienna", "a table", "person")]
LOOK_ALIKES = [
    *HASHES,
    *IDS,
    *WORDS,
    f"sha256:{HASHES[0]}",
    f"run {IDS[0]} of task first",
    "git 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "v1.4.2-14-g2414721",
    "2026-11-23T04:05:06.789Z",
    "2026-11-23 04:05:06+01:00",
    "20261123T040506Z",
    "12:30:05.250",
    "DATA/processed/t/output/safe.csv",
    "/srv/study/configs/tokens.yaml",
    "/etc/passwd: not in the project",
    "C:\\Users\\someone\\secrets\\list.csv",
    "password_hash_type",
    "sort_key=surname",
    "primary_key: person_id",
    "secret_santa: yes",
    "token_count=512",
    "api_key_id: 5",
    "column 'passport_number'",
    "column db_password: 3 of 60 rows",
    "pandas==3.0.4",
    "numpy 2.3.1+cpu.avx2",
    "cp313-cp313-manylinux_2_28_x86_64",
    "1.0.0rc1.post2.dev3+g5c1f2ab",
    "https://example.org/path?page=2&sort=name",
    "https://example.org:8443/a/b@v2#L20-L44",
    "postgres://reader@db.example.org/table",
    "git+https://example.org/a/b.git@9fceb02d0ae598e95dc970b74767f19372d61af8",
    "s3://bucket/2026/11/part-00000-5e0f.snappy.parquet",
    "someone@example.org",
    "k=5, l=2, t=0.15",
    "age: [17,24)",
    "step Pseudonymize-2 skipped",
    "0x7f3a2c1b9d40",
    "1.7976931348623157e+308",
    "ISBN 978-0-13-110362-7",
    "DE89 3704 0044 0532 0130 00",
    "there is no task '../../etc/passwd': `pamola-task list` shows the tasks",
    "unknown column 'db_password': did you mean 'db_passport'?",
    "the key file keys/default.key is missing: make it with `pamola-task keys init`",
    "PAMOLA_PASSPHRASE is empty",
    "encryption_key_path: no such file",
    "the configuration has no key 'api_token'",
]
TALKS = '''
import json, os
from pamola_tasks import BaseTask, Operation, OperationResult

SAID = json.loads(open(os.environ["PLAN"], encoding="utf-8").read())

class Talks(Operation):
    """Says everything, in every way that it can."""

    fails: bool = False

    def execute(self, ctx):
        for text in SAID:
            ctx.logger.info("seen <%s>", text)
            ctx.run.warn(f"warned of <{text}>")
        for number, text in enumerate(SAID):
            with ctx.artifact(f"said{number}", "txt", f"made of <{text}>") as file:
                file.write(b"-")
        said = {"said": [f"<{text}>" for text in SAID]}
        if self.fails:
            return OperationResult.failure("failed for " + " and ".join(f"<{text}>" for text in SAID), said)
        return OperationResult.success(said)

class T(BaseTask):
    def __init__(self):
        super().__init__("t")
    def configure_operations(self):
        self.add_operation(Talks, fails=self.config.fails)
'''


@pytest.mark.parametrize("fails", [False, True])
def test_sixty_look_alikes_are_readable_behind_every_door(cli, place: Path, fails: bool):
    assert len(LOOK_ALIKES) == len(set(LOOK_ALIKES)) >= 60
    (place / "talks.py").write_text(TALKS)
    plan = place.parent / "plan.json"
    plan.write_text(json.dumps(LOOK_ALIKES))
    (place / "configs/t.json").write_text(json.dumps({"task_class": "talks.py:T", "fails": fails}))
    env = {"PLAN": str(plan), "COLUMNS": "100000"}
    done = cli("-v", "run", "t", cwd=place, env=env, code=int(fails))
    journal, history = (place / "DATA/processed/t/.state/journal.jsonl", place / "configs/execution_log.jsonl")
    lines = {
        path.name: "".join(
            json.dumps(json.loads(line[9:]), ensure_ascii=False) for line in path.read_bytes().splitlines()
        )
        for path in ((history,) if fails else (journal, history))
    }
    report = (place / "DATA/reports/t_report.json").read_text()
    doors = {
        "the console": done.stdout + done.stderr,
        "the log": (place / "logs/t.log").read_text(),
        "the project's log": (place / "logs/project.log").read_text(),
        "the report": report,
        "the page": html.unescape((place / "DATA/reports/t_report.html").read_text()),
        "history --json": cli("history", "t", "--json", cwd=place, env=env, code=0).stdout,
        "the history for other tools": (place / "configs/execution_log.json").read_text(),
        "report --json": cli("report", "t", "--json", cwd=place, env=env, code=0).stdout,
        **lines,
    }
    missing = [
        f"{door}: {text}"
        for door, content in doors.items()
        for text in LOOK_ALIKES
        if f"<{text}>" not in content and f"<{json.dumps(text, ensure_ascii=False)[1:-1]}>" not in content
    ]
    assert missing == []


def test_what_a_user_named_is_readable_in_the_refusal(cli, place: Path):
    for name in ("../../etc/passwd", "api_token", "db_password.yaml", "secrets/first"):
        for command in ("run", "verify", "show", "clean"):
            said = cli(command, name, cwd=place).stderr
            assert "***" not in said, (command, name)
            assert name in said, (command, name)


def test_what_a_run_or_a_configuration_lacks_is_named(cli, place: Path):
    for code, said in (("ctx.run.no_such_thing", "a run has no 'no_such_thing'; services are"),
                       ("ctx.config.no_such_key", "the configuration has no key 'no_such_key'"),
                       ("ctx.no_such_thing", "has no attribute 'no_such_thing'")):  # fmt: skip
        (place / "talks.py").write_text(TALKS.replace("for text in SAID:", f"{code}\n        for text in SAID:"))
        plan = place.parent / "plan.json"
        plan.write_text("[]")
        (place / "configs/t.json").write_text(json.dumps({"task_class": "talks.py:T", "fails": False}))
        done = cli("run", "t", cwd=place, env={"PLAN": str(plan), "COLUMNS": "300"}, code=1)
        assert said in done.stdout + done.stderr
        assert "may be data" not in done.stdout + done.stderr
