"""Offers the executor, with a place of its own for the steps."""

from pamola_tasks import hookimpl


@hookimpl
def pamola_provide_executor(run):
    from acme_elsewhere.place import Interpreters
    from pamola_tasks_executor import TaskOperationExecutor

    return TaskOperationExecutor(run.config, run.logger, run.reporter, elsewhere=Interpreters())
