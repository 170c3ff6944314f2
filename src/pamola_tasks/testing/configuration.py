"""Configuration in memory, of a project that is nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.protocols import ConfigLayer, Origin, Project, RetrySettings
from pamola_tasks.testing.places import ROOT

if TYPE_CHECKING:
    from pamola_tasks import BaseTask


@attrs.define(kw_only=True, slots=False)
class MemoryConfig:
    """A configuration from values; every key of the schema has its default."""

    task_id: str = ""
    task_type: str = ""
    description: str = ""
    version: str = "1.0.0"
    dependencies: list[str] = attrs.Factory(list)
    input_datasets: dict[str, str] = attrs.Factory(dict)
    auxiliary_datasets: dict[str, str] = attrs.Factory(dict)
    data_types: dict[str, Any] = attrs.Factory(dict)
    operations: list[Any] = attrs.Factory(list)
    outputs: list[str] = attrs.Factory(list)
    output_format: str = "csv"
    continue_on_error: bool = False
    use_encryption: bool = False
    encryption_mode: str = "none"
    encryption_key_path: str | None = None
    use_vectorization: bool = False
    parallel_processes: int = 1
    use_dask: bool = False
    npartitions: int = 4
    chunk_size: int = 100_000
    memory_limit_mb: int = 1000
    seed: int | None = None
    log_level: str = "INFO"
    timeout: float | None = None
    allow_external: bool = False
    allowed_external_paths: list[str] = attrs.Factory(list)
    data_repository: str = "DATA"
    enable_checkpoints: bool = False
    clean_temp_on_exit: bool = True
    check_free_space: bool = True
    default_encoding: str = "utf-8"
    default_delimiter: str = ","
    default_quotechar: str = '"'
    retry: RetrySettings = attrs.Factory(lambda: RetrySettings(max_retries=0))
    more: dict[str, Any] = attrs.Factory(dict)
    settings: dict[str, type] = attrs.Factory(dict)

    def __getattr__(self, name: str) -> Any:
        more = self.__dict__.get("more", {})
        if name in more:
            return more[name]
        raise AttributeError(f"the configuration has no {name!r}")

    def get(self, key: str, default: Any = None) -> Any:
        first, *rest = key.split(".")
        value = getattr(self, first, default)
        for part in rest:
            value = value.get(part, default) if isinstance(value, Mapping) else getattr(value, part, default)
        return value

    def plugin(self, name: str) -> Any:
        from pamola_tasks.parameters import build

        section = self.more.get(name, {})
        return build(self.settings[name], section, what=name) if name in self.settings else section

    def problem_at(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
        """The message after the path; values in memory are in no line."""
        return f"{'.'.join(map(str, path))}: {message}"

    def origins(self) -> Mapping[str, Origin]:
        return {key: Origin(value=value, layer="memory", place="memory") for key, value in self.to_dict().items()}

    def to_dict(self) -> dict[str, Any]:
        values = {
            f.name: getattr(self, f.name) for f in attrs.fields(MemoryConfig) if f.name not in ("more", "settings")
        }
        return {**values, "retry": attrs.asdict(self.retry), **self.more}


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
        merged: dict[str, Any] = {}
        for layer in reversed(list(layers)):
            merged.update(layer.values)
        known = {f.name for f in attrs.fields(MemoryConfig)} - {"more", "settings"}
        if isinstance(merged.get("retry"), Mapping):
            merged["retry"] = RetrySettings(**merged["retry"])
        merged.setdefault("task_id", task.task_id if task is not None else "")
        return MemoryConfig(
            **{key: value for key, value in merged.items() if key in known},
            more={key: value for key, value in merged.items() if key not in known},
            settings=dict(settings),
        )
