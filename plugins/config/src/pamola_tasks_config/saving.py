"""Writing configuration back: new files for people, existing ones changed where they must be, secrets nowhere."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ConfigurationError, ValidationError
from pamola_tasks.secret import Secret
from pamola_tasks.storage.files import check_name
from pamola_tasks_config.cascade import Entry
from pamola_tasks_config.config_files import CONFIGS, find_file
from pamola_tasks_config.document import KeyPath, dotted, in_words, leaves, nested, scalars
from pamola_tasks_config.documents import format_of, read_file
from pamola_tasks_config.editing import edited
from pamola_tasks_config.fitting import plain
from pamola_tasks_config.layers import COMMAND_LINE, TASK_CLASS, TASK_FILE, FileLayer
from pamola_tasks_config.references import has_reference
from pamola_tasks_config.rendering import whole
from pamola_tasks_config.schema import kinds

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, Project, Redactor

_log = logging.getLogger("pamola_tasks.config")


def save_task(
    config: Config,
    project: Project,
    winners: Mapping[KeyPath, Entry],
    path: str | Path | None,
    format: str | None,
) -> Path:
    """Write the configuration of a task; see `TaskConfig.save`."""
    if path is None:
        check_name(config.task_id, "the task id")
        name = _own_file(winners) or find_file(project.files, config.task_id)[0]
        if name and format is not None and format_of(name) != format:
            name = ""
        name = name or f"{CONFIGS}/{config.task_id}.{format or 'yaml'}"
    else:
        name = os.fspath(path)
        if format is not None and format_of(name) != format:
            raise ConfigurationError(f"{name}: the name of a {format} file ends with .{format}")
    values: dict[KeyPath, Any] = {("task_id",): config.task_id}
    values |= {("task_type",): config.task_type} if config.task_type else {}
    values |= {path: entry.value for path, entry in winners.items() if path != ("task_id",) and _of_task(entry)}
    write(project, name, values)
    return project.root / name


def _own_file(winners: Mapping[KeyPath, Entry]) -> str:
    """The task file that the configuration came from."""
    layers = (entry.layer for entry in winners.values() if entry.layer.name == TASK_FILE)
    return next((layer.document.name for layer in layers if isinstance(layer, FileLayer)), "")


def _of_task(entry: Entry) -> bool:
    """Whether a value was set for the task, not for the whole project or this machine."""
    if entry.layer.name in (COMMAND_LINE, TASK_FILE, TASK_CLASS):
        return True
    return isinstance(entry.layer, FileLayer) and entry.layer.base[:1] == ("tasks",)


def write(project: Project, name: str, values: Mapping[KeyPath, Any]) -> None:
    """Write values to a configuration file; one that is there keeps everything that is not changed.

    Raises:
        ValidationError: The file that is there cannot be read; it is left alone.
    """
    files = project.files
    document = read_file(files, name)
    if document is not None and document.problems:
        raise ValidationError(problems=in_words(document.problems))
    there = dict(leaves(document.root.plain())) if document is not None else {}
    wanted: dict[KeyPath, Any] = {}
    for leaf, value in values.items():
        value = plain(value)
        if there.get(leaf, _ABSENT) == value and type(there[leaf]) is type(value):
            continue
        if _is_secret(leaf, value, project.redactor):
            _log.warning(
                "%s: %s is not written, because it looks like a secret: refer to it as ${secret:NAME} or ${env:NAME}",
                name,
                dotted(leaf),
            )
        elif value is not None or format_of(name) != "toml":
            wanted[leaf] = value
    if document is None:
        files.write(name, whole(_ordered(nested(wanted.items())), format_of(name) or "yaml"), "config")
    elif wanted:
        files.write(name, ("\ufeff" if document.bom else "") + edited(document, wanted), "config")


_ABSENT = object()


def _is_secret(path: KeyPath, value: Any, redact: Redactor) -> bool:
    """Whether a value must not be written: its key says so, or its own shape. References to secrets may be."""
    for inner, item in scalars(value, path):
        if item is None or isinstance(item, bool) or has_reference(item):
            continue
        if isinstance(item, Secret) or any(redact.hides(part) for part in inner if isinstance(part, str)):
            return True
        if isinstance(item, str) and redact(item) != item:
            return True
    return False


def _ordered(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keys in the order of the schema, then sections and own parameters as they came."""
    order = {key: number for number, key in enumerate(kinds())}
    return dict(sorted(values.items(), key=lambda item: order.get(item[0], len(order))))
