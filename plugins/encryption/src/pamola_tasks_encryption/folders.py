"""In which folders a key may be used that is found by the id of a project.

An id is not a secret: it is in every encrypted file, and anybody can put it into a project of his own with files
that he wants decrypted, and have its owner run that. So the folder that a key was made in is kept beside the key.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import attrs

from pamola_tasks_encryption.errors import KeyMissing, KeyRefused
from pamola_tasks_encryption.private_files import key_directory, read_private_file, write_private_file


@attrs.frozen
class Folders:
    """The folders in which the keys of one project id may be used, for the project in `root`."""

    project_id: str
    root: Path

    @property
    def path(self) -> Path:
        """The file that lists them."""
        return key_directory() / f"{self.project_id or 'default'}.folders"

    def known(self) -> list[str]:
        """The folders; KeyRefused where others could have written the list."""
        try:
            found = json.loads(read_private_file(self.path, "the folders of the key"))
        except KeyMissing:
            return []
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(folder, str) for folder in found):
            raise KeyRefused(f"{self.path} is damaged: delete it, and run `pamola-task keys trust` in the project")
        return found

    def add(self) -> str:
        """Let the project in `root` use the keys, as the owner of the keys says; its folder."""
        folder = os.path.realpath(self.root)
        write_private_file(self.path, json.dumps(sorted({*self.known(), folder})) + "\n", replace=True)
        return folder

    def check(self, source: str) -> None:
        """Refuse a project in another folder. Keys from before folders were noted are bound to the first that asks."""
        known = self.known()
        if not known:
            with contextlib.suppress(KeyRefused):  # the folder of keys may be read-only
                self.add()
        elif os.path.realpath(self.root) not in known:
            raise KeyRefused(
                f"{source} was made for the project in {' and '.join(known)}, and is not used for that in {self.root}:"
                " it is found by the project's id, which anybody can copy. If you moved or copied the project, or made"
                " both, run `pamola-task keys trust` in this one"
            )
