"""What the toys answer. Written with the manual's words only; no other plugin is imported."""

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_hooks(add):
    from acme_toys import notifier

    add(notifier)


@hookimpl
def pamola_add_services():
    from pamola_tasks.protocols import Service

    return {"notifier": Service("acme_toys.notifier:Notifier", after=["logging"])}


@hookimpl
def pamola_provide_notifier(run):
    from acme_toys.notifier import Notifier

    return Notifier(run)


@hookimpl
def pamola_on_run_finished(run):
    run.notifier.send(f"{run.record.task_id} ended with {run.record.status}")


@hookimpl
def pamola_provide_redactor(run):
    from acme_toys.redactor import Redactor

    return Redactor()


@hookimpl
def pamola_provide_project(start, asked):
    from acme_toys.places import project_at

    return project_at(start, asked)


@hookimpl
def pamola_provide_path_guard(project):
    from acme_toys.guard import Guard

    return Guard(project.root)


@hookimpl
def pamola_provide_config(project, task, layers, settings):
    from acme_toys.config import Config

    return Config(task, layers, settings)


@hookimpl
def pamola_provide_places(project, config):
    from acme_toys.places import Places

    return Places(project.files)


@hookimpl
def pamola_provide_directories(run):
    from acme_toys.places import Directories

    return Directories(run)


@hookimpl
def pamola_provide_logging(run):
    from acme_toys.telling import Logging

    return Logging(run)


@hookimpl
def pamola_provide_history(run):
    from acme_toys.telling import History

    return History(run.files)


@hookimpl
def pamola_provide_lock(run):
    from acme_toys.places import Lock

    return Lock(run)


@hookimpl
def pamola_provide_encryption(run):
    from acme_toys.encryption import Encryption

    return Encryption(run.config.use_encryption)


@hookimpl
def pamola_add_container_formats():
    return {"acme/1\n": "acme_toys.encryption:Format"}


@hookimpl
def pamola_provide_data_source(run):
    from acme_toys.data import Source

    return Source(run)


@hookimpl
def pamola_provide_data_writer(run):
    from acme_toys.data import Writer

    return Writer(run)


@hookimpl
def pamola_provide_checkpoints(run):
    from acme_toys.steps import Checkpoints

    return Checkpoints(run)


@hookimpl
def pamola_provide_dependencies(run):
    from acme_toys.steps import Dependencies

    return Dependencies(run)


@hookimpl
def pamola_provide_progress(run):
    from acme_toys.telling import Progress

    return Progress()


@hookimpl
def pamola_provide_reporter(run):
    from acme_toys.telling import Reporter

    return Reporter(run)


@hookimpl
def pamola_provide_executor(run):
    from acme_toys.steps import Executor

    return Executor()


@hookimpl
def pamola_provide_scheduler(kernel):
    from acme_toys.scheduler import Scheduler

    return Scheduler(kernel)
