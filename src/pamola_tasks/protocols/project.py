"""A project, and what the caller of a run asks for beside configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ServiceNotReady
from pamola_tasks.plan import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pamola_tasks.protocols.files import Files
    from pamola_tasks.protocols.redaction import Redactor
    from pamola_tasks.secret import Secret


@attrs.frozen(kw_only=True)
class RunOptions:
    """What the caller of a run asked for, beside configuration.

    Attributes:
        overrides: Configuration values that override all others, by dotted key; `RawValue` for text to be parsed.
        restart: Ignore and replace checkpoints.
        enable_checkpoints: Overrides the configuration unless None.
        datasets: Frames used as input datasets.
        wait: Wait for another run of this task to end.
        show_data: Whether cell values may appear in error messages.
        log_format: `text` or `json`.
        console: Whether log lines go to stderr too.
        quiet: Show no progress, warnings only.
        selection: Which steps the run is meant for.
    """

    overrides: Mapping[str, Any] = attrs.Factory(dict)
    restart: bool = False
    enable_checkpoints: bool | None = None
    datasets: Mapping[str, Any] = attrs.Factory(dict)
    wait: bool = False
    show_data: bool = False
    log_format: str = "text"
    console: bool = True
    quiet: bool = False
    selection: Selection = attrs.field(factory=Selection)


class Project:
    """A project: a folder with a marker.

    Args:
        root: The project's root, absolute.
        id: The project's UUID, or empty.
        marker: The file that marked the root, relative to it; empty where none was found.
        warnings: What its user should know about how the root was found.

    Attributes:
        find_secret: Looks up what `${secret:NAME}` names, through the plugins; set by the kernel.
    """

    def __init__(self, root: Path, *, id: str = "", marker: str = "", warnings: tuple[str, ...] = ()) -> None:
        self.root = root
        self.id = id
        self.marker = marker
        self.warnings = warnings
        self.find_secret: Callable[[str], Secret | None] = lambda name: None
        self._files: Files | None = None
        self._redactor: Callable[[], Redactor] | None = None

    @property
    def redactor(self) -> Redactor:
        """Hides secrets where there is a project and no run; it knows those that the environment holds."""
        if self._redactor is None:
            raise ServiceNotReady("redactor", "the project provider")
        return self._redactor()

    @property
    def files(self) -> Files:
        """Safe access to files under the root, without encryption: for reading configuration."""
        if self._files is None:
            raise ServiceNotReady("path_guard", "the project provider")
        return self._files

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"
