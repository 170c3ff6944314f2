"""`pamola-task doctor`."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import attrs
import click

from pamola_tasks import __version__
from pamola_tasks.errors import EXIT_OK, EXIT_TASK_FAILED, PamolaTaskError, PluginError
from pamola_tasks.plugins.discovery import leftovers
from pamola_tasks.protocols import Diagnosis, Project
from pamola_tasks.storage.trust import doubt_about, user_file
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
    about = f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    findings = [Diagnosis("ok", "pamola-tasks", about), *_plugins(cli), *_services(cli)]
    project, more = _project(cli)
    findings += more
    failures: list[PluginError] = []
    about_project = {"project": project, "kernel": cli.kernel, "data": data}
    for record, d in cli.plugins.items(
        "pamola_add_diagnoses", Diagnosis, "diagnoses", failures=failures, **about_project
    ):
        findings.append(attrs.evolve(d, subject=d.subject or record.name))
    advice = "repair the plugin, or leave it out with --no-plugin"
    findings += [Diagnosis("error", "diagnoses", str(error), advice) for error in failures]
    if data and not any("data" in impl.argnames for impl in cli.plugins.implementations("pamola_add_diagnoses")):
        findings.append(Diagnosis("warning", "data", "no plugin examines it", "install pamola-tasks-audit"))
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


def _plugins(cli: Invocation) -> list[Diagnosis]:
    found = [
        Diagnosis("error", f"plugin {r.label}", f"{r.status}: {r.reason}", f"repair it, or use --no-plugin {r.exclude}")
        for r in cli.plugins.broken
    ]
    missing = "required by .pamola.toml and not loaded: commands that write are refused"
    advice = "install it, or remove it from [plugins] require"
    found += [Diagnosis("error", f"plugin {name}", missing, advice) for name in cli.plugins.required_missing()]
    found += [Diagnosis("note", f"plugin {r.label}", r.reason) for r in cli.plugins.records if r.status == "blocked"]
    found += [Diagnosis("warning", "plugins", text) for text in cli.plugins.passed_over()]
    files = (record for record in cli.plugins.loaded if record.file)
    found += [Diagnosis("note", f"plugin {r.name}", f"the file {r.file}, sha256 {r.sha256}") for r in files]
    advice = "remove it, or install the distribution again: no plugin is loaded from it"
    found += [Diagnosis("warning", "plugins", f"{path} is left from an installation", advice) for path in leftovers()]
    return [*found, Diagnosis("ok", "plugins", f"{len(cli.plugins.loaded)} loaded")]


def _services(cli: Invocation) -> list[Diagnosis]:
    found = []
    for service, kind in cli.plugins.services.items():
        if not cli.plugins.implementations(f"pamola_provide_{service}") and not kind.default:
            continue
        subject, advice = f"service {service}", f"install {kind.default}, or another plugin that does"
        try:
            if (provider := cli.plugins.provider(service)) is None:
                found.append(Diagnosis("warning", subject, "no plugin provides it", advice))
            elif kind.guarded and provider.distribution != kind.default:
                found.append(Diagnosis("note", subject, f"provided by {provider.label}, not by {kind.default}"))
        except PluginError as error:
            found.append(Diagnosis("error", subject, str(error)))
    return found


def _project(cli: Invocation) -> tuple[Project | None, list[Diagnosis]]:
    try:
        project = cli.kernel.project
    except PamolaTaskError as error:
        return None, [Diagnosis("error", "project", str(error))]
    if project.marker:
        found = [Diagnosis("ok", "project", f"{project.root} (marked by {project.marker})")]
    else:
        found = [Diagnosis("note", "project", f"{project.root} (no marker)", "`pamola-task init` creates a project")]
    if doubt := doubt_about(project.root / (project.marker or "."), project.root):
        found.append(Diagnosis("note", "trust", f"{doubt}; your own {user_file()} says that you trust it"))
    try:
        cli.kernel.services(None, upto="config")
    except PamolaTaskError as error:
        found.append(Diagnosis("error", "configuration", str(error)))
    return project, found
