"""The service `privacy_records`: what this pack keeps about a project, for `verify`. Most runs ask nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pamola_tasks.protocols import Diagnosis, KernelView, RunServices


class PrivacyRecords:
    """The records of a run's project: the ledger of privacy budgets and the register of releases."""

    def __init__(self, run: RunServices) -> None:
        self._run = run

    def diagnose(self) -> Iterator[Diagnosis]:
        """What is missing, damaged or older than it should be."""
        from .privacy_budget import ledger_of
        from .register import register_of

        run = self._run
        yield from ledger_of(run, run.files.root / run.places.folders["configs"]).diagnose()
        yield from register_of(run).diagnose()


def diagnoses(kernel: KernelView) -> Iterator[Diagnosis]:
    """The same for `doctor`, which continues where a key is missing, say."""
    from pamola_tasks.errors import PamolaTaskError
    from pamola_tasks.protocols import Diagnosis

    try:
        run = kernel.services(None, upto="encryption")
    except PamolaTaskError as problem:
        yield Diagnosis(level="error", subject="privacy records", finding=str(problem))
    else:
        yield from PrivacyRecords(run).diagnose()
