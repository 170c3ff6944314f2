"""How a release comes into the register: who is in it, what it discloses with earlier ones, and how much may be."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataRefused, ParameterError

from .alike import all_as_read
from .columns import columns_of_person, distinct_texts, some_columns, text_of, wrong
from .domains import Ints
from .intersecting import Intersection, intersection
from .measures import Grouping
from .persons import holds_names
from .register import Entry, Register, register_of
from .release import Release
from .released_table import ReleasedTable
from .same_persons import (
    Hashes,
    Numbering,
    Traits,
    hashed,
    hashes_of_persons,
    population_of,
    span_of,
    together,
    traits_of,
)

if TYPE_CHECKING:
    from pamola_tasks import OperationContext
    from pamola_tasks.record import DatasetRecord


def register_columns(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: a truth value, the name of a column, or several."""
    if not isinstance(value, bool):
        if not isinstance(value, (str, list, tuple)):
            raise wrong(operation, attribute.name, "true, false, or names of columns", value)
        some_columns(operation, attribute, columns_of_person(value))  # type: ignore[arg-type]


def stated_columns(operation: Any) -> list[str]:
    """The columns that `register` names."""
    return [] if isinstance(operation.register, bool) else columns_of_person(operation.register)


def identifying(operation: Any, frame: pd.DataFrame, identifiers: Sequence[Any]) -> list[list[str]]:
    """What persons of a table are recognised by in other releases: columns, each alone or several together.

    The columns of `register` or `person` where they are stated. Otherwise each direct identifier that no two records
    share, or, where there is none, the one with most values, names last.

    Args:
        operation: The step.
        frame: Its table.
        identifiers: The direct identifiers.
    """
    if operation.register is False:
        return []
    stated = stated_columns(operation) or operation.person_columns
    if stated:
        return [sorted(stated)]
    listed = [name for name in dict.fromkeys(identifiers) if frame[name].notna().any()]
    return ways_to_recognise({name: (frame[name].nunique(), int(frame[name].notna().sum())) for name in listed})


def ways_to_recognise(found: Mapping[Any, tuple[int, int]]) -> list[list[str]]:
    """The same by how many different values each direct identifier has, and in how many records."""
    unique = [name for name, (distinct, there) in found.items() if distinct == there]
    others = [name for name in found if not holds_names(name)]
    most = max(others or found, key=lambda name: found[name][0], default=None)
    return [[name] for name in unique] or ([] if most is None else [[most]])


