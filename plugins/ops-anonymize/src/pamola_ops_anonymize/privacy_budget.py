"""The ledger of differential privacy: what has been spent on a table's people, and how much may be.

A journal of the project, `configs/privacy_ledger.jsonl`, in the line format of the execution history. Spending adds up
by basic composition (C. Dwork and A. Roth: The Algorithmic Foundations of Differential Privacy, 2014, theorem 3.16):
epsilons and deltas are summed. It is entered before data is read, under the file's lock: a run that is killed
afterwards has spent what it asked for, since its progress is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks.errors import DataError, DataRefused
from pamola_tasks.protocols import Files
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import journal

FILE = "privacy_ledger.jsonl"

TOLERANCE = 1e-12
"""Relative: ten times 0.1 may be spent of 1."""


@attrs.frozen
class Spending:
    """An epsilon and a delta."""

    epsilon: float = 0.0
    delta: float = 0.0

    def plus(self, other: Spending) -> Spending:
        return Spending(math.fsum((self.epsilon, other.epsilon)), math.fsum((self.delta, other.delta)))

    def within(self, limit: Spending) -> bool:
        return self.epsilon <= limit.epsilon * (1 + TOLERANCE) and self.delta <= limit.delta * (1 + TOLERANCE)

    def __str__(self) -> str:
        return f"epsilon {self.epsilon:.6g}, delta {self.delta:.6g}"


@attrs.frozen
class Account:
    """What the ledger says of one budget: spent so far, and the limit, None where none was ever stated."""

    spent: Spending
    limit: Spending | None


class PrivacyLedger:
    """The ledger of one project.

    Args:
        files: Where to open it.
        path: The file.
    """

    def __init__(self, files: Files, path: str | Path) -> None:
        self._files = files
        self._path = path

    def account(self, budget: str) -> Account:
        """What has been spent of a budget, and the limit stated last.

        Raises:
            DataError: The ledger is damaged: the spent budget is unknown, so no more can be spent.
        """
        return self._account(self._read(), budget)

    def spend(
        self, budget: str, cost: Spending, limit: Spending | None, facts: Mapping[str, Any]
    ) -> tuple[Account, Account]:
        """Enter a cost, or refuse it.

        Args:
            budget: The budget's name.
            cost: What is to be spent now.
            limit: What may be spent altogether, from now on; None keeps the limit that was stated last.
            facts: Who spends and on what, for the ledger: no data.

        Returns:
            The account before and after.

        Raises:
            DataRefused: It would be more than the limit.
            DataError: The ledger is damaged.
        """
        with journal.locked(self._files, self._path):
            entries = self._read()
            before = self._account(entries, budget)
            allowed = limit or before.limit
            after = Account(before.spent.plus(cost), allowed)
            if allowed is not None and not after.spent.within(allowed):
                raise DataRefused(
                    f"the privacy budget {budget!r} allows {allowed}, {before.spent} of it is spent, and this step"
                    f" would spend {cost}: no data was read. Ask for less, or state a larger budget if you may",
                    budget=budget,
                )
            entry: dict[str, Any] = {
                "schema": 1,
                "event": "spent",
                "budget": budget,
                "epsilon": cost.epsilon,
                "delta": cost.delta,
                "limit": None if allowed is None else attrs.asdict(allowed),
                "time": rfc3339(now()),
                **facts,
            }
            journal.replace(self._files, self._path, map(journal.encode, [*entries, entry]))
        return before, after

    def _read(self) -> list[dict[str, Any]]:
        found = journal.read(self._files, self._path)
        if found.damaged or found.torn:
            where = f"line {found.damaged[0].line}: {found.damaged[0].reason}" if found.damaged else "its last line"
            raise DataError(
                f"the privacy ledger {self._files.name(self._path)} is damaged ({where}): the spent budget is"
                f" unknown, so no more can be spent. Restore it from a copy"
            )
        return found.entries

    @staticmethod
    def _account(entries: Iterable[Mapping[str, Any]], budget: str) -> Account:
        own = [entry for entry in entries if entry.get("budget") == budget]
        spent = Spending(
            math.fsum(float(entry["epsilon"]) for entry in own), math.fsum(float(entry["delta"]) for entry in own)
        )
        limits = [entry["limit"] for entry in own if entry.get("limit") is not None]
        return Account(spent, Spending(**limits[-1]) if limits else None)
