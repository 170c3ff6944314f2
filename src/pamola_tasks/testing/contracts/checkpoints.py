"""The contract of checkpoints: a step is skipped only while all it was made of, and all it left, is as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pamola_tasks.testing.contracts.base import ServiceContract
from pamola_tasks.testing.contracts.steps import Break, Copy

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.outcome import Outcome
    from pamola_tasks.testing.contracts.faults import Events, Faults


class CheckpointsContract(ServiceContract):
    """What `Checkpoints` promises."""

    service = "checkpoints"
    configuration: ClassVar[dict[str, Any]] = {"enable_checkpoints": True}

    def again(self, new_kernel: Callable[[], Kernel], events: Events, *steps: Any, **more: Any) -> list[str]:
        """Run by a new kernel; the steps that really ran."""
        events.seen.clear()
        self.run(new_kernel(), *steps, **more)
        return events.steps("step_finished")

    def left(self, outcome: Outcome) -> Path:
        """The table that the run published."""
        return Path(outcome.project_root, outcome.record.outputs[0].path)

    def test_a_finished_step_is_skipped(self, new_kernel: Callable[[], Kernel], events: Events) -> None:
        """The next run skips a step that has finished, and gives its metrics, datasets and artifacts."""
        first = self.run(new_kernel())
        assert self.again(new_kernel, events) == []
        events.seen.clear()
        second = self.run(new_kernel())
        assert events.steps("step_skipped") == ["Copy"]
        assert second.record.resumed_from == first.run_id
        assert second.record.metrics == first.record.metrics
        assert [each.sha256 for each in second.record.outputs] == [each.sha256 for each in first.record.outputs]
        assert [each.name for each in second.record.artifacts] == ["number_of_copy"]

    def test_a_changed_parameter_runs_the_step(self, new_kernel: Callable[[], Kernel], events: Events) -> None:
        """A step with another parameter runs."""
        self.run(new_kernel())
        assert self.again(new_kernel, events, (Copy, {"number": 2})) == ["Copy"]

    def test_a_changed_input_runs_the_step(
        self, new_kernel: Callable[[], Kernel], events: Events, project: Path
    ) -> None:
        """A step whose input has another content runs."""
        self.run(new_kernel())
        table = project / "people.json"
        table.write_text(table.read_text().replace("20", "21"))
        assert self.again(new_kernel, events) == ["Copy"]

    def test_a_changed_output_runs_the_step(
        self, new_kernel: Callable[[], Kernel], events: Events, faults: Faults
    ) -> None:
        """A step whose output was changed behind the back, size and times as they were, runs and makes it again."""
        path = self.left(self.run(new_kernel()))
        before = path.read_bytes()
        faults.change(path)
        assert self.again(new_kernel, events) == ["Copy"]
        assert path.read_bytes() == before

    def test_a_missing_output_runs_the_step(self, new_kernel: Callable[[], Kernel], events: Events) -> None:
        """A step whose output is gone runs and makes it again."""
        path = self.left(self.run(new_kernel()))
        path.unlink()
        assert self.again(new_kernel, events) == ["Copy"]
        assert path.exists()

    def test_restart_runs_the_step(self, new_kernel: Callable[[], Kernel], events: Events) -> None:
        """With `restart` every step runs."""
        self.run(new_kernel())
        assert self.again(new_kernel, events, restart=True) == ["Copy"]

    def test_clear_forgets(self, new_kernel: Callable[[], Kernel], events: Events) -> None:
        """After `clear` nothing is remembered, and the step runs."""
        self.run(new_kernel())
        self.provided(new_kernel()).clear()
        assert self.provided(new_kernel()).load() == {}
        assert self.again(new_kernel, events) == ["Copy"]

    def test_load_gives_what_the_step_left(self, new_kernel: Callable[[], Kernel]) -> None:
        """`load` gives the record of the step: run, metrics, outputs with the hash of their files; `seed` its seed."""
        outcome = self.run(new_kernel(), overrides={"seed": 7})
        found = self.provided(new_kernel())
        saved = found.load()["Copy"]
        assert saved.run_id == outcome.run_id
        assert saved.metrics == {"number": 1}
        assert {output.kind for output in saved.outputs} == {"output", "artifact"}
        for output in saved.outputs:
            content = Path(outcome.project_root, output.path).read_bytes()
            assert output.sha256 == hashlib.sha256(content).hexdigest(), f"the hash of {output.path} is another"
        assert found.seed() == 7

    def test_a_step_that_fails_leaves_nothing(self, new_kernel: Callable[[], Kernel], project: Path) -> None:
        """Of a step that fails after it has written, no file is where readers look, and no record is kept."""
        kernel = new_kernel()
        self.run(kernel, Break, success=False)
        assert not list(project.rglob("copy.*")), "what a failed step wrote can be read"
        assert self.provided(new_kernel()).load() == {}

    def test_a_full_disk_fails_the_step(self, new_kernel: Callable[[], Kernel], events: Events, faults: Faults) -> None:
        """A step whose output cannot be put in place has failed, is not remembered, and runs when there is room."""
        with faults.full_disk("output/copy"):
            self.run(new_kernel(), success=False)
        assert self.provided(new_kernel()).load() == {}
        assert self.again(new_kernel, events) == ["Copy"]

    def test_a_kill_loses_no_more_than_the_step(
        self, new_kernel: Callable[[], Kernel], events: Events, faults: Faults, project: Path
    ) -> None:
        """A process killed just before or just after a step's output is in place: the next run makes it whole."""
        whole = self.left(self.run(new_kernel())).read_bytes()
        for moment in ("replace", "replaced"):
            self.run(new_kernel(), (Copy, {"number": 2}))  # so that the next one has to run
            assert faults.killed(lambda: self.run(new_kernel()), moment, "output/copy"), "nothing was published"
            outcome = self.run(new_kernel())
            assert self.left(outcome).read_bytes() == whole
            assert outcome.record.metrics["Copy"] == {"number": 1}, "a record of another step was used"
            assert outcome.record.artifacts[0].sha256 == hashlib.sha256(b"1").hexdigest()
