"""How a run comes to its configuration: what it is merged from, who may object, and what of it is to be hidden."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pamola_tasks.errors import ConfigurationError, PamolaTaskError, PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pamola_tasks.protocols import Config, ConfigLayer, KernelView, RunServices, Task


def layers_of(kernel: KernelView, task: Task | None, overrides: Mapping[str, Any]) -> list[ConfigLayer]:
    """What the configuration is merged from, the highest first."""
    found: list[ConfigLayer] = []
    hook = "pamola_add_config_layers"
    for _, answer in kernel.plugins.each(hook, project=kernel.project, task=task, overrides=overrides):
        found += list(answer or ())
    return sorted(found, key=lambda layer: -layer.rank)


def merged(kernel: KernelView, task: Task | None, layers: Sequence[ConfigLayer]) -> Config:
    """The configuration.

    Raises:
        ServiceMissing: No plugin merges it.
        ConfigurationError: It is wrong, or a plugin objects.
    """
    plugins = kernel.plugins
    config: Config | None = plugins.provide(
        "config", project=kernel.project, task=task, layers=list(layers), settings=kernel.settings()
    )
    if config is None:
        raise plugins.missing("config")
    problems = plugins.objections("pamola_check_config", config=config)
    if problems:
        raise ConfigurationError(problems=tuple(problems))
    return config


def hide_secrets(run: RunServices) -> None:
    """Have the redactor hide the secrets of the configuration, overridden ones too.

    Raises:
        PamolaTaskError: One cannot be found out. Without a task that is a warning: who looks at a history needs none.
    """
    for origin in run.config.origins().values():
        for value in (origin.value, *(lower.value for lower in origin.overridden)):
            try:
                run.redactor.learn(value)
            except PamolaTaskError as error:
                if run.task is not None:
                    raise
                run.warn(str(error))


def hide_what_plugins_say(run: RunServices) -> None:
    """Have the redactor hide what plugins say: patterns and predicates.

    Raises:
        PluginError: A pattern is not a regular expression.
    """
    for record, redactions in run.kernel.plugins.each("pamola_add_redactions", run=run):
        for redaction in [redactions] if isinstance(redactions, str) else redactions or ():
            if callable(redaction):
                run.redactor.add_predicate(redaction)
                continue
            try:
                run.redactor.add_pattern(redaction)
            except re.error as error:
                raise PluginError(
                    f"plugin {record.label}: {redaction!r} is not a regular expression: {error}"
                ) from error
