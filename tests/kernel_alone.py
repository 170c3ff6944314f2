"""Run in a venv that holds the kernel's wheel and what it requires: `nox -s wheels` does.

The kernel makes a `Kernel` and runs a task with the in-memory plugins, without click and without any plugin.
"""

from __future__ import annotations

import importlib.util
import tempfile
from importlib.metadata import distributions

from pamola_tasks import BaseTask, Kernel, Operation, OperationResult
from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.testing import memory_plugins


class Count(Operation):
    """Count to a number."""

    to: int = 3

    def execute(self, ctx: object) -> OperationResult:
        return OperationResult.success({"count": self.to})


class Counting(BaseTask):
    """A task of one step."""

    def configure_operations(self) -> None:
        self.add_operation(Count, to=5)


def main() -> None:
    installed = {found.name.lower().replace("_", "-") for found in distributions()}
    assert installed - {"pip", "setuptools", "typing-extensions"} == {"pamola-tasks", "pluggy", "attrs", "cattrs"}
    assert importlib.util.find_spec("click") is None
    outcome = Kernel(autoload=False, plugins=memory_plugins()).run(Counting("t_1", "test", "Counts"))
    assert outcome.success, outcome.error
    assert outcome.results["Count"].metrics == {"count": 5}
    with tempfile.TemporaryDirectory() as folder:
        try:
            Kernel(folder).run(Counting("t_1", "test", "Counts"))
        except PamolaTaskError as error:
            print(f"the kernel alone says: {error}")
        else:
            raise AssertionError("a run without any service has to be refused")


if __name__ == "__main__":
    main()
