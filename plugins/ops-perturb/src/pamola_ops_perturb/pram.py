"""The operation that changes categories by chance: PRAM."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import pandas

from pamola_tasks import OperationContext, writes
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.validators import column_names, is_number, number, some_columns, wrong

from .columns import Floats, Ints, codes_of, require
from .linking import link_categories
from .perturbing import PerturbOperation
from .transition import MOST_CATEGORIES, TOLERANCE, Effect, drawn, invariant, randomized

PD, ALPHA = 0.8, 0.5

Matrix = dict[str, dict[str, float]]


def _pd(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    for each in value.values() if isinstance(value, Mapping) else [value]:
        if each is not None and not (is_number(each) and 0 <= each <= 1):
            raise wrong(operation, attribute.name, "a number from 0 to 1, or one for each column", value)


def _transition(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    for column, rows in (value or {}).items():
        what = f"{type(operation).__name__}; `transition` of {column}"
        for category, row in rows.items():
            if set(row) - set(rows):
                unknown = ", ".join(sorted(set(row) - set(rows)))
                raise ParameterError(f"{what}: {unknown} is released for {category}, and has no row of its own")
            if any(not is_number(each) or each < 0 for each in row.values()):
                raise ParameterError(f"{what}; probabilities of {category} have to be numbers of 0 or more")
            if abs(sum(row.values()) - 1.0) > TOLERANCE:
                raise ParameterError(f"{what}; probabilities of {category} add up to {sum(row.values()):.12g}, not 1")


class PramOperation(PerturbOperation):
    """Change categories by chance, with known probabilities: the Post RAndomisation Method (PRAM).

    Each cell is replaced independently by a category drawn with the probabilities of its row in a transition matrix (J.
    Gouweleeuw, P. Kooiman, L. Willenborg and P.-P. de Wolf, Journal of Official Statistics 14(4), 1998). Unless one is
    given, a matrix is drawn and made invariant, so that the frequencies of the column stay as they are in expectation:
    diagonal entries between `pd` and 1, then R = alpha P Q + (1 - alpha) I, as sdcMicro's `pram`. Several columns are
    changed independently of each other: combinations can come out that no person has. Missing values stay missing.

    What a released value says of the original, matrix and contingency table are in an internal artifact. With the
    matrix, others can estimate the original frequencies without bias; with the seed too, the original itself.

    Args:
        input_dataset: The table.
        output_dataset: What the perturbed table is called.
        columns: Columns of categories.
        pd: Of drawn matrices: the least diagonal entry, the probability to stay before `alpha` is applied; one number
            (0.8 unless given), or one for each column.
        alpha: Of invariant matrices: how much is perturbed, 0 (nothing) to 1; 0.5 unless given.
        transition: For a column its matrix: for each category the probabilities of those that it is released as; those
            that are left out are 0.
        invariant: Whether the matrix is made invariant. That is so unless it is given.
        strata: Columns within whose combinations matrices are drawn, or made invariant, and frequencies kept.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_randomized")
    columns: list[str] = attrs.field(validator=some_columns)
    pd: float | dict[str, float] | None = attrs.field(default=None, validator=_pd)
    alpha: float | None = attrs.field(default=None, validator=number(0, 1))
    transition: dict[str, Matrix] | None = attrs.field(default=None, validator=_transition)
    invariant: bool | None = None
    strata: list[str] = attrs.field(factory=list, validator=column_names)

    done: ClassVar[str] = "categories changed by chance"

    def __attrs_post_init__(self) -> None:
        given = set(self.transition or {})
        if strange := sorted({*given, *(self.pd if isinstance(self.pd, dict) else ())} - set(self.columns)):
            raise ParameterError(f"PramOperation: {strange[0]} is not among `columns`, and has a matrix or `pd`")
        if both := sorted(set(self.columns) & set(self.strata)):
            raise ParameterError(f"PramOperation: {both[0]} is both in `columns` and in `strata`")
        all_given = given == set(self.columns)
        if self.pd is not None and (all_given or (isinstance(self.pd, dict) and given & set(self.pd))):
            raise ParameterError("PramOperation: `pd` does nothing for columns whose matrix is in `transition`")
        if self.alpha is not None and not any(map(self._invariant, self.columns)):
            raise ParameterError("PramOperation: `alpha` is for invariant matrices: set `invariant: true`")

    def _invariant(self, column: str) -> bool:
        return column not in (self.transition or {}) if self.invariant is None else self.invariant

    def changed(self) -> list[str]:
        """Those of `columns`."""
        return list(self.columns)

    def decide(self) -> Mapping[str, Sequence[str]]:
        """Those of `strata`."""
        return {"strata": self.strata} if self.strata else {}

    def perturb(
        self, ctx: OperationContext, frame: pandas.DataFrame
    ) -> tuple[dict[str, pandas.Series[Any]], dict[str, Any]]:
        """Draw column by column, each from a generator of its own."""
        require(self.input_dataset, frame.columns, self.named())
        strata, count = codes_of([frame[name] for name in self.strata], len(frame))
        seeds = ctx.rng.integers(2**63, size=len(self.columns) + 1)
        written: dict[str, pandas.Series[Any]] = {}
        told: dict[str, Any] = {}
        internal: dict[str, Any] = {}
        before: list[Ints] = []
        after: list[Ints] = []
        for name, seed in zip(self.columns, seeds.tolist(), strict=False):
            column = _Categories.of(self, frame[name])
            new, effects = self._randomized(column, strata, count, np.random.default_rng(seed))
            written[name] = column.column(new, frame.index)
            size = len(column.texts)
            whole = Effect.of(_mean_matrix(effects, size), column.codes[column.present], new[column.present])
            told[name] = whole.figures()
            internal[name] = {"strata": [effect.listed(column.texts) for effect in effects]}
            before.append(column.codes)
            after.append(new)
            ctx.progress(len(written), len(self.columns), "columns")
        ctx.stage("measuring")
        linkage = link_categories(before, after, np.random.default_rng(int(seeds[-1])))
        with ctx.artifact(f"{self.output_dataset}_pram", "json", "Transitions of PRAM", category="metrics") as file:
            file.write(json.dumps(internal, allow_nan=False).encode())
        return written, {"method": "PRAM", "pram": told, "record_linkage": linkage}

    def _randomized(
        self, column: _Categories, strata: Ints, count: int, rng: np.random.Generator
    ) -> tuple[Ints, list[Effect]]:
        """The released category of each record, -1 where it is missing, and the effect in each stratum."""
        new, effects, size = column.codes.copy(), [], len(column.texts)
        order = np.argsort(strata, kind="stable")
        for members in np.split(order, np.cumsum(np.bincount(strata, minlength=count))[:-1]) if count else ():
            present = members[column.present[members]]
            codes = column.codes[present]
            shares = np.bincount(codes, minlength=size) / max(1, len(codes))
            matrix = self._matrix(column, shares, rng)
            new[present] = randomized(codes, matrix, rng)
            effects.append(Effect.of(matrix, codes, new[present]))
        return new, effects

    def _matrix(self, column: _Categories, shares: Floats, rng: np.random.Generator) -> Floats:
        if column.matrix is not None:
            matrix = column.matrix
        else:
            stay = self.pd.get(column.name, PD) if isinstance(self.pd, dict) else PD if self.pd is None else self.pd
            there = np.flatnonzero(shares > 0)  # no category comes into a stratum that has none of it
            matrix = np.eye(len(shares))
            matrix[np.ix_(there, there)] = drawn(len(there), stay, rng)
        return (
            invariant(matrix, shares, ALPHA if self.alpha is None else self.alpha)
            if self._invariant(column.name)
            else matrix
        )


