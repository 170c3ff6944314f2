"""Publishing a bundle: whole, under a name that nothing had, as a folder or as a zip of the same bytes each time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pamola_tasks.errors import UsageError

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can state
_PIECE = 1 << 20


class Staged:
    """A bundle that is being made beside its place, for its owner alone; gone after the block unless it was published.

    Args:
        target: The folder or zip to be. Its parent has to be there.
        replaces: Whether it takes the place of a zip that is there.

    Raises:
        UsageError: Something is there already, or the parent is not.
    """

    def __init__(self, target: Path, *, replaces: bool = False) -> None:
        self.target, self.files = target, dict[str, dict[str, object]]()
        self._replaces = replaces
        self._check()

    def _check(self) -> None:
        if not self._replaces and os.path.lexists(self.target):
            raise UsageError(f"{self.target} is there already, and is not replaced: say another place with --to")
        if not self.target.parent.is_dir():
            raise UsageError(f"there is no folder {self.target.parent} to put the bundle into")

    def __enter__(self) -> Staged:
        try:
            self._home = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.", dir=self.target.parent))
        except OSError as problem:
            raise UsageError(f"nothing can be written to {self.target.parent}: {problem.strerror}") from None
        self.folder = self._home / "bundle"
        self.folder.mkdir(mode=0o700)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._home, ignore_errors=True)

    def write(self, name: str, content: str, data: bytes) -> None:
        """A file with these bytes, of this kind of content."""
        with self.create(name, content) as write:
            write(data)

    @contextlib.contextmanager
    def create(self, name: str, content: str) -> Iterator[_Writer]:
        """A file that is written in pieces; its size and hash are known after the block."""
        path = self.folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(0o600, exist_ok=False)
        with path.open("wb") as file:
            writer = _Writer(file)
            yield writer
            _flush(file)
        self.files[name] = {
            "path": name, "content": content, "bytes": writer.size, "sha256": writer.digest.hexdigest()
        }  # fmt: skip

    def zip(self) -> str:
        """Pack what is there; the SHA-256 of the zip, whose bytes follow from the files (and from zlib) alone."""
        packed = self._home / "bundle.zip"
        with zipfile.ZipFile(packed, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in self.files:
                info = zipfile.ZipInfo(name, _TIME)
                info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100600 << 16
                large = (self.folder / name).stat().st_size >= zipfile.ZIP64_LIMIT // 2
                with (self.folder / name).open("rb") as source, archive.open(info, "w", force_zip64=large) as target:
                    shutil.copyfileobj(source, target, _PIECE)
        packed.chmod(0o600)
        with packed.open("rb+") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            _flush(file)
        return found

    def publish(self) -> None:
        """Have the bundle appear at its place: the zip if it was packed, else the folder."""
        packed = self._home / "bundle.zip"
        if self._replaces:
            packed.replace(self.target)
        elif packed.exists():
            try:
                os.link(packed, self.target)  # fails where something is there
            except FileExistsError:
                self._check()
            except OSError:  # a file system without links
                self._check()
                packed.rename(self.target)
        else:
            self._check()
            self.folder.rename(self.target)


class _Writer:
    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.size = file, hashlib.sha256(), 0

    def __call__(self, data: bytes) -> None:
        self._file.write(data)
        self.digest.update(data)
        self.size += len(data)

    def copy(self, source: IO[bytes]) -> None:
        while data := source.read(_PIECE):
            self(data)


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
