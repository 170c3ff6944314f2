"""Where a run took place: machine, Python, packages, memory."""

from __future__ import annotations

import getpass
import os
import platform
import sys
from functools import cache
from typing import Any

from pamola_tasks.plugins.discovery import versions

_PACKAGES = ("pamola-tasks", "attrs", "cattrs", "click", "cryptography", "numpy", "pandas", "pluggy", "pyarrow")


@cache
def environment() -> dict[str, Any]:
    """Python, platform, number of CPUs, and versions of the packages that results may depend on."""
    found = versions(_PACKAGES)
    return {
        "python": platform.python_version(),
        "platform": _system(),
        "cpu_count": os.cpu_count(),
        "packages": {name: found[name] for name in _PACKAGES if name in found},
    }


def _system() -> str:
    """What `platform.platform` says, which starts a process (`uname -p`) to say it."""
    if not sys.platform.startswith("linux"):
        return platform.platform()
    system = os.uname()
    libc = "".join(platform.libc_ver())
    return f"{system.sysname}-{system.release}-{system.machine}" + (f"-with-{libc}" if libc else "")


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
