"""What pamola-tasks-redaction adds to the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks.hookspecs import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Diagnosis, Project, Redactor, RunServices

PAMOLA_HOOK_API = 1


@hookimpl(trylast=True)
def pamola_provide_redactor(run: RunServices | None) -> Redactor:
    """A redactor that knows the secrets in the environment."""
    from pamola_tasks_redaction.secrets import Redactor

    redactor = Redactor()
    redactor.learn_environment()
    return redactor


@hookimpl
def pamola_add_diagnoses(project: Project | None) -> list[Diagnosis]:
    """Secrets in the environment that cannot be hidden."""
    from pamola_tasks.protocols import Diagnosis
    from pamola_tasks.secret import variables
    from pamola_tasks_redaction.secrets import not_hidden

    if not (names := not_hidden(variables())):
        return []
    finding = f"not hidden in logs and reports: the value of {', '.join(names)}"
    advice = "a secret needs four characters and must be no word of a run's files, such as `output`: change it"
    return [Diagnosis("warning", "secrets", finding, advice)]
