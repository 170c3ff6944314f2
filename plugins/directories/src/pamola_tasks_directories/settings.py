"""The section `directories` of the configuration."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DirectoriesSettings:
    """Settings of the directories plugin.

    Attributes:
        extra: Further folders under the task's own, such as `visualizations` or `metrics`; each is a type of its name.
    """

    extra: list[str] = attrs.Factory(list)
