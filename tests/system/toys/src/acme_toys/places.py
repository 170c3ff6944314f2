"""A project is a folder with BENCH; tasks live in LAB; the lock of a task is a folder with a pid."""

import contextlib
import json
import os
import shutil
import socket
import time
from pathlib import Path

from pamola_tasks.errors import AlreadyRunning, DirectoryManagerError
from pamola_tasks.protocols import LockHolder, Project, TaskPlace
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage.files import check_name
from pamola_tasks.storage.leftovers import remove_of_task

KINDS = ("input", "output", "dictionaries", "temp", "logs")


def project_at(start, asked):
    start = start.resolve()
    marked = [folder for folder in (start, *start.parents) if (folder / ".pamola.toml").exists()]
    return Project(marked[0] if marked and not asked else start, id="toy", marker="BENCH")


class Places:
    folders = {
        "raw": "BENCH/in",
        "processed": "LAB",
        "reports": "BENCH/papers",
        "configs": "configs",
        "project_logs": "BENCH/logs",
    }

    def __init__(self, files):
        self.files = files

    def of(self, task_id):
        home = f"LAB/{check_name(task_id, 'the task id')}"
        return TaskPlace(
            task_id=task_id,
            directories={"task": home, "state": f"{home}/kept", **{kind: f"{home}/{kind}" for kind in KINDS}},
            lock=f"{home}/kept/lock",
            manifest=f"{home}/published.json",
            newest_report=f"{home}/newest",
            run_reports=f"{home}/papers",
        )

    def left(self):
        found = self.files.iter("LAB") if self.files.exists("LAB") else ()
        return [name for name, stat in found if stat.kind == "directory"]

    def runs(self, task_id):
        folder = self.of(task_id).run_reports
        found = self.files.iter(folder) if self.files.exists(folder) else ()
        return [name.removesuffix(".json") for name, _ in found if name.endswith(".json")]

    def owner_of(self, path):
        full = Path(os.path.normpath(self.files.root / path))
        lab = self.files.root / "LAB"
        below = full.relative_to(lab).parts if full.is_relative_to(lab) else ()
        return below[0] if len(below) > 1 else ""


class Directories:
    def __init__(self, run):
        self.files = run.files
        names = {**run.places.of(run.record.task_id).directories, **run.places.folders}
        self.directories = {kind: run.files.root / name for kind, name in names.items()}

    def ensure_directories(self):
        for path in self.directories.values():
            self.files.mkdirs(path)
        return dict(self.directories)

    def get_directory(self, dir_type):
        if dir_type not in self.directories:
            raise DirectoryManagerError(f"there is no directory {dir_type!r}")
        return self.directories[dir_type]

    def get_artifact_path(self, artifact_name, artifact_type="json", subdir="output", include_timestamp=True):
        return self.get_directory(subdir) / f"{artifact_name}.{artifact_type}"

    def clean_temp_directory(self):
        self.files.remove_tree(self.directories["temp"], missing_ok=True)
        self.files.mkdirs(self.directories["temp"])
        return True


class Lock:
    """A folder that is made and removed, with who made it in a file."""

    def __init__(self, run):
        self.run, self.held, self.after_a_crash = run, False, False

    def folder(self, task_id):
        place = self.run.places.of(task_id)
        return self.run.files.root / f"{place.lock}.toy"

    def take(self, *, wait=False):
        task_id = self.run.record.task_id
        while self.is_running(task_id):
            if not wait:
                raise AlreadyRunning(f"task {task_id} is running already")
            time.sleep(0.1)
        self.after_a_crash = self.folder(task_id).exists()
        self.hold(task_id)
        self.held = True
        if self.after_a_crash:
            remove_of_task(self.run.files, self.run.places.of(task_id))

    def hold(self, task_id):
        folder = self.folder(task_id)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        told = {"run_id": self.run.id, "pid": os.getpid(), "host": socket.gethostname(), "since": rfc3339(now())}
        (folder / "holder").write_text(json.dumps(told))

    def tell(self, steps):
        (self.folder(self.run.record.task_id) / "steps").write_text(" ".join(steps))

    def release(self):
        if self.held:
            self.held = False
            shutil.rmtree(self.folder(self.run.record.task_id))

    def holder(self, task_id):
        folder = self.folder(task_id)
        try:
            told = json.loads((folder / "holder").read_text())
        except FileNotFoundError:
            return None
        steps = (folder / "steps").read_text().split() if (folder / "steps").exists() else ()
        return LockHolder(**told, steps=tuple(steps))

    def is_running(self, task_id):
        holder = self.holder(task_id)
        with contextlib.suppress(ProcessLookupError):
            if holder is not None:
                os.kill(holder.pid, 0)
                return True
        return False

    @contextlib.contextmanager
    def keeping_out(self, task_id):
        if self.is_running(task_id):
            raise AlreadyRunning(f"{task_id} is running")
        self.hold(task_id)
        try:
            yield
        finally:
            shutil.rmtree(self.folder(task_id))
