"""What results depend on beside steps and their inputs: the libraries that frames are of."""

from __future__ import annotations

from functools import cache

from pamola_tasks.plugins.discovery import versions

LIBRARIES = ("pandas", "numpy", "pyarrow")


@cache
def library_versions() -> dict[str, str]:
    """Versions as parts of a step's fingerprint, without importing the libraries."""
    found = versions(LIBRARIES)
    return {f"version {name}": found[name] for name in LIBRARIES if name in found}
