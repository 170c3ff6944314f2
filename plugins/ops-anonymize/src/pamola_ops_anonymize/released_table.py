"""What the register of releases keeps of a released table, and how that is written."""

from __future__ import annotations

import hmac
import io
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs
import numpy as np

from .domains import Ints, Mask
from .same_persons import Hashes, Traits


@attrs.frozen(eq=False, kw_only=True)
class ReleasedTable:
    """What the register keeps of a release, a row for each of its records, sorted.

    Attributes:
        persons: Whose the record is, a hash by each of some identifying columns; 0 where that is unknown.
        group: The class of the record.
        values: Hashes of sensitive attributes.
        known: Of sensitive attributes, whether the value followed for certain when it was published.
        origin: Hashes of the quasi-identifiers as they came in.
        counterfeit: Whether the record is a counterfeit.
        cells: The released quasi-identifiers of each class, as text; None for a missing one.
        part: The number of the record's signature in `signatures`, of an m-invariant release; else as `group`.
        signatures: Hashes of the sensitive values of each signature, and `texts` the value of each hash.
        losses: `ncp_set` and `ncp_hier` of each quasi-identifier, summed over the records.
        traits: The first 16 bits of the hash of each quasi-identifier as it came in.
        spans: Of each way in `persons` the `span` of its numbers, as `same_persons` has it; empty where it is unknown.
        population: What the project file calls the persons; empty where it says nothing.
    """

    persons: Mapping[str, Hashes]
    group: Ints
    values: Mapping[str, Hashes]
    known: Mapping[str, Mask]
    origin: Hashes
    counterfeit: Mask
    part: Ints
    cells: Mapping[str, Sequence[str | None]]
    losses: Mapping[str, Mapping[str, float]] = attrs.Factory(dict)
    signatures: Sequence[Sequence[int]] = ()
    texts: Mapping[int, str] = attrs.Factory(dict)
    traits: Mapping[str, Traits] = attrs.Factory(dict)
    spans: Mapping[str, int] = attrs.Factory(dict)
    population: str = ""

    def to_bytes(self) -> bytes:
        """As an Arrow file."""
        import pyarrow as pa

        kinds: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("person", self.persons),
            ("value", self.values),
            ("known", self.known),
            ("trait", self.traits),
        )
        columns = {f"{kind}:{name}": column for kind, part in kinds for name, column in part.items()}
        table = pa.table({**columns, "class": self.group, "counterfeit": self.counterfeit})
        table = table.append_column("part", [self.part]).append_column("origin", [self.origin])
        more: dict[str, Any] = {
            "cells": {name: list(texts) for name, texts in self.cells.items()},
            "losses": dict(self.losses),
            "signatures": list(self.signatures),
            "texts": list(self.texts.items()),
            "spans": dict(self.spans),
            "population": self.population,
        }
        table = table.replace_schema_metadata({name: json.dumps(value) for name, value in more.items()})
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()

    @classmethod
    def of_bytes(cls, data: bytes) -> ReleasedTable:
        """The reverse of `to_bytes`."""
        import pyarrow as pa

        table = pa.ipc.open_file(io.BytesIO(data)).read_all()
        parts: dict[str, dict[str, Any]] = {"person": {}, "value": {}, "known": {}, "trait": {}}
        for name in table.column_names:
            kind, _, of = name.partition(":")
            if of:
                parts[kind][of] = table[name].to_numpy()
        about = {name.decode(): json.loads(value) for name, value in table.schema.metadata.items()}
        return cls(
            persons=parts["person"],
            group=table["class"].to_numpy(),
            values=parts["value"],
            known=parts["known"],
            counterfeit=table["counterfeit"].to_numpy(),
            part=table["part"].to_numpy(),
            origin=table["origin"].to_numpy(),
            traits=parts["trait"],
            texts=dict(about["texts"]),
            **{name: about[name] for name in ("cells", "losses", "signatures")},
            spans=about.get("spans", dict.fromkeys(parts["person"], 1)),  # of earlier versions: may be numbers
            population=about.get("population", ""),
        )

    @cached_property
    def records(self) -> int:
        return len(self.group)

    def digest(self, key: bytes) -> str:
        """The same for tables that release the same of the same persons."""
        made = hmac.new(key, digestmod="sha256")
        parts: list[Any] = [self.group, *self.persons.values(), *self.values.values(), self.counterfeit]
        for part in parts:
            made.update(np.ascontiguousarray(part).tobytes())
        made.update(repr([*self.persons, *self.values, sorted(self.cells.items())]).encode("utf-8", "surrogatepass"))
        return made.hexdigest()
