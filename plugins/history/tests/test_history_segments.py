"""A long history is cut into segments: closed ones stay as they are, and questions open only what they need."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pytest

from pamola_tasks.errors import ExecutionLogError
from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
from pamola_tasks_history import index
from pamola_tasks_history.log import ExecutionLog
from pamola_tasks_paths import ProjectGuard

KEY = b"k" * 32
NOW = datetime(2026, 6, 1, tzinfo=UTC)
FOLDER = "configs/execution_log.segments"


class Counting(Files):
    """Files that know what was opened for reading."""

    opened: list[str]

    @contextlib.contextmanager
    def open_raw(self, path: Any) -> Iterator[IO[bytes]]:
        self.__dict__.setdefault("opened", []).append(str(path))
        with super().open_raw(path) as file:
            yield file


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Counting(ProjectGuard(tmp_path))


@pytest.fixture(autouse=True)
def cold() -> None:
    index._in_process.clear()


def record(number: int, task: str, *, success: bool = True, days: float = 0) -> dict[str, Any]:
    return {
        "task_id": task,
        "task_run_id": f"run-{number:05}",
        "timestamp": f"{NOW - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}",
        "success": success,
        "status": "success" if success else "failed",
        "output_files": [
            {"path": f"DATA/processed/{task}/output/{number}.csv", "type": "csv", "description": "x" * 150}
        ],
    }


def made(files: Files, runs: int = 300, size: int = 20_000, key: bytes | None = KEY) -> ExecutionLog:
    """One run an hour, of ten tasks; task `old` ran once, at the beginning, and every 50th run failed."""
    log = ExecutionLog(files, key=lambda: key, segment_bytes=size)
    for begin in range(0, runs, 10):
        log.add([made_record(number, runs) for number in range(begin, begin + 10)])
    return log


def made_record(number: int, runs: int) -> dict[str, Any]:
    task = "old" if number == 3 else f"t_{number % 10}"
    return record(number, task, success=number % 50 != 7, days=(runs - number) / 24)


def ids(records: Any) -> list[str]:
    return [record["task_run_id"] for record in records]


def closed(root: Path) -> list[Path]:
    return sorted((root / FOLDER).glob("*.jsonl"))


def test_closed_segments_are_never_written_again(files: Files, tmp_path: Path) -> None:
    log = made(files)
    before = {path: path.read_bytes() for path in closed(tmp_path)}
    assert len(before) >= 3
    log = ExecutionLog(files, key=lambda: KEY, segment_bytes=20_000)
    for number in range(300, 400):
        log.add([record(number, "t_1")])
    assert {path: path.read_bytes() for path in closed(tmp_path)[: len(before)]} == before
    assert ids(log.records()) == [f"run-{number:05}" for number in reversed(range(400))]
    assert log.problems() == []
    shown = json.loads((tmp_path / "configs/execution_log.json").read_bytes())["executions"]
    assert ids(shown) == [f"run-{number:05}" for number in reversed(range(300, 400))]


def test_the_newest_runs_are_read_from_the_newest_segments_only(files: Any) -> None:
    log = made(files)
    files.opened.clear()
    assert next(log.records())["task_run_id"] == "run-00299"
    assert not [name for name in files.opened if FOLDER in name]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"failed": True}, [f"run-{number:05}" for number in range(257, 0, -50)]),
        ({"task_id": "old"}, ["run-00003"]),
        ({"task_id": "absent"}, []),
        ({"task_id": "t_7", "failed": True}, [f"run-{number:05}" for number in range(257, 0, -50)]),
        ({"since": NOW - timedelta(hours=9.5)}, [f"run-{number:05}" for number in range(299, 290, -1)]),
        ({"since": NOW + timedelta(days=1)}, []),
        ({"since": NOW - timedelta(hours=100), "failed": True}, ["run-00257", "run-00207"]),
    ],
)
def test_a_question_decodes_what_it_answers_and_little_else(
    files: Any, monkeypatch: pytest.MonkeyPatch, question: dict[str, Any], expected: list[str]
) -> None:
    """With a warm index the lines that are decoded grow with the answer, not with the history."""
    monkeypatch.setattr(index, "LONG", 1000)
    monkeypatch.setattr(index, "_BLOCK", 2000)
    log = made(files)
    list(log.candidates(**question))
    index._in_process.clear()
    decoded: list[bytes] = []
    decode = journal.decode
    monkeypatch.setattr(journal, "decode", lambda line, *key: decoded.append(line) or decode(line, *key))

    def wanted(r: dict[str, Any]) -> bool:
        began = datetime.fromisoformat(r["timestamp"]) >= question.get("since", NOW - timedelta(days=999))
        return (
            began and question.get("task_id") in (None, r["task_id"]) and not (question.get("failed") and r["success"])
        )

    assert ids(filter(wanted, log.candidates(**question))) == expected
    events = [line for line in decoded if b'"event"' in line[:60]]
    assert len(events) <= len(expected) + 12, len(events)


@pytest.mark.parametrize("size", [3000, 20_000, 1 << 30])
def test_answers_are_those_of_the_whole_history(
    files: Files, monkeypatch: pytest.MonkeyPatch, size: int, log: Any
) -> None:
    """Runs whose events are in two segments, that did not end, that were changed, and a clock that went back."""
    monkeypatch.setattr(index, "LONG", 1000)
    log = made(files, 60, size)
    usual = {"schema": 1, "event": "run_started", "time": "2026-05-31T00:00:00Z", "host": "elsewhere"}
    starts = [{**usual, "run_id": f"open-{number}", "task_id": "t_open"} for number in range(3)]
    journal.append(files, log.log_path, starts, flush=False, key=KEY, before=log._segments.last_closed_line)
    log.add([record(61, "t_1", days=400)])
    for number in range(62, 90):
        log.add([record(number, "t_2", days=-1)])
    end = {**starts[1], "event": "run_finished", "time": "2026-06-01T00:00:00Z"}
    journal.append(files, log.log_path, [end], flush=False, key=KEY, before=log._segments.last_closed_line)
    since = NOW - timedelta(hours=10)

    def check() -> None:
        every = list(log.records())
        for task in (None, "t_2", "t_open", "old"):
            for failed in (False, True):
                for begin in (None, since):
                    got = [r for r in log.candidates(task, begin, failed=failed) if wanted(r, task, failed, begin)]
                    assert got == [r for r in every if wanted(r, task, failed, begin)]

    def wanted(r: dict[str, Any], task: str | None, failed: bool, begin: datetime | None) -> bool:
        when = datetime.fromisoformat(r["timestamp"])
        return task in (None, r["task_id"]) and not (failed and r["success"]) and (begin is None or when >= begin)

    check()
    check()
    log.update("run-00002", "t_2", {"success": False, "status": "failed"})
    check()


def test_examining_a_history_holds_little_of_it(files: Files) -> None:
    log = ExecutionLog(files, segment_bytes=500_000)
    for begin in range(0, 4000, 200):
        log.add([record(number, f"t_{number % 10}") for number in range(begin, begin + 200)])
    tracemalloc.start()
    try:
        assert log.problems() == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = log._segments.size()
    assert size > 1_500_000
    assert peak < size / 3, f"{peak:,} of {size:,} bytes"


def test_a_folder_that_takes_no_segments_stops_no_run(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Files, "mkdirs", refused)
    log = made(files, 100, 5000)
    assert closed(tmp_path) == []
    assert len(ids(log.records())) == 100
    assert log.problems() == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-400])


def without_line(path: Path, number: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[number]
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("key", [KEY, None], ids=["key", "chain"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda root: closed(root)[0].unlink(),
        lambda root: closed(root)[1].unlink(),
        lambda root: closed(root)[-1].unlink(),
        lambda root: cut(closed(root)[1]),
        lambda root: without_line(closed(root)[1], 0),
        lambda root: without_line(closed(root)[1], 4),
        lambda root: without_line(closed(root)[1], -1),
        lambda root: without_line(root / "configs/execution_log.jsonl", 0),
        lambda root: closed(root)[0].rename(closed(root)[0].with_name("000002-000002.jsonl")),
        lambda root: closed(root)[0].rename(closed(root)[0].with_name("000000-000001.jsonl.old")),
    ],
)
def test_a_segment_that_is_gone_or_has_lost_lines_is_found(
    files: Files, tmp_path: Path, key: bytes | None, damage: Callable[[Path], Any]
) -> None:
    log = made(files, 250, key=key)
    assert log.problems() == []
    damage(tmp_path)
    assert any("damaged" in problem for problem in log.problems())
    assert any(finding.level == "error" for finding in log.diagnose())


def test_a_process_killed_while_it_closes_a_segment_loses_nothing(files: Files, tmp_path: Path) -> None:
    """It is renamed, and nothing of the next one is there."""
    log = made(files, 50, 1 << 30)
    log._segments.close(1)
    assert not files.exists(log.log_path)
    assert len(ids(log.records())) == 50
    assert log.problems() == []
    assert log.find_latest_execution("old")["task_run_id"] == "run-00003"  # type: ignore[index]
    log.add([record(50, "t_1")])
    assert len(ids(log.records())) == 51
    assert log.problems() == []
    (tmp_path / log.log_path).unlink()
    log._summary.adopt()
    assert len(ids(log.records())) == 50, "the file for other tools is not taken for the history"


WRITER = """
import sys
sys.path[:0] = {path!r}
from pamola_tasks.storage.files import Files
from pamola_tasks_history.log import ExecutionLog
from pamola_tasks_paths import ProjectGuard
log = ExecutionLog(Files(ProjectGuard({root!r})), segment_bytes=4000)
for number in range(40):
    run = f"{name}-{{number}}"
    moment = "2026-01-01T00:00:00Z"
    log.add([dict(task_id={name!r}, task_run_id=run, timestamp=moment, success=True, status="success")])
    print(run, flush=True)
