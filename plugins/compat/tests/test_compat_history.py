"""Questions about the history, and changes of it."""

from __future__ import annotations

import csv
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.errors import ExecutionLogError, PathSecurityError
from pamola_tasks.protocols import Files
from pamola_tasks.record import Artifact, new_run_id, now, rfc3339
from pamola_tasks.storage import journal
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_history import events


def record(log: ExecutionLog, task_id: str = "t_1", success: bool = True, **more: Any) -> str:
    return log.record_task_execution(task_id, "profile", success, 1.5, None, **more)


def an_old_run(log: ExecutionLog, days: float, task_id: str = "t_1") -> str:
    run_id, when = new_run_id(), rfc3339(now() - timedelta(days=days))
    old = {"task_id": task_id, "task_run_id": run_id, "timestamp": when, "success": True, "status": "success"}
    log._append(events.of_record(old), flush=False)
    return run_id


def test_runs_come_back_newest_first_by_task_limit_and_success(log: ExecutionLog) -> None:
    ids = [record(log, task, success) for task, success in [("a", True), ("b", True), ("a", False), ("a", True)]]
    assert [r["task_run_id"] for r in log.get_task_execution_history()] == ids[::-1]
    assert [r["task_run_id"] for r in log.get_task_execution_history("a")] == [ids[3], ids[2], ids[0]]
    assert [r["task_run_id"] for r in log.get_task_execution_history("a", limit=2)] == [ids[3], ids[2]]
    assert [r["task_run_id"] for r in log.get_task_execution_history("a", success_only=True)] == [ids[3], ids[0]]
    assert log.get_task_execution_history("nobody") == []


def test_the_newest_run_is_the_one_recorded_last_even_when_the_clock_was_set_back(log: ExecutionLog) -> None:
    record(log)
    earlier = an_old_run(log, days=3)
    assert log.get_task_execution_history()[0]["task_run_id"] == earlier


def test_a_question_with_a_limit_reads_only_the_end_of_the_log(
    log: ExecutionLog, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"task_id": "t_1", "timestamp": "2026-01-01T00:00:00Z", "success": True, "status": "success"}
    entries = [e for n in range(20_000) for e in events.of_record({**old, "task_run_id": f"run-{n}"})]
    journal.append(files, log.log_path, entries, flush=False)
    decoded: list[bytes] = []
    real = journal.decode
    monkeypatch.setattr(journal, "decode", lambda line, key=None: (decoded.append(line), real(line))[1])
    assert log.get_task_execution_history("t_1", limit=3)[0]["task_run_id"] == "run-19999"
    assert len(decoded) == 3


def test_an_output_is_found_by_relative_and_by_absolute_path(log: ExecutionLog, tmp_path: Path) -> None:
    run_id = record(log, output_artifacts=["DATA/out/safe.csv"])
    absolute = record(log, "t_2", output_artifacts=[tmp_path / "DATA/out/other.csv"])
    for path, wanted in [
        ("DATA/out/safe.csv", run_id),
        ("./DATA/out/../out/safe.csv", run_id),
        (tmp_path / "DATA/out/safe.csv", run_id),
        ("DATA/out/other.csv", absolute),
    ]:
        found = log.find_task_by_output(path)
        assert found is not None, path
        assert found["task_run_id"] == wanted
    assert log.find_task_by_output("DATA/out/nothing.csv") is None


def test_an_output_is_found_through_a_symbolic_link_to_the_project(files: Files, tmp_path: Path) -> None:
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    log = ExecutionLog(files)
    record(log, output_artifacts=["safe.csv"])
    assert log.find_task_by_output(link / "safe.csv") is not None


def test_a_run_may_name_inputs_and_outputs_in_several_ways(log: ExecutionLog) -> None:
    record(log, input_datasets={"people": "DATA/raw/p.csv"}, output_artifacts=[Artifact("json", "a.json", "A")])
    first = log.get_task_execution_history()[0]
    assert first["input_files"] == [{"name": "people", "path": "DATA/raw/p.csv"}]
    assert first["output_files"] == [{"path": "a.json", "type": "json", "description": "A"}]
    record(log, input_datasets=["DATA/raw/p.csv"], output_artifacts=[{"path": "b.csv", "description": "B"}])
    second = log.get_task_execution_history()[0]
    assert second["input_files"] == [{"name": "p", "path": "DATA/raw/p.csv"}]
    assert second["output_files"] == [{"path": "b.csv", "type": "csv", "description": "B"}]


@pytest.mark.parametrize("odd", ["../../etc/passwd", "/etc/passwd", "a\nb.csv", ""])
def test_a_path_that_is_not_allowed_is_refused_aloud_and_never_stored(log: ExecutionLog, odd: str) -> None:
    run_id = record(log)
    with pytest.raises(ExecutionLogError):
        log.update_execution_record(run_id, {"output_files": [{"path": odd}]})
    with pytest.raises(ExecutionLogError):
        log.track_input_files("t_1", [odd])
    with pytest.raises(ExecutionLogError):
        record(log, "t_2", output_artifacts=[{"path": odd}])
    assert [r["task_run_id"] for r in log.records()] == [run_id]
    assert log.get_task_execution_history()[0]["output_files"] == []


