"""The operation that swaps the areas of households: targeted record swapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext, writes
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.validators import column_names, number, some_columns, whole_number, wrong

from .columns import Floats, Ints, codes_of, missing_in, numbers_of
from .household_swaps import UNTIL_LAST, Households, swap
from .perturbing import PerturbOperation

K = 3


def _profiles(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, (list, tuple)) or not value:
        raise wrong(operation, attribute.name, "a list of profiles, each a list of column names", value)
    for profile in value:
        some_columns(operation, attribute, profile)


class RecordSwapOperation(PerturbOperation):
    """Swap the areas of households at risk with those of similar households elsewhere: targeted record swapping.

    The method that Eurostat recommends for the census of 2021, with the parameters of sdcMicro's `recordSwap`. From the
    highest level of the hierarchy down, each household with a member whom fewer than `k_anonymity` records of the area
    are like is swapped with a similar household of another area of that level; at the lowest level further ones are,
    until a part `swaprate` of all is swapped. A household is swapped once at most, with one that agrees with it in all
    columns of a profile; the more at risk a household is, the more probable it is chosen. What is swapped are the
    columns of the hierarchy, and those carried along: counts of all other columns stay the same everywhere above.

    Args:
        input_dataset: The table: a record for each person.
        output_dataset: What the perturbed table is called.
        hierarchy: Columns with the area, from the highest level to the lowest.
        similar: Similarity profiles, each a list of columns: a partner agrees in those of the first profile, else in
            those of the second …
        risk_variables: Columns in which records are compared to see who is at risk: a record's risk in an area is 1
            over the number of records there that are like it.
        hid: The column with the id of a household, whose members are swapped together; each record is its own unless
            given.
        swaprate: Which part of the households is swapped at least, 0 to 1.
        k_anonymity: Records like fewer records than that, in the area, are at risk; 0 for none; 3 unless given.
        risk: In place of `risk_variables`: a column for each level of `hierarchy`, with the risk of each record there,
            numbers of 0 or more. A household has the greatest risk of its members. The greater it is, the more
            probable the household is chosen; one whose risk is 0 is not chosen at that level.
        risk_threshold: With `risk`: households whose risk is above it have to be swapped.
        carry_along: Further columns that are swapped with the area, such as coordinates.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_swapped")
    hierarchy: list[str] = attrs.field(validator=some_columns)
    similar: list[list[str]] = attrs.field(validator=_profiles)
    risk_variables: list[str] = attrs.field(factory=list, validator=column_names)
    hid: str | None = None
    swaprate: float = attrs.field(default=0.05, validator=number(0, 1))
    k_anonymity: int | None = attrs.field(default=None, validator=whole_number(0))
    carry_along: list[str] = attrs.field(factory=list, validator=column_names)
    risk: list[str] = attrs.field(factory=list, validator=column_names)
    risk_threshold: float | None = attrs.field(default=None, validator=number(0))

    done: ClassVar[str] = "values swapped"

    def __attrs_post_init__(self) -> None:
        self._check_risk()
        fixed = {name for names in (*self.similar, self.risk_variables, self.risk) for name in names}
        if both := sorted((fixed | ({self.hid} if self.hid else set())) & set(self.changed())):
            raise ParameterError(f"RecordSwapOperation: {both[0]} is swapped, and cannot decide who is swapped")
        if both := sorted(set(self.hierarchy) & set(self.carry_along)):
            raise ParameterError(f"RecordSwapOperation: {both[0]} is both in `hierarchy` and in `carry_along`")

    def _check_risk(self) -> None:
        if bool(self.risk) == bool(self.risk_variables):
            raise ParameterError("RecordSwapOperation: state either `risk_variables` or `risk`: who is at risk?")
        if self.risk and len(self.risk) != len(self.hierarchy):
            raise ParameterError(
                f"RecordSwapOperation: `risk` needs a column for each level of `hierarchy`: {len(self.hierarchy)},"
                f" not {len(self.risk)}"
            )
        if self.risk and self.k_anonymity is not None:
            raise ParameterError("RecordSwapOperation: `k_anonymity` does nothing with `risk`: state `risk_threshold`")
        if self.risk and self.risk_threshold is None:
            raise ParameterError("RecordSwapOperation: `risk` needs `risk_threshold`: above which risk to swap")
        if self.risk_threshold is not None and not self.risk:
            raise ParameterError("RecordSwapOperation: `risk_threshold` does nothing without `risk`")

    @property
    def _k(self) -> int:
        return K if self.k_anonymity is None else self.k_anonymity

    @property
    def _threshold(self) -> float:
        """The risk above which a household has to be swapped."""
        if self.risk_threshold is not None:
            return self.risk_threshold
        return 1.0 / self._k if self._k else np.inf

    @property
    def columns(self) -> list[str]:
        """The columns that it changes."""
        return self.changed()

    def changed(self) -> list[str]:
        """The hierarchy, and what is carried along."""
        return [*self.hierarchy, *self.carry_along]

    def decide(self) -> Mapping[str, Sequence[str]]:
        """Household, profiles and risk."""
        similar = list(dict.fromkeys(name for profile in self.similar for name in profile))
        deciding = {"similar": similar, "risk_variables": self.risk_variables, "risk": self.risk}
        deciding["hid"] = [self.hid] if self.hid else []
        return {parameter: names for parameter, names in deciding.items() if names}

    def named(self) -> dict[str, Sequence[str]]:
        """The columns that parameters name, by parameter."""
        return {"hierarchy": self.hierarchy, "carry_along": self.carry_along, **self.decide()}

    def perturb(self, ctx: OperationContext, frame: pd.DataFrame) -> tuple[dict[str, pd.Series[Any]], dict[str, Any]]:
        """Swap households, and count what came of it."""
        if self.hid is not None:
            missing_in(self.input_dataset, frame, [self.hid], "which says whose household they are")
        of, count = codes_of([frame[self.hid]], len(frame)) if self.hid else (np.arange(len(frame)), len(frame))
        first = np.empty(count, dtype=np.int64)
        first[of[::-1]] = np.arange(len(of))[::-1]
        self._check_households(frame, of, first)
        areas = np.stack([codes_of([frame[n] for n in self.hierarchy[: level + 1]], len(frame))[0]
                          for level in range(len(self.hierarchy))])  # fmt: skip
        like, _ = codes_of([frame[name] for name in self.risk_variables], len(frame))
        risk = self._stated_risks(frame) if self.risk else _risks(like, areas)
        greatest = np.zeros((len(areas), count))
        for level in range(len(areas)):
            np.maximum.at(greatest[level], of, risk[level])
        if self.risk and (raised := int((greatest[:, of] > risk).any(axis=0).sum())):
            ctx.warn(f"{raised:,} records have less risk in {', '.join(self.risk)} than a member of their household")
        profiles = np.stack([codes_of([frame[n] for n in names], len(frame))[0][first] for names in self.similar])
        households = Households(areas[:, first], greatest, profiles)
        partner = swap(households, self._threshold, self.swaprate, ctx.rng)
        source = first[partner[of]]
        written = {
            name: frame[name].take(np.where(partner[of] == of, np.arange(len(of)), source)).set_axis(frame.index)
            for name in self.changed()
        }
        ctx.stage("measuring")
        return written, {"method": "targeted record swapping", **self._measured(households, partner, of, like, areas)}

    def _check_households(self, frame: pd.DataFrame, of: Ints, first: Ints) -> None:
        if self.hid is None:
            return
        names = dict.fromkeys([*self.changed(), *(name for profile in self.similar for name in profile)])
        for name in names:
            codes = pd.factorize(frame[name], use_na_sentinel=False)[0]
            if split := len(np.unique(of[codes != codes[first][of]])):
                raise DataError(
                    f"{self.input_dataset}: {split:,} households have members who differ in {name}, which has to be the"
                    f" same for all members of a household"
                )

    def _stated_risks(self, frame: pd.DataFrame) -> Floats:
        """For each level and record its risk, as the columns of `risk` have it."""
        missing_in(self.input_dataset, frame, self.risk, "which says how much at risk they are")
        risk = np.stack([numbers_of(self.input_dataset, frame[name], "risk") for name in self.risk])
        if (risk < 0).any():
            raise DataError(f"{self.input_dataset}: {int((risk < 0).sum()):,} risks are below 0 (`risk`)")
        return risk

    def _measured(self, households: Households, partner: Ints, of: Ints, like: Ints, areas: Ints) -> dict[str, Any]:
        level = households.level_of_risk(self._threshold)
        at_risk, moved = level < UNTIL_LAST, partner != np.arange(households.count)
        lowest = areas[-1]
        new_area = households.areas[-1][partner[of]]
        before, after = (_cells(like, area) for area in (lowest, new_area))
        few = at_risk[of] if self.risk else after[0][after[1]] < max(2, self._k)  # look at risk in the release
        true = ~moved[of][few]
        names = self.hierarchy
        return {
            "households": households.count,
            "households_swapped": int(moved.sum()),
            "share_of_households_swapped": float(moved.mean()) if households.count else 0.0,
            "households_at_risk": {name: int((level == n).sum()) for n, name in enumerate(names)},
            "households_at_risk_not_swapped": int((at_risk & ~moved).sum()),
            "record_linkage": {
                "true_match_rate": float(true.mean()) if len(true) else 0.0,
                "linked": len(true),
                "among": len(of),
            },
            "utility": _distances(like, lowest, new_area, len(before[0])),
        }


