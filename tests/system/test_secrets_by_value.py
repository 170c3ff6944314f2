"""What came as a secret is hidden by its value, wherever it is written; what merely resembles one stays readable."""

from __future__ import annotations

import ast
import json
import random
import re
import string
from itertools import pairwise
from pathlib import Path

import pytest

from pamola_tasks_redaction.secrets import Redactor

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("FIELD_{}", "MAIL_{}_PASSWORD", "set", "file", "LOGIN_{}", "SHOP_{}_TOKEN")
WORDS = "DATA output success rows step done unchanged manifest person_id k-anonymity 0.4711 14711 2026-11-29".split()
ALIKE = [
    *WORDS,
    *(
        f"{before}{{}}{after}"
        for before, after in (("x", ""), ("", "x"), ("my_", ""), ("", "_id"), ("7", ""), ("", "s"))
    ),
]
TALKS = """
import os
from pamola_tasks import BaseTask, Operation, OperationResult

class Talks(Operation):
    conn: list[str]

    def execute(self, ctx):
        known = [*self.conn, *ctx.config.logins.values(), *ctx.config.sets.values(),
                 *(v for n, v in os.environ.items() if n.startswith(("MAIL_", "SHOP_")))]
        known = [getattr(text, "reveal", lambda text=text: text)() for text in known]
        assert len(set(known)) == 40, known
        ctx.logger.info("alike: %s", os.environ["ALIKE"])
        for text in known:
            ctx.logger.info("with %s, %r\\n%s; (%s)", text, [text], text, {"x": text})
            ctx.run.warn(f"warned of {text}")
        with ctx.artifact("said", "txt", f"made with {' '.join(known)}", tags=known, group=known[1]) as f:
            f.write(b"-")
        if ctx.config.fails:
            raise RuntimeError(f"not with {' '.join(known)}: {known}")
        return OperationResult.success({"said": known, "by": {text: text for text in known}})

class T(BaseTask):
    def __init__(self):
        super().__init__("t")
    def configure_operations(self):
        self.add_operation(Talks, conn=self.config.conn)
"""


def _secrets() -> dict[str, list[str]]:
    """Forty secrets of four to sixteen characters, by where they come from."""
    chance, letters = random.Random(4711), string.ascii_letters + string.digits
    made = iter(["pq" + "".join(chance.choices(letters, k=2 + n % 13)) for n in range(40)])
    return {source: [next(made) for _ in range(7 if n < 4 else 6)] for n, source in enumerate(SOURCES)}


@pytest.mark.parametrize("processes", [False, True])
def test_no_file_and_no_stream_holds_a_secret_whatever_way_it_came(cli, project: Path, tmp_path: Path, processes: bool):
    """Forty secrets from six sources, in logs, warnings, metrics, artifacts and exceptions of three runs."""
    secrets = _secrets()
    named = {source: {source.format(n): text for n, text in enumerate(texts)} for source, texts in secrets.items()}
    environment = {name: text for source in SOURCES if "{}" in source for name, text in named[source].items()}
    (project / ".env").write_text("".join(f"ACCOUNT_{n}='{text}'\n" for n, text in enumerate(secrets["file"])))
    short = next(text for text in secrets["FIELD_{}"] if len(text) < 8)
    alike = [word.format(short) for word in ALIKE]
    environment["ALIKE"] = "; ".join(alike)
    (tmp_path / "talks.py").write_text(TALKS)
    config = {
        "env_file": ".env",
        "conn": [f"${{env:{name}}}" for name in named["FIELD_{}"]],
        "logins": {f"l{n}": f"${{env:{n}}}" for n in (*named["LOGIN_{}"], *(f"ACCOUNT_{i}" for i in range(7)))},
        "description": "for ${env:FIELD_0} and ${env:ACCOUNT_1}",
        "retry": {"max_retries": 0},
    }
    (project / "configs/t.json").write_text(json.dumps(config))
    script = f"{tmp_path / 'talks.py'}:T"
    settings = [arg for n, text in enumerate(secrets["set"]) for arg in ("--set", f'sets.db{n}_password="{text}"')]
    with_them = [*settings, *(["--executor", "processes"] if processes else [])]
    streams = []
    for arguments, code in [
        (["-v", "run", script, *with_them, "--set", "fails=false", "--json"], 0),
        (["-v", "run", script, *with_them, "--set", "fails=false"], 0),
        (["-v", "--traceback", "run", script, *with_them, "--set", "fails=true", "--restart"], 1),
        (["config", "show", script, "--origin"], 0),
        (["config", "show", script, "--json"], 0),
        (["show", script, "--json"], 0),
        (["show", script], 0),
        (["history", "t", "--json"], 0),
        (["report", "t", "--json"], None),
        (["status", "--json"], 0),
        (["checkpoints", "t", "--json"], None),
    ]:
        done = cli(*arguments, cwd=project, env=environment, code=code)
        streams.append((" ".join(map(str, arguments[:3])), (done.stdout + done.stderr).encode()))
    own = (project / ".env", project / "configs/t.json")
    files = [(str(path), path.read_bytes()) for path in project.rglob("*") if path.is_file() and path not in own]
    found = [
        f"{text} ({source}) in {name}: {content[max(0, content.find(text.encode()) - 90) :][:150]!r}"
        for source, texts in secrets.items()
        for text in texts
        for name, content in (*files, *streams)
        if text.encode() in content.replace("; ".join(alike).encode(), b"")
    ]
    assert found == []
    assert "; ".join(alike) in (project / "logs/t.log").read_text(), "what resembles a secret is no longer readable"


