"""Files for what does not fit into memory, in the step's own folder: encrypted where the run encrypts, and removed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pyarrow as pa

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

_BUFFER = 1 << 18  # bytes of a file that is written, until they are worth encrypting and hashing


def _prefix(ctx: OperationContext) -> str:
    """How what a step leaves on the disk while it runs begins: in the folder that this attempt writes into.

    That is removed when the attempt ends; what a killed run leaves is removed before the task runs again.
    """
    return f"{ctx.scratch}/tables-{os.urandom(6).hex()}"


@contextlib.contextmanager
def folder(ctx: OperationContext) -> Iterator[str]:
    """A folder for a library that writes files of its own; empty where the project's files are not on a disk."""
    path = _prefix(ctx)
    ctx.run.files.mkdirs(path)
    try:
        yield path if os.path.isdir(path) else ""
    finally:
        ctx.run.files.remove_tree(path, missing_ok=True)


@attrs.frozen
class Written:
    """A file of Arrow that is being written: where it is, and what writes batches and tables into it."""

    path: str
    write: Any


class Spill:
    """Tables of Arrow in files, until it is closed."""

    def __init__(self, ctx: OperationContext) -> None:
        self._files = ctx.run.files
        self._prefix = _prefix(ctx)
        self._written: list[str] = []
        self._open = contextlib.ExitStack()

    def close(self) -> None:
        """Remove all files."""
        self._open.close()
        for path in self._written:
            self._files.unlink(path, missing_ok=True)
        self._written.clear()

    @contextlib.contextmanager
    def writing(self, schema: Any) -> Iterator[Written]:
        """Write a file, which is there when the block ends."""
        path = f"{self._prefix}-{len(self._written)}.arrow"
        self._written.append(path)
        with (
            self._files.create(path, "state") as file,
            pa.BufferedOutputStream(pa.PythonFile(file, "w"), _BUFFER) as buffered,
            pa.ipc.new_file(buffered, schema) as writer,
        ):
            yield Written(path, writer.write)

    def write(self, table: Any, batch: int) -> str:
        """Write a table in batches of so many rows; the last has fewer."""
        with self.writing(table.schema) as written:
            for each in table.to_batches(batch):
                written.write(each)
        return written.path

    def read(self, path: str) -> Any:
        """A file of which batches are read (`get_batch`); it stays open until all are removed."""
        return self._open.enter_context(self.reading(path))

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[Any]:
        """The same, open within the block."""
        with self._files.open(path, "state") as file:
            yield pa.ipc.open_file(pa.PythonFile(file, "r"))
