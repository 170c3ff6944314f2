"""The ledger of differential privacy: what has been spent on a table's people, and how much may be.

A journal of the project, `configs/privacy_ledger.jsonl`, from which nothing can be taken unnoticed (`AnchoredJournal`).
A cost is entered before anything is drawn from the data, under the file's lock: a run that is killed afterwards has
spent what it asked for, since it is unknown what was seen of it. How costs add up is in `accounting`.

A budget is that of people: entries belong together if they have a name in common or a file that their tables come from,
however the dataset, the task or the file is called now; and a step pays with all entries that have drawn from a person
of its table, as `budget_persons` says.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataRefused, PamolaTaskError
from pamola_tasks.protocols import Diagnosis, Files
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import journal

from .accounting import Limit, Spending
from .anchored import LOST, AnchoredJournal, Restoration
from .budget_persons import People, PeopleFiles
from .register import register_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

FILE = "privacy_ledger.jsonl"
PROGRESS = ".pamola/privacy_ledger"  # how many lines the ledger has, and the hash of the last


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
        people: The persons of the table, by each way to recognise them.
        facts: More for the ledger: no data.
    """

    budget: str
    cost: Spending
    limit: Limit | None = None
    origins: tuple[str, ...] = ()
    run_id: str = ""
    step: str = ""
    people: tuple[People, ...] = ()
    facts: Mapping[str, Any] = attrs.Factory(dict)


@attrs.frozen
class Account:
    """What the ledger says of the people of one budget.

    Attributes:
        spent: So far, by addition.
        limit: The least that was ever stated, None where nothing was.
        names: The names that the budget has had.
        entries: The lines of the ledger that count.
    """

    spent: Spending
    limit: Limit | None
    names: tuple[str, ...] = ()
    entries: tuple[Mapping[str, Any], ...] = ()

    @property
    def parts(self) -> list[Spending]:
        """The cost of each entry."""
        return [Spending.of(entry) for entry in self.entries]


