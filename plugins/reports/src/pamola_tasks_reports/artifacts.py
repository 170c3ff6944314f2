"""Artifacts as reports list them, each file once with its size and hash; and the charts that steps left in them.

Charts are in JSON files with the tag `charts`, as a list under the key `charts`. An artifact is encrypted like all that
a step writes, so that charts of an encrypted run are for who has the key.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks_reports.formatting import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pamola_tasks.protocols import Files, Stat
    from pamola_tasks.record import Artifact

TAG = "charts"
_LARGEST = 64 << 20


@attrs.define
class ArtifactGroup:
    """Artifacts that belong together; `description` says what they have in common."""

    name: str
    description: str = ""
    artifacts: list[Artifact] = attrs.Factory(list)

    def add_artifact(self, artifact: Artifact) -> None:
        """Put an artifact into the group."""
        artifact.group = self.name
        if artifact not in self.artifacts:
            self.artifacts.append(artifact)


class Inventory:
    """Sizes and hashes of artifacts, read from the disk if not recorded, once for each state of a file."""

    def __init__(self, files: Files | None) -> None:
        self._files = files
        self._hashes: dict[tuple[str, int, int], str] = {}

    def entries(
        self, artifacts: Iterable[Artifact], metadata: Mapping[str, Mapping[str, Any]], problems: list[str]
    ) -> list[dict[str, Any]]:
        """Every artifact once, in the order first named: what is said of it later fills what was left open.

        `metadata` has further facts by path; `problems` takes what goes wrong while the files are looked at.
        """
        found: dict[str, dict[str, Any]] = {}
        for artifact in artifacts:
            entry = artifact.to_dict()
            entry["path"] = path = self.name(artifact.path)
            known = found.setdefault(path, entry)
            if known is not entry:
                known.update({key: value for key, value in entry.items() if value and not known.get(key)})
                known["tags"] = list(dict.fromkeys([*known["tags"], *entry["tags"]]))
        for path, entry in found.items():
            if path in metadata:
                entry["metadata"] = plain(metadata[path])
            try:
                if not entry["sha256"]:
                    entry["sha256"], entry["bytes"] = self._look(path)
                if self._files is not None and entry["sha256"]:
                    entry |= self.encryption(path)
            except (PamolaTaskError, OSError) as error:
                problems.append(f"artifact {path} could not be looked at: {error}")
        return list(found.values())

    def encryption(self, path: str) -> dict[str, Any]:
        """How the file on the disk is encrypted, whatever the settings say; nothing for what is not in one file."""
        if self._files is None or not path or not self._files.exists(path):
            return {}
        found = self._files.encryption_of(path)
        return {"encrypted": found.encrypted, "encryption_mode": found.mode, "key_id": found.key_id}

    def name(self, path: str) -> str:
        """A path as reports show it: relative to the project's root where it is inside."""
        return path if self._files is None else self._files.name(path)

    def _look(self, path: str) -> tuple[str, int | None]:
        stat = None if self._files is None else look(self._files, path)
        if self._files is None or stat is None or stat.kind != "file":
            return "", None
        key = (path, stat.size, stat.mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = self._files.sha256(path)
        return self._hashes[key], stat.size

    def charts(self, artifacts: Iterable[Artifact], step: str, problems: list[str]) -> list[Any]:
        """The charts in artifacts of a step, unchanged; the bytes on the disk have to be those recorded."""
        found: list[Any] = []
        for artifact in artifacts:
            if self._files is None or TAG not in artifact.tags or artifact.artifact_type != "json":
                continue
            try:
                found += _charts_in(self._files, artifact.path, artifact.sha256)
            except (PamolaTaskError, OSError, ValueError, RecursionError) as error:
                problems.append(f"the charts of {step} in {artifact.path} cannot be shown: {error}")
        return found


def look(files: Files, path: str) -> Stat | None:
    """What is there under a name, if the guard allows it; None where nothing is."""
    try:
        return files.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _charts_in(files: Files, path: str, sha256: str) -> list[Any]:
    if (files.stat(path).size or 0) > _LARGEST:
        raise ValueError(f"the file is larger than {_LARGEST >> 20} MiB")
    if sha256 and files.sha256(path) != sha256:
        raise ValueError("the file is another than the step left")
    document = json.loads(files.read(path, "artifact"))
    charts = document.get(TAG) if isinstance(document, dict) else None
    return charts if isinstance(charts, list) else []
