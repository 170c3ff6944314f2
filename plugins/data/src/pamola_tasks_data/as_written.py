"""What people wrote beside a table, read as its files are: values in parameters, and files of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_data.dataset import Dataset
    from pamola_tasks_data.reading import DataReader
    from pamola_tasks_data.text_files import TextFile


class ReadsAsWritten:
    """The part of a data source that reads what operations were given as text."""

    _reader: DataReader
    _dataset: Callable[[str], Dataset]
    schema: Callable[[str], dict[str, str]]

    def values_of(self, name: str, column: str, texts: Sequence[str]) -> list[Any]:
        """What texts would be in a column if its file had them as cells; None where they do not fit its type."""
        from pamola_tasks_data.stated_types import values_as

        dataset = self._dataset(name)
        dtype = self.schema(name)[column]
        return values_as(texts, dataset.kinds.get(column), dtype, dataset.stated, dataset.zones.get(column))

    def cell_text(self, value: Any) -> str | None:
        """A cell of several values, such as an object of JSON, as the text that it is in a dataset."""
        from pamola_tasks_data.cells import text_of

        return text_of(value)

    def written_text(self, name: str, file: IO[bytes]) -> TextFile | None:
        """The text of a dataset's file, which `open_raw` gave, decoded as a CSV file is; None of another format."""
        dataset = self._dataset(name)
        if dataset.format not in ("csv", ""):
            return None
        from pamola_tasks_data.text_files import read_text

        def warn(text: str) -> None:
            self._reader.warn(f"{dataset.what}: {text}")

        return read_text(file, {**self._reader.options(dataset.stated), "warn": warn})
