"""References, secrets, and that they are never shown: behaviour 18, defect B9."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from pamola_tasks import Secret
from pamola_tasks.errors import ConfigurationError


def test_an_environment_variable_is_put_in_once_and_never_looked_at_again(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE", "${env:OTHER}")
    monkeypatch.setenv("OTHER", "no")
    monkeypatch.setenv("ROWS", "500")
    home.write("configs/t_1.yaml", 'description: "in ${env:WHERE}"\nchunk_size: "${env:ROWS}"\nown: ["${env:ROWS}"]\n')
    config = home.config()
    assert (config.description, config.chunk_size, config.own) == ("in ${env:OTHER}", 500, ["500"])


def test_a_reference_in_a_variable_is_text(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "no")
    monkeypatch.setenv("PAMOLA_DESCRIPTION", "${env:OTHER}")
    assert home.config().description == "${env:OTHER}"


def test_a_variable_that_is_not_set_is_an_error_at_the_place_of_the_reference(home: Any) -> None:
    home.write("configs/t_1.yaml", "seed: 1\ndescription: ${env:ABSENT_HERE}\n")
    assert home.problems() == [
        "configs/t_1.yaml:2:14: description: ${env:ABSENT_HERE}: this environment variable is not set"
    ]


def test_only_the_winner_is_expanded(home: Any) -> None:
    home.write("configs/prj_config.yaml", "description: ${env:ABSENT_HERE}\n")
    home.write("configs/t_1.yaml", "description: here\n")
    assert home.config().description == "here"


def test_what_a_variable_holds_must_fit_the_key(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWS", "many")
    home.write("configs/t_1.yaml", "chunk_size: ${env:ROWS}\n")
    assert home.problems() == ["configs/t_1.yaml:1:13: chunk_size: expected a whole number, got text"]


def test_a_secret_is_a_secret_wherever_it_is_used(home: Any) -> None:
    home.knows({"db": "hunter2-long", "loop": "${secret:db}"})
    home.owns_section("cohort")
    home.write(
        "configs/t_1.yaml",
        "url: postgres://me:${secret:db}@host/x\nagain: ${secret:loop}\ncohort: {token: '${secret:db}'}\n",
    )
    config = home.config()
    assert isinstance(config.url, Secret)
    assert config.url.reveal() == "postgres://me:hunter2-long@host/x"
    assert config.again.reveal() == "${secret:db}"
    assert config.plugin("cohort").token == Secret("hunter2-long")
    assert pickle.loads(pickle.dumps(config.url)).reveal() == "postgres://me:hunter2-long@host/x"
    for text in (str(config), repr(config.url), json.dumps(config.to_dict()), str(config.origins())):
        assert "hunter2" not in text


def test_a_secret_that_nobody_knows_is_an_error_when_it_is_needed(home: Any, stated: Any) -> None:
    from pamola_tasks_config.cascade import collect
    from pamola_tasks_config.task_config import TaskConfig

    home.write("configs/t_1.yaml", "password: ${secret:absent}\n")
    project = home.kernel.project
    task = stated("t_1")
    config = TaskConfig(project, task, collect(project, task, {}), {})
    assert str(config.password) == "***"
    with pytest.raises(
        ConfigurationError, match=r"t_1\.yaml:1:11: password: no installed plugin knows the secret 'absent'"
    ):
        config.password.reveal()


def test_a_key_that_reports_show_cannot_hold_a_secret(home: Any) -> None:
    home.write("configs/t_1.yaml", "description: ${secret:db}\n")
    assert home.problems() == [
        "configs/t_1.yaml:1:14: description: this key is shown in reports and cannot hold a secret"
    ]


def test_a_reference_needs_a_name(home: Any) -> None:
    home.write("configs/t_1.yaml", "own: ['${env:}']\nother: ${secret:a b}\n")
    assert [line.split(": ", 1)[0] for line in home.problems()] == ["configs/t_1.yaml:1:7", "configs/t_1.yaml:2:8"]


def test_secrets_written_in_a_file_are_neither_shown_nor_saved(home: Any) -> None:
    home.write(
        "configs/prj_config.yaml",
        "tasks:\n  t_1:\n    seed: 3\n    api_token: tok-12345\n    dbPassword: hunter2\n"
        "    url: https://me:hunter2@host/\n    nested: {Authorization: Bearer hunter2}\n    ref: ${secret:db}\n",
    )
    home.knows({"db": "hunter2"})
    config = home.config()
    assert config.api_token == "tok-12345"
    shown = json.dumps(config.to_dict()) + str(config.origins())
    saved = config.save().read_text()
    for text in (shown, saved):
        assert "hunter2" not in text
        assert "tok-12345" not in text
    assert "seed: 3" in saved
    assert "${secret:db}" in saved
    assert str(home.root) not in saved
