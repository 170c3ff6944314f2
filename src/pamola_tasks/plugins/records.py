"""What is known of a plugin, and the words for what went wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pluggy

from pamola_tasks.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable


class PluginRecord:
    """What is known of one plugin.

    Args:
        name: Its entry-point name, or the name of the module or class that was registered.
        target: Where it is: `module`, `module:object` or the path of a Python file; empty for a plain object.
        distribution: The distribution that brought it, normalized; empty for those registered directly.
        get: Gives the plugin, where that is not what `target` names.

    Attributes:
        status: `loaded`, `failed`, `blocked` or `incompatible`.
        wrong: Why, unless it is loaded: a text of ours, or what was raised.
        redact: What `reason` is shown through.
        object: What is registered with pluggy.
        hooks: Names of the hooks that it implements.
    """

    def __init__(
        self,
        name: str,
        target: str = "",
        distribution: str = "",
        version: str = "",
        get: Callable[[], Any] | None = None,
    ) -> None:
        self.name = name
        self.target = target
        self.distribution = distribution
        self.version = version
        self.get = get
        self.status = "loaded"
        self.wrong: str | BaseException = ""
        self.redact: Callable[[str], str] = lambda text: ""
        self.object: Any = None
        self.hooks: list[str] = []

    @property
    def names(self) -> set[str]:
        """What settings may call it: its name and its distribution, normalized."""
        return {normalized(name) for name in (self.name, self.distribution) if name}

    @property
    def label(self) -> str:
        """The plugin for messages: `name (distribution version)`."""
        return f"{self.name} ({self.distribution} {self.version})" if self.distribution else self.name

    @property
    def reason(self) -> str:
        """Why it is not loaded, without secrets; empty where it is."""
        return self.wrong if isinstance(self.wrong, str) else reason(self.wrong, self.redact)

    def __repr__(self) -> str:
        return f"PluginRecord({self.label}, {self.status})"


def normalized(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def reason(error: BaseException, redact: Callable[[str], str], message_of: Callable[[BaseException], str] = str) -> str:
    """An error in one line: its class and message, and where in a file it is wrong.

    Args:
        error: The error.
        redact: Hides secrets in a text.
        message_of: Gives what may be said of a foreign error.
    """
    if isinstance(error, PluginError):
        return str(error)
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    text = redact(message_of(error) if str(error) else "").strip().splitlines()
    if isinstance(error, pluggy.PluginValidationError) and len(text) > 1:
        return f"{text[0]}: {text[-1]}"  # which hook, and what is wrong with it; between them its definition
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
