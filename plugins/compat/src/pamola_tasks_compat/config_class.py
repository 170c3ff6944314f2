"""`TaskConfig` made from a project's whole mapping, as the forerunner's constructor takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from pamola_tasks.configuration import layers_of
from pamola_tasks.errors import ConfigurationError
from pamola_tasks.kernel import Kernel
from pamola_tasks_compat.owners import owned
from pamola_tasks_compat.task_config import (
    get_scope_datasets,
    get_scope_field_groups,
    get_scope_fields,
    validate_task_config,
)

_BASE: Any = owned("config", "pamola_tasks_config.task_config", "TaskConfig")
_OVER_THE_FILE = 30  # in ranks: over all that the project's file says, under the task's


class _EveryTaskConfig(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _BASE)


class Scope(dict[str, Any]):
    """The section `scope`: a mapping, whose values are attributes too."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"the scope has no {name!r}")


class TaskConfig(_BASE, metaclass=_EveryTaskConfig):  # type: ignore[misc]  # the class of another plugin
    """The configuration of one task, with a mapping instead of the project's file.

    What `load_task_config` gives is an instance as well. The task's file counts, over the mapping; the environment
    counts below both, unless the mapping says `env_override`.

    Args:
        config_dict: All that a project's file may say: keys of tasks, `task_defaults`, and `tasks` by their ids. The
            project's file counts where the mapping says nothing.
        task_id: The task's id.
        task_type: Its type.
        env_override: Whether variables `PAMOLA_…` count at all. References `${env:NAME}` are read all the same.

    Raises:
        ConfigurationError: Everything that is wrong, together.
    """

    def __init__(self, config_dict: Mapping[str, Any], task_id: str, task_type: str, env_override: bool = True) -> None:
        kernel = Kernel.discover()
        task = owned("config", "pamola_tasks_config.declared", "ConfiguredTask")(task_id, task_type)
        task.kernel = kernel
        filed = layers_of(kernel, task, {})
        plain = owned("config", "pamola_tasks_config.fitting", "plain")(config_dict)
        try:
            text = json.dumps(plain, indent=2, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"config_dict: a configuration file cannot say this: {error}") from error
        document = owned("config", "pamola_tasks_config.documents", "parse")(text.encode(), "config_dict.json")
        layers = owned("config", "pamola_tasks_config.layers", "project_layers")(document, task_id)
        over = [attrs.evolve(layer, rank=layer.rank + _OVER_THE_FILE) for layer in layers]
        super().__init__(kernel.project, task, [*filed, *over], kernel.settings(), environment=env_override)
        if problems := kernel.plugins.objections("pamola_check_config", config=self):
            raise ConfigurationError(problems=tuple(problems))

    @property
    def scope(self) -> Scope:
        """What of the data the task is about."""
        return Scope(attrs.asdict(vars(self)["scope"]))

    def get_scope_fields(self) -> list[str]:
        """See `get_scope_fields`."""
        return get_scope_fields(self)

    def get_scope_datasets(self) -> list[str]:
        """See `get_scope_datasets`."""
        return get_scope_datasets(self)

    def get_scope_field_groups(self) -> dict[str, list[str]]:
        """See `get_scope_field_groups`."""
        return get_scope_field_groups(self)

    def validate(self) -> tuple[bool, list[str]]:
        """See `validate_task_config`."""
        return validate_task_config(self)
