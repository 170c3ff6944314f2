"""Copies of inputs: fetched before they are read, hashed meanwhile, and fetched again only after a change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
import cattrs

from pamola_tasks.errors import DataError, PamolaTaskError
from pamola_tasks.storage.files import check_name
from pamola_tasks_objects.address import Address, is_address
from pamola_tasks_objects.settings import root_of
from pamola_tasks_objects.state import CHANGED, State
from pamola_tasks_objects.stores import opened

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import RunServices

_HEAD = 4096  # bytes in which an encrypted file shows itself
_TICK = 3  # seconds: SFTP servers give times in whole seconds


@attrs.frozen(kw_only=True)
class Known:
    """What was recorded of a copy when it was made."""

    address: str
    path: str  #: where the copy lies, or lay
    state: State  #: of the object that was fetched
    sha256: str  #: of its bytes
    copied: str  #: the hash of the copy's bytes on the disk, which may be encrypted
    settled: bool = True  #: whether a change after it was fetched is seen by the state
    columns: list[str] | None = None  #: of the table, with how it was read
    reading: dict[str, str] = attrs.Factory(dict)


class Copy:
    """A copy of an object as the data source has it (`Original`): made where it is not there once it is read."""

    def __init__(self, run: RunServices, known: Known) -> None:
        self._run = run
        self._lock = threading.Lock()
        self.known = known
        self.columns: list[str] | None = None

    @property
    def address(self) -> str:
        return self.known.address

    @property
    def sha256(self) -> str:
        return self.known.sha256

    @property
    def version(self) -> str:
        return self.known.state.name

    @property
    def bytes(self) -> int:
        return self.known.state.size

    def copy(self) -> str:
        if not self.sha256:
            raise DataError(f"{self.address} is fetched when the task runs")
        with self._lock:
            if not self._run.files.exists(self.known.path):
                made = fetch(self._run, Address.of(self.address), self.known.path)
                if made.sha256 != self.sha256:
                    self._run.files.unlink(self.known.path)
                    raise DataError(f"{self.address} changed since this run asked for it: run again")
                self.known = attrs.evolve(made, columns=self.known.columns, reading=self.known.reading)
            return self.known.copied


def fetch(run: RunServices, address: Address, path: str) -> Known:
    """Fetch an object into a file, through `run.files`: hashed, encrypted where the run encrypts, whole or not at all.

    Raises:
        DataError: It is not there, cannot be read, changed meanwhile, or is encrypted by pamola-tasks.
    """
    name, root = root_of(run.config, address)
    digest, size = hashlib.sha256(), 0
    with opened(name, root) as store:
        state = store.info(address)
        if state is None:
            raise DataError(f"{address}: there is no such file")
        run.logger.info("fetching %s (%d bytes)", address, state.size)
        with run.files.create(path, "data") as copy:
            for piece in store.read(address):
                if not size and run.files.encryption_in(piece[:_HEAD]).encrypted:
                    raise DataError(
                        f"{address} is encrypted by pamola-tasks, and bound to the task or project that wrote it:"
                        " decrypt it there (pamola-task decrypt)"
                    )
                digest.update(piece)
                size += len(piece)
                copy.write(piece)
            if size != state.size or store.info(address) != state:
                raise DataError(f"{address}: {CHANGED}")
    dated = not state.etag and not state.version
    return Known(
        address=str(address),
        path=path,
        state=state,
        sha256=digest.hexdigest(),
        copied=copy.sha256,
        settled=not dated or time.time() - float(state.modified or 0) > _TICK,
    )


class Copies:
    """The copies of a task's inputs."""

    def __init__(self, run: RunServices) -> None:
        self._run = run
        place = run.places.of(run.record.task_id)
        self._record = f"{place.state}/objects.json"
        self._folder = f"{place.directories['input']}/fetched"
        self.known = self._load()
        self.used: dict[str, tuple[Copy, str]] = {}  #: what this run reads, by dataset, and how it came

    @classmethod
    def of(cls, run: RunServices) -> Copies:
        """Those of a run, the same whenever they are asked for."""
        found: Copies = vars(run).setdefault("copies_of_objects", None) or cls(run)
        vars(run)["copies_of_objects"] = found
        return found

    def addresses(self) -> dict[str, Address]:
        """The addresses among the inputs, by dataset, without those that the run was given frames for."""
        config = self._run.config
        named = {**config.auxiliary_datasets, **config.input_datasets}
        return {
            name: Address.of(str(path))
            for name, path in named.items()
            if is_address(path) and name not in self._run.options.datasets
        }

    def path(self, name: str, address: Address) -> str:
        """Where the copy of an object is: a name with the extension of the object, by which its format is known."""
        mark = hashlib.sha256(str(address).encode()).hexdigest()[:8]
        _, dot, extension = address.name.partition(".")
        return f"{self._folder}/{check_name(f'{name}-{mark}{dot}{extension}', f'input_datasets.{name}')}"

    def offer(self, source: Any) -> None:
        """Let a data source read the copies: under their names, with all that is said of these datasets."""
        for name, address in self.addresses().items():
            known = self.known.get(name)
            if known is None or known.address != str(address):
                nothing = State(size=0)
                known = Known(address=str(address), path=self.path(name, address), state=nothing, sha256="", copied="")
            self._offer(source, name, known)

    def _offer(self, source: Any, name: str, known: Known) -> Copy:
        copy = Copy(self._run, known)
        source.add_file_path(name, known.path)
        if known.columns is not None and known.reading == _reading(source, name):
            copy.columns = known.columns
        source.add_file_path(name, known.path, original=copy)
        return copy

    def fetch(self, plan: Plan) -> None:
        """Fetch the objects that steps read, where they changed or a step may have to run."""
        run = self._run
        wanted = {name for step in plan for name in step.reads if plan.writer_of(name) is None}
        for name, address in self.addresses().items():
            if name not in wanted:
                continue
            path, known = self.path(name, address), self.known.get(name)
            how = "changed" if known is not None and known.address == str(address) else "new"
            if known is not None and how == "changed" and known.settled and self._asked(address) == known.state:
                there = run.files.exists(known.path)
                how = "its copy was changed" if there else "its copy was deleted"
                if self._is_intact(known) if there else self._may_wait(name, known, plan):
                    how = "unchanged"
            if known is None or how != "unchanged":
                if known is not None:
                    run.files.unlink(known.path, missing_ok=True)
                known = fetch(run, address, path)
                self.known[name] = known
                self._save()
            self.used[name] = self._offer(run.data_source, name, known), how

    def _asked(self, address: Address) -> State | None:
        with opened(*root_of(self._run.config, address)) as store:
            state = store.info(address)
        if state is None:
            raise DataError(f"{address}: there is no such file")
        return state

    def _is_intact(self, known: Known) -> bool:
        return self._run.files.sha256(known.path) == known.copied

    def _may_wait(self, name: str, known: Known, plan: Plan) -> bool:
        """Whether nothing is to be seen of why a step should read the copy; if one does, it is fetched then."""
        run = self._run
        same = known.columns is not None and known.reading == _reading(run.data_source, name)
        left_out, finished = run.options.selection.left_out(plan), run.checkpoints.load()
        readers = [step.id for step in plan if name in step.reads]
        return same and not run.options.restart and all(id_ in left_out or id_ in finished for id_ in readers)

    def drop(self) -> None:
        """Delete the copies, and remember what they were."""
        for name, (copy, _) in self.used.items():
            source = self._run.data_source
            header = getattr(source, "header", lambda name: None)
            self.known[name] = attrs.evolve(copy.known, columns=header(name), reading=_reading(source, name))
        self._save()
        for known in self.known.values():
            self._run.files.unlink(known.path, missing_ok=True)

    def _load(self) -> dict[str, Known]:
        with contextlib.suppress(OSError, PamolaTaskError, ValueError, cattrs.BaseValidationError):
            content = json.loads(self._run.files.read(self._record, "state"))
            return cattrs.structure(content["copies"], dict[str, Known])
        return {}

    def _save(self) -> None:
        known = {name: cattrs.unstructure(each) for name, each in sorted(self.known.items())}
        self._run.files.write(self._record, json.dumps({"schema": 1, "copies": known}), "state")


def _reading(source: Any, name: str) -> dict[str, str]:
    """How a dataset is read, as far as its source says it."""
    reading = getattr(source, "reading", None)
    return {} if reading is None else reading(name)
