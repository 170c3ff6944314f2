"""The service `privacy_records`: what this pack keeps about a project, for `verify`. Most runs ask nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pamola_tasks.protocols import Diagnosis, RunServices


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
