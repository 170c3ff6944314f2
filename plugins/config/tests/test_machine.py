"""What a table may take unless it is set: a quarter of what this machine, or its control group, has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pamola_tasks_config import machine

GROUPS = Path("/proc/self/cgroup")


@pytest.mark.skipif(sys.platform != "linux" or not GROUPS.exists(), reason="control groups are of Linux")
def test_the_least_limit_of_the_control_groups_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups of this process, with limits of our own: of version 1 and 2, of a group above, and without one."""
    monkeypatch.setattr(machine, "_GROUPS", str(tmp_path))
    whole = machine.usual_limit_mb()
    assert whole > 100
    for line in GROUPS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" not in controllers.split(",") and controllers:
            continue
        kind, name = ("memory", "memory.limit_in_bytes") if controllers else (".", "memory.max")
        own, above = tmp_path / kind / path.lstrip("/") / name, tmp_path / kind / name
        own.parent.mkdir(parents=True, exist_ok=True)
        for place, text, limit in ((own, "max\n", whole), (own, f"{400 << 20}\n", 100), (above, f"{80 << 20}\n", 20)):
            place.write_text(text)
            assert machine.usual_limit_mb() == limit
            place.unlink()
    monkeypatch.setattr(machine, "_installed", lambda: 0)
    assert machine.usual_limit_mb() == 1000
