"""The forerunner's getters of a task give what its attributes hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kernel_kit import Count, Nothing

from pamola_tasks import Kernel
from pamola_tasks.testing import memory_plugins
from pamola_tasks_compat import BaseTask


class Counting(BaseTask):
    """Counts some numbers."""

    def __init__(self) -> None:
        super().__init__("t_1", input_datasets={"numbers": "numbers.csv"})

    def configure_operations(self) -> None:
        """Count, and do nothing."""
        self.add_operation(Count, input_dataset="numbers")
        self.add_operation(Nothing)


def test_getters_of_a_run() -> None:
    task = Counting()
    assert task.get_encryption_info() == {"enabled": False, "mode": "none", "key_available": False}
    kernel = Kernel(autoload=False, plugins=memory_plugins())
    assert kernel.run(task, datasets={"numbers": [1, 2]}).success
    assert task.get_execution_status() == ("success", None)
    assert task.get_metrics() == {"Count": {"count": 2}}
    assert [artifact.name for artifact in task.get_artifacts()] == ["count_numbers"]
    assert list(task.get_results()) == ["Count", "Nothing"]
    assert task.get_encryption_info()["enabled"] is False
    assert task.get_checkpoint_status() == {
        "resuming_from_checkpoint": False,
        "checkpoint_name": None,
        "has_restored_state": False,
        "operation_index": -1,
    }


def test_checkpoint_status_of_a_resumed_run(tmp_path: Path) -> None:
    class Idle(BaseTask):
        def configure_operations(self) -> None:
            self.add_operation(Nothing)

    (tmp_path / ".pamola.toml").touch()
    first = Kernel(tmp_path).run(Idle("t_2"))
    task = Idle("t_2")
    assert Kernel(tmp_path).run(task).success
    status = task.get_checkpoint_status()
    assert status == {
        "resuming_from_checkpoint": True,
        "checkpoint_name": first.run_id,
        "has_restored_state": True,
        "operation_index": 0,
    }


def test_a_task_asks_its_dependency_for_status_and_metrics(tmp_path: Path) -> None:
    """The dependency manager of compat's `BaseTask` has the forerunner's methods while the task runs."""
    (tmp_path / ".pamola.toml").touch()
    reports = tmp_path / "DATA/reports"
    reports.mkdir(parents=True)
    report = {"run": {"status": "success"}, "metrics": {"Count": {"rows": 3}}}
    (reports / "t_0_report.json").write_text(json.dumps(report))
    asked: list[Any] = []

    class Asking(BaseTask):
        dependencies = ("t_0",)

        def configure_operations(self) -> None:
            manager = self.dependency_manager
            asked.extend([manager.get_dependency_status("t_0")["success"], manager.get_dependency_metrics("t_0")])
            self.add_operation(Nothing)

    task = Asking("t_1")
    task.kernel = Kernel(tmp_path)
    assert task.run(), task.error_info
    assert asked == [True, {"Count": {"rows": 3}}]


def test_the_module_of_scripts_has_the_base_task_of_the_package() -> None:
    """One with the forerunner's getters."""
    import pamola_tasks_compat
    import pamola_tasks_compat.tasks

    assert pamola_tasks_compat.tasks.BaseTask is pamola_tasks_compat.BaseTask
