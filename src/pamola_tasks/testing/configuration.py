"""Configuration in memory, of a project that is nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.parameters import build
from pamola_tasks.protocols import ConfigLayer, Origin, Project, RetrySettings
from pamola_tasks.testing.places import ROOT

if TYPE_CHECKING:
    from pamola_tasks import BaseTask


def _defaults() -> dict[str, Any]:
    """Every key of the schema with its default."""
    return {
        **dict.fromkeys(("task_id", "task_type", "description"), ""),
        **{name: [] for name in ("dependencies", "operations", "outputs", "allowed_external_paths")},
        **{name: {} for name in ("input_datasets", "auxiliary_datasets", "data_types")},
        **dict.fromkeys(("continue_on_error", "use_encryption", "use_vectorization", "use_dask"), False),
        **dict.fromkeys(("allow_external", "enable_checkpoints"), False),
        **dict.fromkeys(("clean_temp_on_exit", "check_free_space"), True),
        **dict.fromkeys(("encryption_key_path", "seed", "timeout")),
        "version": "1.0.0",
        "encryption_mode": "none",
        "data_repository": "DATA",
        "log_level": "INFO",
        "parallel_processes": 1,
        "npartitions": 4,
        "chunk_size": 100_000,
        "memory_limit_mb": 1000,
        "output_format": "csv",
        "default_encoding": "utf-8",
        "default_delimiter": ",",
        "default_quotechar": '"',
        "retry": RetrySettings(max_retries=0),
    }


class MemoryConfig:
    """A configuration from values, over the defaults of the schema.

    Args:
        values: Values by key; those of plugins are mappings under the plugin's name.
        settings: For plugins, the class that their section must fit.
    """

    def __init__(self, values: Mapping[str, Any], settings: Mapping[str, type]) -> None:
        self._values = {**_defaults(), **values}
        self._settings = settings
        if isinstance(self._values["retry"], Mapping):
            self._values["retry"] = RetrySettings(**self._values["retry"])

    def __getattr__(self, name: str) -> Any:
        values = vars(self).get("_values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"the configuration has no {name!r}")

    def get(self, key: str, default: Any = None) -> Any:
        first, *rest = key.split(".")
        value = getattr(self, first, default)
        for part in rest:
            value = value.get(part, default) if isinstance(value, Mapping) else getattr(value, part, default)
        return value

    def plugin(self, name: str) -> Any:
        section = self._values.get(name, {})
        return build(self._settings[name], section, what=name) if name in self._settings else section

    def problem_at(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
        """The message after the path; values in memory are in no line."""
        return f"{'.'.join(map(str, path))}: {message}"

    def origins(self) -> Mapping[str, Origin]:
        return {key: Origin(value=value, layer="memory", place="memory") for key, value in self.to_dict().items()}

    def to_dict(self) -> dict[str, Any]:
        return {**self._values, "retry": attrs.asdict(self._values["retry"])}


class MemoryConfigPlugin:
    """Configuration from a dict, over what the task's class states, under what the caller asks for.

    Args:
        values: Configuration values, for every task.
    """

    PAMOLA_PLUGIN_NAME = "memory-config"

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    @hookimpl(trylast=True)
    def pamola_provide_project(self, start: Path) -> Project:
        return Project(ROOT, marker="memory")

    @hookimpl
    def pamola_add_config_layers(
        self, project: Project, task: BaseTask | None, overrides: Mapping[str, Any]
    ) -> list[ConfigLayer]:
        stated = task.stated_configuration() if task is not None else {}
        return [
            ConfigLayer(name="command line", rank=500, origin="overrides", values=overrides),
            ConfigLayer(name="memory", rank=400, origin="memory", values=self._values),
            ConfigLayer(name="task class", rank=200, origin="task", values=stated),
        ]

    @hookimpl(trylast=True)
    def pamola_provide_config(
        self, project: Project, task: BaseTask | None, layers: Iterable[ConfigLayer], settings: Mapping[str, type]
    ) -> MemoryConfig:
        merged: dict[str, Any] = {"task_id": task.task_id if task is not None else ""}
        for layer in reversed(list(layers)):
            merged.update(layer.values)
        return MemoryConfig(merged, settings)
