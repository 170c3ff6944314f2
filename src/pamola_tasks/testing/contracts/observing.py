"""The contracts of redactor, logging, progress and reporter: what people see of a run, and what they must not see."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pamola_tasks.secret import Secret
from pamola_tasks.testing.contracts.base import ServiceContract
from pamola_tasks.testing.contracts.steps import MARKER, Break, Copy

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.testing.contracts.faults import Events, Faults

SECRET = "Tq7-contract-secret"


class RedactorContract(ServiceContract):
    """What `Redactor` promises."""

    service = "redactor"

    @pytest.fixture
    def redactor(self, kernel: Kernel) -> Any:
        """A redactor, outside of runs."""
        return self.provided(kernel)

    def provided(self, kernel: Kernel) -> Any:
        """A redactor, outside of runs."""
        return kernel.plugins.provide("redactor", run=None)

    def test_a_registered_secret_is_hidden(self, redactor: Any) -> None:
        """A secret, registered as text or `Secret`, is in no text any more, and the rest of the text stays."""
        redactor.register(SECRET)
        redactor.register(Secret("Other-secret-1"))
        said = redactor(f"before {SECRET} and Other-secret-1 after")
        assert SECRET not in said
        assert "Other-secret-1" not in said
        assert said.startswith("before ")
        assert said.endswith(" after")

    def test_secrets_in_values_are_hidden(self, redactor: Any) -> None:
        """`value` gives JSON in which no registered secret, no `Secret` and nothing under a secret name is left."""
        redactor.register(SECRET)
        value = {"a": [f"x{SECRET}", {"password": "hidden-word"}], "b": Secret("Deep-secret-2"), "n": 1, "none": None}
        said = json.dumps(redactor.value(value))
        assert not [word for word in (SECRET, "hidden-word", "Deep-secret-2") if word in said], said
        assert json.loads(said)["n"] == 1

    def test_what_it_learns_is_hidden(self, redactor: Any) -> None:
        """`learn` registers what is secret in a nested value: each `Secret`, and texts under secret names."""
        redactor.learn({"db": {"password": "learnt-word-3"}, "key": Secret("Learnt-secret-4")})
        said = redactor("learnt-word-3 Learnt-secret-4")
        assert "learnt-word-3" not in said
        assert "Learnt-secret-4" not in said

    def test_patterns_and_predicates_count(self, redactor: Any) -> None:
        """Texts that a pattern matches are hidden, and values under names for which a predicate says so."""
        redactor.add_pattern(r"MRN\d+")
        redactor.add_predicate(lambda key: key == "badge")
        assert "MRN123" not in redactor("patient MRN123")
        assert redactor.hides("badge")
        assert not redactor.hides("age")
        assert "N-77" not in json.dumps(redactor.value({"badge": "N-77"}))

    def test_it_never_raises(self, redactor: Any) -> None:
        """Whatever the value is, `value` gives JSON, and no text is too odd."""
        redactor.register(SECRET)
        assert isinstance(redactor("\ud800\x00" * 3), str)
        json.dumps(redactor.value({1: object(), "deep": [{"set": {1}}, b"bytes", float("nan"), Path("x")]}))

    def test_no_error_holds_a_cell(self, redactor: Any) -> None:
        """Message and traceback of an error of a foreign library hold nothing out of the data; its class is said."""
        try:
            int(MARKER)
        except ValueError as error:
            disclosure = redactor.disclosure()
            said = disclosure.message(error)
            traced = disclosure.trace(error)
        assert MARKER not in said
        assert MARKER not in traced
        assert said


class LoggingContract(ServiceContract):
    """What `Logging` promises."""

    service = "logging"

    def provided(self, kernel: Kernel) -> Any:
        """What a run would get: a task that is only looked at has no log."""
        return kernel.plugins.provide("logging", run=self.look(kernel))

    def caught(self, kernel: Kernel, events: Events, *steps: Any, **more: Any) -> list[logging.LogRecord]:
        """The records that reach the handlers of a run."""
        found: list[logging.LogRecord] = []

        def look(run: Any) -> None:
            run.redactor.register(SECRET)
            for handler in run.logging.handlers[:1]:
                handler.addFilter(lambda record: found.append(record) or True)  # type: ignore[func-returns-value]
            run.logger.info("the word is %s", SECRET)

        events.asked["run_started"] = look
        self.run(kernel, *steps, **more)
        return found

    def test_there_are_handlers(self, kernel: Kernel, events: Events) -> None:
        """A run has handlers, and the lines of its steps reach them."""
        found = self.caught(kernel, events)
        assert [record for record in found if "Copy" in record.getMessage()], "no line of the step reached a handler"

    def test_lines_carry_run_task_and_step(self, kernel: Kernel, events: Events) -> None:
        """Records carry `run_id` and `task_id`, and those of a step `step_id`."""
        found = self.caught(kernel, events)
        assert {record.__dict__.get("task_id") for record in found} == {"contract"}
        assert "Copy" in {record.__dict__.get("step_id") for record in found}

    def test_what_is_written_holds_no_secret_and_no_cell(self, kernel: Kernel, events: Events, project: Path) -> None:
        """No file that the log writes holds a secret, or a cell that an error names."""
        before = set(project.rglob("*"))
        self.caught(kernel, events, Break, success=False)
        assert (project / "people.json").exists()
        for path in set(project.rglob("*")) - before:
            if path.is_file() and path.suffix not in (".json", ".csv"):
                text = path.read_text(errors="replace")
                assert SECRET not in text, f"{path.name} holds a secret"
                assert MARKER not in text, f"{path.name} holds a cell"

    def test_a_log_that_cannot_be_written_stops_no_run(self, kernel: Kernel, faults: Faults) -> None:
        """A run goes well though its log cannot be written."""
        with faults.full_disk(".log"):
            self.run(kernel)

    def test_it_can_be_closed_twice(self, kernel: Kernel, events: Events) -> None:
        """`close` may be called again."""
        found: list[Any] = []
        events.asked["run_started"] = lambda run: found.append(run.logging)
        self.run(kernel)
        found[0].close()


class ProgressContract(ServiceContract):
    """What `Progress` promises."""

    service = "progress"

    def shown(self, kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
        """What a run with much progress prints: on standard output and on standard error."""
        run = self.look(kernel)
        capfd.readouterr()
        self.work(run.progress)
        run.progress.close()
        out, err = capfd.readouterr()
        return out, err

    def work(self, progress: Any) -> None:
        """All that a run may do."""
        progress.set_total_operations(2)
        for name, total in (("first", 3), ("second", 0)):
            progress.start_operation(name, total=total, description="A step", unit="rows")
            for _ in range(5):
                progress.update_operation(name, 1)
            progress.complete_operation(name, success=name == "first")

    def test_standard_output_stays_clean(self, kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
        """Nothing is printed on standard output, which belongs to results."""
        assert self.shown(kernel, capfd)[0] == ""

    def test_quiet_shows_nothing(self, kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
        """Where the caller asked for quiet, nothing is printed."""
        assert self.shown(kernel, capfd) == ("", "")

    def test_totals_may_be_unknown_and_wrong(self, kernel: Kernel) -> None:
        """A total may be unknown, come late, or be less than what is done."""
        progress = self.provided(kernel)
        progress.start_operation("late")
        progress.update_operation("late", 2.5)
        progress.set_operation_total("late", 10, "rows")
        progress.update_operation("late", 20)
        progress.complete_operation("late")
        progress.close()

    def test_steps_may_be_skipped_and_overlap(self, kernel: Kernel) -> None:
        """A step may end without having begun, and steps may run at the same time."""
        progress = self.provided(kernel)
        progress.set_total_operations(3)
        progress.complete_operation("skipped")
        for name in ("one", "two"):
            progress.start_operation(name, total=1)
        for name in ("one", "two"):
            progress.update_operation(name)
            progress.complete_operation(name, success=False, metrics={"rows": 1})
        progress.close()

    def test_it_can_be_closed_twice(self, kernel: Kernel) -> None:
        """`close` may be called again, also in the middle of a step."""
        progress = self.provided(kernel)
        progress.start_operation("one", total=5)
        progress.close()
        progress.close()


class ReporterContract(ServiceContract):
    """What `Reporter` promises."""

    service = "reporter"

    def report(self, kernel: Kernel, run_id: str | None = None) -> Path:
        """Where the report of a run, or the newest one, is."""
        run = self.look(kernel)
        return Path(run.files.root, run.places.of("contract").report(run_id))

    def test_every_run_has_a_report(self, new_kernel: Callable[..., Kernel]) -> None:
        """Each run has a report of its own where `run.places` says, and the newest one a copy: JSON."""
        runs = [self.run(new_kernel()) for _ in range(2)]
        kernel = new_kernel()
        for outcome in runs:
            assert isinstance(json.loads(self.report(kernel, outcome.run_id).read_text()), dict)
        assert runs[1].report == self.report(kernel)
        newest = json.loads(self.report(kernel).read_text())
        assert newest == json.loads(self.report(kernel, runs[1].run_id).read_text())

    def test_a_failure_is_reported(self, new_kernel: Callable[..., Kernel]) -> None:
        """A run that failed has a report too, another than one that went well, without a cell."""
        good = self.run(new_kernel())
        bad = self.run(new_kernel(), Break, success=False)
        kernel = new_kernel()
        text = self.report(kernel, bad.run_id).read_text()
        assert MARKER not in text, "the report holds a cell"
        assert text != self.report(kernel, good.run_id).read_text()

    def test_what_a_task_adds_is_in_it(self, kernel: Kernel, project: Path) -> None:
        """Operations, artifacts and metrics that a task adds are in the report."""
        reporter = self.provided(kernel)
        reporter.add_operation("by hand", details={"rows": 3})
        reporter.add_metric("distance", 12.5)
        reporter.add_artifact("png", project / "picture.png", "A picture")
        said = json.dumps(reporter.generate_report(), default=str)
        assert [word for word in ("by hand", "12.5", "picture.png") if word not in said] == []

    def test_no_secret_is_written(self, kernel: Kernel, events: Events) -> None:
        """What is registered as a secret is not in the file."""

        def add(run: Any) -> None:
            run.redactor.register(SECRET)
            run.reporter.add_metric("note", f"the word is {SECRET}")

        events.asked["step_started"] = add
        outcome = self.run(kernel, Copy)
        assert outcome.report is not None
        assert SECRET not in outcome.report.read_text()

    def test_it_says_where_the_report_is(self, kernel: Kernel) -> None:
        """The outcome of a run has the path of the JSON report, which is there."""
        outcome = self.run(kernel)
        assert outcome.report is not None
        assert outcome.report.suffix == ".json"
        assert outcome.report.is_file()
