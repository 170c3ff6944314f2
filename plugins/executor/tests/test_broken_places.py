"""Places of other plugins that are broken: a step fails with the place named, and a good run stays good."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from parallel_steps import Given

from pamola_tasks import Kernel, Operation, OperationContext, OperationResult, hookimpl
from pamola_tasks_executor import State, TaskOperationExecutor, perform


class Place:
    """A place that works, in this process."""

    def __init__(self) -> None:
        self.looks = 0
        self.cancelled = False

    def submit(self, work: Any) -> Any:
        return perform(work.data)

    def state(self, handle: bytes, wait: float) -> Any:
        self.looks += 1
        if self.looks > 50:
            raise KeyboardInterrupt("it was asked for ever")
        return State(name="ended", answer=self.answer(handle))

    def answer(self, right: bytes) -> bytes:
        return right

    def cancel(self, handle: Any) -> None:
        self.cancelled = True

    def close(self) -> None:
        pass


class Plugin:
    """Runs steps in a place."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @hookimpl
    def pamola_provide_executor(self, run: Any) -> Any:
        return TaskOperationExecutor(run.config, run.logger, run.reporter, elsewhere=self.place)


class Nothing(Operation):
    """Does nothing."""

    def execute(self, ctx: OperationContext) -> OperationResult:
        return OperationResult.success()


def run(folder: Path, place: Place) -> Any:
    (folder / ".pamola.toml").touch()
    kernel = Kernel(project=folder, plugins=[Plugin(place)])
    return kernel.run(Given((Nothing, {}, {"id": "a"})), overrides={"retry.max_retries": 0})


def failure(folder: Path, place: Place) -> str:
    outcome = run(folder, place)
    assert not outcome.success
    return str(outcome.error)


def test_a_place_that_works(tmp_path: Path) -> None:
    outcome = run(tmp_path, Place())
    assert outcome.success, outcome.error
    assert outcome.record.warnings == []


class Strange(Place):
    def __init__(self, state: Any) -> None:
        super().__init__()
        self.given = state

    def state(self, handle: bytes, wait: float) -> Any:
        super().state(handle, wait)
        return self.given


@pytest.mark.parametrize("state", [State(name="done"), None, "ended"], ids=["unknown", "none", "text"])  # type: ignore[arg-type]
def test_an_unknown_state_fails_the_step(tmp_path: Path, state: Any) -> None:
    place = Strange(state)
    said = failure(tmp_path, place)
    assert "Strange gave" in said
    assert "waiting, running, ended" in said
    assert place.cancelled


class Garbled(Place):
    def __init__(self, given: bytes | None) -> None:
        super().__init__()
        self.given = given

    def answer(self, right: bytes) -> bytes:
        return right[:-20] if self.given is None else self.given


GARBLED = {
    "nothing": b"",
    "garbage": b"garbage",
    "truncated": None,
    "another pickle": pickle.dumps({"x": 1}),
    "another object": pickle.dumps(({}, pickle.dumps(OperationResult.success()))),
}


@pytest.mark.parametrize("kind", GARBLED)
def test_an_answer_that_cannot_be_read_fails_the_step(tmp_path: Path, kind: str) -> None:
    said = failure(tmp_path, Garbled(GARBLED[kind]))
    assert "Garbled gave an answer that cannot be read" in said


class Chatty(Place):
    def state(self, handle: bytes, wait: float) -> Any:
        return State(name="running", messages=[b"garbage"])


def test_a_message_that_cannot_be_read_fails_the_step(tmp_path: Path) -> None:
    assert "Chatty sent a message that cannot be read" in failure(tmp_path, Chatty())


class Unclosable(Place):
    def close(self) -> None:
        raise RuntimeError("cannot close")


def test_a_place_that_cannot_be_closed_is_a_warning(tmp_path: Path) -> None:
    outcome = run(tmp_path, Unclosable())
    assert outcome.success, outcome.error
    assert any("Unclosable failed" in warning for warning in outcome.record.warnings)


class Stubborn(Place):
    def state(self, handle: bytes, wait: float) -> Any:
        raise ConnectionError("the net is down")

    def cancel(self, handle: Any) -> None:
        raise RuntimeError("cannot cancel")


def test_work_that_cannot_be_cancelled_fails_by_its_own_reason(tmp_path: Path) -> None:
    outcome = run(tmp_path, Stubborn())
    assert "the net is down" in str(outcome.error)
    assert any("Stubborn could not cancel it" in warning for warning in outcome.record.warnings)