class Registration:
    """A release on its way into the register; it does nothing where no column identifies persons.

    Args:
        operation: The step.
        ctx: Where it runs.
        frame: The table that came in.
        identifiers: Its direct identifiers.
    """

    def __init__(self, operation: Any, ctx: OperationContext, frame: pd.DataFrame, identifiers: Sequence[Any]) -> None:
        self._operation = operation
        self._ctx = ctx
        self._frame = frame
        self._rows = len(frame)
        self.columns = self._identifying(identifiers)
        self._number = 0
        self._numbering: dict[str, list[Numbering]] = {}
        folder = None if "places" in vars(ctx.run) else ctx.directories.get_directory("releases")
        self.register: Register = register_of(ctx.run, folder)

    def _identifying(self, identifiers: Sequence[Any]) -> list[list[str]]:
        """What persons are recognised by: see `identifying`."""
        return identifying(self._operation, self._frame, identifiers)

    def compare(self, release: Release, grouping: Grouping) -> dict[str, Any]:
        """Compare a release with all earlier ones of the same persons, and enter it as prepared.

        Returns:
            The metrics `releases`. Where no column identifies persons, only `not_compared_with`: the releases of the
            same quasi-identifiers, if there are any.

        Raises:
            DataRefused: More follows from them together than is allowed.
            DataError: The register cannot be used.
        """
        if release.coded.empty or self._operation.register is False:
            return {}
        if not self.columns:
            unknown = self.register.of_columns(self._operation.quasi_identifiers)
            return {"not_compared_with": unknown} if unknown else {}
        ctx, operation, register = self._ctx, self._operation, self.register
        with register.preparing(ctx.run.record.run_id, ctx.step.id) as (entries, enter):
            table, whose = self.table_of(release, grouping)
            digest = table.digest(register.key_for("digest"))
            told: dict[str, Any] = {"persons_by": [" + ".join(columns) for columns in self.columns], **release.update}
            same = next((entry for entry in reversed(entries) if entry.digest == digest), None)
            if same is not None:
                self._number = same.number
                return {**told, "release": same.number, "same_as": same.number, "compared_with": []}
            found = intersection(table, [register.table(entry) for entry in entries], whose)
            told |= self._told(found, entries)
            self._judge(found, entries, told)
            table = attrs.evolve(table, known=found.certain)
            facts = {
                "task_id": ctx.run.record.task_id,
                "input": operation.input_dataset,
                "dataset": operation.output_dataset,
                "made_of": self.made_of(self._frame),
                "persons": told["persons"],
                "records": table.records,
                "classes": grouping.classes,
                "settings": {name: value for name, value in operation.parameters().items() if value is not None},
            }
            self._number = enter(table, digest, facts)
            return {**told, "release": self._number}

    def written(self, record: DatasetRecord) -> None:
        """Enter the file that has the release."""
        if self._number:
            self.register.written(self._number, record.path, record.sha256 or "")

    def before(self, made_of: str, attempt: tuple[str, str], *, same: bool = False) -> list[Entry]:
        """The releases that count, newest first, but for what an attempt at a step prepared.

        Of several that were made of the same only those before the first; with `same`, only these.
        """
        entries = [
            entry
            for entry in reversed(self.register.entries())
            if entry.counts and (entry.facts.get("run_id"), entry.facts.get("step")) != attempt
        ]
        alike = [entry for entry in entries if entry.facts.get("made_of") == made_of]
        return alike if same else [entry for entry in entries if not alike or entry.number < alike[-1].number]

    # ------------------------------------------------------------ what is released

    def made_of(self, frame: pd.DataFrame) -> str:
        """A keyed hash of the persons of a table, their cells that matter here, and the settings."""
        operation = self._operation
        rows = np.arange(self._rows)
        ids = self.person_hashes(rows)
        parts = [self.origin_hashes(rows), *self._values_before(frame).values(), *ids.values()]
        order = np.lexsort(parts)
        asked = {
            name: value
            for name, value in operation.parameters().items()
            if name not in ("max_disclosed", "max_below_k", "description", "unconfirmed")
        }
        made = hmac.new(self.register.key_for("made of"), repr(sorted(asked.items())).encode(), "sha256")
        for part in parts:
            made.update(np.ascontiguousarray(part[order]).tobytes())
        return made.hexdigest()

    def table_of(self, release: Release, grouping: Grouping) -> tuple[ReleasedTable, Ints]:
        """What the register keeps of a release, and whose each record is, numbered from 0."""
        coded, operation = release.coded, self._operation
        index, class_of, values = self._released(release, grouping)
        counterfeit = index < 0
        places = np.maximum(index, 0)
        ids = self.person_hashes(places)
        ids = {name: np.where(counterfeit, np.uint64(0), column) for name, column in ids.items()}
        first = np.unique(grouping.group, return_index=True)[1]
        cells = {
            str(name): [None if pd.isna(cell) else text_of(cell) for cell in coded[name].iloc[first].tolist()]
            for name in operation.quasi_identifiers
        }
        lost = {
            kind: {name: loss * self._rows - release.suppressed for name, loss in getattr(release, kind).items()}
            for kind in ("ncp_set", "ncp_hier")
        }
        # classes are numbered by their cells, and records sorted: nothing depends on the order of the input
        order = sorted(range(len(first)), key=lambda place: [texts[place] or "" for texts in cells.values()])
        number = np.empty(len(first), dtype=np.int64)
        number[order] = np.arange(len(first))
        group = number[class_of]
        rows = np.lexsort((*values.values(), group, *ids.values()))
        main = next(iter(ids.values()))
        unknown = main == 0
        whose = pd.factorize(main)[0].astype(np.int64)
        whose[unknown] = len(main) + np.flatnonzero(unknown)
        table = ReleasedTable(
            persons={name: column[rows] for name, column in ids.items()},
            group=group[rows],
            values={name: column[rows] for name, column in values.items()},
            known={name: np.zeros(len(rows), dtype=bool) for name in values},
            counterfeit=counterfeit[rows],
            origin=np.where(counterfeit, np.uint64(0), self.origin_hashes(places))[rows],
            part=(group if release.invariant is None else release.invariant.part)[rows],
            signatures=() if release.invariant is None else release.invariant.signatures,
            texts={} if release.invariant is None else release.invariant.texts,
            cells={name: [texts[place] for place in order] for name, texts in cells.items()},
            losses=lost,
            traits={name: column[rows] for name, column in self.trait_hashes(places).items()},
            spans=self.spans(),
            population=self.population,
        )
        return table, np.unique(whose[rows], return_inverse=True)[1].astype(np.int64)

    def _released(self, release: Release, grouping: Grouping) -> tuple[Ints, Ints, dict[str, Hashes]]:
        """Of each released record its place in the input, its class, and its sensitive values."""
        return release.coded.index.to_numpy(), grouping.group, self.value_hashes(release.coded)

    def _values_before(self, frame: pd.DataFrame) -> dict[str, Hashes]:
        """The sensitive attributes of the records of the input."""
        return self.value_hashes(frame)

    def person_hashes(self, rows: Any) -> dict[str, Hashes]:
        """Of these records of the input, whose they are by each way to recognise persons; 0 where cells are missing."""
        return {name: column[rows] for name, column in self._persons.items()}

    def origin_hashes(self, rows: Any) -> Hashes:
        """Of these records of the input, the quasi-identifiers."""
        return np.asarray(self._origins[rows])

    @cached_property
    def _persons(self) -> dict[str, Hashes]:
        found = {}
        for columns in self.columns:
            found[" + ".join(columns)] = self.hashes_of_persons(self._frame[columns])
        return found

    def hashes_of_persons(self, part: pd.DataFrame) -> Hashes:
        """Of records whose they are, by some columns together; 0 where a cell is missing."""
        numbering = self._numbering.setdefault(" + ".join(part.columns), [Numbering() for _ in part.columns])
        for name, each in zip(part.columns, numbering, strict=True):
            each.add(all_as_read(distinct_texts(part[name])[1]).to_pylist())
        return hashes_of_persons(part, self.register.key_for("persons"))

    def places_of_persons(self) -> Hashes:
        """Of the records of the input numbers that put persons into an order, the same with the key of any register."""
        return hashes_of_persons(self._frame[self.columns[0]], b"places of persons")

    def spans(self) -> dict[str, int]:
        """Of each way to recognise persons the span of its numbers, as `same_persons` has it."""
        count = {name: len(np.unique(column)) for name, column in self._persons.items()}
        return {name: span_of(self._numbering[name], count[name]) for name in count}

    @cached_property
    def _trait_hashes(self) -> dict[str, Traits]:
        return self.hashes_of_traits(self._frame)

    def trait_hashes(self, rows: Any) -> dict[str, Traits]:
        """Of these records of the input, each quasi-identifier, by 16 bits."""
        return {name: column[rows] for name, column in self._trait_hashes.items()}

    def hashes_of_traits(self, frame: pd.DataFrame) -> dict[str, Traits]:
        """Of records each quasi-identifier, by 16 bits."""
        names = self._operation.quasi_identifiers
        return {str(name): traits_of(hashed(frame[name], self.register.key_for("values"))) for name in names}

    @property
    def population(self) -> str:
        """What the project file calls the persons of the table."""
        return population_of(self._ctx.run, self._operation.input_dataset)

    @cached_property
    def _origins(self) -> Hashes:
        return self.hashes_of_origins(self._frame)

    def hashes_of_origins(self, frame: pd.DataFrame) -> Hashes:
        """Of records the quasi-identifiers."""
        return hashed(together(frame[self._operation.quasi_identifiers]), self.register.key_for("origins"))

    def value_hashes(self, frame: pd.DataFrame) -> dict[str, Hashes]:
        """Of records the sensitive attributes."""
        return {
            name: hashed(frame[name], self.register.key_for("values")) for name in self._operation.sensitive_attributes
        }

    # ------------------------------------------------------------ what is said of it

    def _told(self, found: Intersection, entries: Sequence[Entry]) -> dict[str, Any]:
        k = self._operation.k
        few = int((found.sizes < k).sum())
        compared = [
            {
                "release": entry.number,
                **{name: entry.facts.get(name) for name in ("task_id", "dataset", "time")},
                "persons_in_both": both,
                "persons_disclosed": disclosed,
                "because": why,
            }
            for entry, both, disclosed, why in zip(entries, found.both, found.with_each, found.why, strict=True)
            if both
        ]
        others = [
            {"release": entry.number, "equal_identifiers": equal, "because": why}
            for entry, equal, why in zip(entries, found.equal, found.why, strict=True)
            if equal
        ]
        told: dict[str, Any] = {"persons": len(found.sizes), "compared_with": compared, "other_persons": others}
        if compared:
            told |= {
                "smallest_intersection": int(found.sizes.min()),
                "persons_below_k": few,
                "share_below_k": few / len(found.sizes),
                "persons_alone": int((found.sizes == 1).sum()),
                "persons_disclosed": found.persons,
                "disclosed_by_attribute": found.disclosed,
            }
        return told

    def _judge(self, found: Intersection, entries: Sequence[Entry], told: Mapping[str, Any]) -> None:
        """Refuse a release that tells too much with earlier ones; warn where it tells anything."""
        operation = self._operation
        named = {entry.number: entry for entry in entries}
        unsure = [each for each in told["other_persons"] if "two populations" not in each["because"]]
        if unsure:
            listed = "; ".join(
                f"{named[each['release']]}, {each['equal_identifiers']:,} {each['because']}" for each in unsure
            )
            self._ctx.warn(
                f"{operation.output_dataset} is not compared with releases that seem to be of other persons: {listed}."
                f" State in the project file which persons the datasets are of (`ops-anonymize.populations`)"
            )
        if not told["compared_with"]:
            return
        listed = "; ".join(
            f"{named[each['release']]}, {each['persons_in_both']:,} persons in both"
            + (f", {each['persons_disclosed']:,} disclosed" if each["persons_disclosed"] else "")
            for each in told["compared_with"]
        )
        attributes = ", ".join(f"{name} of {count:,}" for name, count in found.disclosed.items() if count)
        alone = (
            f"{told['persons_below_k']:,} of {told['persons']:,} persons share their classes in all of these releases"
            f" with fewer than k - 1 = {operation.k - 1} others, {told['persons_alone']:,} with nobody"
        )
        how = (
            "For a table to which persons were added, keep the classes of the others with `update: append`; for one"
            " that persons also leave, keep their signatures with `update: m-invariant`. If an earlier release was"
            " never handed out, take it out: `pamola-task releases withdraw NUMBER`"
        )
        if found.persons > operation.max_disclosed:
            raise DataRefused(
                f"{operation.output_dataset} is not released: together with earlier releases it discloses {attributes}"
                f" persons for certain, though no release does alone; {operation.max_disclosed:,} are accepted"
                f" (`max_disclosed`). Compared with {listed}. {alone}. {how}. Or accept a higher number",
                persons_disclosed=found.persons,
                persons_below_k=told["persons_below_k"],
            )
        if told["share_below_k"] > operation.max_below_k:
            raise DataRefused(
                f"{operation.output_dataset} is not released: {alone}, more than"
                f" `max_below_k: {operation.max_below_k:g}` allows."
                f" Compared with {listed}. {how}. Or accept a higher share",
                persons_below_k=told["persons_below_k"],
            )
        if told["persons_below_k"] or found.persons:
            also = f", and {attributes} persons follows for certain" if found.persons else ""
            self._ctx.warn(f"{operation.output_dataset}: {alone}{also}. Compared with {listed}")


def check_register(operation: Any) -> None:
    """Refuse parameters of the register that contradict others."""
    kept = [
        name
        for name in stated_columns(operation)
        if name in operation.sensitive_attributes or name in operation.insensitive_attributes
    ]
    if kept:
        raise ParameterError(
            f"AnonymizeOperation: {', '.join(kept)} identifies persons (`register`), and has the role of a column that"
            f" is released as it is"
        )
    if operation.register is False and (operation.max_disclosed or operation.max_below_k < 1):
        raise ParameterError("AnonymizeOperation: `max_disclosed` and `max_below_k` do nothing with `register: false`")
