"""`pamola-task ops`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks import Operation
from pamola_tasks.errors import PluginError
from pamola_tasks.parameters import annotations_of, describe
from pamola_tasks.registry import RegisteredOperation
from pamola_tasks_cli.docstrings import documentation, summary
from pamola_tasks_cli.json_schema import json_schema
from pamola_tasks_cli.output import facts, heading, note, print_json, print_table

if TYPE_CHECKING:
    from pamola_tasks_cli.app import Invocation


@click.command("ops")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, name: str | None, as_json: bool) -> None:
    """List the operations that tasks can use, or show one with its parameters, types and defaults."""
    operations = cli.kernel.operations
    every = []
    for known in [name] if name is not None else operations:
        try:
            every.append(_document(operations.get(known)))
        except PluginError as error:  # the others can be used
            if name is not None:
                raise
            cli.out.warn(str(error))
    if as_json:
        print_json(every if name is None else every[0])
    elif name is not None:
        _print_one(every[0])
    elif not every:
        note("no operation pack is installed: install pamola-ops-profile or pamola-ops-anonymize")
    else:
        print_table(
            [[o["operation"], o["version"], o["distribution"], o["description"]] for o in every],
            ["operation", "version", "distribution", "description"],
        )


def _document(operation: RegisteredOperation) -> dict[str, Any]:
    cls = operation.cls
    hints = annotations_of(cls)
    return {
        "operation": operation.name,
        "version": cls.version,
        "category": cls.category,
        "scope": _scope(cls),
        "distribution": operation.distribution,
        "description": summary(cls),
        "documentation": documentation(cls),
        "parameters": {
            field.alias: {
                "type": describe(hints.get(field.name, Any)),
                "required": field.default is attrs.NOTHING,
                "default": _default(field),
                "dataset": field.metadata.get("pamola_dataset"),
            }
            for field in attrs.fields(cls)
            if field.init
        },
        "schema": json_schema(cls),
    }


def _scope(cls: type[Operation]) -> str:
    """What a row follows from; a property says it of a step only, unless it is the one that is inherited."""
    stated: Any = cls.scope
    return "table" if stated is Operation.scope else stated if isinstance(stated, str) else "depends on parameters"


def _default(field: attrs.Attribute[Any]) -> Any:
    default: Any = field.metadata.get("template", field.default)
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return None if default.takes_self else default.factory()
    return None if default is attrs.NOTHING else default


def _print_one(found: dict[str, Any]) -> None:
    heading(f"{found['operation']} {found['version']}")
    stated = [(key, found[key]) for key in ("category", "scope")]
    facts([("from", found["distribution"] or "this project"), *stated])
    click.echo(f"\n{found['documentation']}\n")
    rows = []
    for name, p in found["parameters"].items():
        default = "" if p["default"] is None else str(p["default"])
        rows.append([name, "yes" if p["required"] else "", default, p["dataset"] or "", p["type"]])
    print_table(rows, ["parameter", "required", "default", "dataset", "type"])
