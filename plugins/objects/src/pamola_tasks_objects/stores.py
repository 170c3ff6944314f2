"""Object stores and SFTP servers, as little of them as is needed: `opened` gives the one that a root is in."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from pamola_tasks.errors import UsageError
from pamola_tasks_objects.state import explained

if TYPE_CHECKING:
    from pamola_tasks_objects.address import Address
    from pamola_tasks_objects.settings import Root
    from pamola_tasks_objects.state import State

_DRIVERS = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "sftp": "paramiko"}


class Store(Protocol):
    """A root that is open. Errors are `DataError`s in words, without values."""

    def reach(self) -> None: ...  #: see whether it answers
    def info(self, address: Address) -> State | None: ...  #: of a file; None where there is none
    def read(self, address: Address) -> Iterator[bytes]: ...  #: its bytes, refused where it changes meanwhile
    def put(self, address: Address, pieces: Iterable[bytes], size: int, *, replace: bool) -> None:
        """Write a file of `size` bytes, which appears whole or not at all."""


def missing_driver(scheme: str) -> str:
    """What to install for addresses of a scheme; empty where it is there."""
    if importlib.util.find_spec(_DRIVERS[scheme]) is not None:
        return ""
    return f'{scheme}:// needs {_DRIVERS[scheme]}: pip install "pamola-tasks-objects[{scheme}]"'


@contextlib.contextmanager
def opened(name: str, root: Root) -> Iterator[Store]:
    """The store that a root is in.

    Args:
        name: What the project file calls the root.
        root: Its settings.

    Raises:
        UsageError: The library for it is not installed.
        DataError: It cannot be reached, or refuses something.
    """
    scheme = root.address.scheme
    if needed := missing_driver(scheme):
        raise UsageError(needed)
    if scheme == "sftp":
        from pamola_tasks_objects.sftp import SftpStore

        with explained(f"objects.roots.{name}"):
            server = SftpStore(root)
        try:
            yield server
        finally:
            server.close()
    else:
        from pamola_tasks_objects.object_store import ObjectStore

        with explained(f"objects.roots.{name}"):
            store = ObjectStore(root)
        yield store
