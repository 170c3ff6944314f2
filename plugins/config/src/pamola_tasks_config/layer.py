"""A layer of the cascade that a file holds, the names of layers, and where a problem in one is."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from pamola_tasks.parameters import Misfit, ValuePath
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks_config.document import Document, Problem, dotted

COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER = "command line", "task file", "project file"
TASK_CLASS, ENVIRONMENT = "task class", "environment"
WRITTEN = frozenset((COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER))
_ORDER = {COMMAND_LINE: 0, TASK_FILE: 1, PROJECT_FILE_LAYER: 2, TASK_CLASS: 3, ENVIRONMENT: 4}


@attrs.frozen(kw_only=True)
class FileLayer(ConfigLayer):
    """A layer from a file, which knows the place of every key.

    Attributes:
        document: The file.
        base: The path of the section that holds the keys.
        renamed: Paths in the file of keys that it holds under another name.
    """

    document: Document
    base: tuple[str, ...] = ()
    renamed: Mapping[str, tuple[str, ...]] = attrs.Factory(dict)


def problem_in(layer: ConfigLayer, misfit: Misfit) -> Problem:
    """A problem with a value of a layer, at its place."""
    if isinstance(layer, FileLayer):
        path = in_file(layer, misfit.path)
        key, value = layer.document.find(path)
        return layer.document.problem(key if misfit.at_key else value, misfit.message, path)
    place = layer.origin
    for length in range(len(misfit.path), 0, -1):
        if dotted(misfit.path[:length]) in layer.places:
            place = layer.places[dotted(misfit.path[:length])]
            break
    return Problem(_ORDER.get(layer.name, 5), 0, 0, f"{place}: {dotted(misfit.path)}: {misfit.message}")


def in_file(layer: FileLayer, path: ValuePath) -> ValuePath:
    """The path that a key of a layer has in its file."""
    head = path[0] if path else ""
    if isinstance(head, str) and head in layer.renamed:
        return (*layer.renamed[head], *path[1:])
    return (*layer.base, *path)
