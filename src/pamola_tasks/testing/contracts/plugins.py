"""The contract of every plugin: it loads, it costs a start nothing, and what it names is there."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

import pytest

from pamola_tasks.testing.contracts.base import Contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.kernel import Kernel

# What an import brings beside the standard library, in a process of its own.
_FOREIGN = """
import json, sys
import pamola_tasks.hookspecs, pluggy
sys.path[:0] = json.loads(sys.argv[2])
before = set(sys.modules)
__import__(sys.argv[1])
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(tops - sys.stdlib_module_names)))
"""


class PluginContract(Contract):
    """What every plugin promises."""

    def test_it_loads(self, kernel: Kernel) -> None:
        """It is loaded, with all hooks that it implements."""
        record = kernel.plugins[self.name(kernel)]
        assert record.status == "loaded", record.reason
        assert record.hooks, "it implements no hook"

    def test_its_door_is_light(self, kernel: Kernel) -> None:
        """Importing it brings the standard library, `pamola_tasks` and its own package only."""
        module = self.module(kernel)
        own = module.partition(".")[0]
        done = subprocess.run(
            [sys.executable, "-c", _FOREIGN, module, json.dumps(sys.path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{module} cannot be imported: {done.stderr[-500:]}"
        heavy = [name for name in json.loads(done.stdout) if name not in ("pamola_tasks", own)]
        assert not heavy, f"{module} imports {', '.join(heavy)}, to be imported where they are used"

    def test_what_it_names_is_there(self, kernel: Kernel) -> None:
        """What it adds by name can be imported: operations, commands, formats, settings."""
        record = kernel.plugins[self.name(kernel)]
        asked: dict[str, Callable[[], Any]] = {
            "pamola_add_operations": lambda: [kernel.operations.get(name) for name in kernel.operations],
            "pamola_add_dataset_formats": lambda: dict(kernel.dataset_formats()),
            "pamola_add_report_writers": lambda: dict(kernel.report_writers()),
            "pamola_add_settings": lambda: dict(kernel.settings()),
        }
        for hook in asked.keys() & set(record.hooks):
            asked[hook]()

    def name(self, kernel: Kernel) -> str:
        """The plugin under test, as the kernel calls it."""
        from pamola_tasks.plugins.discovery import record_for

        return self.plugin if isinstance(self.plugin, str) else record_for(self.plugin).name

    def module(self, kernel: Kernel) -> str:
        """The module that is imported when the plugin is loaded."""
        found = kernel.plugins[self.name(kernel)].object
        name = getattr(found, "__name__", "") if not isinstance(found, type) else ""
        if not name or PathFinder.find_spec(name.partition(".")[0]) is None:
            pytest.skip("it is an object or a file, not an installed module")
        return str(found.__name__)
