"""A mark, a line that may change, the hash of what follows, and the bytes, each turned round: nothing is secret."""

import hashlib
import io

from pamola_tasks.errors import EncryptionError
from pamola_tasks.protocols import ContentHash

MARK = b"acme/1\n"
KEY = b"toy-key "  # may be changed in every file: not a part of its hash
BEGIN = len(MARK) + len(KEY)
TURNED = bytes(255 - n for n in range(256))


class Encryption:
    mode = "toy"

    def __init__(self, enabled):
        self.enabled = enabled
        self.key_id = "toy" if enabled else ""

    def writer(self, raw, *, role, task_id):
        return Writer(raw, f"{role} {task_id}")

    def reader(self, raw, *, role, task_id):
        sealed = raw.read()[BEGIN:]
        plain = sealed[32:].translate(TURNED)
        if digest(plain, f"{role} {task_id}") != sealed[:32]:
            raise EncryptionError("the file was altered, or written as another")
        return io.BytesIO(plain)

    def is_encrypted(self, head):
        return head.startswith(MARK)

    def file_key_id(self, head):
        return "toy"

    def refusal(self, head):
        return ""

    def derive_key(self, purpose):
        return hashlib.sha256(purpose.encode()).digest()

    def get_encryption_context(self):
        return None

    def get_encryption_info(self):
        return {"enabled": self.enabled, "mode": self.mode if self.enabled else "none", "key_id": self.key_id}

    def cleanup(self):
        pass


class Writer(io.BytesIO):
    def __init__(self, raw, bound):
        super().__init__()
        self.raw, self.bound = raw, bound

    def close(self):
        if not self.closed:
            plain = self.getvalue()
            self.raw.write(MARK + KEY + digest(plain, self.bound) + plain.translate(TURNED))
        super().close()


def digest(plain, bound):
    return hashlib.sha256(bound.encode() + b"\n" + plain).digest()


class Format:
    encryption = "toy"

    def __init__(self, project):
        pass

    def stable_header(self, head):
        return head[: len(MARK)] + bytes(len(KEY)) + head[BEGIN:]

    def recognised(self, sha256):
        return ContentHash(sha256)
