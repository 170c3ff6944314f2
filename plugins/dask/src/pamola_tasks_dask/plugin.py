"""What this plugin adds: an executor on the workers of a cluster, its settings, and what `doctor` says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl
from pamola_tasks.configuration import is_stated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.protocols import Config, Diagnosis, Executor, KernelView, Project, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_dask.settings:DaskSettings"


@hookimpl
def pamola_check_config(config: Config) -> Iterable[str]:
    if not is_stated(config, "dask"):
        return []
    from pamola_tasks_dask.settings import problems

    return list(problems(config))


@hookimpl(trylast=True)
def pamola_provide_executor(run: RunServices) -> Executor:
    from pamola_tasks_dask.place import Place

    executor: Executor = run.kernel.plugins.first("pamola_execute_elsewhere", run=run, place=Place(run))
    return executor


@hookimpl
def pamola_add_diagnoses(project: Project | None, kernel: KernelView) -> Iterable[Diagnosis]:
    from pamola_tasks_dask.diagnosing import diagnose

    return diagnose(project, kernel)
