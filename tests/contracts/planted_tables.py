"""Tables: the service of our plugin, and the same with one fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from contracts.toys import all_of

from pamola_tasks import hookimpl
from pamola_tasks_tables.testing import TablesContract


class Spoilt:
    """A view of tables of which one method is another.

    Args:
        view: The view.
        changed: The methods, which get the view first.
    """

    def __init__(self, view: Any, changed: dict[str, Callable[..., Any]]) -> None:
        self._view, self._changed = view, changed

    def __getattr__(self, name: str) -> Any:
        if name in self._changed:
            return lambda *arguments, **named: self._changed[name](self._view, *arguments, **named)
        return getattr(self._view, name)


class Service:
    """The service that gives such views."""

    def __init__(self, tables: Any, changed: dict[str, Callable[..., Any]]) -> None:
        self._tables, self._changed = tables, changed

    def of(self, ctx: Any) -> Spoilt:
        """The tables of a step."""
        return Spoilt(self._tables.of(ctx), self._changed)


def tables(name: str, caught_by: str, **changed: Callable[..., Any]) -> type:
    """The one test that has to catch it."""

    class Planted:
        PAMOLA_PLUGIN_NAME = "planted"

        @hookimpl(wrapper=True)
        def pamola_provide_tables(self) -> Iterator[Any]:
            found = yield
            return Service(found, changed)

    members = {"neighbours": pytest.fixture(lambda self: [Planted()]), "caught_by": caught_by, "plugin": "tables"}
    return type(f"TestFault_tables_{name}", (TablesContract,), members)


globals().update(
    all_of(
        type("TestGoodTables", (TablesContract,), {"plugin": "tables"}),
        tables("first_batch", "test_a_stream_is_the_table", rows=lambda view, name: view.rows(name) - 1),
        tables(
            "each_row",
            "test_combinations_are_counted",
            combinations=lambda view, name, columns, entity=None: view.stream(name, columns),
        ),
        tables(
            "records",
            "test_persons_are_counted_once",
            combinations=lambda view, name, columns, entity=None: view.combinations(name, columns),
        ),
        tables(
            "turned",
            "test_sizes_of_classes_are_exact",
            class_sizes=lambda view, name, columns: view.class_sizes(name, columns)[::-1],
        ),
        tables(
            "unsorted",
            "test_the_canonical_order_is_of_the_whole",
            rewrite=lambda view, name, change, out, **more: view.rewrite(name, change, out),
        ),
    )
)
