"""What a finished step was made of, and what has changed since, in words."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_kit import Add

from pamola_tasks import Operation, Secret
from pamola_tasks.record import SavedOutput, SavedStep
from pamola_tasks_checkpoints.entries import from_entry, to_entry
from pamola_tasks_checkpoints.fingerprint import canonical, changes, parts_of, versions
from pamola_tasks_checkpoints.sources import code_hash


def test_the_parts_of_a_step_name_all_that_its_result_depends_on() -> None:
    parts = parts_of(Add(input_dataset="n", number=5), distribution="pack 1.0", inputs={"n": "abc"}, seed=7)
    assert parts["operation"] == "Add 1.0"
    assert parts["parameter number"] == "5"
    assert parts["parameter output_dataset"] == '"n_more"'
    assert parts["input n"] == "abc"
    assert parts["seed"] == "7"
    assert parts["distribution"] == "pack 1.0"
    assert parts["version pamola-tasks"] == versions()["pamola-tasks"]
    assert len(parts["code"]) == 64


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"parameter k": "5"}, {"parameter k": "10"}, ["`k` changed from 5 to 10"]),
        ({"parameter k": "5"}, {}, ["`k` is gone"]),
        ({}, {"parameter k": "5"}, ["`k` is new"]),
        ({"parameter k": "sha256:a"}, {"parameter k": "sha256:b"}, ["`k` changed"]),
        ({"input customers": "a"}, {"input customers": "b"}, ["input customers changed"]),
        ({}, {"input customers": "b"}, ["input customers is new"]),
        ({"input customers": "a"}, {}, ["input customers is gone"]),
        ({"module m": "a"}, {"module m": "b"}, ["module m changed"]),
        ({"code": "a"}, {"code": "b"}, ["the operation's source changed"]),
        ({"distribution": "p 1"}, {"distribution": "p 2"}, ["p 1 → p 2"]),
        ({"distribution": ""}, {"distribution": "p 2"}, ["nothing → p 2"]),
        ({"version pandas": "2"}, {"version pandas": "3"}, ["pandas changed from 2 to 3"]),
        ({"seed": "1"}, {"seed": "2"}, ["seed changed from 1 to 2"]),
        ({"operation": "A 1.0"}, {"operation": "A 1.1"}, ["operation changed from A 1.0 to A 1.1"]),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "2"}, []),
    ],
)
def test_changes_are_told_in_words(before: dict[str, str], after: dict[str, str], words: list[str]) -> None:
    assert changes(before, after) == words


@given(st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=5))
def test_equal_values_have_equal_text_in_whatever_order(values: dict[str, Any]) -> None:
    backwards = dict(reversed(values.items()))
    assert canonical(values) == canonical(backwards)


def test_unusual_values_have_text_too_and_long_ones_their_hash() -> None:
    class Colour(enum.Enum):
        RED = 1

    @attrs.frozen
    class Section:
        low: int = 1

    assert canonical({"b", "a"}) == '["a", "b"]'
    assert canonical(Section()) == '{"low": 1}'
    assert canonical(len) == '"builtins:len"'
    assert canonical(Colour.RED) == '"Colour.RED"'
    assert canonical(Path("a/b")) == '"a/b"'
    long = canonical(list(range(1000)))
    assert long.startswith("sha256:")
    assert long != canonical(list(range(1001)))


def test_another_secret_is_another_fingerprint_and_neither_can_be_read_from_it() -> None:
    one, two = canonical(Secret("correct horse")), canonical(Secret("battery staple"))
    assert one != two
    assert one == canonical(Secret("correct horse"))
    assert "correct" not in one
    assert changes({"parameter salt": one}, {"parameter salt": two}) == ["`salt` changed"]
    nested = canonical({"keys": [Secret("correct horse")]})
    assert "correct" not in nested
    assert nested != canonical({"keys": [Secret("battery staple")]})


def test_the_code_of_an_operation_is_the_file_it_is_written_in_or_what_can_be_seen_of_it() -> None:
    import hashlib
    import inspect

    assert code_hash(Add) == hashlib.sha256(Path(inspect.getfile(Add)).read_bytes()).hexdigest()
    scope: dict[str, Any] = {"Operation": Operation, "__name__": "made_up"}
    exec("class A(Operation):\n    def execute(self, ctx): return 1\n", scope)
    exec("class B(Operation):\n    def execute(self, ctx): return 2\n", scope)
    exec("class C(Operation):\n    def execute(self, ctx): return 1\n", scope)
    assert code_hash(scope["A"]) != code_hash(scope["B"])
    assert code_hash(scope["A"]) == code_hash(scope["C"])


def test_constants_count_as_code_where_there_is_no_file() -> None:
    scope: dict[str, Any] = {"Operation": Operation, "__name__": "made_up"}
    exec("class A(Operation):\n    def execute(self, ctx): return 'one'\n", scope)
    exec("class B(Operation):\n    def execute(self, ctx): return 'two'\n", scope)
    exec("class C(Operation):\n    def execute(self, ctx): return len(ctx)\n", scope)
    exec("class D(Operation):\n    def execute(self, ctx): return sum(ctx)\n", scope)
    assert len({code_hash(scope[name]) for name in "ABCD"}) == 4


def test_a_finished_step_is_the_same_after_a_journey_through_json() -> None:
    output = SavedOutput(
        kind="output", name="safe", path="DATA/a.csv", sha256="ab", bytes=3, format="csv", rows=2, columns=("a", "b")
    )
    artifact = SavedOutput(kind="artifact", name="n", path="p", sha256="c", bytes=1, artifact={"tags": ["x"]})
    saved = SavedStep(
        step_id="a",
        run_id="r",
        time="t",
        fingerprint={"code": "x"},
        outputs=(output, artifact),
        metrics={"k": 5},
        warnings=("look",),
        index=2,
        run_seed=7,
    )
    entry = json.loads(json.dumps(to_entry(saved)))
    assert (entry["schema"], entry["event"]) == (1, "step")
    assert from_entry(entry) == saved
    assert from_entry({**entry, "of_a_later_version": 1}) == saved


@pytest.mark.parametrize(
    "change",
    [{"outputs": None}, {"outputs": [{"kind": "output"}]}, {"step_id": 5}, {"fingerprint": "x"}, {"outputs": [3]}],
)
def test_an_entry_of_another_form_is_no_finished_step(change: dict[str, Any]) -> None:
    entry = to_entry(SavedStep(step_id="a", run_id="r", time="t", fingerprint={}))
    with pytest.raises(ValueError, match="not a finished step"):
        from_entry({**entry, **change})
    with pytest.raises(ValueError, match="not a finished step"):
        from_entry({key: value for key, value in entry.items() if key != "run_id"})
