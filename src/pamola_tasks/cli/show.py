"""`pamola-task show`: a task's plan."""

from __future__ import annotations

from typing import Any

import click

from pamola_tasks.cli.app import State, pass_state
from pamola_tasks.cli.output import facts, heading, json_option, print_json
from pamola_tasks.protocols import RunOptions


@click.command("show")
@click.argument("task")
@json_option
@pass_state
def command(state: State, task: str, as_json: bool) -> None:
    """A task's plan: its steps with parameters, the datasets in and out, and what would be run or skipped, and why."""
    show_plan(state, task, RunOptions(console=False, quiet=True), as_json=as_json)


def show_plan(state: State, task: str, options: RunOptions, *, as_json: bool) -> None:
    """Print the plan of a task."""
    from pamola_tasks.steps import preview

    run = state.kernel.plan(task, options)
    rows: list[dict[str, Any]] = [
        {
            "step": found.step.id,
            "operation": found.step.name,
            "description": found.step.operation.description,
            "from": found.step.distribution,
            "reads": list(found.step.reads),
            "writes": list(found.step.writes),
            "parameters": run.redact.value(found.step.operation.parameters()),
            "would": found.action,
            "reason": found.reason,
            "made_by": found.made_by,
        }
        for found in preview(run)
    ]
    config = run.config
    document = {
        "task": run.record.task_id,
        "type": config.task_type,
        "description": config.description,
        "inputs": dict(config.input_datasets),
        "dependencies": list(config.dependencies),
        "steps": rows,
        "warnings": run.record.warnings,
    }
    if as_json:
        print_json(document)
        return
    heading(f"{document['task']}" + (f": {config.description}" if config.description else ""))
    general = [("type", config.task_type)] if config.task_type else []
    general += [("input", f"{name}  {path}") for name, path in config.input_datasets.items()]
    general += [("after", name) for name in config.dependencies]
    facts(general)
    for row in rows:
        colour = "green" if row["would"] == "skip" else "cyan"
        why = f": {row['reason']}" if row["reason"] else ""
        click.echo(f"\n{click.style(row['step'], bold=True)}  {click.style(row['would'], fg=colour)}{why}")
        details = [("operation", row["operation"] + (f"  ({row['from']})" if row["from"] else ""))]
        details.append(("reads", ", ".join(row["reads"]) or "nothing"))
        details.append(("writes", ", ".join(row["writes"]) or "nothing"))
        shown = {k: v for k, v in row["parameters"].items() if v not in (None, [], {}, "")}
        details += [
            ("with" if i == 0 else "", f"{key}: {_plain(value)}") for i, (key, value) in enumerate(shown.items())
        ]
        facts(details)
    for warning in run.record.warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
