"""What results depend on beside steps and their inputs: the libraries that frames are of."""

from __future__ import annotations

from functools import cache
from importlib import metadata

LIBRARIES = ("pandas", "numpy", "pyarrow")


@cache
def library_versions() -> dict[str, str]:
    """Versions as parts of a step's fingerprint, without importing the libraries."""
    found = {}
    for name in LIBRARIES:
        try:
            found[f"version {name}"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
