"""What this plugin adds: the service `tables`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from pamola_tasks import Service, hookimpl
from pamola_tasks.configuration import is_stated

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, RunServices
    from pamola_tasks_tables.protocol import Tables

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_services() -> dict[str, Service]:
    protocol = "pamola_tasks_tables.protocol:Tables"
    return {"tables": Service(protocol, after="data_writer", default="pamola-tasks-tables")}


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_tables.settings:TablesSettings"


@hookimpl
def pamola_check_config(config: Config) -> list[str]:
    """An engine that is not installed."""
    asked = is_stated(config, "tables") and config.plugin("tables").engine == "duckdb"
    if asked and find_spec("duckdb") is None:
        return ['tables.engine is duckdb, which is not installed: pip install "pamola-tasks-tables[duckdb]"']
    return []


@hookimpl(trylast=True)
def pamola_provide_tables(run: RunServices) -> Tables:
    """Piece by piece, with pandas or DuckDB."""
    from pamola_tasks_tables.service import Tables

    return Tables(run)
