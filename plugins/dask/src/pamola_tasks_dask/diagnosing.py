"""What `doctor` says of the cluster that is configured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.protocols import Diagnosis

if TYPE_CHECKING:
    from pamola_tasks.protocols import KernelView, Project
    from pamola_tasks_dask.settings import DaskSettings

_SUBJECT = "dask cluster"
_PATIENCE = 5.0  # seconds that it may take to answer


def diagnose(project: Project | None, kernel: KernelView) -> Iterable[Diagnosis]:
    """Whether the cluster can be reached, and run the steps of this project; nothing where none is configured."""
    if project is None:
        return
    try:
        run = kernel.services(upto="config")
    except PamolaTaskError:  # which doctor reports anyway
        return
    settings: DaskSettings = run.config.plugin("dask")
    if not settings.scheduler:
        return
    from pamola_tasks_dask.checking import check
    from pamola_tasks_dask.connection import connect

    if settings.insecure:
        yield Diagnosis("warning", _SUBJECT, f"dask.insecure allows {settings.scheduler} to be read by the network")
    try:
        connection = connect(settings, run.files, patience=_PATIENCE)
    except PamolaTaskError as error:
        yield Diagnosis("error", _SUBJECT, str(error), "Until it is mended, runs with --executor dask fail.")
        return
    try:
        workers = connection.workers()
        checked = check(connection, workers, kernel.plugins, project.files)
    finally:
        connection.close()
    for problem in checked.problems:
        yield Diagnosis("error", _SUBJECT, problem, "Runs with --executor dask are refused while this worker is there.")
    if not workers:
        yield Diagnosis("error", _SUBJECT, f"{settings.scheduler} has no worker", "Start some: `dask worker …`.")
    elif checked.usable:
        threads = sum(workers[address]["nthreads"] for address in checked.usable)
        said = f"{settings.scheduler} has {len(checked.usable)} workers with {threads} threads that can run the steps"
        yield Diagnosis("ok", _SUBJECT, said)
