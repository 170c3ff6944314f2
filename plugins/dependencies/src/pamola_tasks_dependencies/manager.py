"""`TaskDependencyManager`: whether the tasks that a task depends on have succeeded, and what they left."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from pamola_tasks.errors import DependencyError, DependencyFailedError, DependencyMissingError, PathSecurityError
from pamola_tasks.storage.files import check_name, is_temporary
from pamola_tasks_dependencies.reading import Ending, of_record, of_report, read_report

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, Files, History, Places

_NOT_ENDED = ("running", "unknown")


class TaskDependencyManager:
    """What the tasks that a task depends on have left.

    A dependency is a task's id; or a path (`is_absolute_dependency`), whose origin is unknown.

    Args:
        task_config: Gives `dependencies` and `continue_on_error`.
        history: Used if there is no report, and to detect runs that were killed; None where there is none.
        warn: Called for each missing one, under `continue_on_error`.
    """

    def __init__(
        self,
        task_config: Config,
        *,
        files: Files,
        places: Places,
        history: History | None = None,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._config = task_config
        self._files = files
        self._places = places
        self._history = history
        self._warn = warn

    def is_absolute_dependency(self, dependency_id: str) -> bool:
        """Whether a dependency is named by a path, not by a task's id."""
        return os.sep in dependency_id or "/" in dependency_id or ":" in dependency_id

    def assert_dependencies_completed(self) -> bool:
        """Whether all tasks that this one depends on are there and succeeded.

        False only under `continue_on_error`, which makes warnings of the errors.

        Raises:
            DependencyMissingError: At least one has left nothing; the message names all that is wrong.
            DependencyFailedError: At least one did not succeed.
        """
        problems: list[DependencyError] = []
        for dependency_id in self._config.dependencies:
            try:
                if self.is_absolute_dependency(dependency_id):
                    self._accept_path(dependency_id)
                else:
                    self._assert_succeeded(dependency_id)
            except DependencyError as problem:
                problems.append(problem)
        if problems and not self._config.continue_on_error:
            missing = any(isinstance(found, DependencyMissingError) for found in problems)
            raise (DependencyMissingError if missing else DependencyFailedError)(
                "\n".join(map(str, problems)), dependencies=[found.details["dependency"] for found in problems]
            )
        for found in problems:
            self._warn(f"{found} (going on, because continue_on_error is on)")
        return not problems

    def _accept_path(self, path: str) -> None:
        if not self._files.exists(path):
            raise DependencyMissingError(f"the dependency {path} is not there, or not allowed", dependency=path)
        self._warn(f"the dependency {path} is a path: it is there, and nothing says whether it is complete")

    def _assert_succeeded(self, dependency_id: str) -> None:
        ending = self.ending(dependency_id)
        if ending is None:
            raise self.missing(dependency_id)
        if not ending.success:
            raise DependencyFailedError(
                f"the task {dependency_id!r}, which this one depends on, did not succeed: {ending.reason}; run it again"
                f" with `pamola-task run {dependency_id}`",
                dependency=dependency_id,
            )

    def missing(self, dependency_id: str) -> DependencyMissingError:
        """The error of a task that has left nothing."""
        reports = self._places.folders["reports"]
        return DependencyMissingError(
            f"the task {dependency_id!r}, which this one depends on, has left no report in {reports}: run it"
            f" first with `pamola-task run {dependency_id}`",
            dependency=dependency_id,
        )

    def ending(self, dependency_id: str) -> Ending | None:
        """How a task ended the last time; None when it has never ended.

        The report counts, unless the history knows of a later run, which was killed or could not write one.
        """
        check_name(dependency_id, "the dependency's id")
        latest = self._history.find_latest_execution(dependency_id, success_only=False) if self._history else None
        if latest is not None and latest.get("status") == "aborted":
            return of_record(latest)  # it left no report, and may have replaced a part of what was there
        if latest is not None and latest.get("status") in _NOT_ENDED:
            self._warn(f"the task {dependency_id!r} may be running now: its earlier results are used")
            latest = self._history.find_latest_execution(dependency_id) if self._history else None
        path = self.find_report(dependency_id)
        if path is not None:
            try:
                told = of_report(read_report(self._files, path))
                recorded = told if latest is None else of_record(latest)
                ended, last = recorded.finished or "", told.finished or "~"  # equal: it is of the same run
                return recorded if ended > last or (ended == last and not recorded.success) else told
            except (ValueError, OSError) as problem:
                if latest is None:
                    error = {"message": f"invalid report {path}: {problem}"}
                    return Ending(success=False, status="unknown", error=error)
                self._warn(f"{path} cannot be read ({problem}): using the history of {dependency_id!r} instead")
        return None if latest is None else of_record(latest)

    def find_report(self, dependency_id: str) -> str | None:
        """The newest report of a task; None where there is none."""
        reports = self._places.folders["reports"]
        newest = self._places.of(dependency_id).report()
        paths = (newest, f"{reports}/{dependency_id}.json", f"{reports}/{dependency_id}/report.json")
        return next((path for path in paths if self._files.exists(path)), None)

    def get_dependency_output(self, dependency_id: str, file_pattern: str | None = None) -> Path | list[Path]:
        """The output directory of a task, or the files beneath it, and beneath `internal` beside it, that match.

        Args:
            file_pattern: `*.csv`, `**/*.json` …

        Raises:
            DependencyMissingError: There is no such directory; with `continue_on_error` only a warning.
        """
        folders = []
        if self.is_absolute_dependency(dependency_id):
            folder = self._files.name(dependency_id)
        else:
            place = self._places.of(dependency_id)
            folder = place.directories["output"]
            folders = [place.internal] if self._files.exists(place.internal) else []
        if not self._files.exists(folder):
            made_by = f"the task {dependency_id!r}, which should have left it"
            message = f"there is no {folder}: {made_by}, has to be run first"
            if not self._config.continue_on_error:
                raise DependencyMissingError(message, dependency=dependency_id)
            self._warn(message)
            return self._files.root / folder if file_pattern is None else []
        if file_pattern is None:
            return self._files.root / folder
        found = (name for each in (folder, *folders) for name in matching(self._files, each, file_pattern))
        return [self._files.root / name for name in found]


def matching(files: Files, folder: str, pattern: str) -> list[str]:
    """Names of the files beneath a folder that match, sorted.

    The pattern is as in a shell: `*.csv`, `by_year/*.csv`, `**/*.json`. Hidden files match only a part that begins with
    a dot; links are not files here. One that is absolute or has `..` is refused.
    """
    parts = PurePosixPath(pattern).parts
    windows = PureWindowsPath(pattern)
    if not parts or ".." in parts or ".." in windows.parts or pattern.startswith("/") or windows.anchor:
        raise PathSecurityError(
            f"the pattern {pattern!r} is refused: it has to name files beneath the folder, without `..` and root"
        )
    return sorted(set(_found(files, folder, parts)))


def _found(files: Files, folder: str, parts: tuple[str, ...]) -> Iterator[str]:
    head, rest = parts[0], parts[1:]
    if head == "**" and rest:
        yield from _found(files, folder, rest)
    for name, stat in files.iter(folder):
        path = f"{folder}/{name}"
        if name.startswith(".") and (not head.startswith(".") or is_temporary(name)):
            continue
        if head == "**":
            if stat.kind == "directory":
                yield from _found(files, path, parts)
            elif stat.kind == "file" and not rest:
                yield path
        elif fnmatch.fnmatchcase(name, head):
            if rest and stat.kind == "directory":
                yield from _found(files, path, rest)
            elif not rest and stat.kind == "file":
                yield path
