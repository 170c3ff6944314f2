"""Which steps a task gets for its tables, what must be so before they run, and whether they may be skipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DataError
from pamola_tasks_sql.address import FILES, Address, is_address
from pamola_tasks_sql.column_types import KeptTypes
from pamola_tasks_sql.connecting import database_of
from pamola_tasks_sql.file_tables import FileTable, missing
from pamola_tasks_sql.operations import ReadTableOperation, WriteTableOperation, reading

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import SavedStep

_REFERENCE = re.compile(r"\$\{(?:env|secret):")
_NO_LETTER = re.compile(r"[^A-Za-z0-9._-]")


def add_steps(run: RunServices, plan: Plan) -> None:
    """Put a step for each input that is a table and that a step reads before all others, one for each output behind.

    An input that the run was given a frame for is left alone, as is one that a step of the task writes itself.
    """
    wanted = {name for step in plan for name in step.reads if plan.writer_of(name) is None}
    first = next(iter(plan.step_ids), None)
    for name, source in {**run.config.auxiliary_datasets, **run.config.input_datasets}.items():
        if is_address(source) and name in wanted and name not in run.options.datasets:
            operation = ReadTableOperation(source=str(source), output_dataset=name)
            _add(plan, operation, f"read_{name}", before=first)
    for name, target in run.config.plugin("sql").outputs.items():
        if name not in plan.deselected:
            _add(plan, WriteTableOperation(input_dataset=name, target=target), f"write_{name}")
    for _, table in _table_steps(plan):
        if isinstance(table, WriteTableOperation):
            table.kept_types = KeptTypes(run, table)


def _add(plan: Plan, operation: Any, step_id: str, before: str | None = None) -> None:
    from pamola_tasks.plugins.discovery import versions

    found = [f"{name} {version}" for name, version in versions(("pamola-tasks-sql",)).items()]
    options = {"id": _NO_LETTER.sub("-", step_id)[:100]}
    plan.add(operation, options=options, distribution="".join(found), before=before)


def _table_steps(plan: Plan) -> Iterator[tuple[Step, ReadTableOperation | WriteTableOperation]]:
    for step in plan:
        if isinstance(step.operation, ReadTableOperation | WriteTableOperation):
            yield step, step.operation


def plan_problems(run: RunServices, plan: Plan) -> Iterator[str]:
    """Databases that the project file does not name, tables that it does not let be replaced, passwords as text."""
    targets: dict[Address, str] = {}
    for step, operation in _table_steps(plan):
        try:
            address = operation.address
            database = database_of(run.config, address.database)
        except DataError as problem:
            yield f"step {step.id}: {problem}"
            continue
        if address.scheme != database.kind:
            yield f"step {step.id}: database {address.database} is reached by {database.kind}://{address.database}?…"
        if lacking := missing(address.scheme):
            yield f"step {step.id}: {lacking}"
        if isinstance(operation, WriteTableOperation):
            if address.scheme in FILES and run.config.use_encryption:
                yield f"step {step.id}: the run encrypts, and a {address.scheme} file would not be encrypted"
            if not address.table:
                yield f"step {step.id}: a table is written: say ?table=NAME"
            elif not any(_fits(address.table, pattern) for pattern in database.write):
                yield (
                    f"step {step.id}: the project file does not let a task replace table {address.table} of database"
                    f" {address.database}; list it under sql.databases.{address.database}.write"
                )
            if (format := _format(run, plan, operation.input_dataset)) not in ("parquet", ""):
                yield (
                    f"step {step.id}: a table is filled from the file of {operation.input_dataset}, and {format} keeps"
                    " no types: set output_format: parquet"
                )
            if address in targets:
                yield f"step {step.id}: step {targets[address]} writes {address}, too"
            targets[address] = step.id
    for layer in run.layers or ():
        databases = (layer.values.get("sql") or {}).get("databases") or {}
        for name, stated in databases.items() if isinstance(databases, dict) else ():
            written = stated.get("password") if isinstance(stated, dict) else None
            if isinstance(written, str) and written and not _REFERENCE.match(written):
                key = f"sql.databases.{name}.password"
                yield (
                    f"{layer.places.get(key, layer.origin)}: {key}: it is written out: refer to it as ${{secret:NAME}}"
                    " or ${env:NAME}"
                )


def _format(run: RunServices, plan: Plan, dataset: str) -> str:
    """The format that an output is published in; empty of what a step does not publish."""
    writer = plan.writer_of(dataset)
    if writer is None or not plan.is_final(dataset, run.config.outputs):
        return ""
    return str(getattr(writer.operation, "output_format", None) or run.config.output_format)


def _fits(table: str, pattern: str) -> bool:
    """Whether a name is meant by one with `*` for any text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), table) is not None


def skip_problems(run: RunServices, step: Step, saved: SavedStep) -> Iterator[str]:
    """Why a table has to be read or written again: it is not as the step read it, or left it.

    Where the database cannot be asked now, the step runs: it can be retried.
    """
    operation, before = step.operation, saved.metrics.get("fingerprint")
    if not isinstance(operation, ReadTableOperation | WriteTableOperation):
        return
    try:
        now = _state(run, step.id, operation)
    except DataError as problem:
        yield f"it is not known whether {operation.address} has changed: {problem}"
        return
    if now != before and isinstance(operation, ReadTableOperation):
        yield f"rows of {operation.address} changed from {before or 'what is not known'} to {now}"
    elif now != before:
        yield f"{operation.address} is no longer as the step left it"


def _state(run: RunServices, step_id: str, operation: ReadTableOperation | WriteTableOperation) -> str:
    """What the database says of a table or query now; of what is read it is asked once a run."""
    if isinstance(operation, WriteTableOperation):
        with reading(run, operation.address, "xmin") as reader:
            return (reader.content() if isinstance(reader, FileTable) else reader.fingerprint()).text
    known: dict[str, str] = vars(run).setdefault("tables_asked_for", {})
    if step_id not in known:
        with reading(run, operation.address) as reader:
            known[step_id] = reader.fingerprint().text
    return known[step_id]
