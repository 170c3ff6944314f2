"""What the forerunner's progress manager counts, measures, logs and reports."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pamola_tasks_compat.progress import TaskProgressManager, create_task_progress_manager
from pamola_tasks_compat.trackers import NoOpProgressTracker, ProgressTracker

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


class Reporter:
    def __init__(self) -> None:
        self.entries: list[tuple[str, str, Mapping[str, Any]]] = []

    def add_operation(self, name: str, status: str = "success", details: Mapping[str, Any] | None = None) -> None:
        self.entries.append((name, status, details or {}))


def test_every_operation_that_ended_is_counted_once_whatever_is_known_of_its_size() -> None:
    manager = TaskProgressManager("t_1", "test", LOGGER, total_operations=4, quiet=True)
    for name, total in (("sized", 10), ("unsized", 0)):
        manager.start_operation(name, total)
        manager.update_operation(name, 3)
        manager.complete_operation(name)
        manager.complete_operation(name)
    manager.complete_operation("skipped")
    manager.start_operation("failed", 5)
    manager.complete_operation("failed", success=False)
    metrics = manager.get_metrics()
    assert metrics["operations_completed"] == 4
    assert metrics["operations_failed"] == 1
    assert metrics["operations_total"] == 4
    assert metrics["task_id"] == "t_1"
    assert metrics["operations_per_second"] > 0


def test_a_name_that_is_used_again_is_counted_again() -> None:
    manager = TaskProgressManager("t_1", "test", LOGGER, quiet=True)
    for _ in range(2):
        manager.start_operation("load")
        manager.complete_operation("load")
    assert manager.get_metrics()["operations_completed"] == 2


def test_totals_can_grow() -> None:
    manager = TaskProgressManager("t_1", "test", LOGGER, quiet=True)
    manager.set_total_operations(3)
    manager.increment_total_operations()
    manager.increment_total_operations(2)
    assert manager.get_metrics()["operations_total"] == 6


def test_without_a_terminal_nothing_is_drawn_and_tqdm_is_not_imported() -> None:
    program = """
import logging, sys
from pamola_tasks_compat.progress import create_task_progress_manager
with create_task_progress_manager("t_1", "test", logging.getLogger(), total_operations=1) as manager:
    with manager.create_operation_context("read", 10) as tracker:
        tracker.update(10)
    manager.log_warning("once")
assert "tqdm" not in sys.modules
print(manager.operations_completed)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout == "1\n"
    assert done.stderr == "once\n"


@pytest.mark.parametrize("quiet", [True, False])
def test_a_warning_is_shown_once(look: Callable[[], Terminal], quiet: bool) -> None:
    terminal = look()
    logger = logging.Logger("task")
    logger.addHandler(logging.StreamHandler(terminal))
    with create_task_progress_manager("t_1", "test", logger, total_operations=1, quiet=quiet) as manager:
        manager.start_operation("read", 10)
        manager.log_warning("look at this")
    assert terminal.getvalue().count("look at this") == 1


def test_a_log_line_names_the_place_of_its_caller() -> None:
    records: list[logging.LogRecord] = []
    logger = logging.Logger("task")
    logger.addHandler(types.SimpleNamespace(level=0, handle=records.append))  # type: ignore[arg-type]
    manager = TaskProgressManager("t_1", "test", logger, quiet=True)
    manager.log_error("a")
    manager.log_message("warning", "100% b")
    assert [(r.levelname, r.funcName, r.getMessage()) for r in records] == [
        ("ERROR", "test_a_log_line_names_the_place_of_its_caller", "a"),
        ("WARNING", "test_a_log_line_names_the_place_of_its_caller", "100% b"),
    ]


def test_a_context_completes_its_operation_well_or_not() -> None:
    reporter = Reporter()
    manager = TaskProgressManager("t_1", "test", LOGGER, reporter, quiet=True)
    with manager.create_operation_context("good", 3) as tracker:
        tracker.update(3)
    with pytest.raises(ValueError, match="no"), manager.create_operation_context("bad"):
        raise ValueError("no")
    assert [(name, status) for name, status, _ in reporter.entries] == [
        ("Complete good", "success"),
        ("Complete bad", "error"),
    ]
    assert reporter.entries[0][2]["items_per_second"] > 0
    assert manager.operations_failed == 1


def test_threads_lose_no_count() -> None:
    manager = TaskProgressManager("t_1", "test", LOGGER, quiet=True)
    shared = manager.start_operation("shared", 4000)

    def work(number: int) -> None:
        for index in range(500):
            manager.update_operation("shared")
            manager.start_operation(f"{number}-{index}")
            manager.complete_operation(f"{number}-{index}", success=index % 2 == 0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.done == 4000
    assert manager.operations_completed == 4000
    assert manager.operations_failed == 2000


def test_a_tracker_measures_what_it_did() -> None:
    with NoOpProgressTracker(10, "read") as tracker:
        tracker.update(4)
        tracker.update()
    assert tracker.done == 5
    assert tracker.metrics["failed"] is False
    assert tracker.metrics["execution_time"] > 0
    assert set(tracker.metrics) == {
        "current",
        "execution_time",
        "items_per_second",
        "peak_memory_mb",
        "memory_delta_mb",
        "failed",
    }


def test_a_tracker_that_ends_moves_its_parent(look: Callable[[], Terminal]) -> None:
    look()
    parent = ProgressTracker(2, "all", leave=False)
    with ProgressTracker(5, "part", position=1, leave=False, parent=parent) as part:
        part.update(5)
        part.set_description("part, nearly")
        part.set_postfix({"rows": 5})
    assert parent.done == 1
    parent.close(failed=True)
    assert parent.metrics["failed"] is True
