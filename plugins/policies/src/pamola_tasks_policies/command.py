"""`pamola-task policy`: the house rules, and what past runs are against them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import EXIT_OK
from pamola_tasks.protocols import ReleaseTable

from .judging import Finding, of_operations, of_table

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, RunServices

    from .house import House

_WORDS = {True: "met", False: "NOT MET", None: "unknown"}


@click.group("policy")
def command() -> None:
    """Show the house rules of the project, or hold past runs against them."""


@command.command("show")
@click.argument("task", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def show(cli: CommandLine, task: str | None, as_json: bool) -> None:
    """Show the rules of the project, or those of TASK, which may have further ones."""
    rules = _house(cli.kernel.services(task, upto="policies")).rules
    if as_json:
        listed = [json.loads(json.dumps(attrs.asdict(each), default=sorted)) for each in rules]
        cli.out.print_json({"schema": 1, "rules": listed})
        return
    rows = [(each.source, text) for each in rules for text in _lines(attrs.asdict(each))]
    cli.out.print_table(rows, ("file", "rule")) if rows else cli.out.note("no house rules are stated")


@command.command("test")
@click.argument("task", required=False)
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1), help="So many runs of each task.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def test(cli: CommandLine, task: str | None, limit: int, as_json: bool) -> int:
    """Hold what past runs released, of all tasks that the project has or TASK, against the rules as they are now.

    Tables that are as the run left them are counted again; of others only columns, operations and suppression are
    known. Exits 1 if a rule is not met.
    """
    names = [task] if task else sorted(cli.kernel.tasks.known())
    found = [each for name in names for each in _of_task(cli, name, limit)]
    broken = [each for each in found if each["met"] is False]
    if as_json:
        cli.out.print_json({"schema": 1, "not_met": len(broken), "findings": found})
    elif not found:
        cli.out.note("no run has released anything that a house rule is about")
    else:
        rows = [
            (_WORDS[each["met"]], each["task"], each["run"][:13], each["dataset"], each["rule"], each["found"])
            for each in found
        ]
        cli.out.print_table(rows, ("", "task", "run", "dataset", "rule", "found"))
    return 1 if broken else EXIT_OK


def _of_task(cli: CommandLine, task: str, limit: int) -> Iterator[dict[str, Any]]:
    run = cli.kernel.services(task, upto="reporter")
    house, task_id = _house(run), run.record.task_id
    place = run.places.of(task_id)
    for run_id in reversed(run.places.runs(task_id)[-limit:]):
        path = place.report(run_id)
        report = json.loads(run.files.read(path, "report")) if run.files.exists(path) else {}
        if report.get("success"):
            for finding in _of_run(run, house, report):
                yield {"task": task_id, "run": run_id, **attrs.asdict(finding)}


def _of_run(run: RunServices, house: House, report: Mapping[str, Any]) -> Iterator[Finding]:
    steps = {name: step for step in report.get("operations") or () for name in step.get("writes") or ()}
    folder = f"{run.places.of(run.record.task_id).directories['output']}/"
    outputs = [each for each in report.get("outputs") or () if str(each.get("path")).startswith(folder)]
    for rules in house.rules if outputs else ():
        yield from of_operations({str(step.get("name")) for step in report.get("operations") or ()}, rules)
        for output in outputs:
            name, path = str(output["name"]), str(output["path"])
            there = run.files.exists(path) and run.files.recognise(path).sha256 == output.get("sha256")
            if there:
                run.data_source.add_file_path(name, str(run.files.root / path), format=output.get("format"))
            step = steps.get(name, {})
            table = ReleaseTable(
                name=name,
                operation=str(step.get("name", "")),
                settings=step.get("settings") or {},
                metrics=step.get("metrics") or {},
                columns=tuple(map(str, output.get("columns") or (run.data_source.columns(name) if there else ()))),
                frame=partial(run.data_source.frame, name),
            )
            yield from of_table(table, rules, house.measures, there=there)


def _house(run: RunServices) -> House:
    found: House = run.policies
    return found


def _lines(rules: Mapping[str, Any]) -> Iterator[str]:
    for model in rules["models"]:
        asked = ", ".join(f"{name} {value}" for name, value in model["parameters"].items())
        on = f" on {', '.join(model['on'])}" if model["on"] else ""
        of = f" of {', '.join(model['of'])}" if model["of"] else ""
        yield f"{model['name']}: {asked}{of}{on}"
    if rules["suppression"] is not None:
        yield f"suppression: at most {rules['suppression']:g} of the records"
    for key in ("forbidden_columns", "required_operations"):
        if rules[key]:
            yield f"{key.replace('_', ' ')}: {', '.join(rules[key])}"
    if rules["safe_harbor"] is not None:
        yield "Safe Harbor (45 CFR 164.514(b)(2))"
