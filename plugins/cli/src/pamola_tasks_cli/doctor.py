"""`pamola-task doctor`."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import attrs
import click

from pamola_tasks import __version__
from pamola_tasks.errors import EXIT_OK, EXIT_TASK_FAILED, PamolaTaskError, PluginError
from pamola_tasks.protocols import Diagnosis, Project
from pamola_tasks_cli.output import print_json

if TYPE_CHECKING:
    from pamola_tasks_cli.app import Invocation


_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}


@click.command("doctor")
@click.option(
    "--data", is_flag=True, help="Examine every file of history, checkpoints and reports too, hashes included."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, data: bool, as_json: bool) -> int:
    """Report what is installed, missing or odd; with --data also every damaged, missing or swapped state file.

    Exits 1 if there is an error.
    """
    findings = [
        Diagnosis(
            level="ok",
            subject="pamola-tasks",
            finding=f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        ),
        *_platform(),
        *_plugins(cli),
        *_services(cli),
    ]
    project, more = _project(cli)
    findings += more
    for record, answer in cli.plugins.each("pamola_add_diagnoses", project=project, kernel=cli.kernel, data=data):
        findings += [attrs.evolve(d, subject=d.subject or record.name) for d in answer or ()]
    if data and not any("data" in impl.argnames for impl in cli.plugins.implementations("pamola_add_diagnoses")):
        advice = "install pamola-tasks-audit"
        findings.append(Diagnosis(level="warning", subject="data", finding="no plugin examines it", advice=advice))
    redact = cli.plugins.redactor
    findings = [attrs.evolve(d, finding=redact(d.finding), advice=redact(d.advice)) for d in findings]
    if as_json:
        print_json([attrs.asdict(finding) for finding in findings])
    else:
        for found in findings:
            level = click.style(f"{found.level:<8}", fg=_COLOURS.get(found.level))
            click.echo(f"{level}{found.subject}: {found.finding}")
            if found.advice:
                click.echo(f"        {found.advice}")
    return EXIT_TASK_FAILED if any(found.level == "error" for found in findings) else EXIT_OK


def _platform() -> list[Diagnosis]:
    if sys.platform == "linux":
        return []
    weaker = (
        "paths are checked, but not opened relative to a directory handle: a malicious local user can win a race"
        if sys.platform == "win32"
        else "paths are walked by directory handles instead of openat2"
    )
    return [Diagnosis(level="note", subject="system", finding=weaker)]


def _plugins(cli: Invocation) -> list[Diagnosis]:
    found = [
        Diagnosis(
            level="error",
            subject=f"plugin {record.label}",
            finding=f"{record.status}: {record.reason}",
            advice=f"repair it, or exclude it with --no-plugin {record.name}",
        )
        for record in cli.plugins.broken
    ]
    found += [
        Diagnosis(
            level="error",
            subject=f"plugin {name}",
            finding="required by .pamola.toml and not loaded: commands that write are refused",
            advice="install it, or remove it from [plugins] require",
        )
        for name in cli.plugins.required_missing()
    ]
    found += [
        Diagnosis(level="note", subject=f"plugin {record.label}", finding=record.reason)
        for record in cli.plugins
        if record.status == "blocked"
    ]
    return [*found, Diagnosis(level="ok", subject="plugins", finding=f"{len(cli.plugins.loaded)} loaded")]


def _services(cli: Invocation) -> list[Diagnosis]:
    found = []
    for service, kind in cli.plugins.services.items():
        if not cli.plugins.implementations(f"pamola_provide_{service}") and not kind.default:
            continue
        try:
            if cli.plugins.provider(service) is None:
                found.append(
                    Diagnosis(
                        level="warning",
                        subject=f"service {service}",
                        finding="no plugin provides it",
                        advice=f"install {kind.default}, or another plugin that does",
                    )
                )
        except PluginError as error:
            found.append(Diagnosis(level="error", subject=f"service {service}", finding=str(error)))
    return found


def _project(cli: Invocation) -> tuple[Project | None, list[Diagnosis]]:
    try:
        project = cli.kernel.project
    except PamolaTaskError as error:
        return None, [Diagnosis(level="error", subject="project", finding=str(error))]
    found = [
        Diagnosis(
            level="ok" if project.marker else "note",
            subject="project",
            finding=f"{project.root}" + (f" (marked by {project.marker})" if project.marker else " (no marker)"),
            advice="" if project.marker else "`pamola-task init` creates a project",
        )
    ]
    try:
        cli.kernel.services(None, upto="config")
    except PamolaTaskError as error:
        found.append(Diagnosis(level="error", subject="configuration", finding=str(error)))
    return project, found
