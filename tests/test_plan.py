"""The order of steps follows from the datasets that they read and write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pamola_tasks import Operation, reads, writes
from pamola_tasks.errors import ParameterError, PlanError
from pamola_tasks.plan import Plan


class Work(Operation):
    """Reads and writes what it is told."""

    inputs: list[str] = reads([])
    outputs: list[str] = writes([])


def work(read: str = "", written: str = "") -> Work:
    return Work(inputs=read.split(), outputs=written.split())


def plan_of(*steps: Any, inputs: str = "raw") -> Plan:
    plan = Plan(inputs.split())
    for step_id, read, written in steps:
        plan.add(work(read, written), options={"id": step_id})
    return plan


def test_steps_need_those_that_write_what_they_read() -> None:
    plan = plan_of(("a", "raw", "x"), ("b", "raw", "y"), ("c", "x y raw", "z"))
    assert plan.needs(plan["a"]) == ()
    assert plan.needs(plan["c"]) == ("a", "b")
    assert plan.problems() == []
    assert plan.writer_of("raw") is None


def test_ids_are_the_names_numbered_and_inserting_moves_nobody() -> None:
    plan = Plan()
    ids = [plan.add(work()).id for _ in range(3)]
    assert ids == ["Work", "Work-2", "Work-3"]
    plan.add(work(), before="Work-2", options={"id": "between"})
    assert plan.step_ids == ["Work", "between", "Work-2", "Work-3"]
    plan.remove("Work-3", "not wanted")
    assert plan.deselected == {"Work-3": "not wanted"}
    assert plan.add(work()).id == "Work-4", "an id that was used is not used again"
    assert "Work-3" not in plan


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([("a", "raw", "raw")], "step a writes 'raw', which it also reads"),
        ([("a", "", "raw")], "which is an input of the task"),
        ([("a", "raw", "x"), ("b", "raw", "x")], "step b writes 'x', which step a writes already"),
        ([("a", "", ""), ("a", "", "")], "duplicate step id 'a'"),
        ([("a b", "", "")], "invalid step id"),
        ([("../a", "", "")], "invalid step id"),
        ([("", "", ""), ("-x", "", "")], "invalid step id"),
        ([("x" * 101, "", "")], "invalid step id"),
    ],
)
def test_a_step_that_cannot_be_is_refused_when_it_is_added(steps: Any, words: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_of(*steps)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"retries": 3}, "unknown parameter 'retries': did you mean 'retry'?"),
        ({"timeout": "soon"}, "timeout: expected a number"),
        ({"continue_on_error": "yes"}, "continue_on_error: expected true or false"),
    ],
)
def test_options_of_a_step_are_checked_as_parameters_are(options: Any, words: str) -> None:
    with pytest.raises(ParameterError) as refused:
        Plan().add(work(), options=options)
    assert words in str(refused.value)
    assert "step Work" in str(refused.value)


def test_a_plan_tells_all_its_problems() -> None:
    plan = plan_of(("b", "x", "y"), ("a", "raw nothing", "x"))
    assert plan.problems() == [
        "step b reads 'x' before step a writes it",
        "step a reads 'nothing', which is neither an input nor written: raw, y",
    ]


def test_asking_for_a_step_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(PlanError, match="no step 'z': it has a"):
        _ = plan_of(("a", "", ""))["z"]
    with pytest.raises(PlanError, match="it has none"):
        _ = Plan()["z"]


def test_a_new_order_names_every_step_once() -> None:
    plan = plan_of(("a", "", ""), ("b", "", ""))
    plan.reorder(["b", "a"])
    assert plan.step_ids == ["b", "a"]
    for wrong in (["a"], ["a", "a"], ["a", "b", "c"]):
        with pytest.raises(PlanError):
            plan.reorder(wrong)


def test_outputs_are_what_no_later_step_makes_another_dataset_of_and_what_is_listed() -> None:
    plan = plan_of(("mask", "raw", "masked"), ("anonymize", "masked", "safe"), ("profile", "safe", ""))
    assert plan.final_datasets() == {"safe"}, "a step that only looks turns nothing into an intermediate"
    assert plan.final_datasets(["masked"]) == {"safe", "masked"}
    assert plan.final_datasets(["unknown"]) == {"safe"}


@given(st.lists(st.tuples(st.sets(st.integers(0, 9)), st.booleans()), max_size=10))
def test_steps_added_in_order_never_wait_for_a_later_one(shapes: list[tuple[set[int], bool]]) -> None:
    plan = Plan(["raw"])
    for number, (wanted, writing) in enumerate(shapes):
        available = [f"d{other}" for other in sorted(wanted) if plan.writer_of(f"d{other}")] or ["raw"]
        plan.add(Work(inputs=available, outputs=[f"d{number}"] if writing else []))
    assert plan.problems() == []
    order = plan.step_ids
    for step in plan:
        assert all(order.index(needed) < order.index(step.id) for needed in plan.needs(step))
