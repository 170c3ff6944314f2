"""An earlier release of a table that grows, and where the table's persons are in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext

from .domains import Ints, Mask
from .intersecting import Pair
from .register import Entry
from .registering import Registration
from .released_table import ReleasedTable
from .residual import NOWHERE


@attrs.frozen(eq=False)
class Earlier:
    """An earlier release with the same quasi-identifiers.

    Attributes:
        entry: What the register has of it.
        table: What was released.
        group: For each record of the table that is to be released the class of its person then, `NOWHERE` if new.
        part: The same for the classes as they were made, of which several may have the same cells.
        left: Persons of it who are not in the table.
        moved: Records of persons of it whose quasi-identifiers are not as they were then.
        changed: Persons of it who have other records, or other sensitive values, in the table.
        several: Of each record whether its person had several records then.
        called: What the sensitive attributes of the table are called in it; None for one that it does not have.
    """

    entry: Entry
    table: ReleasedTable
    group: Ints
    part: Ints
    left: int
    moved: int
    changed: int
    several: Mask
    called: Mapping[str, str | None]

    @classmethod
    def of(cls, entry: Entry, old: ReleasedTable, new: ReleasedTable) -> Earlier:
        """Match the persons of a table with those of an earlier release."""
        pair = Pair.of(new, old)
        real = ~old.counterfeit
        size = int(max(pair.person.max(initial=0), pair.earlier.max(initial=0))) + 1
        then, now = (np.zeros(size + 1, dtype=np.int64) for _ in range(2))  # the last is of those who are unknown
        np.add.at(then, pair.earlier[real], 1)
        np.add.at(now, pair.person, 1)
        group, other = np.full(size + 1, NOWHERE), np.full(size + 1, len(old.group))
        np.maximum.at(group, pair.earlier[real], old.group[real])
        np.minimum.at(other, pair.earlier[real], old.group[real])
        group[-1] = NOWHERE
        one, _ = pair.records(*_coded(new, old))
        same = np.zeros(size + 1, dtype=np.int64)
        np.add.at(same, pair.person[one], 1)
        both = (then[:-1] > 0) & (now[:-1] > 0)
        equal = np.append(both & (same[:-1] == then[:-1]) & (same[:-1] == now[:-1]) & (group == other)[:-1], False)
        left = int(((then[:-1] > 0) & ~both).sum()) + int(then[-1])
        part = np.full(size + 1, NOWHERE)
        part[pair.earlier[real]] = old.part[real]
        part[-1] = NOWHERE
        changed = int((both & ~equal[:-1]).sum())
        both_origins = pd.factorize(np.append(new.origin, old.origin))[0].astype(np.int64)
        span = int(both_origins.max(initial=0)) + 1
        was = pair.earlier * span + both_origins[new.records :]
        known = group[pair.person] != NOWHERE
        moved = int((known & ~np.isin(pair.person * span + both_origins[: new.records], was[real])).sum())
        several = known & (then[pair.person] > 1)
        called = {name: pair.attribute(name, new, old) for name in new.values}
        return cls(entry, old, group[pair.person], part[pair.person], left, moved, changed, several, called)

    def signatures(self, attribute: str) -> list[list[int] | None]:
        """For each number in `part` the hashes of the sensitive values that its records can have.

        None for a class in which some values are more frequent than others.

        Args:
            attribute: The sensitive attribute, as it was called then.
        """
        if self.table.signatures:
            return [list(each) for each in self.table.signatures]
        found: list[list[int] | None] = [None] * (int(self.table.part.max(initial=-1)) + 1)
        pairs = pd.DataFrame({"part": self.table.part, "value": self.table.values[attribute]})
        counted = pairs.value_counts().sort_index()
        of, values = (counted.index.get_level_values(name).to_numpy() for name in ("part", "value"))
        parts, starts = np.unique(of, return_index=True)
        ends = np.append(starts[1:], len(of))
        least, most = (reduce.reduceat(counted.to_numpy(), starts) for reduce in (np.minimum, np.maximum))
        for place in np.flatnonzero(least == most).tolist():
            found[int(parts[place])] = values[starts[place] : ends[place]].tolist()
        return found

    @property
    def rows(self) -> Ints:
        """The records of the table whose persons are in it."""
        return np.flatnonzero(self.group != NOWHERE)


def _coded(new: ReleasedTable, old: ReleasedTable) -> tuple[Ints, Ints]:
    """The sensitive values of each record, as numbers that are the same for the same values."""
    code = np.zeros(new.records + old.records, dtype=np.int64)
    for name in new.values:
        if name in old.values:
            values, found = pd.factorize(np.append(new.values[name], old.values[name]))
            code = pd.factorize(code * len(found) + values)[0].astype(np.int64)
    return code[: new.records], code[new.records :]


def earlier_releases(
    registration: Registration,
    frame: pd.DataFrame,
    quasi_identifiers: Sequence[str],
    ctx: OperationContext,
    *,
    same: bool = False,
) -> Iterator[Earlier]:
    """The releases with these quasi-identifiers and with persons of a table, newest first.

    If the same was released already, only those before that, so that it is the same again; with `same` only those that
    were made of the same table with the same settings.
    """
    rows = np.arange(len(frame))
    attempt = ctx.run.record.run_id, ctx.step.id
    nothing = np.zeros(len(frame), dtype=bool)
    new = ReleasedTable(
        persons=registration.person_hashes(rows),
        group=np.zeros(len(frame), dtype=np.int64),
        part=np.zeros(len(frame), dtype=np.int64),
        values=registration.value_hashes(frame),
        known={},
        origin=registration.origin_hashes(rows),
        counterfeit=nothing,
        cells=dict.fromkeys(quasi_identifiers, ()),
        traits=registration.trait_hashes(rows),
        spans=registration.spans(),
        population=registration.population,
    )
    made_of = registration.made_of(frame)
    for entry in registration.before(made_of, attempt, same=same):
        table = registration.register.table(entry)
        if set(table.cells) == set(quasi_identifiers):
            found = Earlier.of(entry, table, new)
            if len(found.rows):
                yield found
