"""What other plugins own of the forerunner's names, found when it is asked for: each of them may be missing."""

from __future__ import annotations

from typing import Any

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.plugins.discovery import resolve


def owned(service: str, module: str, name: str) -> Any:
    """A name of the plugin that provides a service.

    Args:
        service: The service, for the message.
        module: A module of the plugin.
        name: What the module defines.

    Raises:
        PamolaTaskError: The plugin is not installed.
    """
    try:
        return resolve(f"{module}:{name}")
    except ModuleNotFoundError as error:
        raise PamolaTaskError(f"{name} belongs to the plugin for {service!r}, which is not installed") from error
