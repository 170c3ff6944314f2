"""The layer of environment variables: which names are read, and as what.

`PAMOLA_TASK_<ID>_<KEY>` for one task, over `PAMOLA_<KEY>` for all; `__` goes into a section.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pamola_tasks.parameters import annotations_of
from pamola_tasks.protocols import ConfigLayer, RetrySettings
from pamola_tasks_config.document import KeyPath, dotted, nested
from pamola_tasks_config.fitting import from_text
from pamola_tasks_config.layers import ENVIRONMENT
from pamola_tasks_config.schema import Scope, kinds

RESERVED = frozenset(
    f"PAMOLA_{name}"
    for name in (
        "KEY KEY_FILE KEY_FD KEY_COMMAND PASSPHRASE NO_PLUGINS PROJECT_ROOT EXECUTION_LOG_PATH MAX_SEARCH_DEPTH"
    ).split()
)
# A variable cannot say which task runs, nor lift itself over the files.
_NOT_FROM_ENVIRONMENT = frozenset(("task_id", "task_class", "operations", "env_override", "env_file", "locked"))


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

    A variable belongs to the longest of all known `task_ids` that it fits. `lifted` ranks it over the files; `places`
    are those of variables that are not the process's own.
    """
    sections = ChainMap(cast(Any, settings), {"scope": Scope, "retry": RetrySettings})
    named = {name.rpartition("_" * 2)[0] for name in environ if name.startswith("PAMOLA_")}
    keys: dict[str, tuple[KeyPath, Any]] = {
        f"{_variable(section)}__{name.upper()}": ((section, name), kind)
        for section in sections
        if any(variable.endswith(_variable(section)) for variable in named)
        for name, kind in annotations_of(sections[section]).items()
    }
    keys |= {name.upper(): ((name,), kind) for name, kind in kinds().items() if name not in _NOT_FROM_ENVIRONMENT}
    own = f"TASK_{_variable(task_id)}_"
    longer = [other for other in (f"TASK_{_variable(name)}_" for name in task_ids) if len(other) > len(own)]
    found: dict[KeyPath, tuple[bool, str, Any]] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith("PAMOLA_") or variable in RESERVED:
            continue
        rest = variable.removeprefix("PAMOLA_")
        specific = bool(task_id) and rest.startswith(own)
        path, kind = keys.get(rest.removeprefix(own) if specific else rest, ((), None))
        another = specific and any(rest.startswith(other) and rest.removeprefix(other) in keys for other in longer)
        if path and not another and (specific or path not in found or not found[path][0]):
            found[path] = (specific, variable, from_text(text, kind))
    files = {variable: f"{place}: " for variable, place in places.items()}
    return ConfigLayer(
        name=ENVIRONMENT,
        rank=450 if lifted else 100,
        origin="environment",
        values=nested((path, value) for path, (_, _, value) in found.items()),
        places={
            dotted(path): f"{files.get(variable, 'environment ')}variable {variable}"
            for path, (_, variable, _) in found.items()
        },
    )


def _variable(name: str) -> str:
    """A task id or section as part of a variable's name."""
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()
