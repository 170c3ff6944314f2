"""A file to its address: uploaded whole or not at all, then read back and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

import attrs

from pamola_tasks.errors import DataError, UsageError
from pamola_tasks_objects.state import PIECE, State
from pamola_tasks_objects.stores import opened

if TYPE_CHECKING:
    from pamola_tasks_objects.address import Address
    from pamola_tasks_objects.settings import Root


@attrs.frozen(kw_only=True)
class Uploaded:
    """A file that was uploaded."""

    state: State  #: what the store says of it
    sha256: str  #: of its bytes


def upload(
    file: IO[bytes],
    address: Address,
    where: tuple[str, Root],
    *,
    replace: bool,
    progress: Callable[[int], None] = lambda done: None,
) -> Uploaded:
    """Upload a file from its beginning.

    Args:
        file: The file, open and able to seek.
        address: Where to.
        where: Name and settings of the root that it is in.
        replace: Whether to replace a file that is there.
        progress: Called with the number of bytes sent so far, those that are read back included.

    Raises:
        UsageError: There is a file already, and `replace` is false.
        DataError: It was refused, or is not there as it was sent.
    """
    digest, sent = hashlib.sha256(), 0
    size = file.seek(0, 2)
    file.seek(0)

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        while piece := file.read(PIECE):
            digest.update(piece)
            sent += len(piece)
            yield piece
            progress(sent)

    with opened(*where) as store:
        if not replace and store.info(address) is not None:
            raise UsageError(f"{address}: there is a file of this name already: --force replaces it")
        store.put(address, pieces(), size, replace=replace)
        state = store.info(address)
        back = hashlib.sha256()
        for piece in store.read(address) if state is not None and state.size == size == sent else ():
            back.update(piece)
            sent += len(piece)
            progress(sent)
        if state is None or back.digest() != digest.digest() or store.info(address) != state:
            raise DataError(f"{address}: what is there is not what was sent: another program may have written it")
    return Uploaded(state=state, sha256=digest.hexdigest())
