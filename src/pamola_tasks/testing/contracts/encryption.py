"""The contract of encryption: what is written is hidden, comes back whole, and only as what it was written as."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pamola_tasks.errors import EncryptionError
from pamola_tasks.testing.contracts.base import ServiceContract

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel

PLAIN = b"the quick brown fox " * 500


class EncryptionContract(ServiceContract):
    """What `Encryption` promises, with a key: the fixture `key` sets `PAMOLA_KEY`."""

    service = "encryption"
    configuration: ClassVar[dict[str, Any]] = {"use_encryption": True}

    @pytest.fixture(autouse=True)
    def key(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key that the provider finds."""
        monkeypatch.setenv("PAMOLA_KEY", base64.b64encode(bytes(range(32))).decode())

    @pytest.fixture
    def encryption(self, kernel: Kernel) -> Any:
        """The service."""
        return self.provided(kernel)

    def sealed(self, encryption: Any, content: bytes = PLAIN, role: str = "data", task_id: str = "contract") -> bytes:
        """The bytes of a file."""
        raw = io.BytesIO()
        file = encryption.writer(raw, role=role, task_id=task_id)
        file.write(content)
        file.close()
        assert not raw.closed, "closing the file closed what is below it"
        return raw.getvalue()

    def opened(self, encryption: Any, sealed: bytes, role: str = "data", task_id: str = "contract") -> bytes:
        """What a file holds."""
        with encryption.reader(io.BytesIO(sealed), role=role, task_id=task_id) as file:
            content: bytes = file.read()
        return content

    def test_what_was_written_comes_back(self, encryption: Any) -> None:
        """A file is read as it was written, also an empty one, and can be read from any place."""
        assert encryption.enabled
        for content in (PLAIN, b"", b"x"):
            assert self.opened(encryption, self.sealed(encryption, content)) == content
        with encryption.reader(io.BytesIO(self.sealed(encryption)), role="data", task_id="contract") as file:
            file.seek(7)
            assert file.read(5) == PLAIN[7:12]

    def test_nothing_of_it_can_be_read(self, encryption: Any) -> None:
        """No word of the content is in the file."""
        assert b"quick" not in self.sealed(encryption)

    def test_it_is_bound_to_role_and_task(self, encryption: Any) -> None:
        """A file of another role or another task is an EncryptionError."""
        sealed = self.sealed(encryption)
        for other in ({"role": "report"}, {"task_id": "other"}):
            with pytest.raises(EncryptionError):
                self.opened(encryption, sealed, **other)

    def test_an_altered_file_is_refused(self, encryption: Any) -> None:
        """A file of which a byte was changed, or that was cut off, is an EncryptionError."""
        sealed = self.sealed(encryption)
        middle = len(sealed) // 2
        changed = sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :]
        for altered in (changed, sealed[:-1], sealed[:middle]):
            with pytest.raises(EncryptionError):
                self.opened(encryption, altered)

    def test_its_files_are_known_by_their_head(self, encryption: Any) -> None:
        """`is_encrypted` knows its files, and no others, by the first bytes; `refusal` has nothing against them."""
        head = self.sealed(encryption)[:4096]
        assert encryption.is_encrypted(head)
        assert not encryption.is_encrypted(PLAIN[:4096])
        assert not encryption.is_encrypted(b"")
        assert encryption.file_key_id(head) in (encryption.key_id, "")
        assert encryption.refusal(head) == ""

    def test_derived_keys_belong_to_their_purpose(self, encryption: Any, new_kernel: Callable[..., Kernel]) -> None:
        """`derive_key` gives 32 bytes: for a purpose always the same, for another one others."""
        one, other = encryption.derive_key("one"), encryption.derive_key("other")
        assert len(one) == 32
        assert one != other
        assert self.provided(new_kernel()).derive_key("one") == one

    def test_a_run_writes_nothing_plain(self, new_kernel: Callable[..., Kernel], project: Path) -> None:
        """What a run writes as data is encrypted, and the next run reads it."""
        outcome = self.run(new_kernel(), overrides={"enable_checkpoints": True})
        record = outcome.record.outputs[0]
        content = (project / record.path).read_bytes()
        assert record.encrypted
        assert b"Zx81" not in content, "a cell can be read in the file"
        assert len(outcome.datasets["copy"]) == 6
