"""The section `history` of the configuration."""

from __future__ import annotations

import attrs

MIB = 1 << 20


def _positive(instance: HistorySettings, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} must be at least 1")


@attrs.frozen(kw_only=True)
class HistorySettings:
    """How the execution history is kept.

    Attributes:
        segment_mib: A history that reaches this many MiB is closed before the next run, and a new file is begun.
        anchor: Whether the newest record is noted in the user's state folder, outside the project, so that `verify`,
            `doctor` and the next run find it missing after the history was put back or its newest runs were removed.
    """

    segment_mib: int = attrs.field(default=64, validator=_positive)
    anchor: bool = True
