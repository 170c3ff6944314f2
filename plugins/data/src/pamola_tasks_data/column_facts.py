"""What a data source says of the columns that it reads: to commands, profiles, warnings and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks.protocols import RunServices
    from pamola_tasks_data.dataset import Dataset
    from pamola_tasks_data.description import ColumnDescription


class DescribesColumns:
    """The part of a data source that describes columns."""

    run: RunServices | None
    _datasets: Mapping[str, Dataset]
    _dataset: Callable[[str], Dataset]
    chunks: Callable[..., Iterator[pd.DataFrame]]

    def describe_columns(
        self, name: str, columns: Sequence[str] | None = None, *, show_data: bool = False, least: int = 1
    ) -> list[ColumnDescription]:
        """What columns are taken for, how many values fit, and what is ambiguous, from all rows, a piece at a time.

        Args:
            name: The dataset.
            columns: Some of its columns; all unless given.
            show_data: Whether to show also other words than the usual ones for missing values, where 10 records have
                them.
            least: How many records have to have a word that is shown.
        """
        from pamola_tasks_data.describing import ROWS, ColumnsSeen

        dataset = self._dataset(name)
        seen = ColumnsSeen(name, stated=dataset.kinds, share=self._share)
        for piece in self.chunks(name, ROWS, columns):
            seen.add(piece)
        seen.spelled = dataset.decimals()
        return seen.described(show_data=show_data, least=least)

    def columns_seen(self, name: str) -> list[ColumnDescription]:
        """The same from the first rows of what was read of a file; empty where nothing was."""
        return self._datasets[name].columns_seen(self._share) if name in self._datasets else []

    def how_read(self, name: str) -> dict[str, Any]:
        """Files, format and size of a dataset, and once it was read, how: delimiter, quote character, encoding."""
        return self._dataset(name).how_read()

    @property
    def _share(self) -> float:
        from pamola_tasks_data.settings import DataSettings

        share: float = (DataSettings() if self.run is None else self.run.config.plugin("data")).type_share
        return share
