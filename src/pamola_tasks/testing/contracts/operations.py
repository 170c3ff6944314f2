"""The contract of operations: the same result from the same seed, whole or in pieces, with words that hold no cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pamola_tasks.testing.contracts.plugins import PluginContract
from pamola_tasks.testing.contracts.steps import MARKER, ContractTask

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.outcome import Outcome
    from pamola_tasks.testing.contracts.faults import Events


class OperationContract(PluginContract):
    """What every operation promises. `plugin` is the plugin that brings it.

    Attributes:
        operation: The operation, by name or class.
        parameters: Its parameters, the datasets among them.
        tables: For each dataset that it reads, the text of a CSV file.
        varies: Names of artifacts and metrics that are another in each run, such as durations.
    """

    operation: ClassVar[Any]
    parameters: ClassVar[Mapping[str, Any]] = {}
    tables: ClassVar[Mapping[str, str]]
    varies: ClassVar[tuple[str, ...]] = ()

    def prepare(self, project: Path) -> None:
        """Write the tables of a new project."""
        for name, text in self.tables.items():
            (project / f"{name}.csv").write_text(text)

    def once(self, kernel: Kernel, *, success: bool | None = True, **overrides: Any) -> Outcome:
        """Run the operation in a task of one step."""
        files = {name: f"{name}.csv" for name in self.tables}
        task = ContractTask((self.operation, self.parameters), input_datasets=files)
        asked = {"seed": 7, **overrides}
        if success is not None:
            return self.run(kernel, task=task, success=success, restart=True, overrides=asked)
        return kernel.run(task, options=self.options(restart=True, overrides=asked))

    def left(self, outcome: Outcome) -> dict[str, Any]:
        """What the run left: the bytes of datasets and artifacts, and metrics."""
        record = outcome.record
        found: dict[str, Any] = {
            each.name: Path(outcome.project_root, each.path).read_bytes() for each in record.outputs
        }
        found |= {each.name: Path(outcome.project_root, each.path).read_bytes() for each in record.artifacts}
        found |= {name: value for metrics in record.metrics.values() for name, value in metrics.items()}
        return {name: value for name, value in found.items() if name not in self.varies}

    def alike(self, one: Mapping[str, Any], other: Mapping[str, Any], where: str) -> None:
        """Whether two runs left the same."""
        differs = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
        assert not differs, f"{', '.join(differs)} differ {where}"

    def test_the_same_seed_gives_the_same(self, new_kernel: Callable[..., Kernel], tmp_path: Path) -> None:
        """Two runs with one seed leave the same bytes and metrics: it draws from `ctx.rng` or `ctx.seed` only."""
        first = self.left(self.once(new_kernel()))
        again = self.left(self.once(new_kernel(self.new_project(tmp_path / "again"))))
        self.alike(first, again, "between two runs with the same seed: draw from ctx.rng")

    def test_pieces_give_what_the_whole_gives(self, new_kernel: Callable[..., Kernel], tmp_path: Path) -> None:
        """Two rows at a time it leaves the same bytes and metrics as with the whole table at once."""
        whole = self.left(self.once(new_kernel(), use_vectorization=True))
        kernel = new_kernel(self.new_project(tmp_path / "pieces"))
        self.alike(whole, self.left(self.once(kernel, chunk_size=2)), "between the whole table and pieces of two")

    def test_it_reads_and_writes_what_it_declares(
        self, new_kernel: Callable[[], Kernel], events: Events, project: Path
    ) -> None:
        """It reads every dataset that it declares and writes each; its inputs stay, and no other file is made there."""
        before = {path.name: path.read_bytes() for path in project.glob("*.csv")}
        outcome = self.once(new_kernel())
        step = events.of("step_finished")[0]["step"]
        assert {facts["dataset"].name for facts in events.of("dataset_read")} == set(step.reads)
        assert {facts["dataset"].name for facts in events.of("dataset_written")} == set(step.writes)
        assert {path.name: path.read_bytes() for path in project.glob("*.csv")} == before, "an input was changed"
        recorded = {Path(project, each.path) for each in outcome.record.outputs}
        recorded |= {Path(project, each.path) for each in outcome.record.artifacts}
        folders = {path.parent for path in recorded} - {project}
        strange = {path for folder in folders for path in folder.iterdir() if path.is_file()} - recorded
        assert not strange, f"written beside ctx.data and ctx.artifact: {', '.join(path.name for path in strange)}"

    def test_no_message_holds_a_cell(self, new_kernel: Callable[[], Kernel], events: Events, project: Path) -> None:
        """Error, warnings and log hold no cell, whatever is in the table: any text in one column or all, in one row."""
        widest = max(len(text.partition("\n")[0].split(",")) for text in self.tables.values())
        for column in (*range(widest), None):
            for name, text in self.tables.items():
                rows = self.marked(list(csv.reader(io.StringIO(text))), column)
                with (project / f"{name}.csv").open("w", newline="") as file:
                    csv.writer(file).writerows(rows)
            events.seen.clear()
            record = self.once(new_kernel(), success=None).record
            assert events.of("step_started"), f"the step did not begin: {record.error}"
            said = [*record.warnings, *(str(error) for error in record.errors), str(record.error)]
            said += [path.read_text(errors="replace") for path in project.rglob("*.log")]
            held = [text for text in said if MARKER in text]
            assert not held, f"a message holds a cell: {held[0].replace(MARKER, '<cell>')[:300]}"

    def marked(self, rows: list[list[str]], column: int | None) -> list[list[str]]:
        """A table with a marker in every cell of a column; of all, and one row only, where it is None."""
        changed = [[f"{MARKER}{n}" if column in (None, n) else cell for n, cell in enumerate(row)] for row in rows[1:]]
        return [rows[0], *(changed if column is not None else changed[:1])]

    def test_its_parameters_make_it_again(self, kernel: Kernel) -> None:
        """Made of its own `parameters()`, as in another process, it has the same."""
        made = kernel.operations.get(self.operation).cls
        one = made(**self.parameters)
        assert made(**one.parameters()).parameters() == one.parameters()
