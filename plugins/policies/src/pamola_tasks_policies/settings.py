"""The plugin's own section of the configuration: `policies`, and who may state it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config


@attrs.frozen(kw_only=True)
class PoliciesSettings:
    """The house rules that hold.

    Attributes:
        rules: Files of rules, relative to the project, or names of rule sets that come with the plugin
            (`hipaa-safe-harbor`). Only the project file states them: no task can loosen them.
        further: Further ones, which a task may state for itself. All rules hold, so that these can only tighten.
    """

    rules: list[str] = attrs.Factory(list)
    further: list[str] = attrs.Factory(list)


def problems(config: Config) -> Iterator[str]:
    """Rules that another layer than the project file states."""
    origins = config.origins() if hasattr(config, "origins") else {}
    for key, origin in origins.items():
        stated = key == "policies.rules" or key.startswith("policies.rules.")
        if stated and origin.layer not in ("project file", "default"):
            message = f"only the project file states it, not the {origin.layer}; `policies.further` adds rules"
            yield config.problem_at(["policies", "rules"], message, at_key=True)
