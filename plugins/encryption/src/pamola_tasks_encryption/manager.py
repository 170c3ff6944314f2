"""The encryption service of a run: what it encrypts with, what it can read, and the keys that it holds for this.

Asked to encrypt and unable to, it raises before anything is written; it never continues without encryption and never
changes the mode by itself. Nothing of cryptography is imported before a file or key needs it.
"""

from __future__ import annotations

import enum
import hmac
import io
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import ConfigurationError, EncryptionError, PamolaTaskError
from pamola_tasks.plugins.manager import installed_redactor
from pamola_tasks.secret import variables
from pamola_tasks_encryption.errors import KeyRefused, Tampered
from pamola_tasks_encryption.held_keys import HeldKeys
from pamola_tasks_encryption.marks import is_age, is_container, is_encrypted
from pamola_tasks_encryption.settings import EncryptionMode, EncryptionSettings

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Redactor
    from pamola_tasks_encryption.folders import Folders
    from pamola_tasks_encryption.header import Binding, Header


class TaskEncryptionManager:
    """Encrypts and decrypts what a task writes and reads. Usable any number of times and from several threads.

    Args:
        task_config: The task's configuration: `task_id`, `use_encryption`, `encryption_mode`, `encryption_key_path`.
        logger: Receives which key is used.
        project_id: The project's id, or empty: files open in their own project only.
        project_root: What relative paths in the configuration are relative to; the current folder unless given.
        settings: The plugin's own section of the configuration.
        input_keys: Keys of input datasets of other projects, by dataset: text as in a key file. A file is opened with
            the key whose id it states.
        redactor: Receives the keys, so that no log or report shows them; that of the installed plugins unless given.
        in_use: Keeps the key from being changed while this encrypts with it.
        files: Where the seal is, which `record_key` needs; and whether this `makes_seal` where there is none.
        environ: Environment variables; those of the process unless given.
    """

    def __init__(
        self,
        task_config: Any,
        logger: logging.Logger | None = None,
        *,
        project_id: str = "",
        project_root: Path | None = None,
        settings: EncryptionSettings | None = None,
        input_keys: Mapping[str, str] | None = None,
        redactor: Redactor | None = None,
        in_use: Callable[[], AbstractContextManager[None]] = nullcontext,
        files: Files | None = None,
        makes_seal: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._config = task_config
        self._logger = logger or logging.getLogger(__name__)
        self._location = str(project_root) if project_root is not None else ""
        self._enabled = bool(getattr(task_config, "use_encryption", False))
        self._task_id = str(getattr(task_config, "task_id", "") or "")
        self._keys = HeldKeys(
            environ=variables() if environ is None else environ,
            project_id=project_id,
            root=project_root or Path(),
            configured=getattr(task_config, "encryption_key_path", None),
            settings=settings or EncryptionSettings(),
            input_keys=dict(input_keys or {}),
            redactor=redactor if redactor is not None else installed_redactor(),
        )
        self._error = ""
        self._files = files
        self._makes_seal = makes_seal
        self._in_use = in_use
        self._holding = ExitStack()

    def initialize(self) -> bool:
        """Load what this run encrypts with. Always true: what is missing is an error that cannot be overlooked.

        Raises:
            EncryptionError: Encryption is enabled without a usable key.
            ConfigurationError: The mode is unknown, or `none` although encryption is asked for.
        """
        self._keys.closed = False
        self._error = ""
        self._holding.close()
        with ExitStack() as stack:
            if self._enabled:
                stack.enter_context(self._in_use())
            try:
                self._prepare()
            except PamolaTaskError as error:
                self._error = str(error)
                raise
            self._holding = stack.pop_all()
        return True

    def _prepare(self) -> None:
        mode = self._mode()
        self._keys.of_inputs()
        if not self._enabled:
            return
        if mode is EncryptionMode.NONE:
            raise ConfigurationError(
                "use_encryption is true and encryption_mode is none: take simple or age, or set use_encryption to false"
            )
        if mode is EncryptionMode.AGE:
            self._keys.recipients()
            self._logger.info("Encryption: mode age, %d recipients", len(self._keys.settings.recipients))
        else:
            key = self._keys.of_project()
            self._logger.info("Encryption: mode simple, key %s from %s", key.key.fingerprint, key.source)

    def cleanup(self) -> None:
        """Forget the keys. Until `initialize` is called again, nothing can be encrypted or decrypted."""
        self._keys.clear()
        self._holding.close()

    def key_variables(self) -> dict[str, str]:
        """What another process of this run finds the project's key by: an environment variable that holds it.

        For who hands it over unread by others; empty where the run has no key.
        """
        from pamola_tasks_encryption.errors import KeyMissing
        from pamola_tasks_encryption.keyfile import KeyDocument

        try:
            found = self._keys.of_project()
        except KeyMissing:
            return {}
        with found.key as key:
            document = KeyDocument.plain(key)
            if found.previous is not None:
                with found.previous as previous:
                    document = document.replacing(previous, key)
        return {"PAMOLA_KEY": document.to_text()}

    @property
    def enabled(self) -> bool:
        """Whether this run encrypts what it writes."""
        return self._enabled

    @property
    def mode(self) -> str:
        """`none`, `simple` or `age`: how this run encrypts."""
        return self._mode().value if self._enabled else EncryptionMode.NONE.value

    @property
    def key_id(self) -> str:
        """Which key this run encrypts with; empty when it does not, or encrypts for age recipients."""
        found = self._keys.found.get("project")
        return found.key.fingerprint if found is not None and self.mode == "simple" else ""

    @property
    def key_ids(self) -> set[str]:
        """The key of `key_id`, and the one that it replaces while a rotation is under way."""
        found = self._keys.found.get("project")
        return {key.fingerprint for key in (found.key, found.previous) if key} if found is not None else set()

    def get_encryption_info(self) -> dict[str, Any]:
        """Facts for reports: never a key."""
        info: dict[str, Any] = {"enabled": self._enabled, "mode": self.mode, "key_available": False}
        if self.mode == "age":
            info["key_available"] = "recipients" in self._keys.found
            info["recipients"] = len(self._keys.settings.recipients)
        elif (found := self._keys.found.get("project")) is not None:
            info |= {"key_available": True, "key_fingerprint": found.key.fingerprint, "key_source": found.source}
        if self._error:
            info["initialization_error"] = self._keys.redactor(self._error)
        return info

    def writer(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """A file to write plain bytes to; closing it completes `raw` but does not close it.

        Raises:
            EncryptionError: The run does not encrypt, or has no key.
        """
        if not self._enabled:
            raise EncryptionError("encryption is off in this run (use_encryption is false), so nothing is encrypted")
        if self._mode() is EncryptionMode.AGE:
            from pamola_tasks_encryption.age import AgeWriter

            return AgeWriter(raw, self._keys.recipients())  # type: ignore[return-value]
        from pamola_tasks_encryption.container import EncryptingWriter

        with self._keys.of_project().key as key:
            return EncryptingWriter(raw, key, self._binding(task_id, role))  # type: ignore[return-value]

    def reader(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """A seekable file of plain bytes, every one of them verified before it is given out.

        How to read is decided by the file, not by the present mode; encryption need not be on. A file that needs one
        of `input_keys` may come from another project: its key was given for it. Age files state no role and no task.

        Args:
            raw: The encrypted file, at its beginning and able to seek; it is not closed.
            role: What the file must have been written as.
            task_id: Which task must have written it.

        Raises:
            EncryptionError: No key, the wrong key, another role or task, or a file that was altered.
        """
        from pamola_tasks_encryption.container import DecryptingReader
        from pamola_tasks_encryption.header import HEADER_SIZE, Binding, Header

        head = raw.read(HEADER_SIZE)
        raw.seek(0)
        if is_age(head):
            from pamola_tasks_encryption.age import AgeReader

            return AgeReader(raw, self._keys.identities())
        if not is_container(head):
            raise Tampered("this is not an encrypted file: neither ptask/1 nor age")
        header = Header.parse(head)
        if header.key_of(self._keys.of_inputs()) is not None:
            expected = Binding(header.binding.project, task_id, role)
        else:
            expected = self._binding(task_id, role, strict=self._keys.settings.strict_location)
        with self._keys.for_file(header) as key:
            return DecryptingReader(raw, key, expected)

    def is_encrypted(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes is one that `reader` is for."""
        return is_encrypted(head)

    def file_key_id(self, head: bytes) -> str:
        """The id of the key of a file with these first 4,096 bytes; empty for age files and damaged headers."""
        try:
            header = _header(head)
        except Tampered:  # a damaged file does not say; reading it does
            return ""
        return header.newest.key_id.hex() if header and header.newest else ""

    def refusal(self, head: bytes) -> str:
        """Why a file with these first 4,096 bytes cannot be read with the available keys, as far as its header shows.

        Empty where nothing speaks against it. An age file does not list its recipients.
        """
        try:
            if header := _header(head):
                with self._keys.for_file(header) as key:
                    header.unlock(key, header.binding)
        except EncryptionError as error:
            return str(error)
        return ""

    def encrypt_data(self, data: bytes, role: str = "data") -> bytes:
        """Encrypt bytes to a whole file of the present mode; EncryptionError as from `writer`."""
        output = io.BytesIO()
        with self.writer(output, role=role, task_id=self._task_id) as file:
            file.write(data)
        return output.getvalue()

    def decrypt_data(self, encrypted_data: bytes, role: str = "data") -> bytes:
        """Decrypt the bytes of a file that this task wrote in the same role; EncryptionError as from `reader`."""
        with self.reader(io.BytesIO(encrypted_data), role=role, task_id=self._task_id) as file:
            return file.read()

    def derive_key(self, purpose: str) -> bytes:
        """32 bytes for this purpose from the project's key, which reveal nothing of it; EncryptionError without one.

        Works wherever there is a key, whether or not the run encrypts.
        """
        from pamola_tasks_encryption.header import hkdf_sha256

        with self._keys.of_project().key as key:
            return hkdf_sha256(key, b"", b"pamola-tasks derived key\0" + purpose.encode())

    def record_key(self, purpose: str) -> bytes | None:
        """32 bytes that authenticate records of this purpose, also after a change of keys; None without a key.

        Where earlier records were made with a key that is not available, what is given fits none of them.
        """
        from pamola_tasks_encryption.private_files import may_have_key

        keys, files = self._keys, self._files
        asked = keys.configured or keys.settings.keyring or keys.settings.key_command
        may_have = asked or may_have_key(keys.environ, keys.project_id)
        if files is None or keys.closed or not (may_have or self._enabled):
            return None

        def find() -> bytes:
            from pamola_tasks_encryption.seal import find_seal

            return find_seal(files, keys.of_project(), keys.project_id, self._makes_seal, self._logger.warning)

        try:
            return hmac.digest(keys.held("seal", find), purpose.encode(), "sha256")
        except EncryptionError:  # a run that needs the key says so
            return None

    def sign(self, data: bytes) -> tuple[str, str] | None:
        """The public key and the signature by the project's signing key; None where it has none."""
        from pamola_tasks_encryption.private_files import has_own_file

        if not has_own_file(self._keys.project_id, "signing"):
            return None
        from pamola_tasks_encryption import signing

        try:
            self.folders.check("the signing key")
        except KeyRefused:
            if self._keys.project_id:
                raise
            return None  # it is that of another project without an id
        return signing.sign(data, self._keys.project_id)

    @property
    def folders(self) -> Folders:
        """Where keys may be used that are found by the project's id."""
        from pamola_tasks_encryption.folders import Folders

        return Folders(self._keys.project_id, self._keys.root)

    def refuse_elsewhere(self) -> None:
        """Refuse a run that would do without the project's own key, or signing key, because its folder is another.

        Projects without an id have one file of keys between them: those that never had a key do without.
        """
        from pamola_tasks_encryption.private_files import has_own_file, own_key_is_used

        keys = self._keys
        named = keys.configured or keys.settings.key_command or keys.settings.keyring
        has_key = not named and own_key_is_used(keys.environ, keys.project_id)
        if not (has_key or has_own_file(keys.project_id, "signing")):
            return
        try:
            self.folders.check("the project's key")
        except KeyRefused:
            from pamola_tasks_encryption.seal import seals

            if keys.project_id or (self._files is not None and seals(self._files)):
                raise

    def signature_fits(self, data: bytes, public: str, signature: str) -> bool:
        """Whether a signature of these bytes is one of the owner of this public key."""
        from pamola_tasks_encryption import signing

        return signing.fits(data, public, signature)

    def _mode(self) -> EncryptionMode:
        stated = getattr(self._config, "encryption_mode", None)
        text = stated.value if isinstance(stated, enum.Enum) else stated
        if not text:
            return EncryptionMode.SIMPLE if self._enabled else EncryptionMode.NONE
        return EncryptionMode.from_string(str(text))

    def _binding(self, task_id: str, role: str, *, strict: bool = True) -> Binding:
        """What a file of this run belongs to. The place is always stated, so that it can be insisted on later."""
        from pamola_tasks_encryption.header import Binding

        return Binding(self._keys.project_id, task_id, role, self._location if strict else "")


def _header(head: bytes) -> Header | None:
    """The header among the first bytes of a file; None of one that is not `ptask/1`."""
    if not is_container(head):
        return None
    from pamola_tasks_encryption.header import HEADER_SIZE, Header

    return Header.parse(head[:HEADER_SIZE])


EncryptionManager = TaskEncryptionManager
