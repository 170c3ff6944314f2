"""The layer of environment variables: which names are read, and as what.

`PAMOLA_TASK_<ID>_<KEY>` for one task, over `PAMOLA_<KEY>` for all; `__` goes into a section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pamola_tasks.parameters import annotations_of
from pamola_tasks.protocols import ConfigLayer, RetrySettings
from pamola_tasks_config.document import dotted
from pamola_tasks_config.fitting import from_text
from pamola_tasks_config.layer import ENVIRONMENT
from pamola_tasks_config.schema import Scope, kinds

RESERVED = frozenset(
    (
        "PAMOLA_KEY",
        "PAMOLA_KEY_FILE",
        "PAMOLA_PASSPHRASE",
        "PAMOLA_NO_PLUGINS",
        "PAMOLA_PROJECT_ROOT",
        "PAMOLA_EXECUTION_LOG_PATH",
        "PAMOLA_MAX_SEARCH_DEPTH",
    )
)
# A variable cannot say which task runs, nor lift itself over the files.
_NOT_FROM_ENVIRONMENT = frozenset(("task_id", "task_class", "operations", "env_override", "env_file"))


def environment_layer(
    environ: Mapping[str, str],
    task_id: str,
    task_ids: Iterable[str],
    settings: Mapping[str, type],
    *,
    lifted: bool,
    places: Mapping[str, str],
) -> ConfigLayer:
    """What environment variables say, by the type of their key.

    Args:
        environ: The environment.
        task_id: The task that runs, or empty.
        task_ids: Ids of all tasks that are known: a variable belongs to the longest that it fits.
        settings: Names of plugins and the class of their section.
        lifted: Whether `env_override` puts it over the files.
        places: Where variables are said that are not the process's own.
    """
    keys: dict[str, tuple[tuple[str, ...], Any]] = {}
    for section, cls in ((("scope",), Scope), (("retry",), RetrySettings), *(((n,), c) for n, c in settings.items())):
        for name, kind in annotations_of(cls).items():
            keys[f"{_variable(section[0])}__{name.upper()}"] = ((*section, name), kind)
    for name, kind in kinds().items():
        if name not in _NOT_FROM_ENVIRONMENT:
            keys[name.upper()] = ((name,), kind)
    others = {_variable(other) for other in task_ids} - {_variable(task_id)}
    own = _variable(task_id)
    found: dict[tuple[str, ...], tuple[bool, str, Any]] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith("PAMOLA_") or variable in RESERVED:
            continue
        rest = variable.removeprefix("PAMOLA_")
        specific = bool(task_id) and rest.startswith(f"TASK_{own}_")
        key = rest.removeprefix(f"TASK_{own}_") if specific else rest
        if key not in keys:
            continue
        if specific and any(
            len(other) > len(own) and rest.startswith(f"TASK_{other}_") and rest.removeprefix(f"TASK_{other}_") in keys
            for other in others
        ):
            continue
        path, kind = keys[key]
        if specific or path not in found or not found[path][0]:
            found[path] = (specific, variable, from_text(text, kind))
    values: dict[str, Any] = {}
    said: dict[str, str] = {}
    for path, (_, variable, value) in found.items():
        inner = values
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
        file = f"{places[variable]}: " if variable in places else "environment "
        said[dotted(path)] = f"{file}variable {variable}"
    return ConfigLayer(name=ENVIRONMENT, rank=450 if lifted else 100, origin="environment", values=values, places=said)


def _variable(name: str) -> str:
    """A task id or section as part of a variable's name."""
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()
