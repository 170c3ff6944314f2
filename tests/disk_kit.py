"""A project with real files under one folder that remembers finished steps, for tests of the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import kernel_kit

from pamola_tasks import Kernel, hookimpl
from pamola_tasks.protocols import RunServices
from pamola_tasks.record import SavedStep
from pamola_tasks.storage import journal
from pamola_tasks_checkpoints import RunCheckpoints, from_entry, to_entry


class Kept(RunCheckpoints):
    """Checkpoints in a journal."""

    def __init__(self, run: RunServices) -> None:
        super().__init__(run)
        self.run = run
        self.path = run.directories.get_directory("state") / "checkpoints"

    def load(self) -> dict[str, SavedStep]:
        """The newest record of every step."""
        found = journal.read(self.run.files, self.path)
        return {saved.step_id: saved for saved in map(from_entry, found.entries)}

    def verify(self, saved: SavedStep) -> list[str]:
        """What is not as it was left."""
        return [
            f"output {output.name} is not as it was left"
            for output in saved.outputs
            if not self.run.files.exists(output.path) or self.run.files.sha256(output.path) != output.sha256
        ]

    def save(self, saved: SavedStep) -> None:
        """Add one."""
        journal.append(self.run.files, self.path, [to_entry(saved)], flush=False)

    def clear(self) -> None:
        """Forget all."""
        self.run.files.unlink(self.path, missing_ok=True)
        self.run.files.remove_tree(self.run.directories.get_directory("state") / "steps", missing_ok=True)


class Disk(kernel_kit.Disk):
    """Project, guard, directories, data and checkpoints with real files under one folder."""

    checkpoints: ClassVar[type] = Kept

    @hookimpl
    def pamola_provide_checkpoints(self, run: RunServices) -> Any:
        """A journal."""
        return self.checkpoints(run)


def disk_kernel(root: Path, *plugins: Any, **configuration: Any) -> Kernel:
    """A kernel with real files under a folder."""
    return kernel_kit.kernel_of(Disk(root), *plugins, **configuration)
