"""`PamolaCoreOperation`: an operation of pamola-core, run as it is by the interpreter that has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks import Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import OperationError, ParameterError
from pamola_tasks.operation import Effect, Effects

_NAME = re.compile(r"[A-Za-z_]\w*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_OURS = frozenset(("use_encryption", "encryption_mode", "encryption_key", "task_dir", "data_source", "reporter"))
_IN_MEMORY = Path("/dev/shm")


class PamolaCoreOperation(Operation):
    """Run an operation of pamola-core, unmodified, in the interpreter that `python` beside it names.

    Args:
        operation: Its class: a name of the package `pamola_core`, or `module:Class`.
        arguments: What the class is made with; it checks them when the step starts, before it gets a row.
        input_dataset: The dataset that it knows as `main`.
        datasets: Further datasets that it reads, by the names that it knows them by.
        output_dataset: The table that it makes; null for an operation that makes none.
        output_tables: In place of that, for an operation that makes several tables, such as `SplitFieldsOperation`:
            for each group or part of it, by its name, the dataset that its table becomes.
        lineage: For each column of the output the columns of the input that it is made of. What the operation does is
            not known otherwise. A step that writes other columns fails.
        masking: Columns of `lineage` whose values are hidden: masked, replaced or generalized.
    """

    category = "pamola-core"
    version = "1.0"

    operation: str
    input_dataset: str = reads()
    datasets: dict[str, str] = attrs.field(factory=dict, metadata={"pamola_dataset": "reads"})
    output_dataset: str | None = writes("{input}_{operation}")
    output_tables: dict[str, str] = attrs.field(factory=dict, metadata={"pamola_dataset": "writes"})
    arguments: dict[str, Any] = attrs.field(factory=dict)
    lineage: dict[str, list[str]] | None = None
    masking: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        problems = []
        if not _NAME.fullmatch(self.operation):
            problems.append(f"operation: {self.operation!r} is not the name of a class, nor module:Class")
        if "main" in self.datasets:
            problems.append("datasets: main is input_dataset: give the other dataset another name")
        problems += [
            f"arguments: {name} belongs to the task, and is set there" for name in sorted(_OURS & set(self.arguments))
        ]
        if self.output_tables:
            if self.output_dataset not in (None, f"{self.input_dataset}_{self.operation}"):
                problems.append("output_dataset: output_tables names the tables: leave one of them out")
            if self.lineage is not None:
                problems.append("lineage: it is that of one table: leave it out where there are several")
            self.output_dataset = None
        unknown = sorted(set(self.masking) - set(self.lineage or ()))
        problems += [f"masking: {name!r} is not a column of lineage" for name in unknown]
        if problems:
            raise ParameterError(problems=tuple(problems))

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """What `lineage` states; unknown without."""
        if self.lineage is None or self.output_dataset is None:
            return {}
        made = {
            name: [
                Effect(self.input_dataset, source, "TRANSFORMATION", masking=name in self.masking) for source in sources
            ]
            for name, sources in self.lineage.items()
        }
        return {self.output_dataset: Effects(columns=made)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Runs in the interpreter that was stated only, which has pamola-core."""
        raise OperationError(f"step {ctx.step.id}: name the interpreter that has pamola-core: `python: PATH` beside it")

    def interpreter_program(self, ctx: OperationContext) -> tuple[str, str, dict[str, Any]]:
        """What the other interpreter runs: its name, its source, and what it is asked for."""
        source = (Path(__file__).parent / "there.py").read_text(encoding="utf-8")
        request = {
            "operation": self.operation,
            "parameters": self.arguments,
            "datasets": {"main": self.input_dataset, **self.datasets},
            "output": self.output_dataset,
            "outputs": self.output_tables,
            "columns": None if self.lineage is None else list(self.lineage),
            "folder": self._folder(ctx),
            "show_data": ctx.run.options.show_data,
        }
        return "pamola_ops_pamola_core/there.py", source, request

    def _folder(self, ctx: OperationContext) -> str:
        """Where it may write: the step's staging folder; memory where the run encrypts, as its files are plain."""
        if not ctx.run.config.use_encryption:
            folder = f"{ctx._staged.expect()}/pamola-core"
            ctx.run.files.mkdirs(folder)
            return str(ctx.run.files.root / folder)
        if not _IN_MEMORY.is_dir():
            raise OperationError(
                f"step {ctx.step.id}; pamola-core writes plain files, and the run encrypts: on a system without"
                f" {_IN_MEMORY}, run it in a task that does not"
            )
        import hashlib
        import os

        place = hashlib.sha256(f"{ctx.run.files.root}\n{ctx.run.record.task_id}\n{ctx.step.id}".encode()).hexdigest()
        return str(_IN_MEMORY / f"pamola-{os.getuid()}-{place[:16]}")
