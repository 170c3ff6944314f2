"""Charts of steps that have finished, drawn as any plugin's views draw them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.protocols import KernelView

_LARGEST = 8 << 20  # bytes of a file with charts
_WITHHELD = "withheld, because they may quote values: start the dashboard with --show-data to see them"


def view(kernel: KernelView, name: str) -> Any:
    """A view that a plugin adds; None where none does."""
    return kernel.contributions("pamola_add_views", "the view").get(name)


def charts_of(kernel: KernelView, task_id: str, paths: Iterable[str], *, show_data: bool) -> dict[str, str]:
    """The charts in artifacts of a step as HTML, and what else is to be said of them.

    Without `show_data`, only those that say that they quote no value are drawn.
    """
    draw, said, found = view(kernel, "charts"), [], []
    if draw is None:
        return {"html": "", "note": "no installed plugin draws charts: install pamola-tasks-reports"}
    for path in paths:
        try:
            found += _charts_in(kernel, task_id, path, show_data=show_data)
        except (PamolaTaskError, OSError, ValueError, RecursionError) as error:
            said.append(f"charts in {path} cannot be shown: {error}")
    shown = [chart for chart in found if show_data or _quotes_nothing(chart)]
    if withheld := len(found) - len(shown):
        said.append(f"{withheld} of {len(found)} charts: {_WITHHELD}")
    html = draw(shown) if shown else ""
    return {"html": html, "note": kernel.plugins.redactor("; ".join(said))}


def _quotes_nothing(chart: Any) -> bool:
    return isinstance(chart, dict) and chart.get("quotes_values") is False


def _charts_in(kernel: KernelView, task_id: str, path: str, *, show_data: bool) -> list[Any]:
    run = kernel.services(None, upto="places")
    if run.places.owner_of(path) != task_id:
        raise ValueError("it is not a file of this task")
    if run.files.stat(path).size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST >> 20} MiB")
    if run.files.encryption_of(path).encrypted:
        if not show_data:
            raise ValueError("they are encrypted: start the dashboard with --show-data to see them")
        run = kernel.services(task_id, upto="encryption")
    document = json.loads(run.files.read(path, "artifact"))
    charts = document.get("charts") if isinstance(document, dict) else None
    return charts if isinstance(charts, list) else []
