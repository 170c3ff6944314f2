"""Where the inputs of a task are found."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pamola_tasks import BaseTask, Kernel, Operation, OperationContext, OperationResult, reads


class Count(Operation):
    """Count the rows of a table."""

    input_dataset: str = reads()

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Count."""
        return OperationResult.success({"rows": len(ctx.data.frame(self.input_dataset))})


class Counts(BaseTask):
    """Counts the numbers."""

    def __init__(self, path: str) -> None:
        super().__init__("t_1", "test", "Count", input_datasets={"numbers": path})

    def configure_operations(self) -> None:
        """Add it."""
        self.add_operation(Count, input_dataset="numbers")


def test_an_input_is_looked_for_under_the_project_and_then_under_its_data_repository(project: Any) -> None:
    project.put(".pamola.toml", "")
    project.put("DATA/raw/numbers.csv", "n\n1\n2\n3\n")
    kernel = Kernel.discover(project.root)
    assert kernel.run(Counts("raw/numbers.csv")).record.inputs[0].path == "DATA/raw/numbers.csv"
    project.put("raw/numbers.csv", "n\n1\n")
    outcome = kernel.run(Counts("raw/numbers.csv"))
    assert outcome.record.inputs[0].path == "raw/numbers.csv"
    assert outcome.results["Count"].metrics == {"rows": 1}


def test_a_frame_given_for_an_input_takes_the_place_of_its_file(project: Any) -> None:
    project.put(".pamola.toml", "")
    frames = {"numbers": pd.DataFrame({"n": [1, 2]})}
    outcome = Kernel.discover(project.root).run(Counts("gone.csv"), datasets=frames)
    assert outcome.results["Count"].metrics == {"rows": 2}