class PrivacyLedger:
    """The ledger of one project.

    Args:
        files: Where to open it.
        path: The file.
        run: The run, or services without one: its key authenticates the ledger, and its history vouches for it.
        limits: What the project file allows, by name: whatever tasks state, and however little.
        people: The sets of persons that entries name; None where none are looked at.
    """

    def __init__(
        self,
        files: Files,
        path: str | Path,
        run: RunServices | None = None,
        limits: Mapping[str, Limit] = types.MappingProxyType({}),
        people: PeopleFiles | None = None,
    ) -> None:
        self.limits = limits
        self._people = people
        self._journal = AnchoredJournal(
            files=files,
            path=path,
            anchor=PROGRESS,
            key=journal.key_of(run, "privacy ledger"),
            what="the privacy ledger",
            so="The spent budget is unknown, so no more can be spent: restore the ledger from a copy, or from the"
            " execution history by `pamola-task budget --repair`",
            needs=lambda entry: bool(entry.get("schema", 1) > 1),
            run=run,
        )

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
            if entry.get("event") != LOST and entry["budget"] not in named:
                own = [each for each in entries if each.get("budget") == entry["budget"]]
                people = [each for of_name in own for each in self._people_of(of_name)]
                account = self._account(entries, entry["budget"], (), people)
                named.update(account.names)
                found.append(account)
        return found

    def lost(self) -> list[Mapping[str, Any]]:
        """The losses of entries that were accepted."""
        return [entry for entry in self._journal.read() if entry.get("event") == LOST]

    def diagnose(self) -> Iterator[Diagnosis]:
        """For `doctor` and `verify`: whether it is as it was written; nothing where none is needed."""
        try:
            if entries := self._journal.read():
                finding = f"{len(entries)} entries, as they were written"
                yield Diagnosis(level="ok", subject=FILE, finding=finding)
        except PamolaTaskError as problem:
            yield Diagnosis(level="error", subject=FILE, finding=str(problem))

    def repair(self, *, accept_loss: bool) -> Restoration:
        """Restore what is missing; see `AnchoredJournal.restore`."""
        return self._journal.restore(accept_loss=accept_loss)

    def check(self, request: Request) -> None:
        """Refuse a cost as `spend` does, without entering it."""
        self._asked(self._journal.read(), request)

    def spend(self, request: Request) -> tuple[Account, Account]:
        """Enter a cost, or refuse it.

        Returns:
            The account before and after; the same twice where this step of this run has spent it already.

        Raises:
            DataRefused: It would be more than the limit.
            DataError: The ledger is damaged, missing or older than noted.
        """
        with self._journal.appending() as append:
            before, after = self._asked(self._journal.read(), request)
            if after is not before:
                kept = [] if self._people is None else [self._people.keep(each) for each in request.people]
                append({**after.entries[-1], **({"persons": kept} if kept else {})})
        return before, after

    def _asked(self, entries: Sequence[Mapping[str, Any]], request: Request) -> tuple[Account, Account]:
        """The account before a cost is entered, and after it."""
        before = self._account(entries, request.budget, request.origins, request.people)
        cost = {"epsilon": request.cost.told()["epsilon"], "delta": request.cost.delta, "rho": request.cost.rho}
        for entry in before.entries:  # what the former attempt of a step drew was discarded: only one is published
            known = {name: entry.get(name) for name in ("run_id", "step", *cost)}
            if request.run_id and known == {"run_id": request.run_id, "step": request.step, **cost}:
                return before, before
        entry = {
            "schema": 2,
            "event": "spent",
            "budget": request.budget,
            "origins": list(request.origins),
            **cost,
            "limit": None if request.limit is None else request.limit.told(),
            "time": rfc3339(now()),
            "run_id": request.run_id,
            "step": request.step,
            **request.facts,
        }
        spent, allowed = before.spent, self._allowed(before, request)
        after = Account(Spending.total((spent, request.cost)), allowed, before.names, (*before.entries, entry))
        if allowed is not None and not allowed.allows(after.parts):
            others = [name for name in before.names if name != request.budget]
            also = f" (also called {', '.join(map(repr, others))})" if others else ""
            also += self._shared(before, request)
            raise DataRefused(
                f"the privacy budget {request.budget!r}{also} allows {allowed}, {allowed.spent(before.parts)} of it is"
                f" spent, and this step would spend {request.cost}: nothing was drawn or written. Ask for"
                f" less, or state a larger budget in the project file (ops-anonymize.budgets) if you may",
                budget=request.budget,
            )
        return before, after

    def _shared(self, before: Account, request: Request) -> str:
        """By which columns persons of the table were recognised in entries that only they join, in words."""
        joined = [
            one.how
            for one in request.people
            for entry in before.entries
            if entry.get("budget") != request.budget and not {*request.origins} & {*entry.get("origins", ())}
            for other in self._people_of(entry)
            if one.meets(other)
        ]
        if not joined:
            return ""
        loose = any(how.loose for how in joined)
        other = (
            " (if these are other persons, state so in the project file: ops-anonymize.populations)" if loose else ""
        )
        return f", which persons of this table share by {', '.join(dict.fromkeys(how.by for how in joined))}{other},"

    def _allowed(self, before: Account, request: Request) -> Limit | None:
        stated = [self.limits[name] for name in (*before.names, request.budget) if name in self.limits]
        if not stated:
            return before.limit if request.limit is None else request.limit.least(before.limit)
        return functools.reduce(Limit.least, stated).least(request.limit)

    def _people_of(self, entry: Mapping[str, Any]) -> list[People]:
        return [] if self._people is None else self._people.of(entry)

    def _account(
        self,
        entries: Sequence[Mapping[str, Any]],
        budget: str,
        origins: Iterable[str],
        people: Sequence[People] = (),
    ) -> Account:
        """The entries that have to do with a budget by a person, or by a name or an origin, directly or through others.

        Persons are not followed further: what was drawn from others costs these nothing.
        """
        names, files = {budget}, set(origins)
        own: list[Mapping[str, Any]] = []
        left = [entry for entry in entries if entry.get("event") != LOST]
        by_person = [
            entry for entry in left if any(one.meets(other) for one in people for other in self._people_of(entry))
        ]
        while True:
            joined = [
                entry
                for entry in left
                if entry.get("budget") in names or files & {*entry.get("origins", ())} or entry in by_person
            ]
            if not joined:
                break
            own += joined
            left = [entry for entry in left if entry not in joined]
            names |= {entry["budget"] for entry in joined}
            files |= {origin for entry in joined for origin in entry.get("origins", ())}
        limits = [Limit(**entry["limit"]) for entry in own if entry.get("limit") is not None]
        return Account(
            Spending.total(map(Spending.of, own)),
            functools.reduce(Limit.least, limits) if limits else None,
            tuple(sorted({entry["budget"] for entry in own})),
            tuple(entry for entry in entries if entry in own),
        )


def ledger_of(run: RunServices, configs: Path, folder: Path | None = None) -> PrivacyLedger:
    """The ledger of a run's project, which is in this folder; `folder` as for `register_of`."""
    stated = getattr(run.config.plugin("ops-anonymize"), "budgets", None) or {}
    limits = {name: Limit(**attrs.asdict(budget)) for name, budget in stated.items()}
    return PrivacyLedger(run.files, configs / FILE, run, limits, PeopleFiles(register_of(run, folder)))
