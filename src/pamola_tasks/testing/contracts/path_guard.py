"""The contract of path guards: names lead to files of the project, whole or not at all, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.testing.contracts.base import ServiceContract

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import PathGuard


class PathGuardContract(ServiceContract):
    """What `PathGuard` promises."""

    service = "path_guard"

    @pytest.fixture
    def guard(self, kernel: Kernel, project: Path) -> PathGuard:
        """The guard of the project, which has a file `inside/here.txt`."""
        (project / "inside").mkdir(0o700)
        (project / "inside/here.txt").write_bytes(b"here")
        found: PathGuard = kernel.project.files.guard
        return found

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        """A file that is not the project's."""
        path = tmp_path / "outside"
        path.mkdir(0o700)
        (path / "secret.txt").write_bytes(b"secret")
        return path / "secret.txt"

    def provided(self, kernel: Kernel) -> Any:
        """The guard, before the configuration is known."""
        return kernel.plugins.provide("path_guard", project=kernel.project)

    def write(self, guard: PathGuard, name: str, content: bytes, **options: Any) -> None:
        """Write a file."""
        with guard.create(name, **options) as file:
            file.write(content)

    def read(self, guard: PathGuard, name: str) -> bytes:
        """Read a file."""
        with guard.open(name) as file:
            content: bytes = file.read()
        return content

    def append(self, guard: PathGuard, name: str, line: bytes) -> None:
        """Add to a file."""
        with guard.open(name, "ab") as file:
            file.write(line)

    def refused(self, guard: PathGuard, name: str, *, reading: bool = True) -> None:
        """Whether a name is refused in every way to use it, or in every way to write."""
        ways: dict[str, Callable[[], object]] = {
            **({"open": lambda: self.read(guard, name)} if reading else {}),
            "create": lambda: self.write(guard, name, b"forged"),
            "append": lambda: self.append(guard, name, b""),
            "replace": lambda: guard.replace("inside/here.txt", name),
            "replace from there": lambda: guard.replace(name, "inside/there.txt"),
            "mkdirs": lambda: guard.mkdirs(f"{name}.d"),
            "unlink": lambda: guard.unlink(name),
            "remove_tree": lambda: guard.remove_tree(os.path.dirname(name)),
        }
        for way, act in ways.items():
            try:
                act()
            except PathSecurityError:
                continue
            except OSError:
                pass
            pytest.fail(f"{way} does not refuse {name!r} with PathSecurityError")

    def test_what_is_written_is_read(self, guard: PathGuard, project: Path) -> None:
        """A file that was created is there, with its parents, by a relative and by an absolute name; `root` is
        absolute."""
        assert guard.root.is_absolute()
        self.write(guard, "new/folder/file.txt", b"one")
        assert self.read(guard, "new/folder/file.txt") == b"one"
        assert self.read(guard, str(guard.root / "new/folder/file.txt")) == b"one"
        assert (project / "new/folder/file.txt").read_bytes() == b"one"
        assert guard.stat("new/folder/file.txt").size == 3

    def test_a_file_appears_whole_or_not_at_all(self, guard: PathGuard, project: Path) -> None:
        """Until the block ends the old content is under the name; after an exception it stays, and nothing is left."""
        self.write(guard, "inside/file.txt", b"old")
        with guard.create("inside/file.txt") as file:
            file.write(b"new")
            assert (project / "inside/file.txt").read_bytes() == b"old", "readers see what is not complete"
        assert (project / "inside/file.txt").read_bytes() == b"new"
        with pytest.raises(KeyError), guard.create("inside/file.txt") as file:
            raise KeyError(file.write(b"half"))
        assert (project / "inside/file.txt").read_bytes() == b"new"
        assert sorted(os.listdir(project / "inside")) == ["file.txt", "here.txt"]

    def test_exclusive_replaces_nothing(self, guard: PathGuard) -> None:
        """With `exclusive` a file that is there stays, and `FileExistsError` is raised."""
        with pytest.raises(FileExistsError):
            self.write(guard, "inside/here.txt", b"other", exclusive=True)
        assert self.read(guard, "inside/here.txt") == b"here"

    def test_nothing_outside_is_reached(self, guard: PathGuard, outside: Path) -> None:
        """Names that lead out of the root are refused in every way, relative or absolute."""
        for name in ("../outside/secret.txt", "inside/../../outside/secret.txt", str(outside)):
            self.refused(guard, name)
        assert outside.read_bytes() == b"secret"

    def test_no_link_leads_out(self, guard: PathGuard, outside: Path, project: Path) -> None:
        """A link to a file or a folder outside is refused in every way but deletion, which deletes the link."""
        (project / "file").symlink_to(outside)
        (project / "folder").symlink_to(outside.parent)
        for name in ("file", "folder/secret.txt"):
            for act in (lambda: self.read(guard, name), lambda: self.write(guard, name, b"forged")):  # noqa: B023
                with pytest.raises(PathSecurityError):
                    act()
        assert {entry: stat.kind for entry, stat in guard.iter() if entry in ("file", "folder")} == {
            "file": "other",
            "folder": "other",
        }
        assert outside.read_bytes() == b"secret"

    def test_further_roots_are_read_and_not_written(self, guard: PathGuard, outside: Path) -> None:
        """Of a guard with further roots their files can be read and not written; the guard itself stays closed."""
        wider = guard.extended([outside.parent])
        assert self.read(wider, str(outside)) == b"secret"
        assert wider.stat(str(outside)).size == 6
        self.refused(wider, str(outside), reading=False)
        self.refused(guard, str(outside))
        assert outside.read_bytes() == b"secret"

    def test_what_is_missing_is_missing(self, guard: PathGuard) -> None:
        """A file that is not there is `FileNotFoundError`, and does not exist; with `missing_ok` nothing is raised."""
        assert not guard.exists("inside/none.txt")
        for act in (guard.stat, guard.unlink, guard.remove_tree, lambda name: self.read(guard, name)):
            with pytest.raises(FileNotFoundError):
                act("inside/none.txt")
        guard.unlink("inside/none.txt", missing_ok=True)
        guard.remove_tree("inside/none", missing_ok=True)

    def test_appending_keeps_what_is_there(self, guard: PathGuard) -> None:
        """`ab` makes the file and its parents, adds to what is there, and keeps nothing in a buffer."""
        self.append(guard, "log/lines.txt", b"one\n")
        with guard.open("log/lines.txt", "ab") as file:
            file.write(b"two\n")
            assert self.read(guard, "log/lines.txt") == b"one\ntwo\n", "a line waits in a buffer"
        assert self.read(guard, "log/lines.txt") == b"one\ntwo\n"

    def test_entries_are_sorted_and_typed(self, guard: PathGuard) -> None:
        """`iter` gives the entries of a folder, sorted by name, each with its kind."""
        for name in ("b.txt", "a.txt", "c.txt"):
            self.write(guard, f"listed/{name}", b"")
        guard.mkdirs("listed/d")
        guard.mkdirs("listed/d")
        found = [(name, stat.kind) for name, stat in guard.iter("listed")]
        assert found == [("a.txt", "file"), ("b.txt", "file"), ("c.txt", "file"), ("d", "directory")]

    def test_moving_and_deleting(self, guard: PathGuard, outside: Path, project: Path) -> None:
        """`replace` makes parents and replaces; `remove_tree` deletes a link in a tree and not what it leads to."""
        self.write(guard, "moved/old.txt", b"old")
        guard.replace("inside/here.txt", "moved/old.txt")
        guard.replace("moved/old.txt", "far/away/new.txt")
        assert self.read(guard, "far/away/new.txt") == b"here"
        assert not guard.exists("inside/here.txt")
        (project / "far/away/link").symlink_to(outside.parent)
        guard.remove_tree("far")
        assert not guard.exists("far")
        assert outside.read_bytes() == b"secret"

    def test_files_are_their_owners(self, guard: PathGuard, project: Path) -> None:
        """A new file has the permissions 0600, a replaced one those that it had, and others where they are asked."""
        if os.name == "nt":
            pytest.skip("permissions are those of POSIX")
        self.write(guard, "inside/private.txt", b"")
        assert (project / "inside/private.txt").stat().st_mode & 0o777 == 0o600
        (project / "inside/private.txt").chmod(0o640)
        self.write(guard, "inside/private.txt", b"")
        assert (project / "inside/private.txt").stat().st_mode & 0o777 == 0o640
