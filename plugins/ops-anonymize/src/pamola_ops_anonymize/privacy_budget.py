"""The ledger of differential privacy: what has been spent on a table's people, and how much may be.

A journal of the project, `configs/privacy_ledger.jsonl`, in the line format of the execution history: chained, and
authenticated where the project has a key. Spending adds up by basic composition (C. Dwork and A. Roth: The Algorithmic
Foundations of Differential Privacy, 2014, theorem 3.16): epsilons and deltas are summed. It is entered before rows are
read, under the file's lock: a run that is killed afterwards has spent what it asked for, since its progress is unknown.

A budget is that of people: entries belong together if they have a name in common or a file that their tables come from,
however the dataset, the task or the file is called now. How far the ledger has come is noted in `.pamola/` too, so that
a ledger that is missing or was replaced by an older one is a fault.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import math
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataRefused
from pamola_tasks.protocols import Files
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import journal

from .anchored import AnchoredJournal

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

FILE = "privacy_ledger.jsonl"
PROGRESS = ".pamola/privacy_ledger"  # how many lines the ledger has, and the hash of the last
PURPOSE = "privacy ledger"  # of the key that authenticates both

TOLERANCE = 1e-12
"""Relative: ten times 0.1 may be spent of 1."""


@attrs.frozen
class Spending:
    """An epsilon and a delta."""

    epsilon: float = 0.0
    delta: float = 0.0

    @classmethod
    def total(cls, parts: Iterable[Spending]) -> Spending:
        parts = list(parts)
        return cls(math.fsum(part.epsilon for part in parts), math.fsum(part.delta for part in parts))

    def plus(self, other: Spending) -> Spending:
        return Spending.total((self, other))

    def least(self, other: Spending | None) -> Spending:
        """What is within both."""
        return self if other is None else Spending(min(self.epsilon, other.epsilon), min(self.delta, other.delta))

    def within(self, limit: Spending) -> bool:
        return self.epsilon <= limit.epsilon * (1 + TOLERANCE) and self.delta <= limit.delta * (1 + TOLERANCE)

    def __str__(self) -> str:
        return f"epsilon {self.epsilon:.6g}, delta {self.delta:.6g}"


@attrs.frozen(kw_only=True)
class Request:
    """What a step wants to spend.

    Attributes:
        budget: The budget's name.
        cost: What it costs.
        limit: What may be spent altogether as far as this step says; None where it says nothing.
        origins: The files and frames that the table comes from: hashes (SHA-256, hex), and `file` with the name.
        run_id: The run, and the step in it: a retry spends nothing more.
        step: Its id.
        facts: More for the ledger: no data.
    """

    budget: str
    cost: Spending
    limit: Spending | None = None
    origins: tuple[str, ...] = ()
    run_id: str = ""
    step: str = ""
    facts: Mapping[str, Any] = attrs.Factory(dict)


@attrs.frozen
class Account:
    """What the ledger says of the people of one budget.

    Attributes:
        spent: So far.
        limit: The least that was ever stated, None where nothing was.
        names: The names that the budget has had.
        entries: The lines of the ledger that count.
    """

    spent: Spending
    limit: Spending | None
    names: tuple[str, ...] = ()
    entries: tuple[Mapping[str, Any], ...] = ()


class PrivacyLedger:
    """The ledger of one project.

    Args:
        files: Where to open it.
        path: The file.
        key: Authenticates its lines; None without a key of the project.
        limits: What the project file allows, by name: whatever tasks state, and however little.
    """

    def __init__(
        self,
        files: Files,
        path: str | Path,
        key: bytes | None = None,
        limits: Mapping[str, Spending] = types.MappingProxyType({}),
    ) -> None:
        self._journal = AnchoredJournal(
            files=files,
            path=path,
            anchor=PROGRESS,
            key=key,
            what="the privacy ledger",
            so="The spent budget is unknown, so no more can be spent: restore it from a copy",
            needs=lambda entry: bool(entry.get("schema", 1) > 1),
        )
        self.limits = limits

    def account(self, budget: str, origins: Iterable[str] = ()) -> Account:
        """What has been spent by the people of a budget.

        Raises:
            DataError: The ledger is damaged, missing or older than noted: the spent budget is unknown.
        """
        return self._account(self._journal.read(), budget, origins)

    def accounts(self) -> list[Account]:
        """All budgets, each once whatever names it has had."""
        entries, found = self._journal.read(), []
        named: set[str] = set()
        for entry in entries:
            if entry["budget"] not in named:
                account = self._account(entries, entry["budget"], ())
                named.update(account.names)
                found.append(account)
        return found

    def spend(self, request: Request) -> tuple[Account, Account]:
        """Enter a cost, or refuse it.

        Returns:
            The account before and after; the same twice where this step of this run has spent already.

        Raises:
            DataRefused: It would be more than the limit.
            DataError: The ledger is damaged, missing or older than noted.
        """
        with self._journal.appending() as append:
            entries = self._journal.read()
            before = self._account(entries, request.budget, request.origins)
            spent_by = {(entry.get("run_id"), entry.get("step")) for entry in before.entries}
            if (request.run_id, request.step) in spent_by:
                return before, before
            allowed = self._allowed(before, request)
            after = Account(before.spent.plus(request.cost), allowed, before.names)
            if allowed is not None and not after.spent.within(allowed):
                others = [name for name in before.names if name != request.budget]
                also = f" (also called {', '.join(map(repr, others))})" if others else ""
                raise DataRefused(
                    f"the privacy budget {request.budget!r}{also} allows {allowed}, {before.spent} of it is spent, and"
                    f" this step would spend {request.cost}: no data was read. Ask for less, or state a larger budget"
                    f" in the project file (ops-anonymize.budgets) if you may",
                    budget=request.budget,
                )
            entry: dict[str, Any] = {
                "schema": 2,
                "event": "spent",
                "budget": request.budget,
                "origins": list(request.origins),
                "epsilon": request.cost.epsilon,
                "delta": request.cost.delta,
                "limit": None if request.limit is None else attrs.asdict(request.limit),
                "time": rfc3339(now()),
                "run_id": request.run_id,
                "step": request.step,
                **request.facts,
            }
            append(entry)
        return before, after

    def _allowed(self, before: Account, request: Request) -> Spending | None:
        stated = [self.limits[name] for name in (*before.names, request.budget) if name in self.limits]
        if not stated:
            return before.limit if request.limit is None else request.limit.least(before.limit)
        least = functools.reduce(Spending.least, stated)
        return least.least(request.limit)

    def _account(self, entries: Sequence[Mapping[str, Any]], budget: str, origins: Iterable[str]) -> Account:
        """The entries that have to do with a budget by a name or an origin, directly or through others."""
        names, files = {budget}, set(origins)
        own: list[Mapping[str, Any]] = []
        left = list(entries)
        while True:
            joined = [entry for entry in left if entry.get("budget") in names or files & {*entry.get("origins", ())}]
            if not joined:
                break
            own += joined
            left = [entry for entry in left if entry not in joined]
            names |= {entry["budget"] for entry in joined}
            files |= {origin for entry in joined for origin in entry.get("origins", ())}
        limits = [Spending(**entry["limit"]) for entry in own if entry.get("limit") is not None]
        return Account(
            Spending.total(Spending(float(entry["epsilon"]), float(entry["delta"])) for entry in own),
            functools.reduce(Spending.least, limits) if limits else None,
            tuple(sorted({entry["budget"] for entry in own})),
            tuple(entry for entry in entries if entry in own),
        )


def origins_of(run: RunServices, dataset: str) -> tuple[str, ...]:
    """The files and frames that a dataset of a run comes from, by name and hash, also through other steps and tasks.

    What other tasks were made of is what the history says of their newest run that succeeded.
    """
    made = {name: step for step in run.plan for name in step.writes}
    found: dict[str, None] = {}
    waiting, seen = [dataset], {dataset}
    while waiting:
        name = waiting.pop()
        step = made.get(name)
        if step is not None:
            waiting += [read for read in step.reads if read not in seen]
            seen |= {*step.reads}
            continue
        record = run.data_source.describe(name)
        record = record if record.sha256 else run.data_source.describe(name)  # asked twice, it is made
        found[record.sha256] = None
        paths = list(filter(None, record.path.split(", ")))
        for path in paths:
            found[f"file {path}"] = None  # whatever is in it by then: encrypted, say
            found.update(dict.fromkeys(_of_tasks(run, path, set())))
        if len(paths) == 1 and (record.encrypted or paths[0].endswith(".gz")):
            found[_content(run, name, paths[0])] = None
    return tuple(filter(None, found))


def _content(run: RunServices, dataset: str, path: str) -> str:
    """The hash of a file's content, decrypted and expanded: that of its copies in other forms."""
    with run.data_source.open_raw(dataset) as raw:
        file = gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        except (OSError, EOFError):  # which reading says
            return ""


def _of_tasks(run: RunServices, path: str, seen: set[str]) -> Iterator[str]:
    """Hashes of the inputs of the task that made a file, and of theirs."""
    if not {"places", "history"} <= {*vars(run)}:  # an operation that is run alone
        return
    owner = run.places.owner_of(path)
    if not owner or owner in seen or owner == run.record.task_id:
        return
    seen.add(owner)
    record = run.history.find_latest_execution(owner) or {}
    for file in record.get("input_files", ()):
        yield str(file.get("sha256") or "")
        yield from _of_tasks(run, str(file.get("path") or ""), seen)


def ledger_of(run: RunServices, configs: Path) -> PrivacyLedger:
    """The ledger of a run's project, which is in this folder."""
    stated = getattr(run.config.plugin("ops-anonymize"), "budgets", None) or {}
    limits = {name: Spending(budget.epsilon, budget.delta) for name, budget in stated.items()}
    return PrivacyLedger(run.files, configs / FILE, journal.key_of(run, PURPOSE), limits)
