"""A task as kernel and plugins see it while it runs: what it is, what it states, and its four phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from pamola_tasks.protocols.config import Config


class Task(Protocol):
    """A task (`BaseTask`), with an identity that the merged configuration completes."""

    task_id: str
    task_type: str
    description: str
    version: str
    file: str
    encryption_keys: dict[str, str]
    config: Any
    logger: logging.Logger | None
    dependency_manager: Any

    @property
    def origin(self) -> str:
        """Where the task comes from: its file, or `module:Class`."""

    def stated_configuration(self) -> dict[str, Any]:
        """What the task's class states: constructor arguments that were passed, and `get_default_config`."""

    def overriding(self) -> Mapping[str, Any]:
        """Configuration that overrides all files: the directory set in the task's constructor."""

    def take_identity(self, config: Config) -> None:
        """Become what the merged configuration says."""

    def create_dependency_manager(self) -> Any:
        """The service that checks what the task depends on."""

    def configure_operations(self) -> None:
        """Add the task's operations."""
