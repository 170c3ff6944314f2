"""What is drawn, and when nothing is."""

from __future__ import annotations

import io
import logging
import re
import sys
import time
import types
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from pamola_tasks_progress.manager import TaskProgressManager, nobody_looks

LOGGER = logging.getLogger("progress-tests")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Called in a test, puts a terminal on stderr (pytest changes stderr between fixtures and tests), in no build."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("CONTINUOUS_INTEGRATION", raising=False)

    def begin() -> Terminal:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return begin


def test_bars_are_drawn_on_stderr_and_never_on_stdout(
    look: Callable[[], Terminal], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = look()
    with closing(TaskProgressManager("t_1", 2, nobody_looks())) as manager:
        assert not manager.quiet
        manager.start_operation("read", 100)
        time.sleep(0.25)
        manager.update_operation("read", 50)
        time.sleep(0.15)
        manager.update_operation("read", 10)
        manager.complete_operation("read")
    drawn = terminal.getvalue()
    assert "t_1" in drawn
    assert "read" in drawn
    assert "60/100" in drawn or "50/100" in drawn
    assert capsys.readouterr().out == ""


def test_the_terminal_is_left_as_it_was(look: Callable[[], Terminal]) -> None:
    terminal = look()
    with closing(TaskProgressManager("t_1", 1, nobody_looks())) as manager:
        manager.start_operation("read", 10)
        manager.complete_operation("read")
    last = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9]*[A-Z]", "", terminal.getvalue()))[-1]
    assert last.strip() == ""


@pytest.mark.parametrize("variable", ["CI", "CONTINUOUS_INTEGRATION"])
def test_on_a_build_server_nothing_is_drawn(
    look: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    terminal = look()
    assert not nobody_looks()
    monkeypatch.setenv(variable, "true")
    with closing(TaskProgressManager("t_1", 1, nobody_looks())) as manager:
        manager.start_operation("read", 10)
        manager.complete_operation("read")
    assert terminal.getvalue() == ""


def test_secrets_and_control_characters_are_not_drawn(look: Callable[[], Terminal]) -> None:
    terminal = look()
    manager = TaskProgressManager("t_1", redact=lambda text: text.replace("hunter2", "***"))
    manager.start_operation("read", 10, description="login hunter2\x1b[2J\n")
    time.sleep(0.25)
    manager.update_operation("read", 5, {"by": "hunter2"})
    manager.close()
    drawn = terminal.getvalue()
    assert "login ***?[2J?" in drawn
    assert "by=***" in drawn
    assert "hunter2" not in drawn


def test_a_step_that_finds_out_its_size_gets_a_bar(look: Callable[[], Terminal]) -> None:
    terminal = look()
    manager = TaskProgressManager("t_1")
    manager.start_operation("read")
    time.sleep(0.25)
    manager.set_operation_total("read", 200, "rows")
    manager.update_operation("read", 100)
    manager.close()
    assert "100/200" in terminal.getvalue()


def test_the_plugin_is_quiet_when_asked(look: Callable[[], Terminal]) -> None:
    look()
    from pamola_tasks_progress.plugin import pamola_provide_progress

    def run(quiet: bool) -> Any:
        return types.SimpleNamespace(
            record=types.SimpleNamespace(task_id="t_1"),
            task=None,
            logger=LOGGER,
            redact=str,
            options=types.SimpleNamespace(quiet=quiet),
        )

    assert pamola_provide_progress(run(True)).quiet
    assert not pamola_provide_progress(run(False)).quiet
