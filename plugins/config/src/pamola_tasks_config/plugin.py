"""What the config plugin adds: the project, the layers of the cascade, the configuration, tasks from `configs/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import Config, ConfigLayer, Diagnosis, Project, RunServices, Task

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    return {
        "config": Command(
            "pamola_tasks_config.commands:command",
            help="Show, check and save the configuration.",
            reads=("show", "check", "schema"),
        )
    }


@hookimpl(trylast=True)
def pamola_provide_project(start: Path, asked: bool) -> Project:
    from pamola_tasks_config.projects import project_at

    return project_at(start, asked=asked)


@hookimpl
def pamola_add_tasks(project: Project) -> Mapping[str, Any]:
    from pamola_tasks_config.documents import task_files

    declared = "pamola_tasks_config.declared:DeclaredTask"
    return {**task_files(project), **dict.fromkeys(("*.yaml", "*.yml", "*.json", "*.toml"), declared)}


@hookimpl
def pamola_add_config_layers(
    project: Project, task: Task | None, overrides: Mapping[str, Any]
) -> Iterable[ConfigLayer]:
    from pamola_tasks_config.cascade import collect

    return collect(project, task, overrides)


@hookimpl(trylast=True)
def pamola_provide_config(
    project: Project, task: Task | None, layers: Iterable[ConfigLayer], settings: Mapping[str, type]
) -> Config:
    from pamola_tasks_config.task_config import TaskConfig

    return TaskConfig(project, task, layers, settings)


@hookimpl
def pamola_add_redactions(run: RunServices) -> list[str]:
    run.redactor.learn(getattr(run.config, "env_file_values", {}))
    for value in getattr(run.config, "referred", ()):
        run.redactor.register(value)
    return list(getattr(run.config, "sensitive_patterns", ()))


@hookimpl
def pamola_add_diagnoses(project: Project | None) -> list[Diagnosis]:
    from pamola_tasks.protocols import Diagnosis
    from pamola_tasks_config.documents import untrusted

    return [Diagnosis("error", "configuration", said) for said in untrusted(project.files)] if project else []


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> list[str]:
    from pamola_tasks_config.task_config import without_effect

    for warning in without_effect(run, plan):
        run.warn(warning)
    if not getattr(run.config, "locked", ()):
        return []
    from pamola_tasks_config.decided import changed_in_plan

    return changed_in_plan(run.config, plan, run.kernel.operations)


@hookimpl
def pamola_check_config(config: Config) -> list[str]:
    from pamola_tasks_config.task_config import contradictions

    return contradictions(config)
