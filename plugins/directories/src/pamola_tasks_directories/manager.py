"""`TaskDirectoryManager`: makes the directories of a run's task and gives out paths in them.

Everything goes through the path guard (`run.files`), so that no name, link or task id leads out of the project.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pamola_tasks.errors import DirectoryCreationError, DirectoryManagerError, PathSecurityError, PathValidationError
from pamola_tasks.record import now
from pamola_tasks.storage.files import check_name
from pamola_tasks_directories.places import EARLIER, INTERNAL, RELEASES

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices


class TaskDirectoryManager:
    """The directories of one task, where `run.places` says.

    Types: `task, input, output, internal, earlier, dictionaries, temp, logs, state` and those of `directories.extra`,
    in the task's own directory; `raw, processed, reports, configs, project_logs, releases` of the project.

    Args:
        run: The run of the task. Its files are asked for at each use: they begin to encrypt while services come up.

    Raises:
        PathValidationError: The task id is not a plain name.
    """

    def __init__(self, run: RunServices) -> None:
        self._run = run
        with _validating():
            place = run.places.of(run.record.task_id)
        root = run.files.root
        self._directories = {kind: root / name for kind, name in {**place.directories, **run.places.folders}.items()}

    def ensure_directories(self) -> dict[str, Path]:
        """Make what is missing, and return these directories by type.

        All but `internal`, `earlier` and `releases`, which are made when they are written to.

        Raises:
            PathValidationError: One of them leads out of the project.
            DirectoryCreationError: The system refuses to make one.
        """
        made = {
            kind: directory
            for kind, directory in self._directories.items()
            if kind not in (INTERNAL, EARLIER, RELEASES)
        }
        for directory in made.values():
            self._make(directory)
        return made

    def get_directory(self, dir_type: str) -> Path:
        """One directory, absolute; a DirectoryManagerError lists the types where there is no such one."""
        try:
            return self._directories[dir_type]
        except (KeyError, TypeError):
            raise DirectoryManagerError(
                f"there is no directory of type {dir_type!r}; types are {', '.join(self._directories)}"
                " (`directories.extra` in the configuration adds more)"
            ) from None

    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path:
        """A path for an artifact, in a directory that is made where it is missing.

        Args:
            artifact_name: One plain name, without extension.
            artifact_type: The extension, with or without its dot.
            subdir: A type of directory, or folders under the task's own directory.
            include_timestamp: Whether local date and time are added to the name.

        Raises:
            PathValidationError: A name is refused; nothing has been made.
        """
        stamp = f"_{now().astimezone():%Y%m%d_%H%M%S}" if include_timestamp else ""
        with _validating():
            check_name(artifact_name, "the artifact name")
            directory = self._subdirectory(subdir)
            path = directory / f"{artifact_name}{stamp}.{check_name(artifact_type.removeprefix('.'), 'the extension')}"
            self._judge(path)
        self._make(directory)
        return path

    def clean_temp_directory(self) -> bool:
        """Empty the temp directory, following no link; whether it is empty now. A failure is logged."""
        temp, files = self.get_directory("temp"), self._run.files
        try:
            files.remove_tree(files.name(temp), missing_ok=True)
            files.mkdirs(files.name(temp))
        except (PathSecurityError, OSError) as error:
            task_id = self._run.record.task_id
            self._run.logger.warning("the temp directory of task %s could not be emptied: %s", task_id, error)
            return False
        return True

    def import_external_file(self, source_path: str | Path, subdir: str = "input", new_name: str | None = None) -> Path:
        """Copy a file into one of the task's directories, replacing one of that name; the path of the copy.

        Args:
            source_path: In the project, or within `allowed_external_paths`. A relative path is taken from the project's
                root or, where nothing is there, from the data repository; never from the current folder.
            subdir: A type of directory, or folders under the task's own directory.
            new_name: One plain file name; the source's own unless given.

        Raises:
            PathValidationError: Source, directory or name is refused; nothing has been written.
            DirectoryManagerError: The source is not there.
        """
        from shutil import copyfileobj

        files = self._run.files
        with _validating():
            name = check_name(os.path.basename(source_path) if new_name is None else new_name, "the file name")
            target = self._subdirectory(subdir) / name
            source = self._source(source_path)
            try:
                with files.open(source, "data") as original, files.create(files.name(target), "data") as copy:
                    copyfileobj(original, copy, 1 << 20)
            except FileNotFoundError:
                raise DirectoryManagerError(f"{source} cannot be imported: there is no such file") from None
        self._run.logger.info("imported %s as %s", source, files.name(target))
        return target

    # ------------------------------------------------------------ through the guard

    def _source(self, path: str | Path) -> Path:
        root = self._run.files.root  # joined to an absolute path, a folder counts for nothing
        candidates = (root / path, root / self._run.config.data_repository / path)
        return next((candidate for candidate in candidates if self._judge(candidate)), candidates[0])

    def _subdirectory(self, subdir: str) -> Path:
        """The directory of a type, or one below the task's own, each of its parts a plain name."""
        if subdir in self._directories:
            return self._directories[subdir]
        parts = PurePosixPath(subdir).parts
        return self._directories["task"].joinpath(*(check_name(part, f"the directory {subdir!r}:") for part in parts))

    def _judge(self, path: Path) -> bool:
        """Whether something is there under this path; refused paths raise."""
        try:
            self._run.files.stat(self._run.files.name(path))
        except FileNotFoundError:
            return False
        return True

    def _make(self, directory: Path) -> None:
        with _validating():
            try:
                self._run.files.mkdirs(self._run.files.name(directory))
            except OSError as error:
                raise DirectoryCreationError(f"the directory {directory} cannot be made: {error.strerror}") from error


DirectoryManager = TaskDirectoryManager


@contextmanager
def _validating() -> Iterator[None]:
    """Refusals of the guard leave as the error that this module declares."""
    try:
        yield
    except PathValidationError:
        raise
    except PathSecurityError as error:
        raise PathValidationError(str(error), **error.details) from error
