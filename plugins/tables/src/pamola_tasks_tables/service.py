"""The service `tables`, as every run has it: what it gives is imported once a step asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pamola_tasks import OperationContext
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_tables.view import View


@attrs.frozen
class Tables:
    """The service `tables` (see `protocol.Tables`)."""

    run: RunServices

    def of(self, ctx: OperationContext) -> View:
        """The tables of a step."""
        from pamola_tasks_tables.view import View

        return View(ctx, self.run.config.plugin("tables").engine)
