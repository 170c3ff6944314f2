"""The section `progress` of the configuration."""

from __future__ import annotations

import attrs


def _seconds(instance: ProgressSettings, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{attribute.name} must be a number of seconds, or 0 for no lines")


@attrs.frozen(kw_only=True)
class ProgressSettings:
    """How the progress of a run is shown.

    Attributes:
        line_interval: Seconds between the lines that `pamola-task` prints to stderr without a terminal, and on build
            servers: what runs, its stage, how much of it is done, and when it is expected to end. 0 prints none.
    """

    line_interval: float = attrs.field(default=30.0, validator=_seconds)
