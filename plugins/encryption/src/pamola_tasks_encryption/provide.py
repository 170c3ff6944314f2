"""Between the hooks and the working modules: the service of a run, and what `doctor` should know of the key."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pamola_tasks.errors import EncryptionError
from pamola_tasks.protocols import Diagnosis

if TYPE_CHECKING:
    from pamola_tasks.protocols import Project, RunServices
    from pamola_tasks_encryption.manager import TaskEncryptionManager


def manager_for(run: RunServices) -> TaskEncryptionManager:
    """The manager of a run, initialized.

    Raises:
        EncryptionError: Encryption is asked for, and there is no usable key.
    """
    from pamola_tasks_encryption.in_use import using
    from pamola_tasks_encryption.manager import TaskEncryptionManager

    manager = TaskEncryptionManager(
        run.config,
        run.logger,
        project_id=run.project.id,
        project_root=run.project.root,
        settings=run.config.plugin("encryption"),
        input_keys=getattr(run.task, "encryption_keys", None),  # a session may have no task
        redactor=run.redactor,
        in_use=lambda: using(run.files) if run.lock.held else nullcontext(),
    )
    manager.initialize()
    return manager


def diagnose_key(project: Project | None) -> Iterable[Diagnosis]:
    """Whether there is a key for this project, and whether it can be used."""
    from pamola_tasks_encryption.errors import KeyMissing
    from pamola_tasks_encryption.keys import find_key

    try:
        found = find_key(os.environ, project.id if project else "")
    except KeyMissing as error:
        return [_about_key("note", "there is none; only runs with use_encryption need one", str(error))]
    except EncryptionError as error:
        return [_about_key("error", str(error), "Until it is mended, runs that encrypt are refused.")]
    return [_about_key("ok", f"key {found.key.fingerprint} from {found.source}")]


def is_master_key_exposed(project: str | Path | None = None) -> bool:
    """Whether somebody else could read or exchange the key file of a project. Runs refuse such a key.

    Args:
        project: Its folder; the project of the current folder unless given.
    """
    from pamola_tasks.kernel import Kernel
    from pamola_tasks_encryption.errors import KeyRefused
    from pamola_tasks_encryption.keys import find_key

    run = Kernel.discover(project).services(None, upto="config")
    configured = run.config.encryption_key_path
    path = run.project.root / Path(configured).expanduser() if configured else None
    try:
        find_key(os.environ, run.project.id, path)
    except KeyRefused:
        return True
    except EncryptionError:  # missing, damaged or locked, but not open to others
        return False
    return False


def _about_key(level: str, finding: str, advice: str = "") -> Diagnosis:
    return Diagnosis(level=level, subject="encryption key", finding=finding, advice=advice)
