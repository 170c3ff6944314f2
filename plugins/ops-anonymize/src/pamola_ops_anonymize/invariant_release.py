"""The release of a table that grows and shrinks: m-invariant with all earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext
from pamola_tasks.errors import DataRefused

from .columns import text_of
from .domains import Codes, Floats, Ints, OrderedDomain
from .earlier import Earlier, earlier_releases
from .m_invariance import Bucket, Cost, Distance, Signature, buckets_of, classes_in
from .persons import Persons
from .recoding import OUTSIDE
from .registering import Registration
from .release import Invariant, Release, anonymized
from .release_settings import Settings
from .same_persons import Hashes
from .table import Table


@attrs.define(eq=False)
class _Values:
    """The sensitive values of a table, and of signatures of earlier releases, as numbers.

    Attributes:
        hashes: The hash of each value.
        texts: Its text, by hash, where it is known.
    """

    hashes: list[int]
    texts: dict[int, str]

    def code(self, hashed: int) -> int:
        if hashed not in self._place:
            self._place[hashed] = len(self.hashes)
            self.hashes.append(hashed)
        return self._place[hashed]

    _place: dict[int, int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._place = {hashed: place for place, hashed in enumerate(self.hashes)}


def invariant(
    operation: Any,
    ctx: OperationContext,
    registration: Registration,
    frame: pd.DataFrame,
    settings: Settings,
    progress: Callable[[int], None],
) -> Release:
    """Release a table so that each person keeps the signature of the earlier releases.

    Args:
        operation: The step; its `l` is m, 2 unless given.
        ctx: Where it runs.
        registration: How persons are recognised.
        frame: The table, without the columns that are dropped.
        settings: How it is to be anonymized.
        progress: Called with how many records have found their class.

    Raises:
        DataRefused: m-invariance cannot be reached.
    """
    (sensitive,) = operation.sensitive_attributes
    columns, k, m = operation.quasi_identifiers, operation.k, max(2, int(operation.l or 2))
    persons = next(iter(registration.person_hashes(np.arange(len(frame))).values()))
    _one_record_each(operation, persons)
    hashes = registration.value_hashes(frame)[sensitive]
    codes, distinct = pd.factorize(hashes)
    example = np.unique(codes, return_index=True)[1]
    shown = ["" if pd.isna(cell) else text_of(cell) for cell in frame[sensitive].iloc[example].tolist()]
    values = _Values([int(each) for each in distinct], dict(zip(map(int, distinct), shown, strict=True)))

    complete = frame[columns].notna().all(axis=1).to_numpy(dtype=bool)
    usable = complete if settings.nulls == "suppress" else np.ones(len(frame), dtype=bool)
    signatures, continued = _signatures(
        operation, earlier_releases(registration, frame, columns, ctx), codes, values, m
    )
    order = np.flatnonzero(usable)
    # which new records are taken first: only who has the register's key can tell, unless all is to be repeatable
    places = registration.places_of_persons() if settings.ties == "fixed" else persons
    order = order[np.argsort(places[order], kind="stable")]
    buckets = buckets_of(codes[order], [signatures[row] for row in order], len(values.hashes), m, k)
    for bucket in buckets:
        bucket.records = {value: [int(order[each]) for each in found] for value, found in bucket.records.items()}
    if not buckets and len(frame) >= k:
        frequent = int(np.bincount(codes).max())
        raise DataRefused(
            f"{operation.output_dataset} cannot be {m}-invariant: no class of {k} records has {m} values of {sensitive}"
            f" or more, each as often as the others. The most frequent value has {frequent:,} of {len(frame):,}"
            f" records: at most one in {m} may have it (`l` is m)",
            column=sensitive,
        )
    group = np.full(len(frame), OUTSIDE, dtype=np.int64)
    part = np.full(len(frame), -1, dtype=np.int64)
    table = Table.of(frame, columns)
    of_record, cost, distance = _losses(table)
    counterfeits: list[tuple[int, int]] = []  # class and value
    signature_of: list[int] = []
    for number, bucket in enumerate(buckets):
        for found, copies in classes_in(bucket, of_record, k, cost, distance):
            for value, records in zip(bucket.signature, found, strict=True):
                group[records], part[records] = len(signature_of), number
                counterfeits += [(len(signature_of), value)] * (copies - len(records))
            signature_of.append(number)
    progress(int((group != OUTSIDE).sum()))
    release = anonymized(frame, columns, k, attrs.evolve(settings, classes=group[usable]))
    return _completed(operation, ctx, registration, release, group, part, buckets, values, counterfeits,
                      signature_of, continued, signatures)  # fmt: skip


def _one_record_each(operation: Any, persons: Hashes) -> None:
    unknown = int((persons == 0).sum())
    several = len(persons) - unknown - len(np.unique(persons[persons > 0]))
    if unknown or several:
        why = f"{unknown:,} have no identifier" if unknown else f"{several:,} are further records of a person"
        raise DataRefused(
            f"{operation.input_dataset} cannot be released with `update: m-invariant`, which is of one record for each"
            f" person: of its {len(persons):,} records {why}"
        )


def _signatures(
    operation: Any, releases: Iterable[Earlier], codes: Ints, values: _Values, m: int
) -> tuple[list[Signature | None], list[Earlier]]:
    """The signature that each record has from the newest release that has its person and value; None for new ones.

    A release that was not made m-invariant is continued, too, if it is by chance: each class of a person of the table
    has m values or more, all of them equally often, and the same as in other releases.

    Raises:
        DataRefused: An earlier release cannot be part of an m-invariant series.
    """
    (sensitive,) = operation.sensitive_attributes
    signatures: list[Signature | None] = [None] * len(codes)
    seen, continued = np.zeros(len(codes), dtype=bool), []
    for earlier in releases:
        called = earlier.called[sensitive]
        if called is None:  # nothing of the attribute was released with it
            continue
        continued.append(earlier)
        values.texts = {**earlier.table.texts, **values.texts}
        known = earlier.signatures(called)
        uneven = short = others = 0
        for row in earlier.rows.tolist():
            hashes = known[int(earlier.part[row])]
            if hashes is None or earlier.several[row]:
                uneven += 1
                continue
            signature = tuple(sorted(map(values.code, hashes)))
            if int(codes[row]) in signature:  # else it has changed since, and is as new
                short += len(signature) < m
                if not seen[row]:
                    signatures[row] = signature
                others += signatures[row] not in (None, signature)
            seen[row] = True
        if uneven or short or others:
            raise _not_invariant(operation, earlier, m, uneven, short, others)
    return signatures, continued


def _not_invariant(operation: Any, earlier: Earlier, m: int, uneven: int, short: int, others: int) -> DataRefused:
    (sensitive,) = operation.sensitive_attributes
    why = []
    if uneven:
        why.append(f"{uneven:,} are in classes of it in which some values of {sensitive} are more frequent than others")
    if short:
        why.append(f"{short:,} are in classes of it that have fewer than {m} values of {sensitive} (`l` is m)")
    if others:
        why.append(f"{others:,} have another set of values there than in a later release")
    return DataRefused(
        f"{operation.output_dataset} cannot continue {earlier.entry} with `update: m-invariant`: of its persons in"
        f" {operation.input_dataset}, {', and '.join(why)}. A class may have each of {m} values or more equally often"
        f" only, in every release of the series: otherwise a balanced class of some persons reveals by subtraction what"
        f" the others have. While persons are only added, `update: append` continues it. If it was never handed out,"
        f" withdraw it (`pamola-task releases withdraw {earlier.entry.number}`) and begin with an m-invariant release."
        f" Or leave these persons out of {operation.input_dataset}",
        persons=uneven + short + others,
    )


def _losses(table: Table) -> tuple[Codes, Cost, Distance]:
    """The codes of all records, what they lose that get the same cells, and how far they are from each other."""
    codes = np.array([row.take(table.combination) for row in table.distinct], dtype=np.int64)
    ordered = np.array([isinstance(domain, OrderedDomain) for domain in table.domains])
    span = np.array([max(1, domain.size - 1) for domain in table.domains], dtype=float)

    def cost(records: Ints) -> float:
        part = codes[:, records]
        lost = float((np.ptp(part[ordered], axis=1) / span[ordered]).sum())
        for row, width in zip(part[~ordered], span[~ordered], strict=True):
            lost += (len(np.unique(row)) - 1) / width
        return lost * len(records)

    def distance(records: Ints, other: int) -> Floats:
        apart = np.abs(codes[:, records] - codes[:, [other]])
        return np.asarray((np.where(ordered[:, None], apart, apart != 0) / span[:, None]).sum(axis=0))

    return codes, cost, distance


def _completed(
    operation: Any,
    ctx: OperationContext,
    registration: Registration,
    release: Release,
    group: Ints,
    part: Ints,
    buckets: list[Bucket],
    values: _Values,
    counterfeits: list[tuple[int, int]],
    signature_of: list[int],
    continued: list[Earlier],
    signatures: list[Signature | None],
) -> Release:
    """The release with its counterfeits, each with the cells of its class and other cells of records in it."""
    (sensitive,) = operation.sensitive_attributes
    coded, own = release.coded, group[release.coded.index.to_numpy()]
    start = np.argsort(own, kind="stable")
    bounds = np.searchsorted(own[start], np.arange(len(signature_of) + 1))
    # the same for the same table, and unknown without the register's key, unless all is to be repeatable
    secret = operation.ties == "random"
    seed = int.from_bytes(registration.register.key_for(f"counterfeits of {len(coded)}")[:8]) if secret else len(coded)
    rng = np.random.default_rng(seed)
    chosen: dict[Any, list[int]] = {name: [] for name in coded.columns}
    example: dict[int, int] = {}
    hashes = registration.value_hashes(coded)[sensitive]
    for place, hashed in enumerate(hashes.tolist()):
        example.setdefault(hashed, place)
    for number, value in counterfeits:
        members = start[bounds[number] : bounds[number + 1]]
        for name, places in chosen.items():
            if name == sensitive:
                places.append(example.get(values.hashes[value], -1))
            else:
                places.append(int(members[rng.integers(len(members))]))
    made = pd.DataFrame({name: coded[name].iloc[places].array for name, places in chosen.items()})
    absent = [place for place, at in enumerate(chosen[sensitive]) if at < 0]
    if absent:
        texts = [values.texts.get(values.hashes[counterfeits[place][1]]) for place in absent]
        if None in texts or not pd.api.types.is_string_dtype(coded[sensitive].dtype):
            raise DataRefused(
                f"{operation.output_dataset} cannot be m-invariant: a value of {sensitive} is needed for counterfeit"
                f" records that only records of earlier releases have had",
                column=sensitive,
            )
        made.loc[absent, sensitive] = texts
    made.index = pd.RangeIndex(-1, -1 - len(made), -1)
    whole = pd.concat([coded, made]) if len(made) else coded
    persons = release.persons and release.persons.followed_by(Persons.each(len(made)))
    new = sum(signatures[row] is None for row in release.coded.index.tolist())
    if counterfeits:
        ctx.warn(
            f"{operation.output_dataset}: {len(counterfeits):,} of {len(whole):,} records are counterfeits"
            f" (`update: m-invariant`): analyses count them, too"
        )
    if release.suppressed - release.suppressed_for_nulls:
        ctx.warn(
            f"{operation.output_dataset}: {release.suppressed - release.suppressed_for_nulls:,} records are held back,"
            f" since they do not make a balanced class (`update: m-invariant`)"
        )
    return attrs.evolve(
        release,
        coded=whole,
        persons=persons,
        counterfeits=len(made),
        invariant=Invariant(
            part=np.append(part[coded.index.to_numpy()], [signature_of[number] for number, _ in counterfeits]).astype(
                np.int64
            ),
            signatures=[[values.hashes[value] for value in bucket.signature] for bucket in buckets],
            texts=values.texts,
        ),
        update={
            "continues": continued[0].entry.number if continued else None,
            "m": min((len(bucket.signature) for bucket in buckets), default=0),
            "signatures": len(buckets),
            "counterfeits": len(made),
            "records_kept": len(coded) - new,
            "records_new": new,
            "records_held_back": release.suppressed - release.suppressed_for_nulls,
        },
    )
