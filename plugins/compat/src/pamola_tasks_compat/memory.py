"""How much memory this process uses, in MiB, as far as the system shows."""

from __future__ import annotations

from pamola_tasks.storage.system import peak_memory


def peak_mb() -> float | None:
    """The most that the process has used so far; None where the system does not say (Windows)."""
    peak = peak_memory()
    return None if peak is None else peak / (1 << 20)


def current_mb() -> float | None:
    """What it uses now; None where there is no `/proc`."""
    try:
        import resource

        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / (1 << 20)
    except (ImportError, OSError, ValueError, IndexError):
        return None
