"""A folder that behaves like an object store: whole objects by key, no rename, no append, listings by prefix."""

import os
import uuid
from pathlib import Path
from urllib.parse import quote, unquote


class Bucket:
    def __init__(self, folder):
        self.folder = Path(folder)

    def put(self, key, content):
        self.folder.mkdir(0o700, parents=True, exist_ok=True)
        beside = self.folder / f".{uuid.uuid4().hex}"
        beside.write_bytes(content)
        os.replace(beside, self.folder / quote(key, safe=""))

    def get(self, key):
        return (self.folder / quote(key, safe="")).read_bytes()

    def keys(self, prefix):
        names = os.listdir(self.folder) if self.folder.exists() else []
        return sorted(key for key in map(unquote, names) if key.startswith(prefix))

    def delete(self, key):
        (self.folder / quote(key, safe="")).unlink(missing_ok=True)
