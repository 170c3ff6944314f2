"""Frames on their way from the step that writes them to those that read them, which so need not read the file again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Handover:
    """What a data writer leaves for the data source of the same run, for datasets that a later step reads.

    Attributes:
        is_read: Given a dataset and the step that writes it, whether another step reads it; false by default.
    """

    def __init__(self) -> None:
        self.is_read: Callable[[str, str], bool] = lambda name, step: False
        self._frames: dict[str, tuple[str, Any]] = {}
        self._lock = threading.Lock()

    def offer(self, name: str, step: str, sha256: str, frame: pd.DataFrame) -> None:
        """Leave a frame as it is now, with the hash of the file that was written from it."""
        from pamola_tasks_data.arrow import own_copy

        if self.is_read(name, step):
            copy = own_copy(frame)
            with self._lock:
                self._frames[name] = (sha256, copy)

    def taken(self, name: str, sha256: str) -> pd.DataFrame | None:
        """The frame of a file of this hash. It is given once: whatever else was left under the name is forgotten."""
        with self._lock:
            left_with, frame = self._frames.pop(name, ("", None))
        return frame if sha256 and left_with == sha256 else None