def test_files_are_added_to_the_newest_run_once_each(log: ExecutionLog) -> None:
    record(log)
    record(log, output_artifacts=["a.csv"])
    assert log.track_input_files("t_1", ["DATA/in.csv"])
    assert log.track_output_files("t_1", ["a.csv", "b.csv"])
    newest, older = log.get_task_execution_history("t_1")
    assert [f["path"] for f in newest["input_files"]] == ["DATA/in.csv"]
    assert sorted(f["path"] for f in newest["output_files"]) == ["a.csv", "b.csv"]
    assert older["input_files"] == []
    assert log.track_input_files("nobody", ["x.csv"]) is False


def test_a_record_can_be_changed_and_what_names_the_run_cannot(log: ExecutionLog) -> None:
    run_id = record(log)
    assert log.update_execution_record(run_id, {"report_path": "DATA/r.json", "note": "checked"})
    assert log.update_execution_record(run_id, {"note": "checked twice"})
    changed = log.get_task_execution_history()[0]
    assert (changed["report_path"], changed["note"]) == ("DATA/r.json", "checked twice")
    assert log.update_execution_record("unknown", {"note": "x"}) is False
    for wrong in ({"task_run_id": "x"}, {"success": "yes"}, {"output_files": "a.csv"}, {"timestamp": "yesterday"}):
        with pytest.raises(ExecutionLogError):
            log.update_execution_record(run_id, wrong)


def test_a_removed_run_is_gone_from_the_file_and_the_others_stay(log: ExecutionLog, files: Files) -> None:
    keep, remove = record(log), record(log)
    log.update_execution_record(remove, {"note": "x"})
    assert log.remove_execution_record(remove) is True
    assert log.remove_execution_record(remove) is False
    assert [r["task_run_id"] for r in log.records()] == [keep]
    assert remove.encode() not in files.read(log.log_path, "log")
    assert remove.encode() not in files.read(log.summary_path, "log")


def test_cleanup_tells_in_a_dry_run_and_then_removes_exactly_that(log: ExecutionLog) -> None:
    old = [an_old_run(log, days) for days in (90, 80, 70)]
    other = an_old_run(log, 100, "t_2")
    recent = [record(log), record(log)]
    count, ids = log.cleanup_old_executions(max_age_days=30, max_per_task=3, dry_run=True)
    assert (count, set(ids)) == (2, set(old[:2]))
    assert len(list(log.records())) == 6
    assert log.cleanup_old_executions(max_age_days=30, max_per_task=3) == (count, ids)
    assert {r["task_run_id"] for r in log.records()} == {old[2], other, *recent}


def test_cleanup_keeps_the_newest_run_of_a_task_whatever_is_asked(log: ExecutionLog) -> None:
    an_old_run(log, 90)
    newest = an_old_run(log, 80)
    log.cleanup_old_executions(max_age_days=0, max_per_task=0)
    assert [r["task_run_id"] for r in log.records()] == [newest]


def test_json_that_was_exported_is_imported_again_once(log: ExecutionLog, files: Files, tmp_path: Path) -> None:
    ids = {record(log, input_datasets=["in.csv"], output_artifacts=["a.csv"]), record(log, success=False)}
    before = list(log.records())
    exported = log.export_execution_log("out/history.json")
    assert json.loads(exported.read_bytes())["executions"] == before
    assert log.import_execution_log(exported, merge=True)
    assert log.import_execution_log(exported, merge=True)
    assert [r["task_run_id"] for r in log.records()] == [r["task_run_id"] for r in before]
    fresh = ExecutionLog(files, "configs/fresh.jsonl")
    fresh.import_execution_log(exported, merge=True)
    assert {r["task_run_id"] for r in fresh.records()} == ids
    assert [{**r, "pid": None} for r in fresh.records()] == [{**r, "pid": None} for r in before]


def test_merged_runs_take_their_place_in_time(log: ExecutionLog, files: Files) -> None:
    old = an_old_run(log, 10)
    exported = log.export_execution_log("old.json")
    other = ExecutionLog(files, "configs/other.jsonl")
    older, newest = an_old_run(other, 20), record(other)
    other.import_execution_log(exported, merge=True)
    assert [r["task_run_id"] for r in other.records()] == [newest, old, older]


def test_an_import_without_merge_replaces_what_was_there(log: ExecutionLog) -> None:
    first = record(log)
    exported = log.export_execution_log("one.json")
    record(log)
    assert log.import_execution_log(exported)
    assert [r["task_run_id"] for r in log.records()] == [first]


