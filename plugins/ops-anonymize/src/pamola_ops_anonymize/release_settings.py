"""How a table is to be anonymized."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import attrs
import pandas as pd

from .conditions import Promise
from .domains import Domain, Ints
from .hierarchies import Hierarchy, built_hierarchy, hierarchy_of_lines, suppression_hierarchy
from .persons import PersonRecords, Persons
from .ties import Ties
from .universe import Universe

Strategy = Literal["mondrian", "hierarchy", "microaggregation", "suppression"]
Recoding = Literal["local", "full-domain"]
Nulls = Literal["value", "suppress"]
SuppressedRecords = Literal["drop", "keep"]
Output = Literal["ranges", "labels", "representative"]
Bounds = Literal["rounded", "cuts", "tight"]
OnRealRecords = Literal["warn", "avoid"]

OUTPUTS: dict[str, Output] = {
    "mondrian": "ranges",
    "hierarchy": "labels",
    "microaggregation": "representative",
    "suppression": "labels",
}
OUTPUTS_OF_KMAP: dict[str, Output] = {**OUTPUTS, "microaggregation": "ranges"}


@attrs.frozen(eq=False, kw_only=True)
class HierarchySource:
    """Where a column's hierarchy comes from: lines of a file, or widths of ranges to be built.

    Attributes:
        file: The file's name, for messages.
        lines: Its fields, line by line.
        widths: How wide the ranges of each level are.
        suppress: Whether a value is kept or suppressed, and nothing between.
    """

    file: str = ""
    lines: Sequence[Sequence[str]] | None = None
    widths: Sequence[float] | None = None
    suppress: bool = False

    def hierarchy(self, domain: Domain) -> Hierarchy:
        if self.lines is not None:
            return hierarchy_of_lines(self.lines, domain, self.file)
        return suppression_hierarchy(domain) if self.suppress else built_hierarchy(domain, self.widths)


@attrs.frozen(eq=False, kw_only=True)
class Settings:
    """How a table is to be anonymized.

    Attributes:
        strategy: How classes are found.
        recoding: With hierarchies, one level for the whole column or the lowest for each class.
        promise: What the sensitive attributes of a class have to meet.
        sensitive: The sensitive attributes.
        suppression_limit: Part of the records that may be suppressed to lose less (`hierarchy` only).
        suppressed_records: Whether they are left out, or kept with `*` where together they meet what is asked.
        nulls: Whether a missing value is a value, or its record is suppressed.
        importance: Weight of quasi-identifiers, 1 where it is not stated.
        output: What is published of a class.
        bounds: Where cells end.
        on_real_records: Whether representatives that are the values of a record are published.
        ties: Whether chance hides what sensitive values forbid, where any are protected.
        hierarchies: Where they come from; built where nothing is stated.
        population: For k-map the records that k is counted in.
        persons: Whose each record is: classes are counted in persons, of whom each has one vote.
        persons_of_population: The same of the population; each of its records is a person's unless given.
        exact: With `suppression`, whether the least loss that there is is searched for.
        person_records: Whether all records of a person are in one class, or each may be in another.
        classes: The class of each record to be grouped, `OUTSIDE` for none, where they were found already.
        stage: Called with each stage of the work as it begins.
        universe: Where a part of a table is anonymized, the quasi-identifiers of all of it.
    """

    strategy: Strategy = "mondrian"
    recoding: Recoding = "local"
    promise: Promise = attrs.Factory(Promise)
    sensitive: Sequence[str] = ()
    suppression_limit: float = 0.0
    suppressed_records: SuppressedRecords = "drop"
    nulls: Nulls = "value"
    importance: Mapping[str, float] = attrs.Factory(dict)
    output: Output = "ranges"
    bounds: Bounds = "rounded"
    on_real_records: OnRealRecords = "warn"
    ties: Ties = "random"
    hierarchies: Mapping[str, HierarchySource] = attrs.Factory(dict)
    population: pd.DataFrame | None = None
    persons: Persons | None = None
    persons_of_population: Persons | None = None
    exact: bool = False
    person_records: PersonRecords = "together"

    @property
    def with_labels(self) -> frozenset[str]:
        """The columns whose hierarchy is stated."""
        return frozenset(name for name, source in self.hierarchies.items() if source.lines is not None)

    classes: Ints | None = None
    stage: Callable[[str], object] = str
    universe: Mapping[str, Universe] | None = None
