"""`TaskConfig`: one task's configuration, typed, with every value's origin, and the paths that follow from it."""

from __future__ import annotations

import os
import re
import warnings as python_warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.parameters import Misfit
from pamola_tasks.protocols import Config, ConfigLayer, Origin, Project
from pamola_tasks.storage.files import check_name
from pamola_tasks_config.collecting import read_sources
from pamola_tasks_config.config_files import CONFIGS
from pamola_tasks_config.document import dotted, in_words
from pamola_tasks_config.fitting import ConfigFitter, plain
from pamola_tasks_config.layer import TASK_FILE, problem_in
from pamola_tasks_config.layers import override_layers, project_layers
from pamola_tasks_config.resolving import Resolved, entry_at, resolve
from pamola_tasks_config.schema import TaskKeys, kinds

if TYPE_CHECKING:
    from pamola_tasks.protocols import Task

_MISSING = object()


class TaskConfig(TaskKeys):
    """The configuration of one task.

    Every key of the schema is an attribute; so is every own parameter of the task whose name is not taken by
    something else (`get` reaches all). Made by the cascade (`load_task_config`), or from a mapping:

    Args:
        config_dict: What a task file would say.
        task_id: The task's id.
        task_type: Its type.
        env_override: Whether environment variables take part.
        progress_manager: Kept for callers that have one.

    Raises:
        ConfigurationError: Everything that is wrong, together.
    """

    def __init__(
        self,
        config_dict: Mapping[str, Any],
        task_id: str,
        task_type: str,
        env_override: bool = True,
        progress_manager: Any = None,
    ) -> None:
        from pamola_tasks.kernel import Kernel

        kernel = Kernel.discover()
        values = {"task_type": task_type, **plain(config_dict)}
        layers: list[ConfigLayer] = [ConfigLayer(name=TASK_FILE, rank=400, origin="config_dict", values=values)]
        sources = read_sources(kernel.project, None)
        if sources.project is not None:
            layers += project_layers(sources.project, task_id)
        self._begin(kernel.project, task_id, layers, kernel.settings(), from_environment=env_override)
        self.progress_manager = progress_manager

    @classmethod
    def provided(
        cls, project: Project, task: Task | None, layers: Iterable[ConfigLayer], settings: Mapping[str, type]
    ) -> TaskConfig:
        """The configuration that the layers give. See `pamola_provide_config`."""
        config = cls.__new__(cls)
        task_id = str(getattr(task, "task_id", "") or "")
        config._begin(project, task_id, list(layers), dict(settings))
        config.progress_manager = None
        return config

    def _begin(
        self,
        project: Project,
        task_id: str,
        layers: list[ConfigLayer],
        settings: Mapping[str, type],
        *,
        from_environment: bool = True,
    ) -> None:
        self._project = project
        self._layers = layers
        self._settings = settings
        self._from_environment = from_environment
        self._take(self._resolve(task_id, layers))

    def _resolve(self, task_id: str, layers: list[ConfigLayer]) -> Resolved:
        return resolve(self._project, task_id, layers, self._settings, from_environment=self._from_environment)

    def _take(self, resolved: Resolved) -> None:
        self._resolved = resolved
        self._sections = dict(resolved.sections)
        for field in attrs.fields(TaskKeys):
            setattr(self, field.name, getattr(resolved.keys, field.name))

    # ------------------------------------------------------------ values

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The task's own parameters."""
        return self._resolved.parameters

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the configuration, but no error."""
        return self._resolved.warnings

    @property
    def env_file_values(self) -> Mapping[str, str]:
        """What the file that `env_file` names says."""
        return self._resolved.variables

    def __getattr__(self, name: str) -> Any:
        # Only asked where there is no attribute of this name, so a parameter never hides a key or a method.
        resolved = self.__dict__.get("_resolved")
        if resolved is not None and name in resolved.parameters:
            return resolved.parameters[name]
        raise AttributeError(f"the configuration has no key {name!r}")

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a dotted key: of the schema, of a plugin's section, or of the task's own parameters."""
        head, *rest = key.split(".")
        if head in kinds():
            value: Any = getattr(self, head)
        elif head in self._settings or head in self._sections:
            value = self.plugin(head)
        else:
            value = self.parameters.get(head, _MISSING)
        for part in rest:
            value = value.get(part, _MISSING) if isinstance(value, Mapping) else getattr(value, part, _MISSING)
        return default if value is _MISSING else value

    def plugin(self, name: str) -> Any:
        """A plugin's own section, as an instance of its class; as a mapping where the plugin gave none."""
        if name not in self._settings:
            section = self.parameters.get(name, {})
            return section if isinstance(section, Mapping) else {}
        if name not in self._sections:
            fitter = ConfigFitter(final=True)
            self._sections[name] = fitter.section({}, self._settings[name], (name,))
            if fitter.misfits:
                raise ConfigurationError(problems=tuple(f"{name}: {misfit.message}" for misfit in fitter.misfits))
        return self._sections[name]

    def problem_at(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
        """A message about a value, or about its key, with the place where that was written."""
        entry = entry_at(self._resolved.winners, tuple(path))
        if entry is None:
            return f"{dotted(path)}: {message}"
        (text,) = in_words([problem_in(entry.layer, Misfit(tuple(path), message, at_key))])
        return text

    def origins(self) -> Mapping[str, Origin]:
        """For every dotted key, who won and who was overruled; secrets as `Secret`."""
        return self._resolved.origins

    def to_dict(self) -> dict[str, Any]:
        """All values, nested, with secrets as `***`."""
        values = {field.name: plain(getattr(self, field.name)) for field in attrs.fields(TaskKeys)}
        values |= {name: plain(self.plugin(name)) for name in self._sections}
        shown = self._project.redactor.value(values | dict(self.parameters))
        assert isinstance(shown, dict)
        return shown

    def __str__(self) -> str:
        return (
            f"TaskConfig(task_id={self.task_id!r}, task_type={self.task_type!r}, project={str(self._project.root)!r})"
        )

    __repr__ = __str__

    def override_with_args(self, args: Any) -> None:
        """Put values over all others.

        Args:
            args: A mapping of dotted keys, or a namespace of argparse. None means that an argument was not given.

        Raises:
            ConfigurationError: Everything that is wrong; nothing is changed then.
        """
        given = args if isinstance(args, Mapping) else vars(args)
        overrides = {key: value for key, value in given.items() if value is not None}
        rank = 10 + max(500, *(layer.rank for layer in self._layers))
        layers = [*override_layers(overrides, rank=rank, origin="args"), *self._layers]
        resolved = self._resolve(self.task_id, layers)
        self._layers = layers
        self._take(resolved)

    def validate(self) -> tuple[bool, list[str]]:
        """Whether the configuration can be run with, and all that stands against it. Changes nothing."""
        errors = [f"{key}: is not set" for key in ("task_id", "task_type") if not getattr(self, key)]
        errors += contradictions(self)
        if self.use_encryption and not self._has_key_source():
            errors.append(
                "use_encryption: is on, and there is no key: set PAMOLA_KEY_FILE, PAMOLA_KEY or encryption_key_path,"
                " or make one with `pamola-task keys init`"
            )
        return not errors, errors

    def _has_key_source(self) -> bool:
        """Whether a key is named anywhere that can be seen without opening it, or the encryption service finds one."""
        if self.encryption_key_path or any(os.environ.get(f"PAMOLA_{n}") for n in ("KEY", "KEY_FILE", "PASSPHRASE")):
            return True
        from pamola_tasks_config.standing import has_key

        return has_key(self._project.root, self.task_id, self.encryption_mode)

    # ------------------------------------------------------------ paths

    @property
    def project_root(self) -> Path:
        """The project's root."""
        return self._project.root

    def get_project_root(self) -> Path:
        """The project's root."""
        return self._project.root

    def get_project_config_dir(self) -> Path:
        """The folder of configuration files."""
        return self._project.root / CONFIGS

    def get_project_logs_dir(self) -> Path:
        """The folder of the project's logs."""
        return self._project.root / "logs"

    def get_data_repository(self) -> Path:
        """The folder of the data."""
        return self._project.root / self.data_repository

    def get_raw_dir(self) -> Path:
        """The folder of inputs."""
        return self.get_data_repository() / "raw"

    def get_processed_dir(self) -> Path:
        """The folder that holds one folder per task."""
        return self.get_data_repository() / "processed"

    def get_reports_dir(self) -> Path:
        """The folder of reports."""
        return self.get_data_repository() / "reports"

    def get_task_dir(self, task_id: str | None = None) -> Path:
        """The folder of a task: this one unless another is named."""
        return self.get_processed_dir() / check_name(task_id or self.task_id, "the task id")

    def get_task_input_dir(self, task_id: str | None = None) -> Path:
        """The task's `input` folder."""
        return self.get_task_dir(task_id) / "input"

    def get_task_output_dir(self, task_id: str | None = None) -> Path:
        """The task's `output` folder."""
        return self.get_task_dir(task_id) / "output"

    def get_task_temp_dir(self, task_id: str | None = None) -> Path:
        """The task's `temp` folder."""
        return self.get_task_dir(task_id) / "temp"

    def get_task_dict_dir(self, task_id: str | None = None) -> Path:
        """The task's `dictionaries` folder."""
        return self.get_task_dir(task_id) / "dictionaries"

    def get_task_dictionaries_dir(self, task_id: str | None = None) -> Path:
        """The task's `dictionaries` folder."""
        return self.get_task_dict_dir(task_id)

    def get_task_logs_dir(self, task_id: str | None = None) -> Path:
        """The task's `logs` folder."""
        return self.get_task_dir(task_id) / "logs"

    def processed_subdir(self, task_id: str | None = None, *parts: str) -> Path:
        """A folder within a task's folder."""
        return self.get_task_dir(task_id).joinpath(*(check_name(part, "the folder") for part in parts))

    def resolve_legacy_path(self, path: str | Path) -> Path:
        """An absolute path; a relative one is taken from the project's root, with a DeprecationWarning."""
        if os.path.isabs(path):
            return Path(path)
        python_warnings.warn(
            f"relative path {os.fspath(path)!r}: name it by a dataset or a folder of the task instead",
            DeprecationWarning,
            stacklevel=2,
        )
        return self._project.root / path

    # ------------------------------------------------------------ scope and dependencies

    def get_scope_fields(self) -> list[str]:
        """Columns that the task is about."""
        return self.scope.fields or _listed(self.parameters.get("fields"))

    def get_scope_datasets(self) -> list[str]:
        """Datasets that the task is about."""
        return self.scope.datasets or _listed(self.parameters.get("datasets"))

    def get_scope_field_groups(self) -> dict[str, list[str]]:
        """Columns by the name of their group."""
        groups = self.scope.field_groups or self.parameters.get("field_groups")
        return {name: _listed(fields) for name, fields in groups.items()} if isinstance(groups, Mapping) else {}

    def get_dependency_output(self, dependency_id: str, file_pattern: str | None = None) -> Path | list[Path]:
        """What another task left.

        Args:
            dependency_id: The task's id, or the path of a folder (it has a separator).
            file_pattern: A pattern such as `*.csv`, for the files that match, sorted by name.

        Raises:
            DependencyMissingError: There is no such folder.
        """
        from pamola_tasks_config import dependencies

        return dependencies.output(self, self._project.files, dependency_id, file_pattern)

    def get_dependency_report(self, dependency_id: str) -> Path:
        """The report of another task.

        Raises:
            DependencyMissingError: There is none.
        """
        from pamola_tasks_config import dependencies

        return dependencies.report(self, self._project.files, dependency_id)

    def assert_dependencies_completed(self) -> bool:
        """Whether every task in `dependencies` left a report that says success.

        Raises:
            DependencyMissingError: One left none; with `continue_on_error` only a warning is logged.
            DependencyFailedError: One did not succeed; likewise.
        """
        from pamola_tasks_config import dependencies

        return dependencies.assert_completed(self, self._project.files)

    # ------------------------------------------------------------ saving

    def save(self, path: str | Path | None = None, format: str | None = None) -> Path:
        """Write what was set for this task as a file for people, leaving the rest of an existing file as it is.

        Written is what the command line, the task file, the project's section for the task and its class say; what
        comes from the environment or holds for the whole project stays there. Secrets are never written.

        Args:
            path: Where to; the task's own file in `configs/` unless given.
            format: `yaml`, `json` or `toml`, for a new file; YAML unless given.

        Raises:
            ConfigurationError: The file cannot be written or edited.
        """
        from pamola_tasks_config.saving import save_task

        return save_task(self, self._project, self._resolved.winners, path, format)


def _listed(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def contradictions(config: Config) -> list[str]:
    """Keys that cannot be as they are, alone or together."""
    problems = []
    for pattern in getattr(config, "sensitive_patterns", ()):
        try:
            re.compile(pattern)
        except re.error as error:
            place = config.origins()["sensitive_patterns"].place
            problems.append(f"{place}: sensitive_patterns: not a regular expression: {error}")
    if config.use_encryption and config.encryption_mode == "none":
        places = [config.origins()[key].place for key in ("use_encryption", "encryption_mode")]
        problems.append(
            f"use_encryption is on ({places[0]}) and encryption_mode is none ({places[1]}):"
            f" switch one of them, or leave the mode out for `simple`"
        )
    return problems
