"""`.env`: read where the configuration asks for it, strictly, in the project, under the environment, never shown."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

import pytest
from counted_work import Steps, calls, grows_evenly
from hypothesis import given
from hypothesis import strategies as st

from pamola_tasks.errors import PathSecurityError, ValidationError
from pamola_tasks_config import env_file
from pamola_tasks_config.documents import Document
from pamola_tasks_config.env_file import variables_of


def values(text: str) -> dict[str, str]:
    """What a file says that has nothing wrong in it."""
    found = variables_of(Document(".env", "env", text))
    assert found.document.problems == []
    return dict(found.values)


def test_a_file_of_variables_is_not_read_unless_asked_for(home: Any) -> None:
    home.write(".env", "PAMOLA_SEED=5\n")
    assert home.config().seed is None
    home.write("configs/prj_config.yaml", "env_file: .env\n")
    config = home.config()
    assert config.seed == 5
    assert (config.origins()["seed"].layer, config.origins()["seed"].place) == (
        "environment",
        ".env:1:1: variable PAMOLA_SEED",
    )
    assert "PAMOLA_SEED" not in os.environ


def test_it_can_be_asked_for_on_the_command_line_and_refused_for_one_task(home: Any) -> None:
    home.write("other.env", "PAMOLA_SEED=5\n")
    assert home.config(env_file="other.env").seed == 5
    home.write("configs/prj_config.yaml", "env_file: other.env\n")
    home.write("configs/t_1.yaml", "env_file: null\n")
    assert home.config().seed is None


def test_the_environment_of_the_process_wins_and_says_so(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write(".env", "PAMOLA_SEED=5\nPAMOLA_TASK_T_1_CHUNK_SIZE=7\nWHERE=file\n")
    home.write("configs/t_1.yaml", "env_file: .env\ndescription: ${env:WHERE}\n")
    monkeypatch.setenv("PAMOLA_SEED", "6")
    config = home.config()
    assert (config.seed, config.chunk_size, config.description) == (6, 7, "file")
    assert config.origins()["seed"].place == "environment variable PAMOLA_SEED"
    monkeypatch.setenv("WHERE", "process")
    assert home.config().description == "process"


def test_it_stands_where_the_environment_stands(home: Any) -> None:
    home.write(".env", "PAMOLA_SEED=5\n")
    home.write("configs/t_1.yaml", "env_file: .env\nseed: 1\n")
    assert home.config().seed == 1
    home.write("configs/prj_config.yaml", "env_override: true\n")
    config = home.config()
    assert config.seed == 5
    assert config.origins()["seed"].overridden[0].place == "configs/t_1.yaml:2:7"


def test_what_it_says_must_fit_and_is_told_with_its_place(home: Any) -> None:
    home.write(".env", "\n# rows\nPAMOLA_CHUNK_SIZE=many\n")
    home.write("configs/t_1.yaml", "env_file: .env\nseed: x\n")
    assert home.problems() == [
        "configs/t_1.yaml:2:7: seed: expected a whole number or nothing, got text",
        ".env:3:1: variable PAMOLA_CHUNK_SIZE: chunk_size: expected a whole number, got text",
    ]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("A=b", "A", "b"),
        ("export A = b # why", "A", "b"),
        ("A=b#c", "A", "b#c"),
        ("A=", "A", ""),
        ("A= # nothing", "A", ""),
        ("A='x # y'", "A", "x # y"),
        ("A='${HOME}' # as it is", "A", "${HOME}"),
        ('A="x\\n\\"y\\" \\$z \\\\"', "A", 'x\n"y" $z \\'),
        ("A='-----BEGIN\nx\n-----END'", "A", "-----BEGIN\nx\n-----END"),
        ("A=b\r\nB=c\r\n", "B", "c"),
        ("a_1=grün 数", "a_1", "grün 数"),
        ("A=x=y==", "A", "x=y=="),
        ("A=it's", "A", "it's"),
        ("A=50$", "A", "50$"),
    ],
)
def test_lines_are_read_as_other_tools_read_them(text: str, name: str, value: str) -> None:
    assert values(text)[name] == value


MISTAKES = """\
PAMOLA_SEED=1
1X=2
just words
A="x" y
B="\\q"
C=${HOME}/x
PAMOLA_SEED=2
D="unfinished
E=5
"""


def test_every_mistake_is_told_with_its_place_and_without_the_value(home: Any) -> None:
    home.write(".env", MISTAKES)
    home.write("configs/t_1.yaml", "env_file: .env\n")
    assert home.problems() == [
        ".env:2:1: a name consists of letters, digits and _, and does not start with a digit",
        ".env:3:1: expected NAME=value",
        ".env:4:6: text behind a quoted value",
        '.env:5:4: not an escape: there are \\n, \\r, \\t, \\", \\$ and \\\\',
        ".env:6:3: variables in values are not expanded here: write a literal $ in single quotes",
        ".env:7:1: PAMOLA_SEED: the variable is defined twice (first in line 1)",
        ".env:8:3: a quote that does not end",
    ]


def test_it_must_be_there_in_the_project_and_named_plainly(home: Any) -> None:
    home.write("configs/t_1.yaml", "seed: 1\nenv_file: .env\n")
    assert home.problems() == ["configs/t_1.yaml:2:11: env_file: there is no such file in the project"]
    home.write("configs/t_1.yaml", "env_file: ${env:HOME}/.env\n")
    assert home.problems() == ["configs/t_1.yaml:1:11: env_file: a reference cannot be used here"]
    home.write("configs/t_1.yaml", "env_file: 5\n")
    assert home.problems() == ["configs/t_1.yaml:1:11: env_file: expected text or nothing, got a whole number"]
    for outside in ("../.env", "/etc/environment", "~/.env"):
        with pytest.raises(PathSecurityError):
            home.config(env_file=outside)


def test_names_that_only_the_environment_has_are_warned_of(home: Any) -> None:
    home.write(".env", "PAMOLA_KEY=x\nPAMOLA_ENV_FILE=other\nPAMOLA_ENV_OVERRIDE=true\n")
    home.write("configs/t_1.yaml", "env_file: .env\n")
    config = home.config()
    assert config.warnings == (".env:1:1: PAMOLA_KEY has no effect here: set it in the environment",)
    assert (config.env_file, config.env_override) == (".env", False)


@pytest.mark.parametrize(
    "content",
    [
        b"A=caf\xe9",
        "A=x".encode("utf-16"),
        b"A=x\0y",
        b"A=" + b"x" * (1 << 20),
        b"".join(b"A%d=x\n" % n for n in range(10_001)),
        b"\xef\xbb\xbf\xef\xbb\xbfA=1",
    ],
)
def test_what_is_no_text_or_too_much_is_refused(home: Any, content: bytes) -> None:
    home.write(".env", content)
    home.write("configs/t_1.yaml", "env_file: .env\n")
    assert all(problem.startswith(".env:") for problem in home.problems())


@given(st.text(st.sampled_from("AB=1'\"\\ \t#\n\r$ {}é\x00n"), max_size=60))
def test_whatever_stands_in_it_nothing_but_problems_comes_of_it(text: str) -> None:
    try:
        found = variables_of(Document(".env", "env", text))
    except ValidationError:
        return
    assert set(found.values) == set(found.offsets)


@pytest.mark.parametrize("sign", ['"', "'", "\\", "A=", 'A="\\', "# ", " ", "\n", "$", "A=' "])
def test_a_megabyte_of_one_sign_costs_its_length(sign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of the matchers grow as the file does; one of a megabyte is read in the end."""

    def read(length: int) -> None:
        with suppress(ValidationError):
            variables_of(Document(".env", "env", (sign * length)[:length]))

    read(1 << 20)
    assert grows_evenly(calls(lambda: read(10_000)), calls(lambda: read(20_000)))
    steps = Steps()
    steps.count(monkeypatch, env_file)
    read(1000)
    once = steps.taken
    read(2000)
    assert grows_evenly(once, steps.taken - once)


def test_secrets_in_it_are_hidden_wherever_they_turn_up(home: Any) -> None:
    from pamola_tasks.lifecycle import RunSession
    from pamola_tasks.protocols import RunOptions

    home.write(".env", "DB_PASSWORD=hunter2-in-a-file\nAPI_TOKEN='pass phrase/of mine'\nPLAIN=visible-word\n")
    home.write("configs/t_1.yaml", "env_file: .env\ndescription: with ${env:DB_PASSWORD} and ${env:PLAIN}\n")
    session = RunSession(home.kernel, None, RunOptions(overrides={"env_file": ".env"}), runs=False)
    run = session.bring_up("config")
    told = run.redact("hunter2-in-a-file pass%20phrase%2Fof%20mine aHVudGVyMi1pbi1hLWZpbGU= visible-word")
    assert told == "*** *** *** visible-word"
    shown = json.dumps(home.config().to_dict())
    assert "visible-word" not in shown, "what a reference gave is hidden, whatever the variable is called"
