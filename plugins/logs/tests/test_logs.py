"""Where the lines of a run go, and what they look like."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.protocols import RunOptions
from pamola_tasks_logs.files import RotatingLogHandler
from pamola_tasks_logs.service import RunLogs
from pamola_tasks_logs.settings import LogSettings

RUN_ID = "01990000-0000-7000-8000-000000000001"
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \| (?P<level>[A-Z]+) *"
    r" \| (?P<run>[0-9a-f-]{36}) \| (?P<name>\S+) \| (?P<place>\S+:\d+) \| (?P<message>.*)"
)


def lines(root: Path, name: str) -> list[str]:
    return (root / "logs" / name).read_text().splitlines()


def test_a_line_goes_to_the_project_log_and_to_the_log_of_its_task(tmp_path: Path, start: Any) -> None:
    logger, _ = start()
    logger.info("read %d rows", 7)
    for name in ("project.log", "t_1.log"):
        (line,) = lines(tmp_path, name)
        found = LINE.fullmatch(line)
        assert found, line
        assert found["level"] == "INFO"
        assert found["run"] == RUN_ID
        assert found["name"] == "task.t_1"
        assert found["place"].startswith("test_logs.py:")
        assert found["message"] == "read 7 rows"


def test_the_task_log_has_everything_and_the_project_log_only_the_configured_level(tmp_path: Path, start: Any) -> None:
    logger, _ = start(level="warning")
    logger.debug("a")
    logger.info("b")
    logger.warning("c")
    assert len(lines(tmp_path, "t_1.log")) == 3
    assert len(lines(tmp_path, "project.log")) == 1


def test_a_second_run_appends_to_the_logs_of_the_first(tmp_path: Path, start: Any) -> None:
    for text in ("first", "second"):
        logger, logs = start()
        logger.info(text)
        logs.close()
    assert [line.rpartition(" | ")[2] for line in lines(tmp_path, "t_1.log")] == ["first", "second"]
    assert len(lines(tmp_path, "project.log")) == 2


def test_nothing_is_made_before_the_first_line(tmp_path: Path, start: Any) -> None:
    start()
    assert list(tmp_path.iterdir()) == []


def test_without_a_task_there_is_only_the_project_log(tmp_path: Path, start: Any) -> None:
    logger, _ = start(task_id=None)
    logger.warning("odd")
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["project.log"]


def test_a_step_is_named_in_its_lines(tmp_path: Path, start: Any) -> None:
    logger, _ = start()
    logging.LoggerAdapter(logger.logger, {"run_id": RUN_ID, "step_id": "mask-2"}).info("done")
    assert lines(tmp_path, "t_1.log")[0].endswith(" | [mask-2] done")


def test_json_lines_parse_and_carry_run_task_and_step(tmp_path: Path, start: Any) -> None:
    logger, _ = start(options=RunOptions(console=False, log_format="json"))
    logger.warning("größer\n\u202e\u2028")
    try:
        raise KeyError("gone")
    except KeyError:
        logger.exception("failed")
    first, second = map(json.loads, lines(tmp_path, "project.log"))
    assert (first["level"], first["run_id"], first["task_id"], first["step_id"]) == ("WARNING", RUN_ID, "t_1", "")
    assert first["message"] == "größer\\n\\u202e\\u2028"
    assert first["process_id"] == os.getpid()
    assert second["exception"][-1] == "KeyError: 'gone'"


def test_no_text_can_forge_a_line(tmp_path: Path, start: Any) -> None:
    logger, _ = start()
    for sign in ("\n", "\r", "\x1b[2K", "\x85", "\u2028", "\u2029", "\x0b", "\x00", "\u202e"):
        logger.info("a%s2026-01-01T00:00:00.000Z | INFO | forged", sign)
    text = (tmp_path / "logs" / "t_1.log").read_text()
    assert text.count("\n") == 9
    assert len(text.splitlines()) == 9
    assert all(LINE.fullmatch(line) for line in text.splitlines())


def test_a_traceback_is_indented_so_that_its_lines_are_no_lines_of_the_log(tmp_path: Path, start: Any) -> None:
    logger, _ = start()
    try:
        raise ValueError("x\n2026-01-01T00:00:00.000Z | INFO    | forged")
    except ValueError:
        logger.exception("failed")
    first, *rest = lines(tmp_path, "t_1.log")
    assert LINE.fullmatch(first)
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_a_secret_in_a_traceback_is_masked(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path)
    run.redact.register("hunter2-hunter2")
    logs = RunLogs(run)
    logger = logging.Logger("task")
    for handler in logs.handlers:
        logger.addHandler(handler)
    try:
        raise ValueError("login with hunter2-hunter2 failed")
    except ValueError:
        logger.exception("failed")
    logs.close()
    text = (tmp_path / "logs" / "t_1.log").read_text()
    assert "login with *** failed" in text
    assert "hunter2" not in text


def test_a_full_log_is_put_aside_and_the_oldest_is_dropped(tmp_path: Path, start: Any) -> None:
    logger, _ = start(max_bytes=1000, backup_count=2)
    for number in range(60):
        logger.info("line %03d", number)
    names = sorted(path.name for path in (tmp_path / "logs").iterdir() if path.name.startswith("t_1"))
    assert names == ["t_1.log", "t_1.log.1", "t_1.log.2"]
    kept = [line for name in reversed(names) for line in lines(tmp_path, name)]
    numbers = [int(line[-3:]) for line in kept]
    assert numbers == list(range(60 - len(numbers), 60))
    assert all((tmp_path / "logs" / name).stat().st_size <= 1000 for name in names)


WRITER = """
import logging, sys
from pamola_tasks.storage.files import Files
from pamola_tasks_logs.files import RotatingLogHandler
from pamola_tasks_paths.guard import ProjectGuard

