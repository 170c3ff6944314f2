"""Written with the manual alone: docs/howto/replace-a-service.md, docs/reference/services.md."""

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_provide_history(run):
    from acme_sqlite.history import SqliteHistory

    return SqliteHistory(run.project.root / "history.sqlite")
