"""Re-encrypting files: fresh data keys and fresh content, by a file put in the place of each, and a log of it.

The log (`.pamola/renewed.jsonl`) has two uses. An interrupted renewal resumes; and a file that was
re-encrypted is recognised by the hash that it was recorded with when it was written, so that reports, checkpoints and
history stay true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs

from pamola_tasks.protocols import ContentHash
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import journal
from pamola_tasks.storage.hashing import HashedWriter
from pamola_tasks_encryption.container import DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.header import key_id, without_slots
from pamola_tasks_encryption.provide import RECORD_KEYS
from pamola_tasks_encryption.rotation import Found, Tally, copy, each, exchange_slot, header_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Project

LOG = ".pamola/renewed.jsonl"
SCHEMA = 1


@attrs.define
class Renewal:
    """One re-encryption of a project's files, from its beginning to its end, however often it is interrupted."""

    files: Files
    id: str
    begun: str  #: when, RFC 3339
    done: set[str]  #: ids of the files that it wrote
    key: bytes | None = None  #: authenticates what is noted

    @classmethod
    def begin(cls, files: Files, new: bytes, location: str, *, restart: bool = False) -> Renewal:
        """The unfinished renewal, if it is for the same key and place and not to `restart`; else a new one."""
        entries = _entries(files)
        last = next((entry for entry in reversed(entries) if entry["event"] in ("begun", "finished")), None)
        about = {"key_id": key_id(new).hex(), "location": location}
        if not restart and last is not None and last["event"] == "begun" and about.items() <= last.items():
            ours = [entry for entry in entries if entry.get("renewal") == last["renewal"]]
            return cls(files, last["renewal"], last["time"], {e["file_id"] for e in ours if "file_id" in e})
        made = cls(files, str(uuid4()), rfc3339(now()), set())
        files.mkdirs(".pamola")
        made.note("begun", **about)
        return made

    def note(self, event: str, **facts: str) -> None:
        """Append an event: `begun`, `finished`, or a `file` just before it gets its name, so that it is recognised."""
        entry = {"schema": SCHEMA, "event": event, "renewal": self.id, "time": rfc3339(now()), **facts}
        journal.append(self.files, LOG, [entry], flush=True, key=self.key)


def renew(renewal: Renewal, name: str, keys: Mapping[bytes, bytes], new: bytes, location: str) -> Found:
    """Encrypt a file's content under a fresh data key and the new key; the file is replaced when all was verified."""
    files = renewal.files
    header = header_of(files, name)
    if header is None:
        return Found.AGE
    if header.file_id.hex() in renewal.done:
        header.unlock(new, header.binding)
        return Found.PRESENT
    key = header.key_of(keys)
    if key is None:
        return Found.OTHER
    if header.torn:  # a slot was half written: mended, the file is recognised as the one recorded
        exchange_slot(files, name, key, new)
        key = new
    recorded = files.sha256(name)
    binding = attrs.evolve(header.binding, location=location)
    with (
        files.open_raw(name) as raw,
        DecryptingReader(raw, key, header.binding) as plain,
        files.guard.create(name) as target,
    ):
        hashed = HashedWriter(target, files.containers)
        with EncryptingWriter(hashed, new, binding) as sealed:  # type: ignore[arg-type]
            copy(plain, sealed)
        sha256 = hashed.recognised().sha256
        renewal.note("file", path=name, file_id=sealed.file_id.hex(), recorded=recorded, sha256=sha256)
    return Found.CHANGED


def renew_files(
    renewal: Renewal, keys: Mapping[bytes, bytes], new: bytes, location: str, names: Iterable[str] | None = None
) -> Tally:
    """Encrypt all encrypted files of a project again. What this renewal did before is found and left."""
    tally = each(renewal.files, lambda name: renew(renewal, name, keys, new, location), names)
    if not tally.left:
        renewal.note("finished")
    return tally


class PtaskFormat:
    """How `ptask/1` files of a project are recognised: without their key slots, and by the log if re-encrypted."""

    encryption = "simple"

    def __init__(self, project: Project) -> None:
        self._project = project
        self._files = project.files
        self._size = 0
        self._key: bytes | None = None
        self._origins: dict[str, ContentHash] = {}

    def stable_header(self, head: bytes) -> bytes:
        """The header with zeros for the slots, if these are sound."""
        return without_slots(head)

    def recognised(self, sha256: str) -> ContentHash:
        """The hash before the file was re-encrypted; with a key, only what is authenticated by it is believed."""
        size = self._files.stat(LOG).size if self._files.exists(LOG) else 0
        ask = RECORD_KEYS.get(self._project) if size else None
        key = (ask("renewals") if ask is not None else None) or self._key
        if (size, key) != (self._size, self._key):
            self._origins = {
                entry["sha256"]: ContentHash(entry["recorded"], f"re-encrypted on {entry['time'][:10]}")
                for entry in _entries(self._files, key)
                if entry["event"] == "file"
            }
            self._size, self._key = size, key
        return self._origins.get(sha256, ContentHash(sha256))


def _entries(files: Files, key: bytes | None = None) -> list[dict[str, Any]]:
    if not files.exists(LOG):
        return []
    return [entry for entry in journal.read(files, LOG, key=key).entries if entry.get("schema") == SCHEMA]
