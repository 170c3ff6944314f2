"""`pamola-task show`: a task's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.protocols import RunOptions
from pamola_tasks_cli.output import facts, heading, listed, print_json, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pamola_tasks.protocols import RunServices
    from pamola_tasks_cli.app import Invocation

_KINDS = ("module", "version")  # of the parts of a fingerprint that are listed


@click.command("show")
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, task: str, as_json: bool) -> None:
    """Show a task's plan: steps with parameters, datasets in and out, and which steps would run, and why."""
    show_plan(cli, task, RunOptions(console=False, quiet=True), as_json=as_json)


def show_plan(cli: Invocation, task: str, options: RunOptions, *, as_json: bool) -> None:
    """Print the plan of a task."""
    (planned,) = cli.kernel.scheduler.dry_run([task], options=options)
    document = plan_document(planned.run, planned.steps)
    if as_json:
        print_json(document)
    else:
        print_plan(document)


def plan_document(run: RunServices, steps: Sequence[Any]) -> dict[str, Any]:
    """The plan of a configured task for machines, with what would become of each step."""
    rows: list[dict[str, Any]] = [
        {
            "step": found.step.id,
            "operation": found.step.name,
            "description": found.step.operation.description,
            "from": found.step.distribution,
            "reads": list(found.step.reads),
            "writes": list(found.step.writes),
            "scope": found.step.operation.scope,
            "parameters": run.redact.value(found.step.operation.parameters()),
            "would": found.action,
            "reason": found.reason,
            "made_by": found.made_by,
            "covers": list(found.covers),
        }
        for found in steps
    ]
    config = run.config
    return {
        "task": run.record.task_id,
        "type": config.task_type,
        "description": run.redact(config.description),
        "inputs": {name: run.redact(path) for name, path in config.input_datasets.items()},
        "dependencies": list(config.dependencies),
        "steps": rows,
        "warnings": run.record.warnings,
    }


def print_plan(document: Mapping[str, Any]) -> None:
    """The plan of a task for people."""
    heading(f"{document['task']}" + (f": {document['description']}" if document["description"] else ""))
    general = [("type", document["type"])] if document["type"] else []
    general += [("input", f"{name}  {path}") for name, path in document["inputs"].items()]
    general += [("after", name) for name in document["dependencies"]]
    facts(general)
    for row in document["steps"]:
        colour = "green" if row["would"] == "skip" else "cyan"
        why = f": {row['reason']}" if row["reason"] else ""
        click.echo(f"\n{click.style(row['step'], bold=True)}  {click.style(row['would'], fg=colour)}{why}")
        details = [("operation", row["operation"] + (f"  ({row['from']})" if row["from"] else ""))]
        details += [(what, ", ".join(row[what]) or "nothing") for what in ("reads", "writes")]
        shown = {key: value for key, value in row["parameters"].items() if value not in (None, [], {}, "")}
        details += listed("unless changed", _covered(row["covers"]) if row["covers"] else [])
        facts([*details, *listed("with", [f"{key}: {_plain(value)}" for key, value in shown.items()])])
    for warning in document["warnings"]:
        click.secho(f"warning: {visible(warning)}", fg="yellow", err=True)


def _covered(parts: Sequence[str]) -> list[str]:
    """What would make a step run again if it changed: parameters and datasets have lines of their own."""
    kinds = {kind: [part.removeprefix(f"{kind} ") for part in parts if part.startswith(f"{kind} ")] for kind in _KINDS}
    plain = ", ".join(part for part in parts if " " not in part)
    lines = [f"{plain}, parameters, what it reads"]
    return lines + [f"{kind} {', '.join(sorted(names))}" for kind, names in kinds.items() if names]


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
