"""The contract of the service `tables`. It needs pytest.

from pamola_tasks_tables.testing import TablesContract


class TestMyTables(TablesContract):
    plugin = "my-tables"
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pamola_tasks.errors import DataError
from pamola_tasks.operation import Operation, OperationContext, reads, writes
from pamola_tasks.record import OperationResult
from pamola_tasks.testing.contracts import ServiceContract

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks.kernel import Kernel

ROWS = [(town, 20 + number % 3) for number in range(4) for town in ("Ulm", "Bonn", "Köln", None)]
PERSONS = [number % 3 for number in range(len(ROWS))]


def canonical(row: tuple[str | None, int]) -> tuple[bool, str, int]:
    """What rows are sorted by: missing cells before all others."""
    return row[0] is not None, row[0] or "", row[1]


def refusal(act: Callable[[], object]) -> str:
    """The class of the error that something ends in, if it is a DataError; else nothing."""
    try:
        act()
    except DataError:
        return "DataError"
    return ""


def _rows(piece: pd.DataFrame) -> list[tuple[str | None, int]]:
    return [
        (None if town != town or town is None else town, int(age))
        for town, age in zip(piece["town"], piece["age"], strict=True)
    ]


class AskTables(Operation):
    """Let the contract ask for the tables of a step."""

    input_dataset: str = reads("people")
    output_dataset: str = writes("out")
    asked: ClassVar[Callable[[Any], Any]]
    answers: ClassVar[list[Any]]

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Ask."""
        view = ctx.run.tables.of(ctx)
        type(self).answers.append(type(self).asked(view))
        if not ctx._staged.files:  # the function did not write it
            view.rewrite("people", lambda piece: piece, "out")
        return OperationResult.success()


