"""The engines of the plugin pass the contract of its service."""

from typing import Any, ClassVar

import pytest

from pamola_tasks_tables.testing import TablesContract


class TestPieces(TablesContract):
    plugin = "tables"


class TestDuckdb(TablesContract):
    plugin = "tables"
    configuration: ClassVar[dict[str, Any]] = {"tables.engine": "duckdb"}

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("duckdb")
