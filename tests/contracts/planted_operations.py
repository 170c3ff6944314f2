"""Operations and dataset formats: a good one each, and each with one fault."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from contracts.toys import all_of

from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes
from pamola_tasks.errors import OperationError
from pamola_tasks.protocols import DatasetFormat
from pamola_tasks.testing.contracts import OperationContract
from pamola_tasks_data import formats
from pamola_tasks_data.testing import DatasetFormatContract

ROWS = "name,age\n" + "".join(f"n{row},{row}\n" for row in range(9))


class Sum(Operation):
    """Add a column, piece by piece, and write the table with a random number."""

    input_dataset: str = reads()
    output_dataset: str = writes("added")
    draw: bool = True

    def execute(self, ctx: Any) -> OperationResult:
        """Add."""
        number = self.number(ctx)
        total = sum(int(piece["age"].sum()) for piece in self.pieces(ctx))
        ctx.data.write(self.output_dataset, (piece.assign(drawn=number) for piece in self.pieces(ctx)))
        with ctx.artifact("total", "json", "The sum") as file:
            file.write(json.dumps(total).encode())
        self.more(ctx)
        return OperationResult.success({"total": total})

    def number(self, ctx: Any) -> float:
        """A random number."""
        return float(ctx.rng.random())

    def pieces(self, ctx: Any) -> Any:
        """The table."""
        return ctx.data.chunks(self.input_dataset)

    def more(self, ctx: Any) -> None:
        """Nothing else."""


class Careless(Sum):
    """Draw from the module."""

    def number(self, ctx: Any) -> float:
        """A random number."""
        return random.random()


class FirstPiece(Sum):
    """Add the first piece only."""

    def pieces(self, ctx: Any) -> Any:
        """A part of the table."""
        return [next(iter(ctx.data.chunks(self.input_dataset)))]


class Beside(Sum):
    """Write a file past `ctx`."""

    def more(self, ctx: Any) -> None:
        """Beside what is published."""
        (ctx.directories.get_directory("output") / "notes.txt").write_text("seen")


class Changes(Sum):
    """Write into the input."""

    def more(self, ctx: Any) -> None:
        """One more row."""
        with (Path(ctx.run.project.root) / "people.csv").open("a") as file:
            file.write("n,1\n")


class Unread(Sum):
    """Declare a second dataset and leave it alone."""

    other: str = reads("people2")


class Talkative(Sum):
    """Say what a cell was."""

    def more(self, ctx: Any) -> None:
        """In a message of its own."""
        cell = next(iter(ctx.data.frame(self.input_dataset)["name"]))
        if not str(cell).startswith("n"):
            raise OperationError(f"{cell} cannot be added")


class Warns(Sum):
    """Warn of a cell."""

    def more(self, ctx: Any) -> None:
        """For all to read."""
        ctx.warn(f"{next(iter(ctx.data.frame(self.input_dataset)['name']), '')} is odd")


class Forgetful(Sum):
    """Lose a parameter."""

    def parameters(self) -> dict[str, Any]:
        """Another one in each object."""
        return {**super().parameters(), "draw": not self.draw}


def operation(contract_of: type[Operation], caught_by: str = "", **more: Any) -> type:
    """The contract for one of them."""

    class Adds:
        PAMOLA_PLUGIN_NAME = "adds"

        @hookimpl
        def pamola_add_operations(self) -> dict[str, Any]:
            return {contract_of.__name__: contract_of}

    members = {
        "plugin": Adds(),
        "operation": contract_of,
        "parameters": {"input_dataset": "people"},
        "tables": {"people": ROWS},
        **({"caught_by": caught_by} if caught_by else {}),
        **more,
    }
    return type(f"TestOperation{contract_of.__name__}", (OperationContract,), members)


# ---------------------------------------------------------------- formats


def dataset_format(name: str, caught_by: str = "", **changes: Any) -> type:
    """CSV under another name, with some functions changed."""
    changed = attrs.evolve(formats.CSV, extension="toy", **changes)

    class Adds:
        PAMOLA_PLUGIN_NAME = "adds"

        @hookimpl
        def pamola_add_dataset_formats(self) -> dict[str, DatasetFormat]:
            return {"toy": changed}

    members: dict[str, Any] = {"plugin": Adds(), "format": "toy", **({"caught_by": caught_by} if caught_by else {})}
    return type(f"TestFormat{name}", (DatasetFormatContract,), members)


def as_numbers(file: Any, columns: Any, options: Any) -> Any:
    """Read as a spreadsheet does."""
    import pandas as pd

    frame = pd.read_csv(file)
    return frame if columns is None else frame[list(columns)]


def with_a_head_each(frames: Any, file: Any, options: Any) -> int:
    """Write each piece with its head."""
    rows = 0
    for frame in frames:
        rows += formats.CSV.write([frame], file, options)
    return rows


def first_only(file: Any, size: int, columns: Any, options: Any) -> Iterator[Any]:
    """Give one piece."""
    yield next(iter(formats.CSV.chunks(file, size, columns, options)))  # type: ignore[misc]


def unordered(file: Any, columns: Any, options: Any) -> Any:
    """Give columns in the order of the file."""
    frame = formats.CSV.read(file, None, options)
    return frame if columns is None else frame[[name for name in frame if name in columns]]


def no_zero(file: Any, columns: Any, options: Any) -> Any:
    """Lose the columns of an empty table."""
    frame = formats.CSV.read(file, columns, options)
    return frame if len(frame) else frame.iloc[:, :0]


SEED, PIECES = "test_the_same_seed_gives_the_same", "test_pieces_give_what_the_whole_gives"
DECLARED, MESSAGE = "test_it_reads_and_writes_what_it_declares", "test_no_message_holds_a_cell"
TWO: Any = {"tables": {"people": ROWS, "people2": ROWS}}
globals().update(
    all_of(
        operation(Sum),
        operation(Careless, SEED),
        operation(FirstPiece, PIECES),
        operation(Beside, DECLARED),
        operation(Changes, DECLARED),
        operation(Unread, DECLARED, **TWO),
        operation(Talkative, MESSAGE),
        operation(Warns, MESSAGE),
        operation(Forgetful, "test_its_parameters_make_it_again"),
        dataset_format("Good"),
        dataset_format("Numbers", "test_every_type_comes_back", read=as_numbers),
        dataset_format("Heads", "test_pieces_make_the_same_table", write=with_a_head_each),
        dataset_format("FirstOnly", "test_chunks_give_the_whole", chunks=first_only),
        dataset_format("Unordered", "test_columns_come_in_the_order_asked_for", read=unordered),
        dataset_format("NoColumns", "test_a_table_without_rows_has_columns", read=no_zero),
        dataset_format(
            "Schema", "test_schema_and_names_are_those_of_the_table", schema=lambda file, options: {"code": "object"}
        ),
    )
)
