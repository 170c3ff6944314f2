"""In-memory plugins: a kernel that runs tasks without reading or writing a file.

from pamola_tasks import Kernel
from pamola_tasks.testing import memory_plugins

kernel = Kernel(autoload=False, plugins=[*memory_plugins({"seed": 7}), MyOperations()])
outcome = kernel.run(MyTask, datasets={"customers": frame})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pamola_tasks.testing.configuration import MemoryConfigPlugin
from pamola_tasks.testing.data import MemoryDataPlugin
from pamola_tasks.testing.places import MemoryPlacesPlugin
from pamola_tasks.testing.redaction import PlainRedactionPlugin
from pamola_tasks.testing.runs import MemoryHistoryPlugin, SequentialExecutorPlugin


def memory_plugins(
    configuration: Mapping[str, Any] | None = None, files: Mapping[str, bytes] | None = None
) -> list[Any]:
    """Plugins for configuration, paths, directories, data, history and execution that live in memory.

    Their redactor hides registered secrets and little else: run nothing confidential with it.

    Args:
        configuration: Configuration values, for every task.
        files: Files that are there from the beginning, by name relative to the project.

    Returns:
        Fresh plugin objects for one kernel. The one named `memory-places` has `files`, a dict of what was written;
        `memory-history` has `records`.
    """
    return [
        PlainRedactionPlugin(),
        MemoryConfigPlugin(configuration or {}),
        MemoryPlacesPlugin(files or {}),
        MemoryDataPlugin(),
        MemoryHistoryPlugin(),
        SequentialExecutorPlugin(),
    ]


__all__ = [
    "MemoryConfigPlugin",
    "MemoryDataPlugin",
    "MemoryHistoryPlugin",
    "MemoryPlacesPlugin",
    "PlainRedactionPlugin",
    "SequentialExecutorPlugin",
    "memory_plugins",
]
