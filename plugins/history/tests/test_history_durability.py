"""Many writers, damaged files, and replacing the log while others write."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pamola_tasks.errors import ExecutionLogError
from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.history import ExecutionLog

PROCESSES, RECORDS = 8, 25


WRITER = """
import sys
sys.path[:0] = {path!r}
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_paths import ProjectGuard
log = ExecutionLog(Files(ProjectGuard({root!r})))
for _ in range({records}):
    print(log.record_task_execution("t_{number}", "x", True, 0.1, None))
"""


def write_from_many_processes(root: Path, meanwhile: Callable[[], None] = lambda: None) -> list[str]:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER.format(path=sys.path, root=str(root), records=RECORDS, number=number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    while any(writer.poll() is None for writer in writers):
        meanwhile()
        time.sleep(0.001)
    return [run_id for writer in writers for run_id in writer.communicate()[0].split()]


def test_eight_processes_that_record_at_once_lose_nothing(log: ExecutionLog, tmp_path: Path) -> None:
    recorded = write_from_many_processes(tmp_path)
    assert len(set(recorded)) == PROCESSES * RECORDS
    assert log.validate_execution_log() == (True, [])
    assert sorted(r["task_run_id"] for r in log.records()) == sorted(recorded)
    document = json.loads((tmp_path / "configs/execution_log.json").read_bytes())
    assert len(document["executions"]) == 100
    newest = {r["task_run_id"] for r in log.get_task_execution_history(limit=100)}
    assert {r["task_run_id"] for r in document["executions"]} == newest


def test_nothing_is_lost_while_old_runs_are_removed(log: ExecutionLog, tmp_path: Path) -> None:
    removed = set()

    def remove_one() -> None:
        victim = log.record_task_execution("victim", "x", True, 0.1, None)
        assert log.remove_execution_record(victim)
        removed.add(victim)

    recorded = write_from_many_processes(tmp_path, remove_one)
    assert len(removed) > 3
    assert len(recorded) == PROCESSES * RECORDS
    assert sorted(r["task_run_id"] for r in log.records()) == sorted(recorded)


def test_a_log_that_was_cut_off_anywhere_goes_on_being_read_and_written(files: Files, tmp_path: Path) -> None:
    log = ExecutionLog(files)
    for _ in range(4):
        log.record_task_execution("t_1", "x", True, 0.1, None)
    path = tmp_path / log.log_path
    whole = path.read_bytes()
    for cut in random.Random(7).sample(range(len(whole)), 40):
        path.write_bytes(whole[:cut])
        complete = whole[:cut].count(b"\n")
        assert len(list(log.records())) == complete
        sound, problems = log.validate_execution_log()
        assert sound is (cut == 0 or whole[cut - 1 : cut] == b"\n"), problems
        run_id = log.record_task_execution("t_1", "x", True, 0.1, None)
        found = [r["task_run_id"] for r in log.records()]
        assert (found[0], len(found)) == (run_id, complete + 1)
        assert log.validate_execution_log() == (True, [])


def test_a_damaged_line_is_left_out_reported_and_kept_as_evidence(
    files: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ExecutionLog(files)
    ids = [log.record_task_execution("t_1", "x", True, 0.1, None) for _ in range(3)]
    path = tmp_path / log.log_path
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"t_1"', b'"t_2"')
    path.write_bytes(b"\n".join(lines))
    with caplog.at_level(logging.WARNING):
        assert [r["task_run_id"] for r in log.records()] == [ids[2], ids[0]]
    assert caplog.text.count("damaged lines") == 1
    assert log.validate_execution_log() == (False, ["line 2 is damaged: its checksum does not fit"])
    log.remove_execution_record(ids[0])
    assert lines[1] in path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"executions": "zzz"}', b"[]", b"null"])
def test_a_damaged_file_for_other_tools_stops_nothing(files: Files, tmp_path: Path, content: bytes) -> None:
    log = ExecutionLog(files)
    files.write(log.summary_path, content, "log")
    first = log.record_task_execution("t_1", "x", True, 0.1, None)
    assert (tmp_path / "configs/execution_log.json.damaged").read_bytes() == content
    files.write(log.summary_path, content, "log")
    second = log.record_task_execution("t_1", "x", True, 0.1, None)
    document = json.loads(files.read(log.summary_path, "log"))
    assert [r["task_run_id"] for r in document["executions"]] == [second, first]


def test_random_damage_never_gives_a_record_that_was_not_written(files: Files, tmp_path: Path) -> None:
    log = ExecutionLog(files)
    ids = {log.record_task_execution(f"t_{n}", "x", True, 0.1, None) for n in range(6)}
    path = tmp_path / log.log_path
    whole = path.read_bytes()
    rng = random.Random(11)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            position = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[position] ^= 1 << rng.randrange(8)
                case 1:
                    del data[position : position + rng.randint(1, 200)]
                case _:
                    data[position:position] = rng.randbytes(rng.randint(1, 20))
        path.write_bytes(bytes(data))
        assert {r["task_run_id"] for r in log.records()} <= ids
        log.validate_execution_log()


def test_a_crash_while_runs_are_removed_leaves_the_old_log(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ExecutionLog(files)
    ids = [log.record_task_execution("t_1", "x", True, 0.1, None) for _ in range(2)]

    def crash(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Files, "replace", crash)
        with pytest.raises(ExecutionLogError):
            log.remove_execution_record(ids[0])
    assert [r["task_run_id"] for r in log.records()] == ids[::-1]
    assert log.remove_execution_record(ids[0])
    assert [r["task_run_id"] for r in log.records()] == [ids[1]]


def test_problems_of_a_log_are_found_in_one_pass(files: Files) -> None:
    log = ExecutionLog(files)
    good = {"schema": 1, "run_id": "r", "task_id": "t", "time": "2026-01-01T00:00:00Z"}
    journal.append(
        files,
        log.log_path,
        [
            {**good, "event": "run_finished"},
            {**good, "event": "run_finished"},
            {**good, "event": "run_vanished"},
            {**good, "event": "run_started", "run_id": ""},
            {**good, "event": "run_started", "time": "noon"},
            {**good, "event": "run_started", "schema": 9, "run_id": "s"},
        ],
        flush=False,
    )
    sound, problems = log.validate_execution_log()
    assert not sound
    assert [problem.rpartition(" run ")[2] for problem in problems] == [
        "r is there twice",
        "r is an event of unknown kind",
        "without id: 'run_id' is missing or no text",
        "r: its time is none",
        "s has the schema 9: written by another release",
    ]