def _risks(like: Ints, areas: Ints) -> Floats:
    """For each level and record 1 over how many records of its area are like it."""
    risk = np.empty(areas.shape)
    for level, area in enumerate(areas):
        sizes, cell = _cells(like, area)
        risk[level] = 1.0 / sizes[cell]
    return risk


def _cells(like: Ints, area: Ints) -> tuple[Ints, Ints]:
    """The sizes of the cells of the table of risk variables by area, and the cell of each record."""
    span = int(area.max(initial=-1)) + 1
    cell = np.asarray(pd.factorize(like * max(span, 1) + area)[0], dtype=np.int64)
    return np.bincount(cell).astype(np.int64), cell


def _distances(like: Ints, before: Ints, after: Ints, cells: int) -> dict[str, float]:
    """How the table of risk variables by area of the lowest level changed: average absolute distance per cell (N.
    Shlomo: in Privacy in Statistical Databases 2010), and the part of the records that is in another cell."""
    if not len(like):
        return {"average_absolute_distance": 0.0, "records_in_another_cell": 0.0}
    span = int(max(before.max(), after.max())) + 1
    codes, values = pd.factorize(np.concatenate([like * span + before, like * span + after]))
    old, new = (np.bincount(half, minlength=len(values)) for half in (codes[: len(like)], codes[len(like) :]))
    return {
        "average_absolute_distance": float(np.abs(old - new).sum() / max(1, cells)),
        "records_in_another_cell": float(np.mean(before != after)),
    }
