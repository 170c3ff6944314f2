"""A long log has an index: a cache that gives the same answers, faster, whatever happens to it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.protocols import Files
from pamola_tasks.storage import journal
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_history import events
from pamola_tasks_history.index import Index, _in_process
from pamola_tasks_history.segments import Segments

TASKS = 40


def record_of(number: int) -> dict[str, Any]:
    task = "rare" if number % 1000 == 0 else f"t_{number % TASKS}"
    return {
        "task_id": task,
        "task_run_id": f"run-{number}",
        "timestamp": f"2026-01-{1 + number // 1000:02}T00:00:00Z",
        "success": number % 3 != 0,
        "status": "success" if number % 3 else "failed",
        "output_files": [{"path": f"DATA/processed/{task}/output/{number % 7}.csv", "type": "csv", "description": ""}],
    }


@pytest.fixture
def long_log(files: Files) -> ExecutionLog:
    """5,000 runs of 41 tasks, more than a megabyte."""
    log = ExecutionLog(files)
    entries = [entry for number in range(5000) for entry in events.of_record(record_of(number))]
    journal.append(files, log.log_path, entries, flush=False)
    assert files.stat(log.log_path).size > 1 << 20
    return log


def answers(log: ExecutionLog) -> list[Any]:
    """All that is asked of a log, by its index where it has one."""
    return [
        [r["task_run_id"] for r in log.get_task_execution_history("rare", limit=None)],
        [r["task_run_id"] for r in log.get_task_execution_history("t_7", limit=150)],
        log.find_latest_execution("rare"),
        log.find_latest_execution("absent"),
        log.find_task_by_output("DATA/processed/rare/output/3.csv"),
        log.find_task_by_output("DATA/processed/absent.csv"),
    ]


def answers_without_index(log: ExecutionLog) -> list[Any]:
    records = list(log.records())
    outputs = ("DATA/processed/rare/output/3.csv", "DATA/processed/absent.csv")
    return [
        [r["task_run_id"] for r in records if r["task_id"] == "rare"],
        [r["task_run_id"] for r in records if r["task_id"] == "t_7"][:150],
        next((r for r in records if r["task_id"] == "rare" and r["success"]), None),
        None,
        *(next((r for r in records if any(o["path"] == path for o in r["output_files"])), None) for path in outputs),
    ]


def test_the_index_gives_what_the_whole_log_gives(files: Files, long_log: ExecutionLog) -> None:
    expected = answers_without_index(long_log)
    assert expected[0] == ["run-4000", "run-3000", "run-2000", "run-1000", "run-0"]
    assert answers(long_log) == expected
    assert files.exists("configs/execution_log.idx")
    _in_process.clear()
    assert answers(ExecutionLog(files)) == expected, "by another process, from the file"


def test_a_process_that_asks_about_every_task_loads_the_index_once(files: Files, long_log: ExecutionLog) -> None:
    """`status` makes a history for each task; each read the index again."""
    answers(long_log)
    assert Index(files, Segments(files, long_log.log_path, 1 << 30)).loaded
    files.unlink("configs/execution_log.idx")
    another = ExecutionLog(files)
    assert answers(another) == answers_without_index(long_log)
    assert not files.exists("configs/execution_log.idx")  # it was not needed


def test_what_came_after_the_index_was_written_is_found(files: Files, long_log: ExecutionLog) -> None:
    answers(long_log)
    newest = long_log.record_task_execution("rare", "x", True, 0.1, None, None, ["DATA/processed/rare/output/3.csv"])
    for number in range(6000, 7500):
        journal.append(files, long_log.log_path, events.of_record(record_of(number)), flush=False)
    log = ExecutionLog(files)
    assert answers(log) == answers_without_index(log)
    assert answers(log)[4]["task_run_id"] == newest
    log.update_execution_record("run-2000", {"report_path": "DATA/reports/other.json"})
    assert answers(log) == answers_without_index(log)


def test_removed_runs_are_in_the_index_no_longer(files: Files, long_log: ExecutionLog) -> None:
    answers(long_log)
    long_log.remove_execution_record("run-3000")
    assert not files.exists("configs/execution_log.idx")
    assert answers(long_log) == answers_without_index(long_log)
    assert "run-3000" not in answers(ExecutionLog(files))[0]


def test_an_index_that_is_gone_damaged_or_of_another_log_is_made_anew(
    files: Files, long_log: ExecutionLog, tmp_path: Path
) -> None:
    expected = answers(long_log)
    index = tmp_path / "configs/execution_log.idx"
    whole = index.read_bytes()
    rng = random.Random(5)
    for _ in range(12):
        data = bytearray(whole)
        match rng.randrange(3):
            case 0:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                del data[rng.randrange(len(data)) :]
            case _:
                data = bytearray(journal.encode({"schema": 1, "size": 9, "tail": "x", "tasks": {}, "outputs": {}}))
        index.write_bytes(bytes(data))
        _in_process.clear()
        assert answers(ExecutionLog(files)) == expected
    index.unlink()
    _in_process.clear()
    assert answers(ExecutionLog(files)) == expected
    (tmp_path / long_log.log_path).write_bytes(journal.encode(events.of_record(record_of(1))[0]))
    _in_process.clear()
    assert answers(ExecutionLog(files))[0] == []


def test_a_line_damaged_after_it_was_indexed_is_left_out_and_told(
    files: Files, long_log: ExecutionLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers(long_log)
    path = tmp_path / long_log.log_path
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"run-2000"', b'"run-2001"', 1))
    log = ExecutionLog(files)
    assert answers(log)[0] == ["run-4000", "run-3000", "run-1000", "run-0"]
    assert "damaged lines" in caplog.text


def test_who_may_not_write_beside_the_log_has_every_answer_too(
    files: Files, long_log: ExecutionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(files), "write", refuse)
    assert answers(long_log) == answers_without_index(long_log)
    assert not files.exists("configs/execution_log.idx")