def test_a_secret_that_is_a_word_of_our_files_leaves_them_readable(cli, project: Path):
    """A password such as `success` or `output` must not make the history or a report unreadable."""
    words = "success output error state name path rows status event index steps time 2026 input".split()
    environment = {f"W{n}_PASSWORD": word for n, word in enumerate(words)}
    cli("run", "example", cwd=project, env=environment, code=0)
    cli("run", "example", cwd=project, env=environment, code=0)
    cli("verify", "example", cwd=project, env=environment, code=0)
    assert json.loads(cli("status", "--json", cwd=project, env=environment, code=0).stdout)
    told = cli("doctor", "--json", cwd=project, env={**environment, "A_PIN_TOKEN": "x1z", "B_TOKEN": "enough"}).stdout
    assert "W0_PASSWORD" in told
    assert "A_PIN_TOKEN" in told
    assert "B_TOKEN" not in told


def test_no_message_of_ours_loses_a_word():
    """Nothing that the source says is taken for a secret, such as the word behind `for a passphrase:`."""
    redact, changed = Redactor(), []
    for path in (*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            said = "".join(str(part.value) if isinstance(part, ast.Constant) else "NAME" for part in parts)
            if isinstance(node, (ast.JoinedStr, ast.Constant)) and redact(said) != said:
                changed.append(f"{path.name}: {redact(said)}")
    assert changed == []


def test_no_message_about_something_with_a_secret_name_loses_its_words():
    """A column, key, file or task may be called like a secret, and be in front of what is said of it."""
    redact, changed = Redactor(), []
    for path in (*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for before, after in pairwise(node.values if isinstance(node, ast.JoinedStr) else ()):
                goes_on = isinstance(after, ast.Constant) and re.match(r"['\"]?: ([a-z`]\S* \S+)", str(after.value))
                if isinstance(before, ast.FormattedValue) and goes_on:
                    said = [f"'{name}': {goes_on[1]}" for name in ("api_token", "password", "../../etc/passwd")]
                    said += [f"{name}: {goes_on[1]}" for name in ("db_password", "configs/secrets", "/etc/passwd")]
                    changed += [f"{path.name}: {text}" for text in said if redact(text) != text]
    assert changed == []


def test_what_a_reference_gives_to_a_choice_a_number_or_a_file_stays_readable(cli, project: Path):
    """They are no secrets, and a report is read by them."""
    said = {"KIND": "threads", "SIZE": "5000", "TABLE": "DATA/raw/example.csv", "LEVEL": "WARNING"}
    settings = {"executor.kind": "KIND", "chunk_size": "SIZE", "input_datasets.people": "TABLE", "log_level": "LEVEL"}
    arguments = [text for key, name in settings.items() for text in ("--set", f"{key}=${{env:{name}}}")]
    cli("run", "example", *arguments, cwd=project, env=said, code=0)
    report = cli("report", "example", "--json", cwd=project, env=said, code=0).stdout
    assert [word for word in said.values() if word not in report] == []
