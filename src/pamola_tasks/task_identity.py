"""What a task is: its identity, what it reads, and the configuration that its class states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import UsageError
from pamola_tasks.task_keys import INJECTED_KEYS

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, KernelView


class TaskIdentity:
    """Names a task and its datasets; the merged configuration completes them. For the arguments see `Task`."""

    dependencies: Sequence[str] = ()

    def __init__(
        self,
        task_id: str,
        task_type: str = "",
        description: str = "",
        input_datasets: Mapping[str, str] | None = None,
        auxiliary_datasets: Mapping[str, str] | None = None,
        version: str | None = None,
        *,
        data_types: Mapping[str, Any] | None = None,
        use_encryption: bool | None = None,
        encryption_keys: Mapping[str, str] | None = None,
        task_dir: str | Path | None = None,
    ) -> None:
        mappings = {
            "input_datasets": input_datasets,
            "auxiliary_datasets": auxiliary_datasets,
            "data_types": data_types,
        }
        for name, mapping in {**mappings, "encryption_keys": encryption_keys}.items():
            if mapping is not None and not isinstance(mapping, Mapping):
                raise UsageError(
                    f"task {task_id}: {name} maps names of datasets to what belongs to them; it is not a"
                    f" {type(mapping).__name__}"
                )
        stated = {
            "task_type": task_type or None,
            "description": description or None,
            **{name: dict(mapping) if mapping else None for name, mapping in mappings.items()},
            "version": version,
            "use_encryption": use_encryption,
            "dependencies": list(self.dependencies) or None,
        }
        self._stated: dict[str, Any] = {key: value for key, value in stated.items() if value is not None}
        self.task_id = task_id
        self.task_type = task_type
        self.description = description
        self.version = version or "1.0.0"
        self.input_datasets = dict(input_datasets or {})
        self.auxiliary_datasets = dict(auxiliary_datasets or {})
        self.data_types = dict(data_types or {})
        self.use_encryption = bool(use_encryption)
        self.encryption_keys = dict(encryption_keys or {})
        self.encryption_mode = "none"
        self.enable_checkpoints = True
        self.use_vectorization = False
        self.parallel_processes = 1
        self.use_dask = False
        self.npartitions = 4
        self.chunk_size = 100_000
        self.task_dir: Path | None = Path(task_dir) if task_dir is not None else None
        self._given_task_dir = self.task_dir
        self.file = ""
        self.kernel: KernelView | None = None
        self.project_root: Path | None = None
        self._clear()

    def _clear(self) -> None:
        """Back to before a run."""

    def get_default_config(self) -> dict[str, Any]:
        """Configuration that the task's class states; override it and return more keys.

        It overrides the environment, and is overridden by configuration files and the command line.
        """
        return {}

    @property
    def origin(self) -> str:
        """Where the task comes from: its file, or `module:Class`."""
        return self.file or f"{type(self).__module__}:{type(self).__qualname__}"

    def stated_configuration(self) -> dict[str, Any]:
        """What the task's class states: constructor arguments that were passed, and `get_default_config`."""
        return {**self._stated, **self.get_default_config()}

    def overriding(self) -> dict[str, Any]:
        """Configuration that the task overrides all files with, if the caller does not: the place it was given."""
        if self._given_task_dir is None:
            return {}
        root = self.kernel.project.root if self.kernel is not None else None
        return {"data_repository": "." if root == self._given_task_dir.resolve() else str(self._given_task_dir)}

    def take_identity(self, config: Config) -> None:
        """Become what the merged configuration says. Called by the lifecycle."""
        if config.task_id:
            self.task_id = config.task_id
        self.task_type = config.task_type or self.task_type
        self.description = config.description or self.description
        self.version = config.version or self.version
        self.input_datasets = dict(config.input_datasets)
        self.auxiliary_datasets = dict(config.auxiliary_datasets)
        self.data_types = dict(config.data_types)
        self.use_encryption = config.use_encryption
        for key in INJECTED_KEYS:
            setattr(self, key, getattr(config, key))
