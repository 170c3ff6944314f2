"""The contract of dataset formats: what is written is what is read, whole and in pieces. It needs pytest.

from pamola_tasks_data.testing import DatasetFormatContract


class TestAvro(DatasetFormatContract):
    plugin = "acme-avro"
    format = "avro"
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import pytest

from pamola_tasks.errors import DataError
from pamola_tasks.testing.contracts import MARKER, Contract, ContractTask
from pamola_tasks_data.arrow import TEXT_DTYPE

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import DatasetFormat, KernelView

TEXTS = {
    "code": ["01234", "10115", None, "00000"],
    "text, quoted": ['a "b"', "line\nbreak", "c,d", "ümläut ☃"],
    "like nothing": ["NA", "null", "nan", "None"],
}
NUMBERS = {
    "whole": pd.array([1, None, -3, 999_999_999_999_999], dtype="Int64"),
    "count": pd.array([1, 2, 3, 4], dtype="int64"),
    "float": [1.5, math.nan, 0.1 + 0.2, 1e-7],
}
OTHERS = {
    "flag": pd.array([True, None, False, True], dtype="boolean"),
    "when": pd.array(
        ["2024-02-29T13:14:15", None, "1970-01-01T00:00:01", "2026-11-30T23:59:59"], dtype="datetime64[ns]"
    ),
}


class DatasetFormatContract(Contract):
    """What a dataset format promises.

    Attributes:
        format: The format, by its name.
        loses: Columns of the kit's table that the format cannot keep, and that are left out.
    """

    format: ClassVar[str]
    loses: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def cases(cls, kernel: KernelView, plugin: str) -> dict[str, dict[str, Any]]:
        """Each format that the plugin brings."""
        formats: Any = kernel.dataset_formats()
        return {f"format {name}": {"format": name} for name in formats if formats.owner(name).name == plugin}

    @pytest.fixture
    def found(self, kernel: Kernel) -> DatasetFormat:
        """The format, as the data service gets it."""
        return kernel.dataset_formats()[self.format]

    @pytest.fixture
    def table(self) -> pd.DataFrame:
        """A table with a column of each type, of the dtypes that reading gives."""
        table = pd.DataFrame({**TEXTS, **NUMBERS, **OTHERS}).astype(dict.fromkeys(TEXTS, TEXT_DTYPE))
        return table.drop(columns=list(self.loses))

    def written(self, found: DatasetFormat, *frames: pd.DataFrame) -> io.BytesIO:
        """A file of these frames."""
        file = io.BytesIO()
        rows = found.write(iter(frames), file, {})
        assert rows == sum(map(len, frames)), "write gives another number of rows"
        return io.BytesIO(file.getvalue())

    def same(self, one: pd.DataFrame, other: pd.DataFrame) -> None:
        """Whether two tables are alike, whatever the resolution of times."""
        for frame in (one, other):
            if "when" in frame:
                frame["when"] = frame["when"].astype("datetime64[ns]")
        pd.testing.assert_frame_equal(one, other)

    def test_every_type_comes_back(self, found: DatasetFormat, table: pd.DataFrame) -> None:
        """Text, codes with zeros in front, numbers, missing cells, true and false, and times are read as written."""
        self.same(found.read(self.written(found, table), None, {}), table)

    def test_pieces_make_the_same_table(self, found: DatasetFormat, table: pd.DataFrame) -> None:
        """Written one row at a time, the same table is read."""
        pieces = [table.iloc[row : row + 1].reset_index(drop=True) for row in range(len(table))]
        self.same(found.read(self.written(found, *pieces), None, {}), table)

    def test_chunks_give_the_whole(self, found: DatasetFormat, table: pd.DataFrame) -> None:
        """Read in pieces of three rows, no piece has more, each is of the types of the whole, and none is lost."""
        if found.chunks is None:
            pytest.skip("it can only be read whole")
        pieces = list(found.chunks(self.written(found, table), 3, None, {}))
        assert [len(piece) for piece in pieces] == [3, 1], "the pieces have other numbers of rows"
        self.same(pd.concat(pieces, ignore_index=True), table)

    def test_columns_come_in_the_order_asked_for(self, found: DatasetFormat, table: pd.DataFrame) -> None:
        """Of some columns these are read, in the order asked for; a column that is not there is a DataError."""
        wanted = [table.columns[2], table.columns[0]]
        self.same(found.read(self.written(found, table), wanted, {}), table[wanted])
        with pytest.raises(DataError):
            found.read(self.written(found, table), ["not there"], {})

    def test_schema_and_names_are_those_of_the_table(self, found: DatasetFormat, table: pd.DataFrame) -> None:
        """`schema` and `columns`, where there are any, say what reading gives."""
        read = found.read(self.written(found, table), None, {})
        if found.columns is not None:
            assert found.columns(self.written(found, table), {}) == list(read.columns)
        if found.schema is not None:
            schema = found.schema(self.written(found, table), {})
            assert schema == {name: str(dtype) for name, dtype in read.dtypes.items()}, "schema says something else"

    def test_a_table_without_rows_has_columns(self, found: DatasetFormat, table: pd.DataFrame) -> None:
        """A table without rows is read as one, with its columns unless the format says that it has no names then."""
        read = found.read(self.written(found, table.iloc[:0]), None, {})
        assert len(read) == 0, "rows were read of a table without"
        assert list(read.columns) == (list(table.columns) if found.keeps_names else []), "the columns are others"

    def test_as_read_is_what_reading_gives(self, found: DatasetFormat, table: pd.DataFrame) -> None:
        """`as_read`, where there is one, gives the frame that reading the file would."""
        if found.as_read is None:
            pytest.skip("it has no as_read")
        self.same(found.as_read(table.copy()), found.read(self.written(found, table), None, {}))

    @pytest.mark.parametrize("damage", ["cut off", "forged in the middle", "not of this format", "empty"])
    def test_a_damaged_file_is_a_data_error(
        self, found: DatasetFormat, table: pd.DataFrame, damage: str, kernel: Kernel, project: Path
    ) -> None:
        """A damaged file is read, or is a DataError without a cell; it is never another error."""
        whole = self.written(found, table.assign(name=MARKER)).getvalue()
        middle = len(whole) // 2
        damaged: dict[str, Any] = {
            "cut off": whole[:middle],
            "forged in the middle": whole[:middle] + b'\xff\x00"{' + whole[middle:],
            "not of this format": b"PK\x03\x04" + MARKER.encode() + b"\x00\xff" * 50,
            "empty": b"",
        }
        (project / f"damaged.{found.extension}").write_bytes(damaged[damage])
        source = kernel.services(ContractTask(), upto="data_source", options=self.options()).data_source
        source.add_file_path("damaged", f"damaged.{found.extension}", format=self.format)
        said = ""
        try:
            source.frame("damaged")
        except DataError as error:
            said = str(error)
        assert MARKER not in said, "the message holds a cell"
