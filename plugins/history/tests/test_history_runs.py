"""What runs record, and what became of those that did not end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pamola_tasks.errors import ExecutionLogError
from pamola_tasks.protocols import RunServices
from pamola_tasks.record import Artifact, DatasetRecord
from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_history import events

MakeRun = Callable[..., RunServices]
End = Callable[[RunServices, str], None]


def test_a_finished_run_is_found_with_its_inputs_and_outputs(log: ExecutionLog, make_run: MakeRun, end: End) -> None:
    run = make_run()
    log.run_started(run)
    run.record.inputs.append(DatasetRecord(name="customers", kind="input", path="DATA/raw/customers.csv", sha256="aa"))
    run.record.outputs.append(DatasetRecord(name="safe", kind="output", path="DATA/out/safe.csv", format="csv"))
    run.record.artifacts.append(Artifact("json", str(run.files.root / "DATA/out/profile.json"), "Profile"))
    log.step_finished(run, "ProfileOperation", "success", 0.25)
    end(run, "success")

    record = log.find_latest_execution("t_1")
    assert record is not None
    assert record["task_run_id"] == run.id
    assert (record["success"], record["status"], record["task_type"]) == (True, "success", "anonymization")
    assert record["input_files"] == [
        {"name": "customers", "path": "DATA/raw/customers.csv", "sha256": "aa", "bytes": None}
    ]
    assert [(f["path"], f["type"], f["description"]) for f in record["output_files"]] == [
        ("DATA/out/safe.csv", "csv", "safe"),
        ("DATA/out/profile.json", "json", "Profile"),
    ]
    assert record["hostname"] not in ("", "unknown")


def test_times_are_in_utc_so_that_they_sort_across_hosts_and_summer_time(
    log: ExecutionLog, make_run: MakeRun, end: End
) -> None:
    before = time.time()
    run = make_run()
    log.run_started(run)
    end(run, "success")
    record = log.get_task_execution_history()[0]
    assert all(record[key].endswith("Z") for key in ("timestamp", "started", "finished"))
    finished = events.moment(record["finished"])
    assert finished is not None
    assert int(before) <= finished.timestamp() <= time.time()


def test_a_failed_run_is_recorded_with_its_error_and_secrets_are_hidden(files: Files, make_run: MakeRun) -> None:
    run = make_run()
    run.redact.register("s3cret-value")
    log = ExecutionLog(files, redact=run.redact.value)
    log.run_started(run)
    run.record.status = "operation_error"
    run.record.error = {"type": "ValueError", "message": "cannot use s3cret-value", "operation": "Mask", "more": 1}
    log.run_finished(run)
    record = log.get_task_execution_history("t_1")[0]
    assert (record["success"], record["status"]) == (False, "operation_error")
    assert record["error"] == {"type": "ValueError", "message": "cannot use ***", "operation": "Mask"}
    assert b"s3cret" not in files.read(log.log_path, "log")


def test_the_report_is_named_only_when_it_is_there(log: ExecutionLog, make_run: MakeRun, end: End) -> None:
    run = make_run()
    end(run, "success")
    assert log.get_task_execution_history()[0]["report_path"] == ""
    run.files.write("DATA/reports/t_1_report.json", b"{}", "report")
    end(make_run(), "success")
    assert log.get_task_execution_history()[0]["report_path"] == "DATA/reports/t_1_report.json"


def test_a_run_that_is_under_way_is_running(log: ExecutionLog, make_run: MakeRun) -> None:
    log.run_started(make_run())
    record = log.find_latest_execution("t_1", success_only=False)
    assert record is not None
    assert (record["status"], record["success"]) == ("running", False)
    assert log.find_latest_execution("t_1") is None


KILLED = """
import sys, time
sys.path[:0] = {path!r}
sys.path.insert(0, {tests!r})
import conftest
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_paths import ProjectGuard
files = Files(ProjectGuard({root!r}))
run = conftest.make_run.__wrapped__(files)("t_killed")
ExecutionLog(files).run_started(run)
print(run.id, flush=True)
time.sleep(600)
"""


def start_and_kill(root: Path, *, reap: bool = True) -> subprocess.Popen[str]:
    code = KILLED.format(path=sys.path, tests=str(Path(__file__).parent), root=str(root))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    if reap:
        child.wait()
    else:
        time.sleep(0.1)
    return child


@pytest.mark.parametrize("reap", [True, False], ids=["gone", "zombie"])
def test_a_killed_run_is_aborted(log: ExecutionLog, tmp_path: Path, reap: bool) -> None:
    child = start_and_kill(tmp_path, reap=reap)
    record = log.find_latest_execution("t_killed", success_only=False)
    child.wait()
    child.stdout.close()  # type: ignore[union-attr]
    assert record is not None
    assert (record["status"], record["success"]) == ("aborted", False)


def test_the_next_run_writes_down_what_was_aborted_and_the_order_stays(
    log: ExecutionLog, make_run: MakeRun, end: End, tmp_path: Path, files: Files
) -> None:
    child = start_and_kill(tmp_path)
    child.stdout.close()  # type: ignore[union-attr]
    end(make_run("t_2"), "success")
    noted = [e for e in journal.read(files, log.log_path).entries if e["event"] == "run_aborted"]
    assert [e["task_id"] for e in noted] == ["t_killed"]
    assert [r["task_id"] for r in log.records()] == ["t_2", "t_killed"]
    end(make_run("t_2"), "success")
    assert sum(e["event"] == "run_aborted" for e in journal.read(files, log.log_path).entries) == 1


def test_a_number_given_to_another_process_does_not_make_a_dead_run_alive(
    log: ExecutionLog, make_run: MakeRun, files: Files
) -> None:
    entry = events.started(make_run())
    journal.append(files, log.log_path, [{**entry, "process_started": "1"}], flush=False)
    assert log.get_task_execution_history()[0]["status"] == "aborted"


@pytest.mark.skipif(not Path("/proc/sys/kernel/random/boot_id").exists(), reason="this system does not name its boots")
def test_a_run_from_before_the_last_boot_is_aborted(log: ExecutionLog, make_run: MakeRun, files: Files) -> None:
    journal.append(files, log.log_path, [{**events.started(make_run()), "boot": "earlier"}], flush=False)
    assert log.get_task_execution_history()[0]["status"] == "aborted"


def test_whether_a_run_of_another_host_still_runs_is_unknown(
    log: ExecutionLog, make_run: MakeRun, files: Files
) -> None:
    journal.append(files, log.log_path, [{**events.started(make_run()), "host": "elsewhere"}], flush=False)
    assert log.get_task_execution_history()[0]["status"] == "unknown"


def test_a_run_that_was_taken_for_dead_and_then_ended_has_ended(
    log: ExecutionLog, make_run: MakeRun, end: End, files: Files
) -> None:
    run = make_run()
    log.run_started(run)
    end(run, "success")
    journal.append(files, log.log_path, [events.event("run_aborted", run.id, "t_1")], flush=False)
    assert [r["status"] for r in log.records()] == ["success"]


def test_files_tracked_while_a_run_is_under_way_are_not_lost_when_it_ends(
    log: ExecutionLog, make_run: MakeRun, end: End, files: Files
) -> None:
    run = make_run()
    log.run_started(run)
    assert ExecutionLog(files).track_output_files("t_1", ["DATA/extra.txt"])
    run.record.outputs.append(DatasetRecord(name="safe", kind="output", path="DATA/safe.csv", format="csv"))
    end(run, "success")
    record = log.find_task_by_output("DATA/extra.txt")
    assert record is not None
    assert {f["path"] for f in record["output_files"]} == {"DATA/extra.txt", "DATA/safe.csv"}


def test_the_file_for_other_tools_has_the_last_hundred_runs_and_the_last_of_each_task(
    log: ExecutionLog, make_run: MakeRun, end: End, files: Files
) -> None:
    for number in range(103):
        end(make_run(f"t_{number % 3}"), "success" if number != 102 else "operation_error")
    document = json.loads(files.read("configs/execution_log.json", "log"))
    assert (document["schema"], document["version"], len(document["executions"])) == (1, "1.0.0", 100)
    newest = next(log.records())
    assert document["executions"][0] == newest
    assert document["tasks"]["t_0"]["last_status"] == "failed"
    assert document["tasks"]["t_0"]["last_task_run_id"] == newest["task_run_id"]
    assert {"task_type", "last_execution", "last_report_path"} <= set(document["tasks"]["t_1"])


def test_only_the_beginning_and_the_end_of_a_run_wait_for_the_disk(
    log: ExecutionLog, make_run: MakeRun, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr("pamola_tasks.storage.system.flush_data", flushed.append)
    run = make_run()
    log.run_started(run)
    log.step_finished(run, "a", "success", 0.1)
    log.step_finished(run, "b", "success", 0.1)
    end(run, "success")
    assert len(flushed) == 2


def test_a_log_that_cannot_be_written_raises_and_says_where(
    log: ExecutionLog, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ExecutionLogError, match=r"configs/execution_log\.jsonl could not be written.*No space left"):
        log.run_started(make_run())


@pytest.mark.parametrize(
    ("named", "log_path", "summary_path"),
    [
        ("", "configs/execution_log.jsonl", "configs/execution_log.json"),
        ("state/runs.json", "state/runs.jsonl", "state/runs.json"),
        ("state/runs.jsonl", "state/runs.jsonl", "state/runs.json"),
    ],
)
def test_the_log_may_lie_elsewhere_in_the_project(
    files: Files, make_run: MakeRun, named: str, log_path: str, summary_path: str
) -> None:
    log = ExecutionLog(files, named)
    run = make_run()
    log.run_started(run)
    log.run_finished(run)
    assert files.exists(log_path)
    assert files.exists(summary_path)
