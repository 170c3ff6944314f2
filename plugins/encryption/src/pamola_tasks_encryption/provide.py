"""Between the hooks and the working modules: the service of a run, and what `doctor` should know of the key."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pamola_tasks.errors import AlreadyRunning, EncryptionError, PluginError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.storage import system

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, KernelView, Project, RunServices
    from pamola_tasks_encryption.manager import TaskEncryptionManager

LOCK = ".pamola/keys.lock"  # shared by the runs that encrypt; held alone by the command that changes keys


def manager_for(run: RunServices) -> TaskEncryptionManager:
    """The manager of a run, initialized; EncryptionError where encryption is enabled without a usable key."""
    from pamola_tasks_encryption.manager import TaskEncryptionManager

    manager = TaskEncryptionManager(
        run.config,
        run.logger,
        project_id=run.project.id,
        project_root=run.project.root,
        settings=run.config.plugin("encryption"),
        input_keys=getattr(run.task, "encryption_keys", None),  # a session may have no task
        redactor=run.redactor,
        in_use=lambda: _using(run.files) if run.lock.held else contextlib.nullcontext(),
        files=run.files,
        makes_seal=not run.dry,
    )
    manager.initialize()
    return manager


@contextlib.contextmanager
def _using(files: Files) -> Iterator[None]:
    """Keep the key from being changed while a run encrypts with it, wherever tasks and their locks are."""
    files.mkdirs(".pamola")
    with files.append(LOCK) as file:
        if not system.lock(file.fileno(), wait=False, shared=True):
            raise AlreadyRunning("the key of this project is being changed: run the task when that is done")
        yield


def diagnose_key(project: Project | None, kernel: KernelView) -> Iterable[Diagnosis]:
    """Whether there is a key for this project, and whether it can be used; nothing where runs use other keys."""
    from pamola_tasks_encryption.errors import KeyMissing
    from pamola_tasks_encryption.keys import find_key

    try:
        if kernel.plugins.foreign_provider("encryption", __package__):
            return []
    except PluginError:  # two want to provide it, which doctor reports anyway
        return []
    try:
        found = find_key(os.environ, project.id if project else "")
    except KeyMissing as error:
        return [_about_key("note", "there is none; only runs with use_encryption need one", str(error))]
    except EncryptionError as error:
        return [_about_key("error", str(error), "Until it is mended, runs that encrypt are refused.")]
    return [_about_key("ok", f"key {found.key.fingerprint} from {found.source}")]


def _about_key(level: str, finding: str, advice: str = "") -> Diagnosis:
    return Diagnosis(level=level, subject="encryption key", finding=finding, advice=advice)
