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
from pamola_tasks.record import SavedStep
from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
from pamola_tasks_checkpoints import ContextManager, TaskContextManager

Manage = Callable[..., TaskContextManager]
Finish = Callable[..., SavedStep]


def test_a_saved_state_is_restored_by_name_by_file_and_as_the_newest(manage: Manage) -> None:
    manager = manage()
    path = manager.save_execution_state({"operation_index": 1, "cursor": {"row": 5}}, "half way")
    assert path == manager.get_checkpoint_dir() / "half_way.json"
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
    (manager.get_checkpoint_dir() / "first.json").touch()
    assert [name for name, _ in manager.get_checkpoints()] == ["second", "first"]
    assert manager.get_latest_checkpoint() == "second"


def test_names_become_names_of_files(manage: Manage) -> None:
    manager = manage()
    path = manager.save_execution_state({}, '../a\\b:c*?"<>| d\n' + "x" * 200)
    assert path.parent == manager.get_checkpoint_dir()
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
    assert [manager.is_checkpoint_valid(name) for name in ("changed", "gone", "foreign", "never")] == [False] * 4


def test_a_state_of_a_newer_release_is_refused_with_the_reason(manage: Manage, files: Files) -> None:
    manager = manage()
    written = files.write(manager.get_checkpoint_dir() / "new.json", b'{"schema": 2}', "state")
    entry = {
        "schema": 1,
        "event": "state",
        "name": "new",
        "time": "2026-03-01T00:00:00Z",
        "path": files.name(manager.get_checkpoint_dir() / "new.json"),
        "sha256": written.sha256,
    }
    journal.append(files, "DATA/processed/t_1/.state/journal.jsonl", [entry], flush=False)
    with pytest.raises(StateRestorationError, match="another release"):
        manager.restore_execution_state("new")


def test_only_the_newest_states_are_kept_and_steps_stay(manage: Manage, finish: Finish) -> None:
    manager = manage()
    manager.save(finish("mask"))
    for number in range(14):
        manager.save_execution_state({"n": number}, f"s{number}")
    assert manager.cleanup_old_checkpoints(12) == 2
    manager.cleanup()
    names = [name for name, _ in manager.get_checkpoints()]
    assert names == [f"s{n}" for n in range(13, 3, -1)] + ["mask"]
    assert sorted(p.stem for p in manager.get_checkpoint_dir().iterdir()) == sorted(names[:-1])
    assert list(manage().load()) == ["mask"]


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
    manager = manage()
    assert manager.is_checkpoint_valid("fits", "aaa", "1.0")
    assert not manager.is_checkpoint_valid("fits", "bbb")
    assert not manager.is_checkpoint_valid("fits", None, "2.0")


def test_a_failed_operation_does_not_count_as_done_whatever_comes_after_it(manage: Manage) -> None:
    manager = manage()
    manager.record_operation_completion(0, "a", {"rows": 3})
    manager.record_operation_failure(1, "b", {"type": "ValueError", "message": "no"})
    manager.record_operation_completion(2, "c")
    state = manager.get_current_state()
    assert [item["name"] for item in state["operations_completed"]] == ["a", "c"]
    assert [(i["name"], i["error"]["type"]) for i in state["operations_failed"]] == [("b", "ValueError")]
    assert state["operation_index"] == 0
    manager.record_operation_completion(1, "b")
    state = manager.get_current_state()
    assert (state["operation_index"], state["operations_failed"]) == (2, [])


def test_what_the_kernel_saves_is_in_the_state_with_metrics_and_artifacts(manage: Manage, finish: Finish) -> None:
    manager = manage()
    manager.save(finish("profile", 0))
    state = manager.get_current_state()
    assert [item["name"] for item in state["operations_completed"]] == ["profile"]
    assert state["metrics"] == {"profile": {"rows": 0}}
    again = manage()
    again.load()
    assert again.get_current_state()["operations_completed"] == state["operations_completed"]


def test_the_state_is_changed_by_merging_and_given_out_as_a_copy(manage: Manage) -> None:
    manager = manage()
    manager.update_state({"metrics": {"a": 1}, "note": "x"})
    manager.update_state({"metrics": {"b": 2}, "note": "y"})
    state = manager.get_current_state()
    assert (state["metrics"], state["note"]) == ({"a": 1, "b": 2}, "y")
    state["note"] = "z"
    assert manager.get_current_state()["note"] == "y"
    manager.record_artifact("out/a.json", "json", "first")
    manager.record_artifact("out/a.json", "json", "second")
    assert [(a["path"], a["description"]) for a in manager.get_current_state()["artifacts"]] == [
        ("out/a.json", "second")
    ]


def test_restoring_makes_the_state_the_present_one(manage: Manage) -> None:
    manager = manage()
    manager.record_operation_completion(0, "a")
    path = manager.create_automatic_checkpoint(0, {"total": 3})
    assert Path(path).name.startswith("auto_t_1_0_")
    other = manage()
    other.restore_execution_state(path)
    other.record_operation_completion(1, "b")
    assert [i["name"] for i in other.get_current_state()["operations_completed"]] == ["a", "b"]
    assert other.get_current_state()["metrics"] == {"total": 3}


def test_an_exception_in_the_body_leaves_a_checkpoint_that_names_it(manage: Manage) -> None:
    def run(manager: TaskContextManager) -> None:
        with manager:
            manager.record_operation_completion(0, "a")
            raise ValueError("a secret")

    with pytest.raises(ValueError, match="secret"):
        run(manage(redact=lambda text: text.replace("secret", "***")))
    (name, _), *_ = manage().get_checkpoints()
    assert name.startswith("error_t_1_0_")
    info = manage().restore_execution_state(name)["error_info"]
    assert (info["type"], info["message"]) == ("ValueError", "a ***")


def test_a_checkpoint_that_cannot_be_written_does_not_hide_the_error_in_the_body(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    def run(manager: TaskContextManager) -> None:
        with manager:
            manager.update_state({"not json": object()})
            raise ValueError("the error")

    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match="the error"):
        run(manage())
    assert "cannot be saved as JSON" in caplog.text


def test_tasks_and_log_directories_do_not_share_anything(manage: Manage, files: Files) -> None:
    one = manage("t_1", log_directory="logs")
    two = manage("t_2", log_directory="logs")
    one.save_execution_state({"n": 1}, "same")
    two.save_execution_state({"n": 2}, "same")
    assert one.get_checkpoint_dir() == files.root / "logs/checkpoints/t_1"
    assert [m.restore_execution_state("same")["n"] for m in (one, two)] == [1, 2]
    one.clear()
    assert two.get_latest_checkpoint() == "same"


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
