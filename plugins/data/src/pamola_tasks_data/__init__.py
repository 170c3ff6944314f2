"""Datasets: `DataSource` reads them, `DataWriter` writes them, both through the run's files."""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_data.reading import DataReader as DataReader
    from pamola_tasks_data.settings import DataSettings as DataSettings
    from pamola_tasks_data.source import DataSource as DataSource
    from pamola_tasks_data.writing import DataWriter as DataWriter

__getattr__, __dir__, __all__ = lazily(
    __name__, {"reading": "DataReader", "settings": "DataSettings", "source": "DataSource", "writing": "DataWriter"}
)
