"""The section `checkpoints` of the configuration."""

from __future__ import annotations

import attrs


def _not_negative(instance: CheckpointsSettings, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} must be 0 or more")


@attrs.frozen(kw_only=True)
class CheckpointsSettings:
    """Settings of the checkpoints plugin.

    Attributes:
        keep_intermediate: Whether datasets that only later steps read stay there after a successful run of all steps.
            If not, a run without changes skips every step; after a change, they run again, `--from` cannot start late.
        keep_releases: How many older ones of each published table are kept, in `earlier/` beside `output/`, when
            newer ones take their place.
    """

    keep_intermediate: bool = False
    keep_releases: int = attrs.field(default=0, validator=_not_negative)
