"""The directories of a task: locations of inputs, outputs, dictionaries, temporary files and reports."""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_directories.manager import DirectoryManager as DirectoryManager
    from pamola_tasks_directories.manager import TaskDirectoryManager as TaskDirectoryManager
else:
    __getattr__, __dir__, __all__ = lazily(__name__, {"manager": "DirectoryManager TaskDirectoryManager"})
