"""How a run comes to its configuration: what it is merged from, who may object, and what of it is hidden."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pamola_tasks.errors import ConfigurationError, PamolaTaskError, PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pamola_tasks.protocols import Config, ConfigLayer, KernelView, RunServices, Task


def layers_of(kernel: KernelView, task: Task | None, overrides: Mapping[str, Any]) -> list[ConfigLayer]:
    """What the configuration is merged from, the highest first."""
    from pamola_tasks.protocols import ConfigLayer

    found = kernel.plugins.items(
        "pamola_add_config_layers", ConfigLayer, "ConfigLayers", project=kernel.project, task=task, overrides=overrides
    )
    return sorted((layer for _, layer in found), key=lambda layer: -layer.rank)


def merged(kernel: KernelView, task: Task | None, layers: Sequence[ConfigLayer]) -> Config:
    """The configuration; refused where it is wrong, a plugin objects, or no plugin merges it."""
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


def is_stated(config: Config, section: str) -> bool:
    """Whether any layer says something in a plugin's section; True where the configuration has no origins."""
    origins = getattr(config, "origins", None)
    return origins is None or any(key.partition(".")[0] == section for key in origins())


def hide_secrets(run: RunServices) -> None:
    """Have the redactor hide the secrets of the configuration, overridden ones too.

    One that cannot be found out is an error of a task, and a warning without one: looking at a history needs none.
    """
    for origin in run.config.origins().values():
        for value in (origin.value, *(lower.value for lower in origin.overridden)):
            try:
                run.redactor.learn(value)
            except PamolaTaskError as error:
                if run.task is not None:
                    raise
                run.warn(str(error))


def add_redactions(run: RunServices) -> None:
    """Have the redactor hide what plugins ask for: patterns and predicates."""
    kinds, what = (str, Callable), "patterns as text, or functions"
    for record, redaction in run.kernel.plugins.items("pamola_add_redactions", kinds, what, run=run):
        try:
            if callable(redaction):
                run.redactor.add_predicate(redaction)
            else:
                run.redactor.add_pattern(redaction)
        except re.error as error:
            said = f"plugin {record.label}: {redaction!r} is not a regular expression: {error}"
            raise PluginError(said) from error
