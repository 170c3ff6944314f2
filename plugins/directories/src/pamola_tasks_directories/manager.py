"""`TaskDirectoryManager`: makes the directories of a task and gives out paths in them.

Everything goes through the path guard (`run.files`), so that no name, link or task id leads out of the project.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from pamola_tasks.errors import (
    DirectoryCreationError,
    DirectoryManagerError,
    PathSecurityError,
    PathValidationError,
)
from pamola_tasks.storage.files import Files, check_name, is_temporary
from pamola_tasks_directories.layout import Layout

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, Progress, RunServices


class TaskDirectoryManager:
    """The directories of one task.

    Types: `task, input, output, dictionaries, temp, logs, state` under the task's own directory, and `raw, processed,
    reports, configs, project_logs` of the project; `extra` adds more under the task's own.

    Args:
        task_config: The task's configuration: `task_id`, `data_repository`, `clean_temp_on_exit`.
        logger: Where to log.
        progress_manager: Shown while directories are made.
        task_dir: Where `processed/<task_id>` and `reports` lie instead of in the data repository; in the project.
        files: How files are opened; those of the project that `task_config.project_root` names, or the current
            folder lies in, unless given.
        run: The run whose files are used; they begin to encrypt while its services come up.
        extra: Names of further directories of the task.

    Raises:
        PathValidationError: The task id, or a name given, is no plain name.
    """

    def __init__(
        self,
        task_config: Config | Any,
        logger: logging.Logger | None = None,
        progress_manager: Progress | None = None,
        task_dir: str | Path | None = None,
        *,
        files: Files | None = None,
        run: RunServices | None = None,
        extra: Iterable[str] = (),
    ) -> None:
        self.config = task_config
        self.logger = logger or logging.getLogger(__name__)
        self.progress_manager = progress_manager
        self._run = run
        if files is None:
            files = run.files if run is not None else _files_of_project(getattr(task_config, "project_root", None))
        self._given_files = files
        with _validating():
            self._layout = Layout.of(
                task_config.task_id,
                root=self._files.root,
                data_repository=getattr(task_config, "data_repository", None) or "DATA",
                task_dir=task_dir,
                extra=extra,
            )
        self.task_id: str = task_config.task_id

    @classmethod
    def of_run(cls, run: RunServices) -> TaskDirectoryManager:
        """The directories of a run's task."""
        return cls(
            run.config,
            run.logger,
            run=run,
            extra=run.config.plugin("directories").extra,
        )

    @property
    def directories(self) -> dict[str, Path]:
        """All directories by type, whether they are there or not."""
        return dict(self._layout.directories)

    @property
    def task_dir(self) -> Path:
        """The task's own directory."""
        return self._layout.directories["task"]

    def ensure_directories(self) -> dict[str, Path]:
        """Make what is missing.

        Returns:
            All directories by type.

        Raises:
            PathValidationError: One of them leads out of the project.
            DirectoryCreationError: The system refuses to make one.
        """
        directories = self._layout.directories
        if self.progress_manager is not None:
            self.progress_manager.start_operation("directories", len(directories), "Making directories")
        made = False
        try:
            for directory in directories.values():
                self._make(directory)
                if self.progress_manager is not None:
                    self.progress_manager.update_operation("directories")
            made = True
        finally:
            if self.progress_manager is not None:
                self.progress_manager.complete_operation("directories", made)
        return dict(directories)

    def get_directory(self, dir_type: str) -> Path:
        """One directory, absolute.

        Raises:
            DirectoryManagerError: There is no such type; the message lists those there are.
        """
        try:
            return self._layout.directories[dir_type]
        except (KeyError, TypeError):
            raise DirectoryManagerError(
                f"there is no directory of type {dir_type!r}; types are {', '.join(self._layout.directories)}"
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
        with _validating():
            check_name(artifact_name, "the artifact name")
            directory = self._subdirectory(subdir)
            if include_timestamp:
                name = self.get_timestamped_filename(artifact_name, artifact_type)
            else:
                name = f"{artifact_name}.{_extension(artifact_type)}"
            self._judge(directory / name)
        self._make(directory)
        return directory / name

    def get_timestamped_filename(self, base: str, extension: str = "json") -> str:
        """`<base>_<YYYYmmdd_HHMMSS>.<extension>`, local time.

        Raises:
            PathValidationError: The result is no plain file name.
        """
        with _validating():
            name = f"{base}_{datetime.now().astimezone():%Y%m%d_%H%M%S}.{_extension(extension)}"
            return check_name(name, "the file name")

    def clean_temp_directory(self) -> bool:
        """Empty the temp directory, which goes on existing. Links in it are deleted, never followed.

        Returns:
            Whether it is empty now; a failure is logged.
        """
        temp = self.get_directory("temp")
        try:
            self._files.remove_tree(self._name(temp), missing_ok=True)
            self._files.mkdirs(self._name(temp))
        except (PathSecurityError, OSError) as error:
            self.logger.warning("the temp directory of task %s could not be emptied: %s", self.task_id, error)
            return False
        return True

    def validate_directory_structure(self) -> dict[str, bool]:
        """Which of the directories are there."""
        return {kind: self._is_directory(path) for kind, path in self._layout.directories.items()}

    def list_artifacts(self, subdir: str = "output", pattern: str = "*") -> list[Path]:
        """The files in a directory whose names match a pattern, newest first; none where it does not exist.

        Raises:
            PathValidationError: The directory is refused.
        """
        with _validating():
            directory = self._subdirectory(subdir)
            try:
                entries = list(self._files.iter(self._name(directory)))
            except FileNotFoundError:
                return []
        found = [
            (stat.mtime_ns, name)
            for name, stat in entries
            if stat.kind == "file" and fnmatch.fnmatchcase(name, pattern) and not is_temporary(name)
        ]
        return [directory / name for _, name in sorted(found, key=lambda item: (-item[0], item[1]))]

    def import_external_file(self, source_path: str | Path, subdir: str = "input", new_name: str | None = None) -> Path:
        """Copy a file into one of the task's directories; a file of that name is replaced.

        Args:
            source_path: In the project, or within `allowed_external_paths`.
            subdir: A type of directory, or folders under the task's own directory.
            new_name: One plain file name; the source's own unless given.

        Returns:
            Where the copy lies.

        Raises:
            PathValidationError: Source, directory or name is refused; nothing has been written.
            DirectoryManagerError: The source is not there.
        """
        with _validating():
            name = check_name(os.path.basename(source_path) if new_name is None else new_name, "the file name")
            target = self._subdirectory(subdir) / name
            source = self.normalize_and_validate_path(source_path)
            try:
                with (
                    self._files.open(source, "data") as original,
                    self._files.create(self._name(target), "data") as copy,
                ):
                    shutil.copyfileobj(original, copy, 1 << 20)
            except FileNotFoundError:
                raise DirectoryManagerError(f"{source} cannot be imported: there is no such file") from None
        self.logger.info("imported %s as %s", source, self._name(target))
        return target

    def normalize_and_validate_path(self, path: str | Path) -> Path:
        """The absolute path of a file or directory that the task may read.

        A relative path is taken from the project's root or, where nothing is there, from the data repository; never
        from the current folder.

        Raises:
            PathValidationError: It leads out of the project and of all allowed external paths.
        """
        with _validating():
            candidates = [Path(path)]
            if not os.path.isabs(path):
                candidates = [self._layout.root / path, self._layout.repository / path]
            chosen = next((candidate for candidate in candidates if self._judge(candidate)), candidates[0])
        return Path(os.path.realpath(chosen))

    def cleanup(self) -> None:
        """Empty the temp directory if the configuration says `clean_temp_on_exit`."""
        if getattr(self.config, "clean_temp_on_exit", False):
            self.clean_temp_directory()

    def __enter__(self) -> Self:
        self.ensure_directories()
        return self

    def __exit__(self, *exc: object) -> None:
        self.cleanup()

    # ------------------------------------------------------------ through the guard

    @property
    def _files(self) -> Files:
        return self._given_files if self._run is None else self._run.files

    def _name(self, path: Path) -> str:
        return self._files.name(path)

    def _subdirectory(self, subdir: str) -> Path:
        """The directory of a type, or one below the task's own, each of its parts a plain name."""
        if subdir in self._layout.directories:
            return self._layout.directories[subdir]
        parts = PurePosixPath(subdir).parts
        return self.task_dir.joinpath(*(check_name(part, f"the directory {subdir!r}:") for part in parts))

    def _judge(self, path: Path) -> bool:
        """Whether something is there under this path; refused paths raise."""
        try:
            self._files.stat(self._name(path))
        except FileNotFoundError:
            return False
        return True

    def _is_directory(self, path: Path) -> bool:
        try:
            return self._files.stat(self._name(path)).kind == "directory"
        except (FileNotFoundError, PathSecurityError):
            return False

    def _make(self, directory: Path) -> None:
        with _validating():
            try:
                self._files.mkdirs(self._name(directory))
            except OSError as error:
                raise DirectoryCreationError(f"the directory {directory} cannot be made: {error.strerror}") from error


DirectoryManager = TaskDirectoryManager


def create_directory_manager(
    task_config: Config | Any,
    logger: logging.Logger | None = None,
    progress_manager: Progress | None = None,
    initialize: bool = True,
    task_dir: str | Path | None = None,
    *,
    files: Files | None = None,
) -> TaskDirectoryManager:
    """A directory manager whose directories have been made, unless `initialize` is false."""
    manager = TaskDirectoryManager(task_config, logger, progress_manager, task_dir, files=files)
    if initialize:
        manager.ensure_directories()
    return manager


@contextmanager
def _validating() -> Iterator[None]:
    """Refusals of the guard leave as the error that this module declares."""
    try:
        yield
    except PathValidationError:
        raise
    except PathSecurityError as error:
        raise PathValidationError(str(error), **error.details) from error


def _extension(text: str) -> str:
    return check_name(text.removeprefix("."), "the extension")


def _files_of_project(root: str | Path | None) -> Files:
    """Guarded files of a project, for a manager that is used without a run."""
    from pamola_tasks.kernel import Kernel

    return Kernel.discover(project=None if root is None else Path(root)).project.files
