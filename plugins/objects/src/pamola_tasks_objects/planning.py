"""Which steps a task gets for its outputs, what must be so before they run, and whether they may be skipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pamola_tasks.errors import DataError
from pamola_tasks_objects.address import Address
from pamola_tasks_objects.operations import WriteObjectOperation
from pamola_tasks_objects.settings import root_of, written_out
from pamola_tasks_objects.stores import missing_driver, opened

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import SavedStep

_NO_LETTER = re.compile(r"[^A-Za-z0-9._-]")


def prepare(run: RunServices, plan: Plan) -> None:
    """Add a step for each output that is uploaded; and, in a run that is not dry, fetch the inputs that steps read."""
    from pamola_tasks.plugins.discovery import versions

    distribution = "".join(f"{name} {version}" for name, version in versions(("pamola-tasks-objects",)).items())
    for name, target in run.config.plugin("objects").outputs.items():
        if name not in plan.deselected:
            operation = WriteObjectOperation(input_dataset=name, target=target)
            plan.add(operation, options={"id": _NO_LETTER.sub("-", f"upload_{name}")[:100]}, distribution=distribution)
    if run.dry or list(_before_fetching(run)):
        return  # the check of the plan says what is wrong
    from pamola_tasks_objects.copies import Copies

    Copies.of(run).fetch(plan)


def _before_fetching(run: RunServices) -> Iterator[str]:
    """Secrets that are written out, and drivers that are missing."""
    from pamola_tasks_objects.copies import Copies

    yield from written_out(run)
    schemes = {address.scheme for address in Copies.of(run).addresses().values()}
    schemes |= {text.partition(":")[0] for text in run.config.plugin("objects").outputs.values()}
    yield from filter(None, map(missing_driver, sorted(schemes)))


def plan_problems(run: RunServices, plan: Plan) -> Iterator[str]:
    """What keeps objects from being fetched, and uploads that cannot be made."""
    yield from _before_fetching(run)
    targets: dict[Address, str] = {}
    for step in plan:
        operation = step.operation
        if not isinstance(operation, WriteObjectOperation):
            continue
        try:
            address = operation.address
            root_of(run.config, address, write=True)
        except DataError as problem:
            yield f"step {step.id}: {problem}"
            continue
        writer = plan.writer_of(operation.input_dataset)
        if writer is None or not plan.is_final(operation.input_dataset, run.config.outputs):
            yield f"step {step.id}: {operation.input_dataset} is not an output of this task, and has no file to upload"
        if address in targets:
            yield f"step {step.id}: step {targets[address]} writes {address}, too"
        targets[address] = step.id


def skip_problems(run: RunServices, operation: WriteObjectOperation, saved: SavedStep) -> Iterator[str]:
    """Why a file that a step uploaded has to be uploaded again."""
    try:
        address = operation.address
        with opened(*root_of(run.config, address)) as store:
            now = store.info(address)
    except DataError as problem:
        yield str(problem)
        return
    left = {"bytes": now.size, "version": now.version, "etag": now.etag, "modified": now.modified} if now else {}
    if not left or any(saved.metrics.get(key) != value for key, value in left.items()):
        yield f"{address} is no longer as the step left it"
