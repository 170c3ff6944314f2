"""`TaskConfig`: one task's configuration, typed, with every value's origin, and what services know of its task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attrs

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.parameters import Misfit
from pamola_tasks.plugins.contributions import Sections
from pamola_tasks.protocols import Config, ConfigLayer, Origin, Project, RunOptions
from pamola_tasks_config.declared import ConfiguredTask, place_of
from pamola_tasks_config.document import dotted, in_words
from pamola_tasks_config.fitting import ConfigFitter, plain
from pamola_tasks_config.freezing import FROZEN, frozen
from pamola_tasks_config.layers import override_layers, problem_in
from pamola_tasks_config.resolving import entry_at, resolve
from pamola_tasks_config.schema import TaskKeys, kinds

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RunServices, Task

_MISSING = object()
# What services are asked with, as it is here: it may have been set from Python (`override_with_args`).
_ASKED_WITH = ("data_repository", "dependencies", "continue_on_error", "use_encryption")


class TaskConfig(TaskKeys):
    """The configuration of one task.

    Every key of the schema is an attribute; so is every own parameter of the task whose name is not taken by
    something else (`get` reaches all). `load_task_config` makes one outside a run.

    Args:
        project: The project.
        task: The task, or None for the project's own configuration.
        layers: What it is merged from, without the environment.
        settings: Names of plugins and the class that their section must fit.
        environment: Whether variables set keys; `${env:NAME}` is read all the same.

    Attributes:
        project_root: The project's root.
        parameters: The task's own parameters.
        warnings: What is odd about the configuration, but no error.
        env_file_values: What the file that `env_file` names says.
        referred: What `${env:…}` gave, to be hidden.

    Raises:
        ConfigurationError: Everything that is wrong, together.
    """

    project_root: Path
    _origins: Mapping[str, Origin]

    def __init__(
        self,
        project: Project,
        task: Task | None,
        layers: Iterable[ConfigLayer],
        settings: Mapping[str, type],
        *,
        environment: bool = True,
    ) -> None:
        vars(self).update(_project=project, _task=task, _settings=settings, project_root=project.root)
        vars(self).update(_environment=environment)
        self._resolve(str(getattr(task, "task_id", "") or ""), list(layers))

    def _resolve(self, task_id: str, layers: list[ConfigLayer]) -> None:
        resolved = resolve(self._project, task_id, layers, self._settings, environment=self._environment)
        vars(self).update(vars(resolved.keys), _layers=layers, _winners=resolved.winners, _origins=resolved.origins)
        vars(self).update(_sections=dict(resolved.sections), parameters=resolved.parameters, warnings=resolved.warnings)
        vars(self).update(env_file_values=resolved.variables, referred=resolved.referred)

    def freeze(self) -> None:
        """End what `override_with_args`, and code that has a list or mapping of it, may change: a run begins."""
        for name in self._settings.known() if isinstance(self._settings, Sections) else self._settings:
            self.plugin(name)
        names = (*(field.name for field in attrs.fields(TaskKeys)), "parameters", "warnings")
        vars(self).update({name: frozen(getattr(self, name)) for name in names}, _frozen=True)
        vars(self).update(_sections={name: frozen(section) for name, section in self._sections.items()})
        for layer in self._layers:  # which other processes make theirs of
            frozen(layer)

    def __setattr__(self, name: str, value: Any) -> None:
        raise ConfigurationError(f"{name} cannot be set here: what a task runs with is said in files and by --set")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __getattr__(self, name: str) -> Any:
        # Only asked where there is no attribute of this name, so a parameter never hides a key or a method.
        parameters = self.__dict__.get("parameters", {})
        if name in parameters:
            return parameters[name]
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
            fitter = ConfigFitter()
            section = fitter.section({}, self._settings[name], (name,))
            if fitter.misfits:
                raise ConfigurationError(problems=tuple(f"{name}: {misfit.message}" for misfit in fitter.misfits))
            self._sections[name] = frozen(section) if vars(self).get("_frozen") else section
        return self._sections[name]

    def problem_at(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
        """A message about a value, or about its key, with the place where that was written."""
        entry = entry_at(self._winners, tuple(path))
        if entry is None:
            return f"{dotted(path)}: {message}"
        return in_words([problem_in(entry.layer, Misfit(tuple(path), message, at_key))])[0]

    def problem_of(self, step: Step, named: str, message: str) -> str:
        """A message about a dataset or column, with the place where `operations` names it for a step; empty without."""
        found = place_of(self.operations, step, named)
        return "" if found is None else self.problem_at(("operations", *found), message)

    def origins(self) -> Mapping[str, Origin]:
        """For every dotted key, its origin and what it overrides; secrets as `Secret`."""
        return self._origins

    def to_dict(self) -> dict[str, Any]:
        """All values, nested, with secrets as `***`."""
        values = {field.name: plain(getattr(self, field.name)) for field in attrs.fields(TaskKeys)}
        values |= {name: plain(self.plugin(name)) for name in self._sections}
        return dict(self._project.redactor.value(values | dict(self.parameters)))

    def __repr__(self) -> str:
        return f"TaskConfig(task_id={self.task_id!r}, task_type={self.task_type!r}, project={str(self.project_root)!r})"

    def override_with_args(self, args: Any) -> None:
        """Put values over all others: a mapping of dotted keys, or a namespace of argparse where None means not given.

        No arguments at all, None, change nothing.

        Raises:
            ConfigurationError: Everything that is wrong, or a run has begun; nothing is changed then.
        """
        if vars(self).get("_frozen"):
            raise ConfigurationError(FROZEN)
        if args is None:
            return
        given = args if isinstance(args, Mapping) else vars(args)
        overrides = {key: value for key, value in given.items() if value is not None}
        rank = 10 + max(500, *(layer.rank for layer in self._layers))
        self._resolve(self.task_id, [*override_layers(overrides, rank=rank, origin="args"), *self._layers])

    def service(self, name: str, **overrides: Any) -> Any:
        """A service of the project, brought up for this task, with further settings if given."""
        kernel: Any = getattr(self._task, "kernel", None)
        if kernel is None:
            from pamola_tasks.kernel import Kernel

            kernel = Kernel.discover(self.project_root)
        overrides |= {key: getattr(self, key) for key in _ASKED_WITH}
        options = RunOptions(overrides=overrides, console=False, quiet=True)
        return getattr(kernel.services(self._task or ConfiguredTask(self.task_id), upto=name, options=options), name)

    def _directory(self, kind: str, task_id: str | None) -> Path:
        place = self.service("places").of(task_id or self.task_id)
        return self.project_root / str(place.directories[kind])

    def get_project_root(self) -> Path:
        """The project's root."""
        return self.project_root

    def get_data_repository(self) -> Path:
        """The folder of the data."""
        return self.project_root / self.data_repository

    def get_task_dir(self, task_id: str | None = None) -> Path:
        """The folder of a task: this one unless another is named."""
        return self._directory("task", task_id)

    def get_task_input_dir(self, task_id: str | None = None) -> Path:
        """The task's `input` folder."""
        return self._directory("input", task_id)

    def get_task_output_dir(self, task_id: str | None = None) -> Path:
        """The task's `output` folder."""
        return self._directory("output", task_id)

    def get_dependency_output(self, dependency_id: str, file_pattern: str | None = None) -> Path | list[Path]:
        """What another task left, as `run.dependencies` says."""
        return cast(
            "Path | list[Path]", self.service("dependencies").get_dependency_output(dependency_id, file_pattern)
        )

    def assert_dependencies_completed(self) -> bool:
        """Whether every task in `dependencies` has succeeded, as `run.dependencies` says."""
        return bool(self.service("dependencies").assert_dependencies_completed())

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

        return save_task(self, self._project, self._winners, path, format)

    def copy_with(
        self, target: str, operation: tuple[str, int], parameters: Mapping[str, Any], *, overwrite: bool = False
    ) -> str | None:
        """Write a copy of the task's file with other parameters of one operation, and all else, comments too, as it is.

        Args:
            target: The file, relative to the project and without its ending, which is that of the task's file.
            operation: The name of the operation as the file lists it, and which one of this name it is, from 0.
            parameters: Its parameters that are set.
            overwrite: Whether a file that is there is replaced.

        Returns:
            The file that was written, or None where no file lists the task's operations.

        Raises:
            ConfigurationError: The file cannot be changed in this way.
            UsageError: There is such a file already.
        """
        from pamola_tasks_config.saving import copy_task

        return copy_task(self._project, self._winners, target, operation, parameters, overwrite=overwrite)