class TablesContract(ServiceContract):
    """What `Tables` promises: the same whatever the size of pieces."""

    service = "tables"

    def prepare(self, project: Path) -> None:
        """Write a table in which combinations occur several times, and cells are missing."""
        rows = [{"town": town, "age": age, "person": person} for (town, age), person in zip(ROWS, PERSONS, strict=True)]
        (project / "people.json").write_text(json.dumps(rows))

    def ask(self, kernel: Kernel, asked: Callable[[Any], Any], size: int = 3) -> Any:
        """What a function says of the tables of a step, where pieces have so many rows."""
        AskTables.asked, AskTables.answers = staticmethod(asked), []
        self.outcome = self.run(kernel, AskTables, overrides={"chunk_size": size}, restart=True)
        return AskTables.answers[-1]

    @pytest.mark.parametrize("size", [1, 3, 100])
    def test_a_stream_is_the_table(self, kernel: Kernel, size: int) -> None:
        """`rows` counts the rows, and `stream` gives all of them in order, in batches of at most a piece's size."""

        def asked(view: Any) -> Any:
            batches = list(view.stream("people", ["age", "town"]))
            pairs = [(row["town"], row["age"]) for batch in batches for row in batch.to_pylist()]
            return view.rows("people"), max(batch.num_rows for batch in batches), pairs

        rows, longest, pairs = self.ask(kernel, asked, size)
        assert rows == len(ROWS), "rows gives another number"
        assert longest <= size, "a batch is longer than a piece"
        assert pairs == ROWS, "the stream is not the table"

    @pytest.mark.parametrize("size", [1, 100])
    def test_combinations_are_counted(self, kernel: Kernel, size: int) -> None:
        """Each distinct combination is given once, in the canonical order, with how often it occurs; missing is a
        value."""
        asked = lambda view: view.combinations("people", ["town", "age"]).read_all().to_pylist()  # noqa: E731
        found = [((row["town"], row["age"]), row["weight"]) for row in self.ask(kernel, asked, size)]
        expected = sorted(Counter(ROWS).items(), key=lambda each: canonical(each[0]))
        assert found == expected, "the combinations are others"

    def test_persons_are_counted_once(self, kernel: Kernel) -> None:
        """With `entity` the weight of a combination is how many entities have it."""
        asked = lambda view: view.combinations("people", ["town"], "person").read_all().to_pylist()  # noqa: E731
        found = {row["town"]: row["weight"] for row in self.ask(kernel, asked)}
        having = {(town, person) for (town, _), person in zip(ROWS, PERSONS, strict=True)}
        assert found == Counter(town for town, _ in having), "persons are counted in another way"

    def test_sizes_of_classes_are_exact(self, kernel: Kernel) -> None:
        """`class_sizes` gives the sizes of classes, ascending, and how many classes have each."""
        sizes, many = self.ask(kernel, lambda view: view.class_sizes("people", ["town", "age"]))
        counted = sorted(Counter(Counter(ROWS).values()).items())
        assert list(zip(sizes.tolist(), many.tolist(), strict=True)) == counted, "the sizes are others"

    def test_rewriting_goes_piece_by_piece(self, kernel: Kernel) -> None:
        """`rewrite` gives each piece once, its index from 0, and writes what becomes of it."""
        seen: list[int] = []

        def change(piece: pd.DataFrame) -> pd.DataFrame:
            seen.append(len(piece))
            assert piece.index.tolist() == list(range(len(piece))), "the index of a piece does not begin at 0"
            return piece[piece["age"] > 20]

        record = self.ask(kernel, lambda view: view.rewrite("people", change, "out"), 5)
        assert (max(seen), sum(seen)) == (5, len(ROWS)), "the pieces are others"
        assert record.rows == sum(age > 20 for _, age in ROWS), "the record has another number of rows"
        assert self.outcome.record.outputs[0].rows == record.rows

    @pytest.mark.parametrize("size", [1, 100])
    def test_a_table_is_divided(self, kernel: Kernel, size: int) -> None:
        """`divided` gives the rows of each part in their order, as often as asked, and the combinations of each."""

        def part_of(piece: pd.DataFrame) -> Any:
            return (piece["age"] > 20).to_numpy().astype("int64") * 2

        def asked(view: Any) -> list[Any]:
            with view.divided("people", part_of, 3) as parts:
                found = [[row for piece in part.pieces() for row in _rows(piece)] for part in parts]
                again = [sum(map(len, part.pieces())) for part in parts]
                counted = [part.combinations(["town", "age"]).read_all().to_pylist() for part in parts]
                return [found, [again, [part.rows for part in parts]], counted]

        found, sizes, counted = self.ask(kernel, asked, size)
        expected = [[row for row in ROWS if row[1] <= 20], [], [row for row in ROWS if row[1] > 20]]
        assert found == expected, "the parts are others"
        assert sizes == [list(map(len, expected))] * 2, "the parts have other sizes"
        for rows, of_part in zip(expected, counted, strict=True):
            weights = {(each["town"], each["age"]): each["weight"] for each in of_part}
            assert weights == Counter(rows), "the combinations of a part are others"

    def test_the_canonical_order_is_of_the_whole(self, kernel: Kernel) -> None:
        """Sorted by cells, the rows of all pieces are in one order, missing cells before all."""
        self.ask(kernel, lambda view: view.rewrite("people", lambda piece: piece, "out", sorted_by="cells"), 3)
        written = self.outcome.datasets["out"]
        towns = [None if town != town else town for town in written["town"]]
        assert list(zip(towns, written["age"], strict=True)) == sorted(ROWS, key=canonical), "the order is another"

    def test_what_is_not_declared_is_refused(self, kernel: Kernel) -> None:
        """A dataset that the step does not declare, and a column that is not there, are a DataError."""

        def asked(view: Any) -> list[str]:
            acts: list[Callable[[], object]] = [
                lambda: view.rows("other"),
                lambda: view.stream("people", ["never"]).read_all(),
            ]
            return [refusal(act) for act in acts]

        assert self.ask(kernel, asked) == ["DataError"] * 2, "it was not refused with a DataError"
