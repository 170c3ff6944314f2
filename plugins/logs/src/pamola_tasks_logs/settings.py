"""The section `logs` of the configuration."""

from __future__ import annotations

import attrs


def _positive(instance: LogSettings, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} must be at least 1")


@attrs.frozen(kw_only=True)
class LogSettings:
    """When log files are rotated.

    Attributes:
        max_bytes: A file that would grow beyond this many bytes is put aside, and a new one is begun.
        backup_count: How many files put aside are kept: `project.log.1` is the newest of them.
    """

    max_bytes: int = attrs.field(default=10 * 1024 * 1024, validator=_positive)
    backup_count: int = attrs.field(default=5, validator=_positive)
