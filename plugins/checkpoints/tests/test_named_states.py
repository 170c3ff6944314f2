"""The state of a task, and its named checkpoints: what a task's own code asks."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.errors import CheckpointError, StateRestorationError
from pamola_tasks.protocols import Files
from pamola_tasks.record import SavedStep
from pamola_tasks.storage import journal
from pamola_tasks_checkpoints import ContextManager, TaskContextManager

Manage = Callable[..., TaskContextManager]
Finish = Callable[..., SavedStep]


def test_a_saved_state_is_restored_by_name_by_file_and_as_the_newest(manage: Manage) -> None:
    manager = manage()
    path = manager.save_execution_state({"operation_index": 1, "cursor": {"row": 5}}, "half way")
    assert path == manager.directory / "half_way.json"
    assert json.loads(path.read_bytes())["schema"] == 1
    for asked in ("half way", "half_way", path, str(path), None):
        state = manage().restore_execution_state(asked)
        assert (state["task_id"], state["operation_index"], state["cursor"]) == ("t_1", 1, {"row": 5})
        assert "schema" not in state


def test_the_class_has_both_of_its_names() -> None:
    assert ContextManager is TaskContextManager


def test_states_saved_within_one_moment_get_names_of_their_own(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    monkeypatch.setattr("pamola_tasks_checkpoints.manager.now", lambda: moment)
    manager = manage()
    paths = [manager.save_execution_state({"n": n}) for n in range(3)]
    automatic = [manager.create_automatic_checkpoint(0, {"n": n}) for n in range(3)]
    assert len({*paths, *map(Path, automatic)}) == 6
    assert [manager.restore_execution_state(path)["n"] for path in paths] == [0, 1, 2]


def test_the_newest_is_the_one_made_last_whatever_clocks_and_file_times_say(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = manage()
    manager.save_execution_state({}, "first")
    earlier = datetime.now(UTC) - timedelta(days=1)
    monkeypatch.setattr("pamola_tasks_checkpoints.manager.now", lambda: earlier)
    manager.save_execution_state({}, "second")
    (manager.directory / "first.json").touch()
    assert [name for name, _ in manager.get_checkpoints()] == ["second", "first"]


def test_names_become_names_of_files(manage: Manage) -> None:
    manager = manage()
    path = manager.save_execution_state({}, '../a\\b:c*?"<>| d\n' + "x" * 200)
    assert path.parent == manager.directory
    assert path.name == "..".ljust(3, "_") + "a_b_c_______d_" + "x" * 83 + ".json"


def test_a_large_state_is_saved_with_a_warning(manage: Manage, caplog: pytest.LogCaptureFixture) -> None:
    manager = manage()
    with caplog.at_level(logging.WARNING):
        manager.save_execution_state({"blob": "x" * (11 << 20)}, "large")
    assert "more than the 10485760 that are usual" in caplog.text
    assert len(manager.restore_execution_state("large")["blob"]) == 11 << 20


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object(), "\udcff"])
def test_a_value_that_json_does_not_have_is_refused(manage: Manage, value: Any) -> None:
    with pytest.raises(CheckpointError, match="cannot be saved as JSON"):
        manage().save_execution_state({"value": value})
    assert manage().get_checkpoints() == []


def test_a_state_that_was_changed_deleted_or_is_anothers_is_not_restored(manage: Manage, files: Files) -> None:
    manager = manage()
    changed = manager.save_execution_state({}, "changed")
    changed.write_bytes(changed.read_bytes().replace(b"-1", b"99"))
    with pytest.raises(StateRestorationError, match="was changed since"):
        manager.restore_execution_state("changed")
    manager.save_execution_state({}, "gone").unlink()
    with pytest.raises(StateRestorationError, match="has no checkpoint gone"):
        manager.restore_execution_state("gone")
    manager.save_execution_state({"task_id": "t_2"}, "foreign")
    with pytest.raises(StateRestorationError, match="'t_2'"):
        manager.restore_execution_state("foreign")
    with pytest.raises(StateRestorationError, match="has no checkpoint never"):
        manager.restore_execution_state("never")
    with pytest.raises(StateRestorationError, match="to restore"):
        manage("t_3").restore_execution_state()
    assert manager.can_resume_execution() == (False, None)


def test_a_state_of_a_newer_release_is_refused_with_the_reason(manage: Manage, files: Files) -> None:
    manager = manage()
    written = files.write(manager.directory / "new.json", b'{"schema": 2}', "state")
    entry = {
        "schema": 1,
        "event": "state",
        "name": "new",
        "time": "2026-03-01T00:00:00Z",
        "path": files.name(manager.directory / "new.json"),
        "sha256": written.sha256,
    }
    journal.append(files, "DATA/processed/t_1/.state/journal.jsonl", [entry], flush=False)
    with pytest.raises(StateRestorationError, match="another release"):
        manager.restore_execution_state("new")


def test_finished_steps_are_checkpoints_under_their_ids(manage: Manage, finish: Finish, files: Files) -> None:
    manager = manage()
    for index, step_id in enumerate(("profile", "mask", "release")):
        manager.save(finish(step_id, index))
    assert [name for name, _ in manager.get_checkpoints()] == ["release", "mask", "profile"]
    state = manage().restore_execution_state("mask")
    assert [item["name"] for item in state["operations_completed"]] == ["profile", "mask"]
    assert (state["operation_index"], state["metrics"]) == (1, {"profile": {"rows": 0}, "mask": {"rows": 1}})
    assert [Path(a["path"]).parent.name for a in state["artifacts"]] == ["profile", "mask"]
    assert manage().can_resume_execution() == (True, "release")
    (files.root / finish("release", 2).outputs[0].path).unlink()
    assert manage().can_resume_execution() == (True, "mask")


def test_a_run_can_be_continued_only_from_what_belongs_to_its_configuration_and_version(manage: Manage) -> None:
    now = {"config_hash": lambda: "aaa", "task_version": "1.0"}
    assert manage(**now).can_resume_execution() == (False, None)
    manage(**now).save_execution_state({}, "fits")
    manage(config_hash=lambda: "bbb", task_version="1.0").save_execution_state({}, "other configuration")
    manage(config_hash=lambda: "aaa", task_version="2.0").save_execution_state({}, "other version")
    assert manage(**now).can_resume_execution() == (True, "fits")


def test_what_a_run_saves_is_in_the_state_with_metrics_and_artifacts(manage: Manage, finish: Finish) -> None:
    manager = manage()
    manager.save(finish("profile", 0))
    path = manager.create_automatic_checkpoint(0, {"total": 3})
    assert Path(path).name.startswith("auto_t_1_0_")
    state = manage().restore_execution_state(path)
    assert [item["name"] for item in state["operations_completed"]] == ["profile"]
    assert state["metrics"] == {"profile": {"rows": 0}, "total": 3}
    assert [a["path"].rpartition("/")[2] for a in state["artifacts"]] == ["profile.json"]


def test_tasks_do_not_share_anything(manage: Manage) -> None:
    one, two = manage("t_1"), manage("t_2")
    one.save_execution_state({"n": 1}, "same")
    two.save_execution_state({"n": 2}, "same")
    assert [m.restore_execution_state("same")["n"] for m in (one, two)] == [1, 2]
    one.clear()
    assert [name for name, _ in two.get_checkpoints()] == ["same"]


def test_progress_is_shown_while_a_state_is_saved(manage: Manage) -> None:
    calls: list[tuple[str, bool | None]] = []

    class Shown:
        def start_operation(self, name: str) -> None:
            calls.append((name, None))

        def complete_operation(self, name: str, success: bool = True) -> None:
            calls.append((name, success))

    manager = manage(progress_manager=Shown())
    manager.save_execution_state({})
    assert calls == [("Saving the state", None), ("Saving the state", True)]
