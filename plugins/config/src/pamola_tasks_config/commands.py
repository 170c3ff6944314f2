"""`pamola-task config show | check | save | schema`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import (
    EXIT_USAGE,
    ConfigurationError,
    PamolaTaskError,
    PathSecurityError,
    UntrustedError,
    UsageError,
)
from pamola_tasks.protocols import RawValue
from pamola_tasks_config.task_config import TaskConfig

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, Origin, Redactor


@click.group("config")
def command() -> None:
    """Show, check and save the configuration: every value with its origin, and every problem."""


@command.command("show")
@click.argument("task", required=False)
@click.option("--origin", is_flag=True, help="Show layer, file and line of each value, and the values it overrides.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def show(cli: CommandLine, task: str | None, origin: bool, as_json: bool) -> None:
    """Show the configuration of TASK, or of the project."""
    run = cli.kernel.services(task, upto="config")
    origins = dict(sorted(run.config.origins().items()))
    if as_json:
        cli.out.print_json({key: _facts(key, found, run.redact) for key, found in origins.items()})
    elif origin:
        for key, found in origins.items():
            click.echo(f"{cli.out.visible(key)} = {_text(key, found.value, run.redact)}")
            click.secho(f"    {found.layer}  {found.place}", dim=True)
            for lower in found.overridden:
                value = _text(key, lower.value, run.redact)
                click.secho(f"    overrides {value}  {lower.layer}  {lower.place}", dim=True)
    else:
        rows = [(key, _text(key, found.value, run.redact)) for key, found in origins.items()]
        cli.out.print_table(rows, ("key", "value"))
    for warning in getattr(run.config, "warnings", ()):
        cli.out.note(f"warning: {warning}")


def _facts(key: str, found: Origin, redact: Redactor) -> dict[str, Any]:
    return {
        "value": redact.value(found.value, key.rpartition(".")[2]),
        "layer": found.layer,
        "place": found.place,
        "overridden": [_facts(key, lower, redact) for lower in found.overridden],
    }


def _text(key: str, value: Any, redact: Redactor) -> str:
    shown = redact.value(value, key.rpartition(".")[2])
    # Control characters and line ends in values must not look like lines of ours.
    return json.dumps(shown, ensure_ascii=not str(shown).isprintable())


@command.command("check")
@click.argument("task", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def check(cli: CommandLine, task: str | None, as_json: bool) -> None:
    """Report every problem of TASK, or of the project and all its tasks, operations included."""
    problems: list[str] = []
    warnings: list[str] = []
    names = [task]
    if task is None:
        try:
            names += sorted(cli.kernel.tasks.known())
        except ConfigurationError as error:
            problems += error.problems
    for name in names:
        try:
            config = cli.kernel.services(name, upto="config").config
            if isinstance(config, TaskConfig):
                warnings += config.warnings
            if name is not None:
                cli.kernel.plan(name)
        except ConfigurationError as error:
            problems += error.problems
        except PathSecurityError as error:
            problems.append(str(error))
        except PamolaTaskError as error:  # it could not be run now: a key or another task's result is missing
            if name is None or isinstance(error, UsageError | UntrustedError):
                raise
            warnings.append(f"{name}: {error}")
    redact = cli.plugins.redactor
    problems, warnings = (list(dict.fromkeys(map(redact, texts))) for texts in (problems, warnings))
    if as_json:
        cli.out.print_json({"valid": not problems, "problems": problems, "warnings": warnings})
        if problems:
            raise click.exceptions.Exit(EXIT_USAGE)
        return
    for warning in warnings:
        cli.out.note(f"warning: {warning}")
    if problems:
        raise ConfigurationError(problems=tuple(problems))
    click.echo("no problems found")


@command.command("save")
@click.argument("task")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Set a key (dotted; values as in YAML).")
@click.option(
    "--format", "form", type=click.Choice(("yaml", "json", "toml")), help="Format of a new file (default: yaml)."
)
@click.pass_obj
def save(cli: CommandLine, task: str, settings: tuple[str, ...], form: str | None) -> None:
    """Write the values set for TASK to its file in configs/; the rest of an existing file is unchanged."""
    config = cli.kernel.services(task, upto="config").config
    if not isinstance(config, TaskConfig):
        raise UsageError("another plugin provides the configuration here; it is not kept in files of this one")
    overrides = {}
    for key, equals, value in (text.partition("=") for text in settings):
        if not equals or not key:
            raise UsageError(f"--set takes KEY=VALUE, and {key!r} has no value")
        overrides[key] = RawValue(value)
    if overrides:
        config.override_with_args(overrides)
    click.echo(str(config.save(format=form)))


@command.command("schema")
@click.option("--json", "as_json", is_flag=True, help="A JSON Schema, for editors.")
@click.pass_obj
def schema(cli: CommandLine, as_json: bool) -> None:
    """List the keys that a configuration can have."""
    if another := cli.plugins.foreign_provider("config", __package__):
        raise UsageError(f"{another} provides the configuration here: its keys are not known to this command")
    from pamola_tasks_config.schema import json_schema

    document = json_schema(cli.kernel.settings(), cli.json_schema)
    if as_json:
        cli.out.print_json(document)
        return
    rows = [
        (key, _kind(found), json.dumps(found.get("default", "")) if "default" in found else "", found["description"])
        for key, found in document["properties"].items()
    ]
    cli.out.print_table(rows, ("key", "type", "unless set", "what"))


def _kind(found: dict[str, Any]) -> str:
    if "enum" in found:
        return "|".join(map(str, found["enum"]))
    if "anyOf" in found:
        return " or ".join(_kind(member) for member in found["anyOf"] if "pattern" not in member)
    kind = found.get("type", "any")
    return str(kind[0] if isinstance(kind, list) else kind)
