"""The bars themselves: tqdm on stderr. Imported when the first bar is drawn."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

from tqdm import std
from tqdm.std import tqdm
from tqdm.utils import disp_len

from pamola_tasks_progress.wording import Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    Base = tqdm[Any]
else:
    Base = tqdm

_LEAST_BAR, _MOST_BAR = 5, 20  # columns
_MOST_LABEL = 36
_WIDE = 100  # columns of a terminal that has room for more than the bar; also where the width is not known


class Bar(Base):
    """A tqdm bar on stderr, fitted to the terminal, without tqdm's monitor thread."""

    monitor_interval = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(file=sys.stderr, dynamic_ncols=True, **options)


class Line(Bar):
    """A line that shows at any moment what it is asked for: label, bar, share, clock, and when the end is expected.

    Args:
        shown: Gives it.
    """

    def __init__(self, shown: Callable[[Line], Shown], **options: Any) -> None:
        self._shown = shown
        self.began = self.staged = time.monotonic()  # it, and its stage
        super().__init__(**options)

    def __str__(self) -> str:
        shown, columns = self._shown(self), self.format_dict["ncols"]
        wide = not columns or columns >= _WIDE
        room = (columns or _WIDE) - 1  # the last column stays free: some terminals go to the next line there
        facts = f" {shown.percent:>5} {shown.clock:>7} {shown.ends:<11}"
        label = min(max(room - len(facts) - _LEAST_BAR - 3, 1), _MOST_LABEL)
        bar = min(max(room - len(facts) - label - 3, 1), _MOST_BAR)
        made: Any = std.Bar  # type: ignore[attr-defined]  # its stubs lack it
        drawn = format(made(shown.share or 0.0, bar, made.ASCII if self.format_dict["ascii"] else made.UTF))
        line = f"{_fitted(shown.label, label)} |{drawn:<{bar}}|{facts}"
        if wide and (more := "  ".join(filter(None, (shown.count, str(self.postfix or ""), shown.description)))):
            line = f"{line} {more}" if not columns else f"{line} {_fitted(more, max(room - len(line) - 1, 1))}"
        return line[:room] if columns else line


def _fitted(text: str, width: int) -> str:
    """A text in so many columns; one that is longer is cut in the middle, as its end says what it is at."""
    if (columns := int(disp_len(text))) <= width:
        return text + " " * (width - columns)
    cut = text
    while disp_len(cut) > max(width - 1, 0):
        middle = math.floor(len(cut) / 3)
        cut = cut[:middle] + cut[middle + 1 :]
    place = math.floor(len(cut) / 3)
    return f"{cut[:place]}~{cut[place:]}{' ' * (width - 1 - int(disp_len(cut)))}"
