"""Where a run took place: machine, Python, packages, memory."""

from __future__ import annotations

import getpass
import os
import platform
from functools import cache
from importlib import metadata
from typing import Any

_PACKAGES = ("pamola-tasks", "attrs", "cattrs", "click", "cryptography", "numpy", "pandas", "pluggy", "pyarrow")


@cache
def environment() -> dict[str, Any]:
    """Python, platform, number of CPUs, and versions of the packages that results may depend on."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "packages": packages,
    }


@cache
def host() -> str:
    """The machine's name."""
    return platform.node()


@cache
def user() -> str:
    """Who runs this; empty where the system does not know (a container with a bare user id)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
