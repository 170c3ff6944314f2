"""The contracts of data source and data writer, whatever library their frames are of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pamola_tasks.errors import DataError, PathSecurityError
from pamola_tasks.testing.contracts.base import PEOPLE, ServiceContract
from pamola_tasks.testing.contracts.steps import MARKER, ContractTask, Copy

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel

COLUMNS, ROWS = list(PEOPLE[0]), len(PEOPLE)


class DataSourceContract(ServiceContract):
    """What `DataSource` promises."""

    service = "data_source"

    @pytest.fixture
    def source(self, kernel: Kernel) -> Any:
        """The source, with the file `people`, and `gone`, a file that is not there."""
        task = ContractTask(Copy, input_datasets={"people": "people.json", "gone": "gone.json"})
        return self.look(kernel, task).data_source

    def test_it_knows_the_datasets_of_the_configuration(self, source: Any) -> None:
        """Datasets of the configuration have names; there is one where its file is there."""
        assert {"people", "gone"} <= set(source.names())
        assert (source.has_dataset("people"), source.has_dataset("gone"), source.has_dataset("x")) == (
            True,
            False,
            False,
        )

    def test_what_is_missing_is_a_data_error(self, source: Any) -> None:
        """A file or name that is not there, and a column that a table lacks, are a DataError."""
        for act in (
            lambda: source.frame("gone"),
            lambda: source.frame("never"),
            lambda: source.frame("people", ["never"]),
            lambda: source.describe("gone"),
            lambda: source.open_raw("gone").__enter__(),
            lambda: list(source.chunks("never", 2)),
        ):
            with pytest.raises(DataError):
                act()

    def test_columns_come_in_the_order_asked_for(self, source: Any) -> None:
        """`frame` gives the columns that were asked for, in that order; `columns` and `schema` those of the table."""
        assert source.columns("people") == COLUMNS
        assert list(source.schema("people")) == COLUMNS
        source.add_dataframe("turned", source.frame("people", COLUMNS[::-1]))
        assert source.columns("turned") == COLUMNS[::-1]

    def test_pieces_are_the_table(self, source: Any) -> None:
        """Pieces have at most as many rows as asked for, and together all rows in their order."""
        pieces = list(source.chunks("people", 4, ["age"]))
        assert [len(piece) for piece in pieces] == [4, 2]
        for number, piece in enumerate(pieces):
            source.add_dataframe(f"piece {number}", piece)
            assert source.columns(f"piece {number}") == ["age"]

    def test_the_hash_is_that_of_the_file(self, source: Any, project: Path) -> None:
        """`describe` gives the file and the hash of what is read: another one for another content."""
        said = source.describe("people")
        if not said.sha256:  # it may be made while the dataset is read
            source.frame("people")
            said = source.describe("people")
        assert said.sha256 == hashlib.sha256((project / "people.json").read_bytes()).hexdigest()
        assert said.path == "people.json"
        source.add_dataframe("whole", source.frame("people"))
        source.add_dataframe("part", source.frame("people", ["age"]))
        assert source.describe("whole").sha256 != source.describe("part").sha256

    def test_a_frame_is_its_caller_s(self, source: Any) -> None:
        """A caller may change a frame: the next one is as the dataset is."""
        frame = source.frame("people")
        del frame["age"]
        assert source.columns("people") == COLUMNS
        source.add_dataframe("again", source.frame("people"))
        assert source.columns("again") == COLUMNS

    def test_what_is_released_can_be_read_again(self, source: Any) -> None:
        """A frame without a file is forgotten when it is released; of a file only the frame in memory is."""
        source.add_dataframe("lent", source.frame("people"))
        for name in ("lent", "people"):
            source.release(name)
        assert (source.has_dataset("lent"), source.has_dataset("people")) == (False, True)
        assert len(source.frame("people")) == ROWS

    def test_no_message_holds_a_cell(self, source: Any, project: Path) -> None:
        """A file that cannot be read is a DataError that names it and holds no cell."""
        text = (project / "people.json").read_text()
        (project / "people.json").write_text(text[: len(text) // 2])
        with pytest.raises(DataError) as problem:
            source.frame("people")
        assert MARKER not in str(problem.value), "the message holds a cell"
        assert "people" in str(problem.value)

    def test_raw_bytes_are_those_of_the_file(self, source: Any, project: Path) -> None:
        """`open_raw` gives the bytes of the file."""
        with source.open_raw("people") as file:
            assert file.read() == (project / "people.json").read_bytes()


class DataWriterContract(ServiceContract):
    """What `DataWriter` promises."""

    service = "data_writer"

    @pytest.fixture
    def made(self, kernel: Kernel) -> Any:
        """The services, with the source that gives frames to write."""
        return self.look(kernel)

    def write(self, made: Any, frame: Any, path: str = "out/table.csv", **more: Any) -> Any:
        """Write a table."""
        return made.data_writer.write_dataset(frame, path, name="table", format="csv", **more)

    def test_the_record_is_that_of_the_file(self, made: Any, project: Path) -> None:
        """What is returned has path, hash, bytes, rows, format, name, kind and step of the file that was written."""
        record = self.write(made, made.data_source.frame("people"), kind="intermediate", step="s")
        content = (project / "out/table.csv").read_bytes()
        assert (record.path, record.sha256) == ("out/table.csv", hashlib.sha256(content).hexdigest())
        assert (record.bytes, record.rows, record.format) == (len(content), ROWS, "csv")
        assert (record.name, record.kind, record.step) == ("table", "intermediate", "s")

    def test_a_folder_gets_the_name_of_the_dataset(self, made: Any, project: Path) -> None:
        """In a folder, with `/` at its end, the file has the dataset's name and the extension of the format."""
        assert self.write(made, made.data_source.frame("people"), "folder/").path == "folder/table.csv"
        assert (project / "folder/table.csv").is_file()

    def test_pieces_make_the_same_file(self, made: Any, project: Path) -> None:
        """An iterable of frames makes the file that the whole frame makes."""
        whole = self.write(made, made.data_source.frame("people"))
        pieces = self.write(made, made.data_source.chunks("people", 2), "out/pieces.csv")
        assert (pieces.sha256, pieces.rows) == (whole.sha256, ROWS)

    def test_what_was_written_can_be_read(self, made: Any) -> None:
        """A source reads what was written: the same columns and rows."""
        record = self.write(made, made.data_source.frame("people"))
        made.data_source.add_file_path("table", record.path, format="csv")
        assert made.data_source.columns("table") == COLUMNS
        assert len(made.data_source.frame("table")) == ROWS

    def test_a_table_that_ends_in_an_error_leaves_nothing(self, made: Any, project: Path) -> None:
        """Where the pieces end in an exception no file is left, and one that was there stays as it was."""

        def broken() -> Iterator[Any]:
            yield from made.data_source.chunks("people", 2)
            raise KeyError("broken")

        for _ in range(2):
            before = {path: path.read_bytes() for path in project.glob("out/*")}
            with pytest.raises(KeyError):
                self.write(made, broken())
            assert {path: path.read_bytes() for path in project.glob("out/*")} == before
            self.write(made, made.data_source.frame("people"))

    def test_nothing_is_written_outside(self, made: Any, tmp_path: Path) -> None:
        """A path that leads out of the project is refused."""
        acts: list[Callable[[], Any]] = [
            lambda: self.write(made, made.data_source.frame("people"), "../out.csv"),
            lambda: self.write(made, made.data_source.frame("people"), str(tmp_path / "out.csv")),
        ]
        for act in acts:
            with pytest.raises(PathSecurityError):
                act()
        assert not (tmp_path / "out.csv").exists()