"""


def test_many_writers_that_close_segments_and_one_that_prunes_lose_nothing(files: Files, tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER.format(path=sys.path, root=str(tmp_path), name=f"w{number}")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    log = ExecutionLog(files, segment_bytes=4000)
    removed: set[str] = set()
    numbers = itertools.count()
    for _ in range(12):
        with contextlib.suppress(ExecutionLogError):  # it was changed meanwhile: run the command again
            for _ in range(3):
                log.add([record(next(numbers), "victim")])
                removed |= set(ids(log.prune(tasks=["victim"], keep=1)))
    written = {line for writer in writers for line in writer.communicate()[0].split()}
    assert len(written) == 160
    found = ids(log.records())
    assert written == {run for run in found if run.startswith("w")}
    assert len(found) == len(set(found))
    assert int(closed(tmp_path)[-1].stem[-6:]) > 3
    assert log.problems() == []


# ---------------------------------------------------------------- pruned


def pruned(files: Files, key: bytes | None = KEY) -> ExecutionLog:
    log = made(files, 300, key=key)
    gone = log.prune(before=NOW - timedelta(days=9))
    assert len(gone) > 50
    return log


@pytest.mark.parametrize("key", [KEY, None], ids=["key", "chain"])
def test_what_a_pruned_history_has_left_proves_itself_and_says_what_is_gone(
    files: Files, tmp_path: Path, key: bytes | None
) -> None:
    log = made(files, 300, 12_000, key)
    before, segments = list(log.records()), {path: path.read_bytes() for path in closed(tmp_path)}
    gone = log.prune(before=NOW - timedelta(days=9))
    assert re.fullmatch(r"000001-00000[2-5]\.jsonl", closed(tmp_path)[0].name)
    untouched = segments.keys() & set(closed(tmp_path))
    assert len(untouched) >= 2
    assert all(path.read_bytes() == segments[path] for path in untouched)
    assert list(log.records()) == [r for r in before if r["task_run_id"] not in ids(gone)]
    assert log.find_latest_execution("old") == next(r for r in before if r["task_id"] == "old")
    assert log.problems() == []
    [note] = log.diagnose()
    assert note.level == "note"
    assert f"({len(gone)}, with {len(gone)} lines)" in note.finding
    assert "from 2026-05-19 to 2026-05-2" in note.finding
    again = log.prune(keep=2)
    [note] = log.diagnose()
    assert f"({len(gone) + len(again)}, with " in note.finding, "all that was ever pruned"
    log.add([record(301, "t_1")])
    assert log.problems() == []
    assert log.prune(keep=2) != []
    assert log.problems() == []
    assert sum(e["event"] == "history_pruned" for e in every_entry(log)) <= 3


def every_entry(log: ExecutionLog) -> list[dict[str, Any]]:
    return [json.loads(line[9:]) for _, file in log._segments.oldest_first() for line in file.read().splitlines()]


def test_a_short_history_is_pruned_in_place(files: Files, tmp_path: Path) -> None:
    log = made(files, 60, 1 << 30)
    assert len(log.prune(keep=1)) == 48  # of ten tasks the newest run and, of one, the newest success, and `old`
    assert log.problems() == []
    assert "(48, with" in log.diagnose()[0].finding
    assert closed(tmp_path) == []
    assert len(log.prune(keep=1)) == 0


def forged(root: Path, event: dict[str, Any], key: bytes | None = None) -> None:
    """A line at the end of the history that follows the one before, as whoever has the files can write it."""
    path = root / "configs/execution_log.jsonl"
    last = path.read_bytes().splitlines()[-1]
    path.write_bytes(path.read_bytes() + journal.encode(event, last, key))


@pytest.mark.parametrize(
    "way",
    "no event,event without key,event with another key,event in place,event for itself,kept lines,event moved".split(
        ","
    ),
)
def test_a_history_cut_off_by_somebody_else_is_no_pruned_one(files: Files, tmp_path: Path, way: str) -> None:
    """Who has the files and not the key removes old runs, and says that they were pruned."""
    if way in ("kept lines", "event moved"):
        log = pruned(files)
        block = closed(tmp_path)[0]
        if way == "kept lines":
            without_line(block, -1)
        else:  # another cut is given the seam of the true one
            lines = closed(tmp_path)[1].read_bytes().splitlines(keepends=True)
            closed(tmp_path)[1].write_bytes(b"".join(lines[2:]))
    else:
        log = made(files, 300)
        first, second, *_ = closed(tmp_path)
        first.unlink()
        seam = [journal.link(journal.START), journal.followed(second.read_bytes().splitlines()[0])]
        event = {"schema": 1, "event": "history_pruned", "time": "2026-06-01T00:00:00Z", "runs": 9, "lines": 9,
                 "seam": seam}  # fmt: skip
        if way == "event in place":  # where the others began
            data = second.read_bytes()
            second.write_bytes(journal.encode(event, journal.START) + data)
        elif way == "event for itself":  # it is out of place, and says that it is not; so does what vouches for it
            lines = (tmp_path / "configs/execution_log.jsonl").read_bytes().splitlines(keepends=True)
            doubled = [lines[-1], lines[-1]]
            wrong = journal.encode({**event, "seam": [journal.link(lines[-1][:-1]), journal.link(b"x")]}, b"x")
            right = journal.encode(event, b"x")
            (tmp_path / "configs/execution_log.jsonl").write_bytes(b"".join([*lines[:-1], *doubled, wrong, right]))
        elif way != "no event":
            forged(tmp_path, event, b"x" * 32 if way == "event with another key" else None)
    assert any("damaged" in problem for problem in log.problems()), log.problems()
    assert any(finding.level == "error" for finding in log.diagnose())


def test_a_damaged_history_is_pruned_only_when_that_is_accepted_and_written_down(files: Files, tmp_path: Path) -> None:
    log = made(files, 300)
    without_line(closed(tmp_path)[0], 5)
    with pytest.raises(ExecutionLogError, match="--accept-damage"):
        log.prune(keep=1)
    assert log.prune(keep=1, accept_damage=True)
    assert any("damaged lines: 1" in finding.finding for finding in log.diagnose())


def test_a_history_with_a_key_is_not_pruned_without_it(files: Files) -> None:
    made(files, 100)
    log = ExecutionLog(files, segment_bytes=20_000)
    before = ids(log.records())
    with pytest.raises(ExecutionLogError, match="key"):
        log.prune(keep=1)
    assert ids(log.records()) == before
    assert ExecutionLog(files, key=lambda: KEY).problems() == []


def test_the_run_that_a_file_is_from_is_kept(files: Files, tmp_path: Path) -> None:
    log = made(files, 100)
    path = tmp_path / "DATA/processed/t_5/output/15.csv"
    path.parent.mkdir(parents=True)
    path.touch()
    log.prune(keep=1)
    assert "run-00015" in ids(log.records())
    assert log.find_task_by_output("DATA/processed/t_5/output/15.csv")["task_run_id"] == "run-00015"  # type: ignore[index]


@pytest.mark.parametrize("step", range(6))
def test_pruning_that_stops_anywhere_leaves_the_old_history_or_the_new_one(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """After each change of the disk the process is gone: nothing that would clean up happens."""
    log = made(files, 300)
    old = ids(log.records())
    new = [run for run in old if run not in set(ids(log.prune(before=NOW - timedelta(days=9), dry_run=True)))]
    left = [step]

    class Killed(BaseException):
        pass

    def dying(name: str) -> Any:
        method = getattr(Files, name)

        def call(self: Files, *given: Any, **named: Any) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return method(self, *given, **named)

        return call

    with monkeypatch.context() as patch:
        for name in ("append", "replace", "unlink"):
            patch.setattr(Files, name, dying(name))
        with contextlib.suppress(Killed):
            log.prune(before=NOW - timedelta(days=9))
    again = ExecutionLog(files, key=lambda: KEY, segment_bytes=20_000)
    assert ids(again.records()) in (old, new)
    assert again.problems() == []
    again.add([record(400, "t_1")])
    again.prune(before=NOW - timedelta(days=9))
    assert ids(again.records()) == ["run-00400", *new]
    assert again.problems() == []
    assert again._segments.superseded() == []


@pytest.mark.parametrize("name", ["000001", "000000-999999", "000099"])
def test_an_empty_file_among_segments_counts_for_nothing_and_is_named(files, name):
    log = made(files, 60, 5_000)
    before = ids(log.records())
    planted = f"{FOLDER}/{name}.jsonl"
    if name == "000001":  # in the place of one that is there
        files.replace(planted, f"{FOLDER}/000001-000001.jsonl")
    files.write(planted, "", "log")
    again = ExecutionLog(files, key=lambda: KEY, segment_bytes=5_000)
    assert ids(again.records()) == before
    assert "damaged lines or files" in again.damage
    assert any(planted in found.finding and "it is empty" in found.finding for found in again.diagnose())


def test_what_other_tools_read_is_made_again_after_a_pruning_that_was_killed(files):
    """It says that it shows more of the log than there is; the next run to end makes it again."""
    log = made(files, 60, 5_000)
    stale = files.read(log.summary_path, "log")
    log.prune(keep=1)
    files.write(log.summary_path, stale, "log")
    assert any("pruned by a killed `prune`" in found.finding for found in log.diagnose())
    log.add([record(900, "t_1")])
    assert log.diagnose() == [found for found in log.diagnose() if found.level == "note"]