def load_task_config(
    task_id: str,
    task_type: str,
    args: Any = None,
    default_config: Mapping[str, Any] | None = None,
    *,
    force_recreate_config_file: bool = False,
) -> TaskConfig:
    """The configuration of a task in the project of the current folder.

    Args:
        task_id: The task's id.
        task_type: Its type.
        args: What overrides everything; see `TaskConfig.override_with_args`.
        default_config: What the task's class would state.
        force_recreate_config_file: Write the task's file (`TaskConfig.save`). Without it, nothing is written.

    Raises:
        ConfigurationError: Everything that is wrong, together. A file that cannot be read is left as it is.
    """
    from pamola_tasks.kernel import Kernel

    config = Kernel.discover().services(ConfiguredTask(task_id, task_type, default_config or {}), upto="config").config
    if not isinstance(config, TaskConfig):
        raise ConfigurationError("another plugin provides the configuration here: use its own functions")
    if args is not None:
        config.override_with_args(args)
    if force_recreate_config_file:
        config.save()
    return config


def without_effect(run: RunServices, plan: Plan) -> Iterator[str]:
    """Keys that are set, and do nothing for the steps of this plan."""
    if not isinstance(run.config, TaskConfig):
        return
    origin = run.config.origins()["npartitions"]
    if origin.layer != "default" and not any("npartitions" in step.operation.parameters() for step in plan):
        yield f"npartitions ({origin.place}) has no effect: no operation of this task can be divided into parts"


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
