"""How many examples a property is tried on."""

from __future__ import annotations

import os


def examples(many: int) -> int:
    """A fourth of this many; all of them in `nox -s fuzz`."""
    return many if "PAMOLA_FUZZ" in os.environ else many // 4
