"""Checks only tighten and are all shown; decisions are recorded with who took them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from disk_kit import Disk, disk_kernel
from kernel_kit import Add, Count, Nothing, Steps, dataset, kernel_of

from pamola_tasks import hookimpl
from pamola_tasks.errors import ConfigurationError, PathSecurityError, PlanError


def test_objections_of_several_plugins_and_of_the_plan_itself_stand_together() -> None:
    class A:
        @hookimpl
        def pamola_check_plan(self, run: Any, plan: Any) -> list[str]:
            return ["first", "second"]

    class B:
        @hookimpl
        def pamola_check_plan(self, plan: Any) -> str:
            return "third"

    outcome = kernel_of(A(), B()).run(Steps((Count, {"input_dataset": "absent"})))
    assert isinstance(outcome.error, PlanError)
    assert outcome.error.problems[0] == "step Count reads 'absent', which is neither an input nor written: none"
    assert set(outcome.error.problems[1:]) == {"first (plugin A)", "second (plugin A)", "third (plugin B)"}


def test_objections_to_a_configuration_keep_the_run_from_beginning() -> None:
    class A:
        @hookimpl
        def pamola_check_config(self, config: Any) -> str:
            return "the seed is fixed"

    class B:
        @hookimpl
        def pamola_check_config(self, config: Any) -> list[str]:
            return ["no memory limit"]

    with pytest.raises(ConfigurationError) as refused:
        kernel_of(A(), B()).run(Steps(Nothing))
    assert set(refused.value.problems) == {"the seed is fixed (plugin A)", "no memory limit (plugin B)"}


def test_a_check_that_raises_stops_the_run() -> None:
    class Broken:
        @hookimpl
        def pamola_check_plan(self, run: Any, plan: Any) -> None:
            raise ZeroDivisionError("k over zero")

    outcome = kernel_of(Broken()).run(Steps(Nothing))
    assert not outcome.success
    assert outcome.record.error is not None
    assert (
        "plugin Broken failed in pamola_check_plan: ZeroDivisionError: k over zero" in outcome.record.error["message"]
    )
    assert outcome.results == {}


# ---------------------------------------------------------------- paths


class Veto:
    """Forbids whatever has a word in its name."""

    def __init__(self, word: str, error: Exception | None = None) -> None:
        self.word = word
        self.error = error
        self.asked: list[tuple[str, str, bool]] = []

    @hookimpl
    def pamola_check_path(self, path: str, purpose: str, config: Any) -> str | None:
        """Object."""
        self.asked.append((path, purpose, config is None))
        if self.error is not None and self.word in path:
            raise self.error
        return f"{self.word} is off limits" if self.word in path else None


def test_a_path_that_a_plugin_forbids_is_not_opened(tmp_path: Path) -> None:
    veto = Veto("private")
    kernel = disk_kernel(tmp_path, veto)
    (tmp_path / "private.json").write_text("[1]")
    with pytest.raises(PathSecurityError, match=r"refused for read: private is off limits \(plugin Veto\)"):
        kernel.project.files.read("private.json", "data")
    assert veto.asked == [("private.json", "read", True)], "configuration is None while it is being read"


def test_a_veto_is_asked_with_the_configuration_during_the_run_and_fails_the_step(tmp_path: Path) -> None:
    veto = Veto("private")
    kernel = disk_kernel(tmp_path, veto)
    task = Steps((Count, {"input_dataset": "numbers"}), input_datasets={"numbers": dataset(tmp_path, "private", [1])})
    outcome = kernel.run(task)
    assert isinstance(outcome.error, PathSecurityError)
    assert outcome.exit_code == 4
    assert any(not bootstrapping for _, _, bootstrapping in veto.asked)
    purposes = {purpose for _, purpose, _ in veto.asked}
    assert purposes <= {"read", "write", "mkdir", "delete", "list"}


def test_a_veto_that_raises_forbids(tmp_path: Path) -> None:
    kernel = disk_kernel(tmp_path, Veto("private", RuntimeError("cannot tell")))
    (tmp_path / "private.json").write_text("[1]")
    with pytest.raises(PathSecurityError, match="asking about it failed: plugin Veto failed in pamola_check_path"):
        kernel.project.files.read("private.json", "data")
    assert kernel.project.files.exists("public.json") is False


def test_roots_outside_the_project_are_added_only_where_the_configuration_allows_them(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    name = str(outside / dataset(outside, "numbers", [1, 2]))
    task = Steps((Count, {"input_dataset": "numbers"}), input_datasets={"numbers": name})
    assert not disk_kernel(project).run(task).success
    assert not disk_kernel(project, allowed_external_paths=[str(outside)]).run(task).success
    allowed = disk_kernel(project, allow_external=True, allowed_external_paths=[str(outside)]).run(task)
    assert allowed.success, allowed.record.error
    assert allowed.record.inputs[0].path == name


# ---------------------------------------------------------------- decisions


def test_who_changed_the_plan_and_how_is_recorded() -> None:
    class Inserts:
        @hookimpl
        def pamola_modify_plan(self, run: Any, plan: Any) -> None:
            plan.add(Count(input_dataset="numbers"), before="Add")

    class Deselects:
        @hookimpl(trylast=True)
        def pamola_modify_plan(self, plan: Any) -> None:
            plan.remove("Nothing", "nothing is nothing")

    class Looks:
        @hookimpl
        def pamola_modify_plan(self, plan: Any) -> None:
            assert len(plan) == 2

    outcome = kernel_of(Deselects(), Inserts(), Looks()).run(
        Steps((Add, {"input_dataset": "numbers"}), Nothing), datasets={"numbers": [1]}
    )
    assert outcome.success, outcome.record.error
    assert list(outcome.results) == ["Count", "Add"]
    assert outcome.record.plan_changes == [
        "Inserts changed the plan from Add, Nothing to Count, Add, Nothing",
        "Deselects changed the plan from Count, Add, Nothing to Count, Add",
    ]


def test_a_plan_that_a_plugin_reorders_into_nonsense_does_not_run() -> None:
    class Reorders:
        @hookimpl
        def pamola_modify_plan(self, plan: Any) -> None:
            plan.reorder(reversed(plan.step_ids))

    outcome = kernel_of(Reorders()).run(
        Steps((Add, {"input_dataset": "numbers"}), (Count, {"input_dataset": "numbers_more"})),
        datasets={"numbers": [1]},
    )
    assert outcome.record.error is not None
    assert "step Count reads 'numbers_more' before step Add writes it" in outcome.record.error["message"]
    assert outcome.results == {}


def test_a_step_that_a_plugin_takes_away_is_missed_by_those_who_need_it() -> None:
    class Removes:
        @hookimpl
        def pamola_modify_plan(self, plan: Any) -> None:
            plan.remove("Add")

    outcome = kernel_of(Removes()).run(
        Steps((Add, {"input_dataset": "numbers"}), (Count, {"input_dataset": "numbers_more"})),
        datasets={"numbers": [1]},
    )
    assert outcome.record.error is not None
    assert "'numbers_more', which is neither an input nor written" in outcome.record.error["message"]


def test_the_plan_of_a_task_can_be_seen_without_running_it(tmp_path: Path) -> None:
    kernel = disk_kernel(tmp_path)
    task = Steps((Add, {"input_dataset": "numbers"}), input_datasets={"numbers": dataset(tmp_path, "numbers", [1])})
    run = kernel.plan(task)
    assert [(step.id, step.reads) for step in run.plan] == [("Add", ("numbers",))]
    assert run.results == {}
    assert not list(tmp_path.rglob("numbers_more*"))
    with pytest.raises(ConfigurationError, match="unknown operation"):
        kernel.plan(Steps("Unknown"))


def test_secrets_are_asked_of_plugins_one_after_the_other(tmp_path: Path) -> None:
    from pamola_tasks import Secret

    class Knows:
        @hookimpl
        def pamola_find_secret(self, name: str) -> str | None:
            return "from a vault" if name == "db" else None

    class KnowsMore:
        @hookimpl(trylast=True)
        def pamola_find_secret(self, name: str) -> Secret:
            return Secret("the last resort", name)

    project = kernel_of(Knows(), KnowsMore()).project
    assert project.find_secret("db") == Secret("from a vault")
    found = project.find_secret("other")
    assert found is not None
    assert found.reveal() == "the last resort"
    assert kernel_of().project.find_secret("db") is None
    assert isinstance(Disk(tmp_path), Disk)