root, who, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
handler = RotatingLogHandler(Files(ProjectGuard(root)), "logs/project.log", max_bytes=limit, backup_count=50)
logger = logging.Logger("task")
logger.addHandler(handler)
print("ready", flush=True)
sys.stdin.read()
for number in range(400):
    logger.info("%s %04d %s", who, number, "x" * (number % 90))
"""


@pytest.mark.parametrize("limit", [10_000_000, 9_000])
def test_lines_of_several_processes_neither_mix_nor_get_lost(tmp_path: Path, limit: int) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, f"w{n}", str(limit)], **pipes) for n in range(4)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.close()
    for writer in writers:
        assert writer.wait(240) == 0
        writer.stdout.close()
    files = list((tmp_path / "logs").iterdir())
    assert (len(files) > 5) == (limit == 9_000)
    found = [line for path in files for line in path.read_text().splitlines()]
    wanted = {f"w{who} {number:04d} {'x' * (number % 90)}" for who in range(4) for number in range(400)}
    assert sorted(found) == sorted(wanted)


def test_a_log_that_cannot_be_written_is_said_once_and_stops_nothing(
    tmp_path: Path, start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    logger, _ = start()
    logger.info("one")
    logger.info("two")
    said = capsys.readouterr().err
    assert said.count("the log logs/t_1.log cannot be written") == 1
    assert said.count("the log logs/project.log cannot be written") == 1


def test_a_log_is_never_written_through_a_link_that_leaves_the_project(
    tmp_path: Path, start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("precious")
    root = tmp_path / "project"
    (root / "logs").mkdir(parents=True)
    (root / "logs" / "t_1.log").symlink_to(outside)
    logger, _ = start(root)
    logger.info("one")
    assert outside.read_text() == "precious"
    assert "t_1.log cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (RunOptions(console=True), ["info", "warning"]),
        (RunOptions(console=True, quiet=True), ["warning"]),
        (RunOptions(), []),
    ],
)
def test_the_console_shows_what_was_asked_for_and_each_line_once(
    start: Any, capsys: pytest.CaptureFixture[str], options: RunOptions, shown: list[str]
) -> None:
    logger, _ = start(options=options)
    for level in ("debug", "info", "warning"):
        getattr(logger, level)(level)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.rpartition(" | ")[2] for line in err.splitlines()] == shown
    assert RUN_ID not in err


@pytest.mark.parametrize(("level", "shown"), [("INFO", False), ("DEBUG", True)])
def test_a_traceback_is_for_the_files_and_for_those_who_look_for_an_error(
    tmp_path: Path, start: Any, capsys: pytest.CaptureFixture[str], level: str, shown: bool
) -> None:
    logger, _ = start(options=RunOptions(console=True), level=level)
    try:
        raise ValueError("no")
    except ValueError:
        logger.exception("failed")
    assert ("Traceback" in capsys.readouterr().err) is shown
    assert "Traceback" in (tmp_path / "logs" / "project.log").read_text()


def test_a_line_on_the_console_does_not_break_a_progress_bar(
    start: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tqdm = pytest.importorskip("tqdm")
    logger, _ = start(options=RunOptions(console=True))
    with tqdm.tqdm(total=10, file=sys.stderr, leave=False, ncols=40, mininterval=0) as bar:
        bar.update(3)
        logger.info("between")
        bar.update(3)
    pieces = [piece for piece in re.split(r"[\r\n]", capsys.readouterr().err) if "between" in piece]
    assert len(pieces) == 1
    assert pieces[0].endswith("| between")
    assert "it/s" not in pieces[0]


def test_an_unknown_level_is_a_configuration_error(tmp_path: Path, make_run: Any) -> None:
    with pytest.raises(ConfigurationError, match="LOUD"):
        RunLogs(make_run(tmp_path, level="LOUD"))


@pytest.mark.parametrize("given", [{"max_bytes": 0}, {"backup_count": 0}])
def test_settings_that_make_no_sense_are_refused(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LogSettings(**given)


def test_the_log_goes_on_where_it_cannot_be_put_aside(
    tmp_path: Path, make_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path)

    def refuse(source: str, target: str) -> None:
        raise PermissionError("in use")

    run.files.replace = refuse
    handler = RotatingLogHandler(run.files, "logs/project.log", max_bytes=100, backup_count=2)
    logger = logging.Logger("task")
    logger.addHandler(handler)
    for number in range(20):
        logger.info("line %03d", number)
    handler.close()
    assert len(lines(tmp_path, "project.log")) == 20
    assert capsys.readouterr().err.count("cannot be put aside") == 1
