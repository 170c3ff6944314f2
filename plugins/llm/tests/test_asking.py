"""The service `llm`: what is refused before anything is sent, and endpoints that lie, are slow or refuse."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_stub import Http, Stub, completion

from pamola_tasks import Kernel
from pamola_tasks.errors import ConfigurationError, PamolaTaskError
from pamola_tasks.protocols import RunOptions
from pamola_tasks_llm.prompts import Prompt

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


@pytest.fixture
def asking(stub: Stub, place: Path, nothing_around: None) -> Iterator[Any]:
    """Gives the service of a project with these settings."""
    made = []

    def ask(overrides: dict[str, Any] | None = None, **more: Any) -> Any:
        section = {**stub.settings(), **more}
        (place / "configs/prj_config.json").write_text(json.dumps({"llm": section}))
        kernel = Kernel(place)
        run = kernel.services(None, upto="llm", options=RunOptions(overrides=overrides or {}))
        made.append(run.llm)
        return run.llm

    yield ask
    for each in made:
        each.close()


def test_an_answer_says_what_was_asked_and_what_it_cost(stub: Stub, asking: Any, monkeypatch: Any) -> None:
    """The key is that of the configuration and no other; a fence round the JSON does not count."""
    monkeypatch.setenv("THE_KEY", "k-1234567890")
    monkeypatch.setenv("OPENAI_API_KEY", "of another service")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://203.0.113.9/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://203.0.113.9:3128")
    stub.answer = lambda asked: "```json\n" + json.dumps({"n": asked["of"]}) + "\n```"
    model = asking(api_key="${env:THE_KEY}")
    answer = model.ask(Prompt(instruction="How many?", data={"of": 3}), SCHEMA)
    assert (answer.data, answer.model, answer.tokens, answer.salt) == ({"n": 3}, "stub-1", 11, "")
    assert answer.seconds > 0
    assert answer.sha256 == model.ask(Prompt(instruction="How many?", data={"of": 3}), SCHEMA).sha256
    assert stub.keys == ["Bearer k-1234567890"] * 2
    model = asking(max_answer=4096)
    model.ask(Prompt(instruction="How many?", data={"of": 3}), SCHEMA)
    assert stub.keys[-1] == "Bearer none"
    assert json.loads(stub.bodies[-1])["max_tokens"] == 4096
    assert model.settings.max_answer == 4096
    assert model._run.redactor("4096 records") == "4096 records"  # keys that are called tokens hide their values


BAD: dict[str, tuple[Any, str, int]] = {  # what is answered, what is said of it, how often it was asked
    "not JSON": ("I would say three.", "is not JSON", 2),
    "not of the form": ({"n": "3"}, "`type` at", 2),
    "more than was asked": ({"n": 3, "run": "rm -rf /"}, "`additionalProperties`", 2),
    "no number": ('{"n": NaN}', "is not JSON", 2),
    "deep": ("[" * 100_000, "is not JSON", 2),
    "no completion": (Http(body=b"[1, 2]"), "not a chat completion", 1),
    "HTML": (Http(body=b"<html>busy</html>", headers={"Content-Type": "text/html"}), "not a chat completion", 1),
    "empty": (Http(body=b'{"choices": []}'), "not a chat completion", 1),
    "huge": (completion("x" * 1_100_000), "more than 1 MiB", 1),
    "busy": (Http(429, b"{}", {"retry-after-ms": "1"}), "too many requests", 2),
    "broken": (Http(500, b"secret trace", {"retry-after-ms": "1"}), "status 500", 2),
    "no key": (Http(401, b"{}"), "the key is missing or wrong", 1),
    "unknown": (Http(404, b"{}"), "no such model or path", 1),
    "moved": (Http(307, b"", {"Location": "http://203.0.113.9/v1/chat/completions"}), "status 307", 1),
    "bad request": (Http(400, b"{}"), "refused the request", 2),
    "drips": (Http(body=b" " * 100, drips=0.02), "too slowly", 1),
}


@pytest.mark.parametrize("case", BAD)
def test_an_endpoint_that_lies_is_slow_or_refuses(stub: Stub, asking: Any, case: str) -> None:
    """What it says is not repeated in messages."""
    reply, words, times = BAD[case]
    stub.answer = lambda asked: reply
    model = asking(timeout=0.1 if case == "drips" else 5, **({"retries": 0} if case == "drips" else {}))
    with pytest.raises(PamolaTaskError) as caught:
        model.ask(Prompt(instruction="How many?"), SCHEMA)
    assert words in str(caught.value)
    assert "rm -rf" not in str(caught.value)
    assert "secret trace" not in str(caught.value)
    assert len(stub.bodies) == times


def test_what_comes_right_in_the_end_is_taken(stub: Stub, asking: Any) -> None:
    """Busy, then without `response_format`, then garbage, then right."""
    replies = iter([Http(429, b"{}", {"retry-after-ms": "1"}), Http(400, b"{}"), "what?", {"n": 5}])
    stub.answer = lambda asked: next(replies)
    assert asking().ask(Prompt(instruction="How many?"), SCHEMA).data == {"n": 5}
    assert ["response_format" in json.loads(body) for body in stub.bodies] == [True, True, False, False]


def test_silence_and_no_server(stub: Stub, asking: Any) -> None:
    stub.answer = lambda asked: time.sleep(0.3)
    with pytest.raises(PamolaTaskError, match=r"did not answer within 0\.1 s"):
        asking(timeout=0.1, retries=0).ask(Prompt(instruction="?"), SCHEMA)
    stub.answer = lambda asked: Http(body=b"  ", drips=0.3)
    with pytest.raises(PamolaTaskError, match="stopped in the middle of its answer"):
        asking(timeout=0.1, retries=0).ask(Prompt(instruction="?"), SCHEMA)
    with pytest.raises(PamolaTaskError, match="cannot be reached"):
        asking(endpoint="http://127.0.0.1:9/v1", retries=0).ask(Prompt(instruction="?"), SCHEMA)


REMOTE = {"endpoint": "https://models.example.org/v1", "remote": True}
REFUSED: dict[str, tuple[dict[str, Any], Prompt | str, str]] = {
    "a text may hold anything": ({}, "Who is Ada?", "llm.level is schema"),
    "values": ({}, Prompt(instruction="?", level="levels", columns=["sex"]), "llm.level is schema"),
    "of no column": ({"level": "levels"}, Prompt(instruction="?", level="levels"), "does not say of which columns"),
    "of another column": (
        {"level": "levels", "levels": ["sex"]},
        Prompt(instruction="?", level="levels", columns=["sex", "city"]),
        "list these in llm.levels",
    ),
    "records": (
        {"level": "levels", "levels": ["sex"]},
        Prompt(instruction="?", level="rows", columns=["sex"]),
        "llm.level is levels",
    ),
    "records elsewhere": (
        {**REMOTE, "level": "rows", "levels": ["sex"]},
        Prompt(instruction="?", level="rows", columns=["sex"]),
        "never sent to models.example.org",
    ),
    "a text elsewhere": ({**REMOTE, "level": "rows"}, "Who is Ada?", "never sent to models.example.org"),
    "nothing configured": (
        {"endpoint": None, "model": None},
        Prompt(instruction="?"),
        "no language model is configured",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_not_be_sent_is_not_sent(stub: Stub, asking: Any, case: str) -> None:
    settings, prompt, words = REFUSED[case]
    if settings.get("endpoint", "") is None:
        settings = {**dict.fromkeys(stub.settings()), "retries": 2, "timeout": 60}
    with pytest.raises(PamolaTaskError, match=words):
        asking(**settings).ask(prompt, SCHEMA)
    assert not stub.bodies


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "elsewhere": ({"endpoint": "https://models.example.org/v1"}, "is not on this machine: set llm.remote: true"),
    "looks local": ({"endpoint": "http://localhost.example.org/v1"}, "is not on this machine"),
    "another of the network": ({"endpoint": "http://192.168.1.5:8000/v1"}, "is not on this machine"),
    "no TLS": ({**REMOTE, "endpoint": "http://models.example.org/v1"}, "has no TLS"),
    "a file": ({"endpoint": "file:///etc/passwd"}, "is not an address"),
    "a user": ({"endpoint": "http://me:pw@localhost/v1"}, "holds more than a host and a path"),
    "no model": ({"model": None}, "llm.model is missing"),
    "no endpoint": ({"endpoint": None}, "llm.endpoint is missing"),
    "no level": ({"levels": ["sex"]}, "does nothing with `level: schema`"),
    "no time": ({"timeout": 0}, "timeout must be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_configuration_that_cannot_be_meant(asking: Any, case: str) -> None:
    settings, words = WRONG[case]
    with pytest.raises(ConfigurationError) as caught:
        asking(**settings)
    assert words in str(caught.value)


def test_a_key_that_is_written_out_is_refused(stub: Stub, asking: Any) -> None:
    stub.answer = lambda asked: {"n": 1}
    for overrides in ({}, {"llm.api_key": "k-0987654321"}):
        model = asking(overrides, **({} if overrides else {"api_key": "k-1234567890"}))
        with pytest.raises(PamolaTaskError, match="api_key is written out") as caught:
            model.ask(Prompt(instruction="?"), SCHEMA)
        assert "k-1234567890" not in str(caught.value)
    assert not stub.bodies


def test_locks_and_tasks(place: Path, stub: Stub, nothing_around: None) -> None:
    """What the project locks no command line changes; a task file cannot say where names are sent."""
    config = {"llm": stub.settings(), "locked": ["llm.remote", "llm.level"]}
    (place / "configs/prj_config.json").write_text(json.dumps(config))
    task = {"task_id": "t", "input_datasets": {"people": "DATA/raw/people.csv"}, "llm": {"model": "mine"}}
    task["operations"] = [{"SuggestOperation": {"input_dataset": "people"}}]
    (place / "configs/t.json").write_text(json.dumps(task))
    with pytest.raises(ConfigurationError, match="a task cannot say which language model"):
        Kernel(place).run("t")
    (place / "configs/t.json").write_text(json.dumps({**task, "llm": {}}))
    for key, value in (("remote", True), ("level", "rows")):
        with pytest.raises(ConfigurationError, match="is locked by"):
            Kernel(place).run("t", options=RunOptions(overrides={f"llm.{key}": value}))
    assert not stub.bodies
