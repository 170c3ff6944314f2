"""S3, Google Cloud Storage and Azure Blob Storage, by their file systems of fsspec."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DataError
from pamola_tasks_objects.settings import revealed
from pamola_tasks_objects.state import CHANGED, PIECE, State, explained

if TYPE_CHECKING:
    from pamola_tasks_objects.address import Address
    from pamola_tasks_objects.settings import Root

_PART = 16 << 20  # bytes of a part of an upload: at least 5 MiB in S3, a multiple of 256 KiB at Google
_MOST_PARTS = 9_000  # S3 has 10,000, the others more


class ObjectStore:
    """S3, Google or Azure by its file system of fsspec, which is made with arguments: addresses are never its business.

    Only methods that expand no patterns are called: `info` and `open`.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._fs: Any = _file_system(root)
        self._exclusive = root.address.scheme != "az"  # whose driver has no conditional put

    def reach(self) -> None:
        with explained(self._root.url):
            self._fs.info(self._root.address.place)

    def info(self, address: Address) -> State | None:
        with explained(str(address)):
            try:
                self._fs.invalidate_cache()
                found = self._fs.info(self._path(address), refresh=True)
            except FileNotFoundError:
                return None
        if found.get("type") != "file":
            return None
        given = {key.lower().replace("_", ""): value for key, value in found.items() if value is not None}

        def first(*keys: str) -> str:
            return next((str(given[key]).strip('"') for key in keys if key in given), "")

        return State(
            size=int(found["size"]),
            version=first("versionid", "generation"),
            etag=first("etag"),
            modified=first("lastmodified", "updated", "mtime"),
        )

    def read(self, address: Address) -> Iterator[bytes]:
        with explained(str(address)):
            file = self._fs.open(self._path(address), "rb", cache_type="none", block_size=PIECE)
        with file:
            while True:
                with explained(str(address)):
                    piece = file.read(PIECE)
                if not piece:
                    return
                yield piece

    def put(self, address: Address, pieces: Iterable[bytes], size: int, *, replace: bool) -> None:
        """In one request or, beyond the size of a part, in several that count for nothing before the last."""
        part = max(_PART, math.ceil(size / _MOST_PARTS / (1 << 20)) << 20)
        mode = "xb" if self._exclusive and not replace else "wb"
        with explained(str(address)):
            target = self._fs.open(self._path(address), mode, block_size=part)
        try:
            for piece in pieces:
                with explained(str(address)):
                    target.write(piece)
            with explained(str(address)):
                target.close()
        except BaseException as error:
            with contextlib.suppress(Exception):  # what began the upload says more
                target.discard()
            target.closed = True  # or its destructor would complete what is not whole
            if not replace and CHANGED in str(error):
                raise DataError(f"{address}: there is a file of this name already") from None
            raise

    def _path(self, address: Address) -> str:
        return f"{address.place}/{address.key}"


def _file_system(root: Root) -> Any:
    fresh: dict[str, Any] = {"use_listings_cache": False}  # what was made for a root is used again in its process
    if root.address.scheme == "s3":
        import s3fs

        client = {"region_name": root.region} if root.region else {}
        limits = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}
        return s3fs.S3FileSystem(
            key=revealed(root.key),
            secret=revealed(root.secret),
            token=revealed(root.session),
            endpoint_url=root.endpoint,
            client_kwargs=client,
            config_kwargs=limits,
            **fresh,
        )
    if root.address.scheme == "gs":
        # The class that the package exports besides appends to objects of zonal buckets, where what is half is seen.
        from gcsfs.core import GCSFileSystem

        key_file = os.path.expanduser(root.key_file or "")
        if key_file and not os.path.isfile(key_file):  # or the driver sends its name to Google, as a token
            raise DataError(f"{root.url}: there is no file key_file ({root.key_file})")
        return GCSFileSystem(token=key_file or "google_default", endpoint_url=root.endpoint, **fresh)
    import adlfs

    return adlfs.AzureBlobFileSystem(account_name=root.account, account_key=revealed(root.secret), anon=False, **fresh)
