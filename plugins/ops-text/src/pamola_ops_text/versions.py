"""The libraries and models whose release decides what is found in a text."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

LIBRARIES = ("presidio-analyzer", "spacy", "phonenumbers", "tldextract")


def versions_of(operation: Any) -> dict[str, str]:
    """Parts of the fingerprint of a step: with another release it is run again."""
    names = [*LIBRARIES, *operation.models.values()]
    return {f"version {name}": found for name in names if (found := _version(name))}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # a model that is installed as a module only
        return ""
