"""`BaseTask` with the getters of the forerunner; what they return are attributes of every task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pamola_tasks
from pamola_tasks_compat.dependencies import TaskDependencyManager

if TYPE_CHECKING:
    from pamola_tasks import Artifact, OperationResult


class BaseTask(pamola_tasks.BaseTask):
    __doc__ = pamola_tasks.BaseTask.__doc__

    def create_dependency_manager(self) -> Any:
        """The service, with the forerunner's methods for the report, metrics and status of a dependency."""
        if self._session is None:
            return self.dependency_manager
        return TaskDependencyManager.of(self._session.run, self.dependency_manager)

    def get_results(self) -> dict[str, OperationResult]:
        """Results by step id: `results`."""
        return self.results

    def get_artifacts(self) -> list[Artifact]:
        """All artifacts of all steps: `artifacts`."""
        return self.artifacts

    def get_metrics(self) -> dict[str, Any]:
        """Metrics by step id: `metrics`."""
        return self.metrics

    def get_execution_status(self) -> tuple[str, dict[str, Any] | None]:
        """`status` and `error_info`."""
        return self.status, self.error_info

    def get_encryption_info(self) -> dict[str, Any]:
        """Whether and how the task encrypts; never the key."""
        if self.encryption_manager is None:
            return {"enabled": self.use_encryption, "mode": self.encryption_mode, "key_available": False}
        info: dict[str, Any] = self.encryption_manager.get_encryption_info()
        return info

    def get_checkpoint_status(self) -> dict[str, Any]:
        """Whether this run continued another: `resuming_from_checkpoint, checkpoint_name, has_restored_state,
        operation_index` (of the last step that was skipped, -1 when all were run)."""
        skipped = [i for i, result in enumerate(self.results.values()) if result.attempts == 0]
        resumed = self._session.run.record.resumed_from if self._session is not None else None
        return {
            "resuming_from_checkpoint": resumed is not None,
            "checkpoint_name": resumed,
            "has_restored_state": bool(skipped),
            "operation_index": skipped[-1] if skipped else -1,
        }
