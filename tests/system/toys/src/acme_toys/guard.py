"""Names become files below the project's root: no links, nothing outside."""

import contextlib
import os
import shutil
from pathlib import Path

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.protocols import Stat
from pamola_tasks.storage.files import temporary_name


class Guard:
    def __init__(self, root, more=()):
        self.root, self.more = root, tuple(more)

    def extended(self, roots):
        return Guard(self.root, (*self.more, *roots))

    def path(self, name, roots=()):
        path = Path(os.path.normpath(self.root / name))
        if not any(path.is_relative_to(root) for root in (self.root, *roots)) or path.resolve() != path:
            raise PathSecurityError(f"{name} is refused: it is not in {self.root}")
        return path

    @contextlib.contextmanager
    def open(self, name, mode="rb"):
        path = self.path(name, () if mode == "ab" else self.more)
        if mode == "ab":
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) if mode == "ab" else path.open(mode) as file:
            yield file

    @contextlib.contextmanager
    def create(self, name, *, exclusive=False, parents=True, mode=None):
        path = self.path(name)
        path.parent.mkdir(parents=parents, exist_ok=True)
        if exclusive and path.exists():
            raise FileExistsError(17, "it is there", str(path))
        beside = path.with_name(temporary_name(path.name))
        try:
            with beside.open("xb") as file:
                kept = path.stat().st_mode & 0o777 if path.exists() else 0o600
                beside.chmod(kept if mode is None else mode)
                yield file
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def mkdirs(self, name, mode=0o777):
        self.path(name).mkdir(parents=True, exist_ok=True)

    def replace(self, source, target):
        path = self.path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path(source).replace(path)

    def unlink(self, name, *, missing_ok=False):
        self.path(name).unlink(missing_ok=missing_ok)

    def remove_tree(self, name, *, missing_ok=False):
        if self.path(name).exists() or not missing_ok:
            shutil.rmtree(self.path(name))

    def iter(self, name="."):
        for path in sorted(self.path(name).iterdir()):
            yield path.name, stat_of(path)

    def stat(self, name):
        return stat_of(self.path(name, self.more))

    def exists(self, name):
        return self.path(name, self.more).exists()


def stat_of(path):
    found = path.lstat()
    kind = {0o100000: "file", 0o040000: "directory"}.get(found.st_mode & 0o170000, "other")
    return Stat(kind, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
