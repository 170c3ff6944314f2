"""What pamola-tasks-redaction adds to the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks.hookspecs import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Redactor, RunServices

PAMOLA_HOOK_API = 1


@hookimpl(trylast=True)
def pamola_provide_redactor(run: RunServices | None) -> Redactor:
    """A redactor that knows the secrets in the environment."""
    from pamola_tasks_redaction.secrets import Redactor

    redactor = Redactor()
    redactor.learn_environment()
    return redactor
