"""Charts that steps left in their artifacts: JSON files with the tag `charts`, and a list under the key `charts`.

An artifact is encrypted like all that a step writes, so that charts of an encrypted run are for who has the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files

TAG = "charts"
_LARGEST = 64 << 20


class Attached:
    """Reads the charts of artifacts, and remembers which could not be read.

    Args:
        files: Opens them; None where nothing can be opened, and there are no charts then.
    """

    def __init__(self, files: Files | None) -> None:
        self._files = files
        self.problems: list[str] = []

    def charts(self, artifacts: Iterable[Mapping[str, Any]], step: str) -> list[Any]:
        """The charts of the artifacts of a step, unchanged.

        Args:
            artifacts: As reports have them; the bytes on the disk have to be those that were recorded.
            step: Whose they are, for messages.
        """
        found: list[Any] = []
        for artifact in artifacts:
            if self._files is None or TAG not in artifact.get("tags", ()) or artifact.get("type") != "json":
                continue
            path = str(artifact.get("path"))
            try:
                found += self._read(self._files, path, str(artifact.get("sha256") or ""))
            except (PamolaTaskError, OSError, ValueError, RecursionError) as error:
                self.problems.append(f"the charts of {step} in {path} cannot be shown: {error}")
        return found

    def _read(self, files: Files, path: str, sha256: str) -> list[Any]:
        if (files.stat(path).size or 0) > _LARGEST:
            raise ValueError(f"the file is larger than {_LARGEST >> 20} MiB")
        if sha256 and files.sha256(path) != sha256:
            raise ValueError("the file is another than the step left")
        document = json.loads(files.read(path, "artifact"))
        charts = document.get(TAG) if isinstance(document, dict) else None
        return charts if isinstance(charts, list) else []
