"""What is known of a plugin, and the words for what went wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from pamola_tasks.errors import PluginError

if TYPE_CHECKING:
    from pamola_tasks_redaction.disclosure import Disclosure


class PluginRecord:
    """What is known of one plugin.

    Attributes:
        name: Its entry-point name, or the name of the module or class that was registered.
        distribution: The distribution that brought it, normalized; empty for those registered by hand.
        status: `loaded`, `failed`, `blocked` or `incompatible`.
        reason: Why, unless it is loaded.
        services: Services that it was chosen for in this kernel so far.
        object: What is registered with pluggy.
    """

    __slots__ = ("distribution", "name", "object", "reason", "services", "status", "target", "version")

    def __init__(self, name: str, target: str = "", distribution: str = "", version: str = "") -> None:
        self.name = name
        self.target = target
        self.distribution = distribution
        self.version = version
        self.status = "loaded"
        self.reason = ""
        self.services: list[str] = []
        self.object: Any = None

    @property
    def label(self) -> str:
        """The plugin for messages: `name (distribution version)`."""
        return f"{self.name} ({self.distribution} {self.version})" if self.distribution else self.name

    def __repr__(self) -> str:
        return f"PluginRecord({self.label}, {self.status})"


def reason(error: BaseException, disclosure: Disclosure | None = None) -> str:
    """An error in one line: its class and message, and where in a file it is wrong."""
    if isinstance(error, PluginError):
        return str(error)
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    from pamola_tasks_redaction.secrets import (
        redacted,  # only where something failed: every command imports this module
    )

    said = redacted(str(error) and disclosure.message(error) if disclosure is not None else str(error))
    text = said.strip().splitlines()
    if isinstance(error, pluggy.PluginValidationError):
        return f"{text[0]}: {text[-1]}"  # which hook, and what is wrong with it; between them its definition
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
