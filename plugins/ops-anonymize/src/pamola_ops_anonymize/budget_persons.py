"""Whose a privacy budget is: the persons that steps have drawn from, in sets of keyed hashes.

A set is a file in the folder of the register of releases, sealed by the register's key like what it keeps of releases:
an entry of the ledger names it. Two tables with a person in common share a budget, whatever they are called, have as
columns or come from. Where a set is missing or was changed, its entry counts for all persons.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

from .alike import all_as_read
from .columns import distinct_texts
from .persons import holds_names
from .register import Register
from .same_persons import Hashes, Identified, Numbering, hashes_of_persons, judged, span_of

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

_LOOK = 10_000  # records by which it is judged which columns identify persons


@attrs.frozen(eq=False)
class People:
    """The persons of a table, as some columns identify them.

    Attributes:
        how: The columns, and what their values are.
        hashes: Keyed hashes of the persons, ascending, each once; None where they are unknown: all persons.
    """

    how: Identified
    hashes: Hashes | None

    def meets(self, other: People) -> bool:
        """Whether a person is in both."""
        if self.hashes is None or other.hashes is None:
            return True
        equal = len(np.intersect1d(self.hashes, other.hashes, assume_unique=True))
        return equal > 0 and judged(self.how, other.how, equal, {}, {}).same


class PeopleFiles:
    """Sets of persons in their files.

    Args:
        register: Whose folder and key they share.
    """

    def __init__(self, register: Register) -> None:
        self._register = register
        self._known: dict[str, Hashes | None] = {}

    def keep(self, people: People) -> dict[str, Any]:
        """Write a set, and say what an entry of the ledger has of it; a set that is there already is not repeated."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        assert people.hashes is not None
        data = people.hashes.astype("<u8").tobytes()
        name = hmac.new(self._register.key_for("persons of budgets"), data, "sha256").hexdigest()[:32]
        if self._read(name) is None:
            self._register.begin()
            nonce = os.urandom(12)
            sealed = nonce + AESGCM(self._register.key_for("seal")).encrypt(nonce, data, name.encode())
            self._register.write_sealed(f"persons-{name}", sealed)
            self._known[name] = people.hashes
        how = people.how
        return {"by": how.by, "span": how.span, "population": how.population, "set": name}

    def of(self, entry: Mapping[str, Any]) -> list[People]:
        """The persons of an entry of the ledger."""
        of_dataset = self._register.population(str(entry.get("dataset", "")))
        found = []
        for kept in entry.get("persons") or ():
            hashes = self._read(kept["set"])
            count = 0 if hashes is None else len(hashes)
            how = Identified(str(kept["by"]), int(kept["span"]), count, str(kept["population"] or of_dataset))
            found.append(People(how, hashes))
        return found

    def _read(self, name: str) -> Hashes | None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if name not in self._known:
            self._known[name] = None
            data = self._register.read_sealed(f"persons-{name}")
            if data is not None:
                try:
                    plain = AESGCM(self._register.key_for("seal")).decrypt(data[:12], data[12:], name.encode())
                    self._known[name] = np.frombuffer(plain, dtype="<u8").astype(np.uint64)
                except (InvalidTag, ValueError):
                    pass
        return self._known[name]


def people_of(
    ctx: OperationContext,
    register: Register,
    dataset: str,
    person: Sequence[str],
    population: str,
    likely: Callable[[pd.DataFrame], Iterable[Any]],
) -> list[People]:
    """The persons of a table, by each way to recognise them; none where nothing identifies them.

    By the columns of `person` where they are stated; else by each column that looks like an identifier of persons,
    their names excepted, which several have.

    Args:
        ctx: Where the step runs.
        register: Whose key hashes them.
        dataset: The table.
        person: The columns of `person`.
        population: What the project file calls the persons.
        likely: Which columns of records look like direct identifiers.
    """
    ways = [sorted(person)] if person else []
    if not ways:
        first = next(iter(ctx.data.chunks(dataset)), pd.DataFrame())[:_LOOK]
        ways = [[name] for name in likely(first) if not holds_names(name)]
    if not ways:
        return []
    register.begin()
    key = register.key_for("persons")
    found: list[Hashes] = [np.zeros(0, dtype=np.uint64) for _ in ways]
    numbering = [[Numbering() for _ in columns] for columns in ways]
    for piece in ctx.data.chunks(dataset, columns=list(dict.fromkeys(name for columns in ways for name in columns))):
        for place, columns in enumerate(ways):
            for name, each in zip(columns, numbering[place], strict=True):
                each.add(all_as_read(distinct_texts(piece[name])[1]).to_pylist())
            found[place] = np.union1d(found[place], hashes_of_persons(piece[columns], key))
    people = []
    for columns, hashes, each_column in zip(ways, found, numbering, strict=True):
        hashes = hashes[hashes > 0]
        if len(hashes):
            span = span_of(each_column, len(hashes))
            people.append(People(Identified(" + ".join(columns), span, len(hashes), population), hashes))
    return people
