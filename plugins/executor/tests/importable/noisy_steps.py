"""Operations on tables, with noise, that processes of the tests import by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from parallel_steps import wait_for

from pamola_tasks import Operation, OperationContext, OperationResult, reads, writes


class Noise(Operation):
    """Add noise to a column. The first of them ends last where LATE says so."""

    input_dataset: str = reads()
    output_dataset: str = writes()

    def execute(self, ctx: OperationContext) -> OperationResult:
        frame = ctx.data.frame(self.input_dataset)
        frame["noise"] = ctx.rng.normal(size=len(frame))
        ctx.stage("adding noise")
        ctx.progress(1, 2, "halves")
        ctx.progress(2, 2, "halves")
        ctx.logger.info("noise was added by %s", ctx.step.id)
        ctx.warn(f"{ctx.step.id} is noisy")
        ctx.warn("all are noisy")
        ctx.reporter.add_metric(f"noise of {ctx.step.id}", len(frame))
        with ctx.artifact(f"spread_{ctx.step.id}", "json") as file:
            file.write(f"{frame['noise'].std():.9f}".encode())
        late = os.environ.get("LATE")
        if late:
            Path(late, f"{ctx.step.id}.drawn").touch()
            if ctx.step.id == "a":
                wait_for(lambda: len(list(Path(late).glob("*.drawn"))) >= 3)
        ctx.data.write(self.output_dataset, frame)
        return OperationResult.success({"mean": float(frame["noise"].mean())})


class Join(Operation):
    """Put columns of two tables beside each other."""

    left: str = reads()
    right: str = reads()
    output_dataset: str = writes()

    def execute(self, ctx: OperationContext) -> OperationResult:
        left, right = ctx.data.frame(self.left), ctx.data.frame(self.right)
        ctx.data.write(self.output_dataset, pd.DataFrame({"left": left["noise"], "right": right["noise"]}))
        return OperationResult.success({"correlation": float(np.corrcoef(left["noise"], right["noise"])[0, 1])})
