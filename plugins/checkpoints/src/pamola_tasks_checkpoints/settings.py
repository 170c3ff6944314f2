"""The section `checkpoints` of the configuration."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class CheckpointsSettings:
    """Settings of the checkpoints plugin.

    Attributes:
        keep_intermediate: Whether datasets that only later steps read stay there after a successful run. If
            not, a run without changes still skips every step; after a change, their steps run again.
    """

    keep_intermediate: bool = True
