"""Datasets: `DataSource` reads them, `DataWriter` writes them, both through the run's files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_data.reading import DataReader
    from pamola_tasks_data.settings import DataSettings
    from pamola_tasks_data.source import DataSource
    from pamola_tasks_data.writing import DataWriter, WriterResult

_HOMES = {
    "DataReader": "reading",
    "DataSettings": "settings",
    "DataSource": "source",
    "DataWriter": "writing",
    "WriterResult": "writing",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DataReader",
    "DataSettings",
    "DataSource",
    "DataWriter",
    "WriterResult",
]