@attrs.frozen(eq=False)
class _Categories:
    """A column as categories.

    Attributes:
        name: Its name.
        codes: The category of each record, -1 where it is missing.
        values: The categories, as an array that the column's cells can be taken from.
        texts: The same as text.
        matrix: Its transition matrix, where one is given.
    """

    name: str
    codes: Ints
    values: Any
    texts: list[str]
    matrix: Floats | None

    @property
    def present(self) -> Any:
        """Which records have a value."""
        return self.codes >= 0

    @classmethod
    def of(cls, operation: PramOperation, column: pandas.Series[Any]) -> _Categories:
        """The categories of a column, and those that only its matrix has.

        Raises:
            DataError: There are too many, or some that the matrix does not have.
        """
        name, where = str(column.name), f"{operation.input_dataset}: column {column.name}"
        codes, values = pandas.factorize(column, sort=False)
        if len(values) > MOST_CATEGORIES:
            raise DataError(
                f"{where} has {len(values):,} values, and a transition matrix at most {MOST_CATEGORIES:,}; group them"
                f" before (GeneralizeOperation)"
            )
        texts = [_text(value) for value in values]
        order = np.argsort(np.array(texts, dtype=object), kind="stable")  # not by appearance: rows may be in any order
        place = np.empty(len(order) + 1, dtype=np.int64)
        place[order], place[-1] = np.arange(len(order)), -1
        codes, values, texts = place[codes], values.take(order), [texts[n] for n in order]
        rows = (operation.transition or {}).get(name)
        if rows is None:
            return cls(name, codes, values, texts, None)
        if lacking := len(set(texts) - set(rows)):
            raise DataError(f"{where} has {lacking:,} values that its matrix in `transition` has no row for")
        places = {text: n for n, text in enumerate(texts)}
        more = [text for text in rows if text not in places]
        places |= {text: len(texts) + n for n, text in enumerate(more)}
        if more:
            values = _with_more(column, values, more, where)
        matrix = np.zeros((len(places), len(places)))
        for category, row in rows.items():
            for released, probability in row.items():
                matrix[places[category], places[released]] = probability
        return cls(name, codes, values, [*texts, *more], matrix)

    def column(self, codes: Ints, index: pandas.Index) -> pandas.Series[Any]:
        """A column of these categories."""
        cells = pandas.Series(self.values).array.take(codes, allow_fill=bool((codes < 0).any()))
        return pandas.Series(cells, index=index, name=self.name)


def _text(value: Any) -> str:
    """A category as it is written in a matrix: whole numbers without a point, days without a time."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, pandas.Timestamp) and value == value.normalize():
        return str(value.date())
    return str(value)


def _with_more(column: pandas.Series[Any], values: Any, more: list[str], where: str) -> Any:
    """The categories of a column, followed by others that are given as text."""
    if isinstance(column.dtype, pandas.CategoricalDtype):
        values = pandas.Series(values.astype(column.dtype.categories.dtype))
    try:
        added = pandas.Series(more, dtype=object).astype(pandas.Series(values).dtype)
    except (TypeError, ValueError):
        raise DataError(
            f"{where} holds {column.dtype}, and its matrix in `transition` has {len(more)} categories that are not"
        ) from None
    return pandas.concat([pandas.Series(values), added], ignore_index=True).array


def _mean_matrix(effects: list[Effect], size: int) -> Floats:
    """The matrix of all strata together: the mean for each category, by how often they have it."""
    weights = sum((effect.before[:, None] * effect.matrix for effect in effects), np.zeros((size, size)))
    total = sum((effect.before for effect in effects), np.zeros(size, dtype=np.int64))
    first = effects[0].matrix if effects else np.eye(size)
    return np.where(total[:, None] > 0, np.divide(weights, np.maximum(total, 1)[:, None]), first)
