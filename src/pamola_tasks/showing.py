"""Showing an action as an operation in progress, where somebody wants to see it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.protocols import Progress


@contextlib.contextmanager
def shown(progress: Progress | None, name: str) -> Iterator[None]:
    """Show what the block does under this name; nothing is shown without `progress`."""
    if progress is None:
        yield
        return
    progress.start_operation(name)
    try:
        yield
    except BaseException:
        progress.complete_operation(name, success=False)
        raise
    progress.complete_operation(name)
