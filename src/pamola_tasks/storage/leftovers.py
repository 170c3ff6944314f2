"""What killed runs leave lying about: files that were never published, and what unfinished steps had begun to write.

Only the holder of a task's lock removes its leftovers: no other process can distinguish them from files being written.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pamola_tasks.storage.files import is_temporary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pamola_tasks.protocols import Files, TaskPlace

STAGING = ".new"  # how the folder of a step that is being run ends


def staging_of(step_id: str) -> str:
    """A new name for the folder that one attempt at a step writes into: an earlier attempt may still be writing."""
    return f"{step_id}.{os.urandom(4).hex()}{STAGING}"


def remove_of_task(files: Files, place: TaskPlace) -> list[str]:
    """Remove what killed runs of a task left in its directory, and return its names. For the holder of the task's lock.

    Folders of finished steps are not looked into: only whole files are ever put there.
    """
    return remove_staged(files, place) + remove_unpublished(files, place.home, but=f"{place.state}/steps")


def remove_staged(files: Files, place: TaskPlace) -> list[str]:
    """The same of folders of steps alone, as an attempt elsewhere may make one when its run has ended already."""
    steps = f"{place.state}/steps"
    stale = [f"{steps}/{n}" for n, kind in entries(files, steps) if kind == "directory" and n.endswith(STAGING)]
    for folder in stale:
        files.remove_tree(folder, missing_ok=True)
    return stale


def remove_unpublished(
    files: Files, folder: str, *, of: Collection[str] | None = None, but: str | None = None
) -> list[str]:
    """Remove what `unpublished` finds, and return the names."""
    found = list(unpublished(files, folder, of=of, but=but))
    for name in found:
        files.unlink(name, missing_ok=True)
    return found


def unpublished(
    files: Files, folder: str, *, of: Collection[str] | None = None, but: str | None = None
) -> Iterator[str]:
    """The names of what killed processes had begun to write beside a file's place.

    Args:
        files: Where.
        folder: The folder; folders in it are looked into, unless `of` is given.
        of: Only what was to become a file of one of these names.
        but: A folder that is left alone.
    """
    for name, kind in entries(files, folder):
        path = f"{folder}/{name}"
        if kind == "directory":
            if of is None and path != but:
                yield from unpublished(files, path, but=but)
        elif is_temporary(name, of):
            yield path


def outdated(files: Files, place: TaskPlace, record: Mapping[str, Any] | None) -> list[str]:
    """What is in a task's directories of outputs and was not left by its newest run, given the record of that in the
    history: files of an earlier configuration, of a run before one that failed, or foreign ones."""
    if record is None or not record.get("report_files"):  # of an older release, or of another history
        return []
    left = {str(item.get("path")) for item in record.get("output_files") or ()}
    folders = (place.directories["output"], place.internal)
    return [path for folder in folders for path in _all_files(files, folder) if path not in left]


def _all_files(files: Files, folder: str) -> Iterator[str]:
    for name, kind in entries(files, folder):
        path = f"{folder}/{name}"
        if kind == "directory":
            yield from _all_files(files, path)
        elif not is_temporary(name):
            yield path


def entries(files: Files, folder: str) -> list[tuple[str, str]]:
    """Names and kinds of what is in a folder; nothing where there is none."""
    return [(name, stat.kind) for name, stat in files.iter(folder)] if files.exists(folder) else []
