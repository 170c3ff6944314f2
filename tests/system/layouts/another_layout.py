"""Another layout, and another lock: a folder that is made and removed, nothing of the operating system's."""

import contextlib
import json
import os
from pathlib import Path

from pamola_tasks import hookimpl
from pamola_tasks.errors import AlreadyRunning
from pamola_tasks.protocols import LockHolder, TaskPlace

KINDS = ("input", "output", "dictionaries", "temp", "logs")


class Places:
    folders = {
        "raw": "store/incoming",
        "processed": "store/work",
        "reports": "store/papers",
        "configs": "configs",
        "project_logs": "store/logs",
    }

    def __init__(self, files):
        self.files = files

    def of(self, task_id):
        home = f"store/work/of-{task_id}"
        return TaskPlace(
            task_id=task_id,
            directories={"task": home, "state": f"store/kept/{task_id}", **{kind: f"{home}/{kind}" for kind in KINDS}},
            lock=f"store/locks/{task_id}",
            manifest=f"store/papers/{task_id}/published.json",
            newest_report=f"store/papers/{task_id}/newest",
            run_reports=f"store/papers/{task_id}/runs",
        )

    def left(self):
        if not self.files.exists("store/kept"):
            return []
        return [name for name, stat in self.files.iter("store/kept") if stat.kind == "directory"]

    def runs(self, task_id):
        folder = self.of(task_id).run_reports
        if not self.files.exists(folder):
            return []
        return [name.removesuffix(".json") for name, _ in self.files.iter(folder) if name.endswith(".json")]

    def owner_of(self, path):
        parts = Path(os.path.normpath(self.files.root / path)).parts
        below = parts[len(self.files.root.parts) :]
        if len(below) > 3 and below[:2] in (("store", "work"), ("store", "kept")):
            return below[2].removeprefix("of-")
        return ""


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
        return self.directories[dir_type]

    def get_artifact_path(self, artifact_name, artifact_type="json", subdir="output", include_timestamp=True):
        return self.directories[subdir] / f"{artifact_name}.{artifact_type}"

    def clean_temp_directory(self):
        self.files.remove_tree(self.directories["temp"], missing_ok=True)
        self.files.mkdirs(self.directories["temp"])
        return True


class Lock:
    after_a_crash = False

    def __init__(self, run):
        self.run = run
        self.held = False

    def path(self, task_id):
        return self.run.files.root / self.run.places.of(task_id).lock

    def take(self, *, wait=False):
        path = self.path(self.run.record.task_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()
        except FileExistsError:
            raise AlreadyRunning(f"task {self.run.record.task_id} is running already, says another lock") from None
        (path / "holder").write_text(json.dumps({"run_id": self.run.id, "pid": os.getpid(), "host": "elsewhere"}))
        self.held = True

    def tell(self, steps):
        (self.path(self.run.record.task_id) / "steps").write_text(" ".join(steps))

    def release(self):
        if self.held:
            self.held = False
            path = self.path(self.run.record.task_id)
            for file in path.iterdir():
                file.unlink()
            path.rmdir()

    def holder(self, task_id):
        path = self.path(task_id)
        if not (path / "holder").exists():
            return None
        steps = (path / "steps").read_text().split() if (path / "steps").exists() else ()
        return LockHolder(**json.loads((path / "holder").read_text()), steps=tuple(steps))

    def is_running(self, task_id):
        return self.path(task_id).exists()

    @contextlib.contextmanager
    def keeping_out(self, task_id):
        if self.is_running(task_id):
            raise AlreadyRunning(f"{task_id} is running")
        yield


@hookimpl
def pamola_provide_places(project, config):
    return Places(project.files)


@hookimpl
def pamola_provide_directories(run):
    return Directories(run)


@hookimpl
def pamola_provide_lock(run):
    return Lock(run)
