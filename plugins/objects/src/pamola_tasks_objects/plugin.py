"""What this plugin adds: files of object stores and SFTP servers as inputs and outputs, and the command `upload`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import Config, DataSource, Diagnosis, KernelView, Project, ReportSection, RunServices
    from pamola_tasks.record import SavedStep
    from pamola_tasks_objects.settings import ObjectsSettings

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_objects.settings:ObjectsSettings"


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {"WriteObjectOperation": "pamola_tasks_objects.operations:WriteObjectOperation"}


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    text = "Upload a file, such as the bundle of a release, to an object store or SFTP server."
    return {"upload": Command("pamola_tasks_objects.command:command", help=text)}


@hookimpl
def pamola_add_diagnoses(project: Project | None, kernel: KernelView, data: bool) -> Iterable[Diagnosis]:
    """Drivers that are missing and, with --data, roots that cannot be reached."""
    from pamola_tasks_objects.diagnosing import diagnose

    return list(diagnose(project, kernel, data))


@hookimpl
def pamola_check_config(config: Config) -> Iterable[str]:
    """Roots only in the project file, and addresses only in one of them."""
    from pamola_tasks_objects.settings import problems

    return list(problems(config))


@hookimpl(wrapper=True)
def pamola_provide_data_source(run: RunServices) -> Generator[None, DataSource, DataSource]:
    """Copies of objects under the names of the datasets."""
    source = yield
    from pamola_tasks_objects.address import is_address

    named = {**run.config.auxiliary_datasets, **run.config.input_datasets}
    if run.task is not None and any(map(is_address, named.values())):
        from pamola_tasks_objects.copies import Copies

        Copies.of(run).offer(source)
    return source


@hookimpl(trylast=True)
def pamola_modify_plan(run: RunServices, plan: Plan) -> None:
    """A step for each output that is uploaded; inputs are fetched, once all plugins have added what reads them."""
    if not _is_used(run):
        return
    from pamola_tasks_objects.planning import prepare

    prepare(run, plan)


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> Iterable[str]:
    """Secrets by reference, drivers that are there, outputs that have a file."""
    if not _is_used(run):
        return ()
    from pamola_tasks_objects.planning import plan_problems

    return list(plan_problems(run, plan))


@hookimpl
def pamola_check_skip(run: RunServices, step: Step, saved: SavedStep) -> Iterable[str]:
    """A file that a step uploaded is as it left it."""
    from pamola_tasks_objects.operations import WriteObjectOperation

    if not isinstance(step.operation, WriteObjectOperation):
        return ()
    from pamola_tasks_objects.planning import skip_problems

    return list(skip_problems(run, step.operation, saved))


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    from pamola_tasks_objects.report_section import objects

    return objects(run)


@hookimpl
def pamola_on_run_finished(run: RunServices) -> None:
    """Delete the copies, where a successful run of all steps is to leave none."""
    copies = vars(run).get("copies_of_objects")
    keeps = getattr(run.config.plugin("checkpoints"), "keep_intermediate", False)
    if copies is not None and copies.used and run.record.success and not run.options.selection and not keeps:
        copies.drop()


def _is_used(run: RunServices) -> bool:
    settings: ObjectsSettings = run.config.plugin("objects")
    return bool(settings.roots or settings.outputs or vars(run).get("copies_of_objects"))
