"""Variables in a mapping that a script has read: `${task_id}` and `{{ task_id }}`, put in once and never run as code.

Configuration files themselves know `${env:NAME}` and `${secret:NAME}` alone; these are left unchanged here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.parameters import closest

_VARIABLE = re.compile(r"\$\{\s*([A-Za-z_][\w.-]*)\s*\}|\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}")


def get_recursive_variables(config_data: Mapping[str, Any]) -> dict[str, Any]:
    """Every single value of nested sections, by its dotted key: `{"logging.level": "INFO"}`. Lists are left out."""
    found: dict[str, Any] = {}
    for key, value in config_data.items():
        if isinstance(value, Mapping):
            found |= {f"{key}.{inner}": item for inner, item in get_recursive_variables(value).items()}
        elif not isinstance(value, list):
            found[str(key)] = value
    return found


def substitute_variables(config_data: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a configuration with variables replaced in all its texts.

    Args:
        config_data: The configuration; its own values can be referred to by their dotted keys.
        context: Further values by name, which win: `task_id`, `project_root` …

    Raises:
        ConfigurationError: A variable has no value; the message names the key and the variable.
    """
    known = {**get_recursive_variables(config_data), **context}
    return {str(key): substitute_item(value, known, (str(key),)) for key, value in config_data.items()}


def substitute_item(item: Any, context: Mapping[str, Any], path: tuple[str | int, ...] = ()) -> Any:
    """One value, nested or not, with variables replaced.

    What is put in is not looked at again. A text that is one variable and nothing else becomes that variable's value,
    whatever its type.

    Args:
        item: The value.
        context: Values by name.
        path: Its location, for the message.

    Raises:
        ConfigurationError: A variable has no value.
    """
    if isinstance(item, Mapping):
        return {str(key): substitute_item(value, context, (*path, str(key))) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [substitute_item(value, context, (*path, index)) for index, value in enumerate(item)]
    if not isinstance(item, str):
        return item

    def value(found: re.Match[str]) -> Any:
        name = found[1] or found[2]
        if name not in context:
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
            meant = closest(name, context)
            hint = f" (did you mean {meant!r}?)" if meant else ""
            raise ConfigurationError(f"{where}{': ' * bool(path)}the variable {name!r} has no value{hint}")
        return context[name]

    whole = _VARIABLE.fullmatch(item)
    return value(whole) if whole else _VARIABLE.sub(lambda found: str(value(found)), item)