def test_csv_has_the_columns_that_other_tools_expect_and_can_be_imported(log: ExecutionLog, files: Files) -> None:
    record(log, "t_1", output_artifacts=["a.csv", "b.csv"])
    record(log, "t_2", False)
    exported = log.export_execution_log("history.csv", format="csv")
    with exported.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["task_id"] for r in rows] == ["t_2", "t_1"]
    assert (rows[1]["output_files_count"], rows[1]["success"], rows[0]["success"]) == ("2", "True", "False")
    assert {"task_type", "task_run_id", "timestamp", "execution_time", "report_path", "hostname"} <= set(rows[0])
    fresh = ExecutionLog(files, "configs/fresh.jsonl")
    fresh.import_execution_log(exported, merge=True)
    assert [(r["task_id"], r["success"], r["execution_time"]) for r in fresh.records()] == [
        ("t_2", False, 1.5),
        ("t_1", True, 1.5),
    ]


@pytest.mark.parametrize(
    "content",
    [
        '{"executions": "zzz"}',
        "[]",
        "{",
        '{"executions": [1]}',
        '{"executions": [{"task_id": "t"}]}',
        '{"executions": [{"task_id": "t", "task_run_id": "r", "timestamp": "x", "success": true}]}',
        '{"executions": [{"task_id": "t", "task_run_id": "r", "timestamp": "2026-01-01", "success": "no"}]}',
        '{"executions": [{"task_id": "t", "task_run_id": "r", "timestamp": "2026-01-01", "success": true,'
        ' "output_files": ["a.csv"]}]}',
        "\ufeff" + "[" * 100_000,
    ],
)
@pytest.mark.parametrize("merge", [True, False])
def test_a_file_of_another_form_is_refused_and_changes_nothing(
    log: ExecutionLog, files: Files, content: str, merge: bool
) -> None:
    run_id = record(log)
    before = files.read(log.log_path, "log")
    files.write("bad.json", content, "log")
    with pytest.raises(ExecutionLogError):
        log.import_execution_log("bad.json", merge=merge)
    assert files.read(log.log_path, "log") == before
    assert [r["task_run_id"] for r in log.records()] == [run_id]


def test_export_and_import_stay_in_the_project(log: ExecutionLog) -> None:
    record(log)
    with pytest.raises(PathSecurityError):
        log.export_execution_log("../history.json")
    with pytest.raises(PathSecurityError):
        log.import_execution_log("/etc/passwd")
    with pytest.raises(ExecutionLogError, match="json or csv"):
        log.export_execution_log(format="xml")


def test_an_empty_log_answers_with_nothing(log: ExecutionLog) -> None:
    assert log.get_task_execution_history() == []
    assert log.find_latest_execution("t_1") is None
    assert log.find_task_by_output("a.csv") is None
    assert log.validate_execution_log() == (True, [])
    assert log.cleanup_old_executions() == (0, [])


def test_initializing_makes_the_log_and_refuses_another_project(log: ExecutionLog, tmp_path: Path) -> None:
    path = log.initialize_execution_log(tmp_path)
    assert path == tmp_path / "configs/execution_log.jsonl"
    assert path.read_bytes() == b""
    record(log)
    assert log.initialize_execution_log() == path
    assert len(list(log.records())) == 1
    with pytest.raises(ExecutionLogError, match="not of"):
        log.initialize_execution_log(tmp_path.parent)


def test_the_log_of_the_forerunner_is_taken_over(log: ExecutionLog, files: Files) -> None:
    old = {
        "version": "1.0.0",
        "tasks": {},
        "executions": [
            {
                "task_id": "t_old",
                "task_type": "profile",
                "task_run_id": "4b0e",
                "timestamp": "2025-06-01T10:00:00.123456",
                "success": True,
                "execution_time": 2.5,
                "report_path": os.fspath(files.root / "DATA/reports/t_old_report.json"),
                "input_files": [{"name": "p", "path": "DATA/raw/p.csv"}],
                "output_files": [{"path": "DATA/x.csv", "type": "csv", "description": ""}],
                "hostname": "unknown",
            }
        ],
    }
    files.write("configs/execution_log.json", json.dumps(old), "log")
    new = record(log)
    assert [r["task_run_id"] for r in log.records()] == [new, "4b0e"]
    taken = log.find_latest_execution("t_old")
    assert taken is not None
    assert (taken["report_path"], taken["execution_time"]) == ("DATA/reports/t_old_report.json", 2.5)
    assert log.find_task_by_output("DATA/x.csv") == taken


def test_the_progress_of_an_action_is_shown_where_asked(log: ExecutionLog) -> None:
    class Shown:
        def __init__(self) -> None:
            self.calls: list[tuple[str, bool | None]] = []

        def start_operation(self, name: str, *_: Any, **__: Any) -> None:
            self.calls.append((name, None))

        def complete_operation(self, name: str, success: bool = True, *_: Any) -> None:
            self.calls.append((name, success))

    shown: Any = Shown()
    log.validate_execution_log(progress_manager=shown)
    with pytest.raises(PathSecurityError):
        log.import_execution_log("/etc/passwd", progress_manager=shown)
    assert [success for _, success in shown.calls] == [None, True, None, False]
