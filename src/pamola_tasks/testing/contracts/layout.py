"""The contracts of project, places, directories and lock: where everything is, and who may work there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pamola_tasks.errors import AlreadyRunning, DirectoryManagerError, PathSecurityError
from pamola_tasks.testing.contracts.base import ServiceContract
from pamola_tasks.testing.contracts.steps import Break, ContractTask, Copy

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.testing.contracts.faults import Events, Faults

TYPES = ("task", "input", "output", "dictionaries", "temp", "logs", "state")
FOLDERS = ("raw", "processed", "reports", "configs", "project_logs")


class ProjectContract(ServiceContract):
    """What a provider of `Project` promises."""

    service = "project"

    def find(self, kernel: Kernel, start: Path, *, asked: bool = False) -> Any:
        """The project that a folder belongs to."""
        return kernel.plugins.provide("project", start=start, asked=asked)

    def test_the_root_is_absolute_and_resolved(self, kernel: Kernel, project: Path, tmp_path: Path) -> None:
        """The root is absolute, and no link is in it."""
        (tmp_path / "link").symlink_to(project)
        for start in (project, tmp_path / "link"):
            found = self.find(kernel, start)
            assert found.root == project.resolve()
            assert found.root.is_absolute()

    def test_a_folder_in_it_belongs_to_it(self, kernel: Kernel, project: Path) -> None:
        """From a folder of the project its root is found, with the file that marks it."""
        (project / "deep/folder").mkdir(parents=True)
        found = self.find(kernel, project / "deep/folder")
        assert found.root == project.resolve()
        assert found.marker

    def test_a_folder_that_was_asked_for_is_the_root(self, kernel: Kernel, project: Path) -> None:
        """Where a folder was asked for, it is the root, whatever is above it."""
        (project / "deep").mkdir()
        assert self.find(kernel, project / "deep", asked=True).root == project.resolve() / "deep"

    def test_its_id_stays(self, new_kernel: Callable[..., Kernel], project: Path) -> None:
        """The id of a project is the same in every process."""
        assert self.find(new_kernel(), project).id == self.find(new_kernel(), project).id

    def test_finding_it_changes_nothing(self, kernel: Kernel, project: Path) -> None:
        """Finding a project makes no file."""
        before = sorted(project.rglob("*"))
        self.find(kernel, project)
        assert sorted(project.rglob("*")) == before


class PlacesContract(ServiceContract):
    """What `Places` promises."""

    service = "places"

    def places(self, kernel: Kernel) -> Any:
        """The layout."""
        return self.provided(kernel)

    def test_every_type_has_a_place(self, kernel: Kernel) -> None:
        """A task has directories of all types, and the project its folders; none of them is made by asking."""
        places = self.places(kernel)
        place = places.of("t_1")
        assert [name for name in TYPES if not place.directories.get(name)] == []
        assert [name for name in FOLDERS if not places.folders.get(name)] == []
        assert not (kernel.project.root / place.home).exists(), "asking made a directory"

    def test_tasks_have_places_of_their_own(self, kernel: Kernel) -> None:
        """No directory, lock, manifest or report of a task is that of another."""
        kept = []
        for task in ("t_1", "t_2"):
            place = self.places(kernel).of(task)
            names = [place.lock, place.manifest, place.newest_report, place.run_reports, *place.directories.values()]
            kept.append(set(map(str, names)))
        assert not kept[0] & kept[1]

    def test_files_belong_to_their_task(self, kernel: Kernel) -> None:
        """`owner_of` gives the task for a path in any of its directories, relative or absolute, and "" elsewhere."""
        places = self.places(kernel)
        for name in places.of("t_1").directories.values():
            assert places.owner_of(f"{name}/deep/file.csv") == "t_1", f"whose is {name}?"
            assert places.owner_of(kernel.project.root / name / "file.csv") == "t_1"
        assert places.owner_of("people.json") == ""

    @pytest.mark.parametrize("task_id", ["../t_1", "a/b", "", ".."])
    def test_an_id_that_leads_elsewhere_is_refused(self, kernel: Kernel, task_id: str) -> None:
        """An id that is not a name is a PathSecurityError."""
        with pytest.raises(PathSecurityError):
            self.places(kernel).of(task_id)

    def test_what_runs_left_is_found(self, new_kernel: Callable[..., Kernel]) -> None:
        """`left` gives the tasks that left something, and `runs` those runs of a task that have a report, in order."""
        runs = [self.run(new_kernel()).run_id for _ in range(2)]
        self.run(new_kernel(), task=ContractTask(Copy, task_id="other"))
        places = self.places(new_kernel())
        assert places.left() == ["contract", "other"]
        assert places.runs("contract") == runs
        assert places.runs("never") == []


class DirectoriesContract(ServiceContract):
    """What `Directories` promises."""

    service = "directories"

    def test_they_are_made_where_places_says(self, kernel: Kernel) -> None:
        """`ensure_directories` makes every directory where `run.places` says, and gives them, absolute."""
        run = self.look(kernel)
        made = run.directories.ensure_directories()
        places = run.places.of("contract").directories
        for name in TYPES:
            assert made[name] == run.files.root / places[name]
            assert made[name].is_dir(), f"{name} was not made"
            assert run.directories.get_directory(name) == made[name]

    def test_an_unknown_type_is_an_error(self, kernel: Kernel) -> None:
        """A type that is not there is a DirectoryManagerError."""
        with pytest.raises(DirectoryManagerError):
            self.provided(kernel).get_directory("never")

    def test_temp_is_emptied_and_nothing_else(self, kernel: Kernel) -> None:
        """`clean_temp_directory` empties the temp directory, which stays, and touches no other."""
        directories = self.provided(kernel)
        made = directories.ensure_directories()
        for name in ("temp", "output"):
            (made[name] / "file.txt").write_text("")
        assert directories.clean_temp_directory()
        assert list(made["temp"].iterdir()) == []
        assert (made["output"] / "file.txt").exists()

    def test_artifacts_have_the_name_asked_for(self, kernel: Kernel) -> None:
        """`get_artifact_path` gives name and extension in the directory asked for, with a time unless it is not to."""
        directories = self.provided(kernel)
        found = directories.get_artifact_path("chart", "svg", "dictionaries", include_timestamp=False)
        assert found == directories.get_directory("dictionaries") / "chart.svg"
        stamped = directories.get_artifact_path("chart", "svg")
        assert stamped.parent == directories.get_directory("output")
        assert (stamped.name[:5], stamped.suffix) == ("chart", ".svg")

    def test_making_them_again_loses_nothing(self, kernel: Kernel) -> None:
        """Directories that are there stay as they are."""
        made = self.provided(kernel).ensure_directories()
        (made["output"] / "file.txt").write_text("kept")
        assert self.provided(kernel).ensure_directories()["output"] == made["output"]
        assert (made["output"] / "file.txt").read_text() == "kept"


class LockContract(ServiceContract):
    """What `Lock` promises."""

    service = "lock"

    def while_it_runs(self, new_kernel: Callable[..., Kernel], events: Events, act: Callable[[Any], Any]) -> Any:
        """Run the task, and do something while its step runs; what came of it."""
        found: list[Any] = []

        def once(run: Any) -> None:
            events.asked.clear()
            found.append(act(run))

        events.asked["step_started"] = once
        outcome = self.run(new_kernel(), restart=True)
        assert found, f"what was done while the task ran failed: {outcome.record.observer_failures}"
        return found[0]

    def refused(self, kernel: Kernel, task_id: str = "contract") -> bool:
        """Whether a run of a task is refused because it runs."""
        try:
            kernel.run(ContractTask(Copy, task_id=task_id), options=self.options())
        except AlreadyRunning:
            return True
        return False

    def test_a_task_runs_once_at_a_time(self, new_kernel: Callable[..., Kernel], events: Events) -> None:
        """While a task runs, a second run of it is refused with AlreadyRunning; afterwards it is not."""
        assert self.while_it_runs(new_kernel, events, lambda run: self.refused(new_kernel())), "it ran twice at once"
        assert not self.refused(new_kernel())

    def test_other_tasks_run_beside_it(self, new_kernel: Callable[..., Kernel], events: Events) -> None:
        """A task that runs keeps no other one out."""
        assert self.while_it_runs(new_kernel, events, lambda run: not self.refused(new_kernel(), "other"))

    def test_every_process_can_ask_who_holds_it(self, new_kernel: Callable[..., Kernel], events: Events) -> None:
        """`is_running` and `holder` say of any task whether, and in which run, it is locked; then that it is not."""

        def ask(run: Any) -> tuple[Any, ...]:
            lock = self.provided(new_kernel())
            return run.id, lock.is_running("contract"), lock.holder("contract")

        run_id, running, holder = self.while_it_runs(new_kernel, events, ask)
        assert running
        assert holder is not None
        assert holder.run_id in (run_id, "")
        after = self.provided(new_kernel())
        assert (after.is_running("contract"), after.holder("contract")) == (False, None)

    def test_a_failed_run_lets_go(self, new_kernel: Callable[..., Kernel]) -> None:
        """After a run that failed the next one is not kept out."""
        self.run(new_kernel(), Break, success=False)
        assert not self.refused(new_kernel())

    def test_a_killed_run_locks_nobody_out(self, new_kernel: Callable[..., Kernel], faults: Faults) -> None:
        """After a process was killed the next run is not kept out, and knows that it follows a crash."""
        assert faults.killed(lambda: self.run(new_kernel()), "replace", "output/copy"), "nothing was published"
        assert not self.provided(new_kernel()).is_running("contract")
        run = self.look(new_kernel())
        run.lock.take()
        try:
            assert run.lock.held
            assert run.lock.after_a_crash
        finally:
            run.lock.release()
        assert not run.lock.held
        assert not self.refused(new_kernel())

    def test_it_can_be_kept_from_running(self, new_kernel: Callable[..., Kernel], events: Events) -> None:
        """While `keeping_out` lasts no run begins, not even the first; while one runs it is AlreadyRunning itself."""
        for _ in ("never run", "run before"):
            with self.provided(new_kernel()).keeping_out("contract"):
                assert self.refused(new_kernel()), "a task that is kept out runs"
            assert not self.refused(new_kernel())

        def keeps_out(run: Any) -> bool:
            try:
                with self.provided(new_kernel()).keeping_out("contract"):
                    return False
            except AlreadyRunning:
                return True

        assert self.while_it_runs(new_kernel, events, keeps_out), "a task that runs is kept out"
