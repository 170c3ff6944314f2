"""Whether the disk has room for what a run is going to write, found out before it writes its first dataset.

An estimate: a dataset is taken to become as large as those it is made from. What a finished step left is there already.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from pamola_tasks.errors import DataWriteError, PathSecurityError
from pamola_tasks_data.provider import input_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import SavedStep

RECORDS = 1 << 20  # for log, report, journal and history


def check_room(run: RunServices, plan: Plan) -> None:
    """Refuse a run that would fill the disk, unless `check_free_space` is false.

    Raises:
        DataWriteError: There is less room than the estimate.
    """
    if run.dry or not run.config.check_free_space:
        return
    needed = estimate(plan, run.checkpoints.load(), input_sizes(run)) + RECORDS
    try:
        free = shutil.disk_usage(run.files.root).free
    except OSError:  # a project in memory
        return
    if free < needed:
        raise DataWriteError(
            f"not enough disk space at {run.files.root}: about {needed:,} bytes are needed (for datasets"
            f" as large as their inputs, and {RECORDS:,} for log, report and history) and {free:,} bytes are"
            " free: free some space, or set check_free_space to false if the outputs are much smaller",
            needed=needed,
            free=free,
        )


def estimate(plan: Plan, saved: Mapping[str, SavedStep], inputs: Mapping[str, int]) -> int:
    """About how many bytes of datasets the steps of a plan will write that have not been finished before."""
    sizes = dict(inputs)
    needed = 0
    for step in plan:
        left = {output.name: output.bytes or 0 for output in saved[step.id].outputs} if step.id in saved else {}
        read = sum(sizes.get(name, 0) for name in step.reads)
        for name in step.writes:
            sizes[name] = left.get(name, read // len(step.writes))
            if name not in left:
                needed += sizes[name]
    return needed


def input_sizes(run: RunServices) -> dict[str, int]:
    """Bytes of the input files that are there."""
    found = {}
    for name, path in input_files(run).items():
        with contextlib.suppress(OSError, PathSecurityError):  # the step that reads it will say so
            found[name] = run.files.stat(path).size
    return found
