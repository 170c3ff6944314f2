"""How stages, shares and times are put: the same in a bar and in a line."""

from __future__ import annotations

import attrs

LITTLE = 0.05  # of a stage: its pace is not judged by less


@attrs.frozen(kw_only=True)
class Shown:
    """What there is to show of a step, or of a run."""

    label: str
    share: float | None  #: how much of it is done, from 0 to 1; None where that is not known
    elapsed: float  #: seconds
    left: float | None = None  #: seconds until it ends; None where that is not known
    of_stage: bool = False  #: whether that is said of the present stage only
    count: str = ""
    description: str = ""

    @property
    def percent(self) -> str:
        """`34 %`, or that it is not known; 100 % is for what has ended."""
        return "-- %" if self.share is None else f"{min(int(100 * self.share), 99)} %"

    @property
    def clock(self) -> str:
        """How long it has taken."""
        return clock(self.elapsed)

    @property
    def ends(self) -> str:
        """In how long it is expected to end: `ETA 1:10`, of the present stage alone `stage 1:10`."""
        if self.left is None:
            return "ETA --:--"
        return f"{'stage' if self.of_stage else 'ETA'} {clock(self.left)}"


def clock(seconds: float) -> str:
    """A duration as `0:07`, `12:34` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
