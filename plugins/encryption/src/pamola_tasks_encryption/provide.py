"""Between the hooks and the working modules: the service of a run, and what `doctor` should know of the key."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pamola_tasks.errors import AlreadyRunning, ConfigurationError, EncryptionError, PamolaTaskError, PluginError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.secret import variables
from pamola_tasks.storage import system
from pamola_tasks.storage.leftovers import entries

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, KernelView, Project, RunServices
    from pamola_tasks_encryption.manager import TaskEncryptionManager

LOCK = ".pamola/keys.lock"  # shared by the runs that encrypt; held alone by the command that changes keys

#: what authenticates records of a project, where a run knows its key
RECORD_KEYS: WeakKeyDictionary[Project, Callable[[str], bytes | None]] = WeakKeyDictionary()


def manager_for(run: RunServices) -> TaskEncryptionManager:
    """The manager of a run, initialized; EncryptionError where encryption is enabled without a usable key."""
    from pamola_tasks_encryption.manager import TaskEncryptionManager

    settings = run.config.plugin("encryption")
    said = run.config.origins().get("encryption.key_command") if settings.key_command else None
    if said is not None and said.layer in ("task file", "task class"):
        raise ConfigurationError(
            f"{said.place}: encryption.key_command: a task cannot say which program is started for the key: put it into"
            " the project file, or set PAMOLA_KEY_COMMAND"
        )
    manager = TaskEncryptionManager(
        run.config,
        run.logger,
        project_id=run.project.id,
        project_root=run.project.root,
        settings=settings,
        input_keys=getattr(run.task, "encryption_keys", None),  # a session may have no task
        redactor=run.redactor,
        in_use=lambda: _using(run.files) if run.lock.held else contextlib.nullcontext(),
        files=run.files,
        makes_seal=not run.dry,
    )
    RECORD_KEYS[run.project] = manager.record_key
    manager.initialize()
    if run.lock.held:
        manager.refuse_elsewhere()
        if manager.key_id:
            _refuse_another_key(run, manager)
    return manager


def _refuse_another_key(run: RunServices, manager: TaskEncryptionManager) -> None:
    """Refuse to leave a task's files under two keys: half of them could not be read with either."""
    from pamola_tasks_encryption.errors import WrongKey
    from pamola_tasks_encryption.header import HEADER_SIZE

    place, ours = run.places.of(run.record.task_id), manager.key_ids
    found = (
        (folder, *entry)
        for folder in (place.directories["output"], place.internal)
        for entry in entries(run.files, folder)
    )
    for path in (f"{folder}/{name}" for folder, name, kind in found if kind == "file"):
        with run.files.open_raw(path) as file:
            theirs = manager.file_key_id(file.read(HEADER_SIZE))
        if theirs and theirs not in ours:
            said = (
                f"{path} is encrypted with the key {theirs}, and the available key"
                f" ({manager.get_encryption_info()['key_source']}) is {manager.key_id}"
            )
            if run.options.restart:
                return run.warn(f"{said}: everything is made again under this one")
            raise WrongKey(
                f"{said}: give the run that key, or move the files to this one with `pamola-task keys rekey --from"
                " KEYFILE`, where KEYFILE holds the other, or make everything again with --restart; nothing was run"
            )
    return None


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
        found = find_key(variables(), project.id if project else "", root=project.root if project else None)
    except KeyMissing as error:
        if project is not None and (of_age := _tasks_of_age(kernel)):
            who = "the project file" if of_age[0] is None else f"task {of_age[0]}"
            finding = f"{who} encrypts for age recipients, and there is no key that authenticates what runs leave"
            return [_about_key("warning", finding, _NO_SENDER)]
        return [_about_key("note", "there is none; only runs with use_encryption need one", str(error))]
    except EncryptionError as error:
        return [_about_key("error", str(error), "Until it is mended, runs that encrypt are refused.")]
    return [_about_key("ok", f"key {found.key.fingerprint} from {found.source}")]


_NO_SENDER = (
    "Anyone who knows a recipient can write an age file that is accepted. Make a key with `pamola-task keys init`: it"
    " authenticates the records, which have the hashes of all files."
)


def _tasks_of_age(kernel: KernelView) -> list[str | None]:
    """Tasks that encrypt for age recipients; None for the project file."""
    found: list[str | None] = []
    with contextlib.suppress(PamolaTaskError):  # which doctor reports anyway
        for task in (None, *kernel.task_ids()):
            with contextlib.suppress(PamolaTaskError):
                config = kernel.services(task, upto="config").config
                mode = config.encryption_mode
                if config.use_encryption and str(getattr(mode, "value", mode)) == "age":
                    found.append(task)
    return found


def _about_key(level: str, finding: str, advice: str = "") -> Diagnosis:
    return Diagnosis(level=level, subject="encryption key", finding=finding, advice=advice)
