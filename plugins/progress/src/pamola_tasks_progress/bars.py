"""The bars themselves: tqdm on stderr. Imported when the first bar is drawn."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tqdm.std import tqdm

if TYPE_CHECKING:
    Base = tqdm[Any]
else:
    Base = tqdm


class Bar(Base):
    """A tqdm bar on stderr, fitted to the terminal, without tqdm's monitor thread."""

    monitor_interval = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(file=sys.stderr, dynamic_ncols=True, **options)
