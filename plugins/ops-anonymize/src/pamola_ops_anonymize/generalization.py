"""From classes to published columns: each class gets, per quasi-identifier, the narrowest cell that covers it.

The rule for missing values: where a whole class is missing, the cell stays missing; where a class mixes missing with
present values, the cell is suppressed (`*`), because no interval or set can say "or unknown" without revealing
that no record of the class has a value outside it. Partitioning counts that as a full loss, so it keeps missing
values together wherever it can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .domains import Codes, Domain, Floats, Ints, OrderedDomain, distinct_keys
from .hierarchies import Hierarchy
from .notation import SUPPRESSED, category_set, interval

MISSING = -1


@attrs.frozen(eq=False)
class GeneralizedColumn:
    """One quasi-identifier as it is published.

    Attributes:
        labels: Texts of cells, of which two may be alike.
        of_class: For each class the index into `labels`, or `MISSING`.
        loss: For each class the normalized certainty penalty of its cell, 0 to 1.
    """

    labels: list[str]
    of_class: Ints
    loss: Floats

    def cells(self, classes: Ints, index: pd.Index) -> pd.Series[Any]:
        """The column's cells for records of these classes, as categories: each text once."""
        # two labels may be written alike: whoever reads the release cannot tell them apart, nor may we
        written, texts = pd.factorize(np.array(self.labels, dtype=object))
        codes = np.append(written, MISSING)[self.of_class].astype(np.int32).take(classes)
        categories = pd.Index(pd.array(texts, dtype="string"))
        return pd.Series(pd.Categorical.from_codes(codes, categories=categories), index=index)


def as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Categories as the texts that they are; other columns as they are."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    codes = column.cat.codes.to_numpy()
    # from the memory that what was counted until now has left: Arrow's own pool would take as much once more
    pool = pa.system_memory_pool()
    places = pa.array(codes, mask=codes < 0, memory_pool=pool)
    text = pc.take(pa.array(column.cat.categories, pa.large_string()), places, memory_pool=pool)
    cells: pd.Series[Any] = text.to_pandas(types_mapper=lambda _: pd.StringDtype())
    return cells.set_axis(column.index)


def generalize(domain: Domain, codes: Codes, classes: Ints, count: int) -> GeneralizedColumn:
    """Cover each class by one cell, and return its normalized certainty penalty (J. Xu et al., KDD 2006).

    Args:
        domain: The column.
        codes: Code of each combination.
        classes: Class of each combination, ascending, 0 to `count` - 1, none of them empty.
        count: Number of classes.
    """
    width = domain.size + 1
    begin = np.searchsorted(classes, np.arange(count))
    low = np.minimum.reduceat(codes, begin).astype(np.int64)
    high = np.maximum.reduceat(codes, begin).astype(np.int64)
    alone, has_missing = low == high, high == domain.size

    labels: list[str] = []
    of_class = np.full(count, MISSING, dtype=np.int64)

    single = alone & ~has_missing
    _label(of_class, single, low[single], domain.texts, labels)

    mixed = ~alone & has_missing
    if mixed.any():
        of_class[mixed] = len(labels)
        labels.append(SUPPRESSED)

    several = ~alone & ~has_missing
    if isinstance(domain, OrderedDomain):

        def intervals(bounds: Ints) -> list[str]:
            lows, highs = domain.texts(bounds // width), domain.texts(bounds % width)
            return [interval(low, high) for low, high in zip(lows, highs, strict=True)]

        _label(of_class, several, low[several] * width + high[several], intervals, labels)
        positions = domain.positions
        spread = positions[high] - positions[low]
    else:
        pairs = distinct_keys(classes * width + codes, count * width)
        owner, code = pairs // width, pairs % width
        first = np.searchsorted(owner, np.arange(count))
        last = np.append(first[1:], len(owner)) - 1
        _label_sets(of_class, domain, code, first, last, np.flatnonzero(several), labels)
        spread = (last - first) / max(1, domain.size - 1)
    loss = np.where(mixed, 1.0, np.where(several, spread, 0.0))
    return GeneralizedColumn(labels, of_class, loss)


def labelled(
    hierarchy: Hierarchy, codes: Codes, classes: Ints, count: int, level: int | Ints | None = None
) -> GeneralizedColumn:
    """Cover each class by the lowest label of a hierarchy that holds all of it, or by the one at `level`.

    Where a class mixes missing with present values, or has to be written at the topmost level, that is `*`.

    Args:
        hierarchy: Of the column.
        codes: Code of each combination.
        classes: Class of each combination, 0 to `count` - 1, none of them empty.
        count: Number of classes.
        level: The level of every cell, or of each class; the lowest that covers it unless given.
    """
    levels, member = hierarchy.common(codes, classes, count)
    if level is not None:
        levels = np.full(count, level, dtype=np.int64)
    hidden = hierarchy.hides(levels, member)
    labels = [SUPPRESSED]
    of_class = np.where(hidden, 0, MISSING)
    group = hierarchy.groups[levels, member]
    for each, names in enumerate(hierarchy.labels):
        here = (levels == each) & (group < len(names)) & ~hidden
        used, inverse = np.unique(group[here], return_inverse=True)
        of_class[here] = inverse + len(labels)
        labels.extend(names[name] for name in used.tolist())
    return GeneralizedColumn(labels, of_class, hierarchy.loss[levels, member])


def central(domain: Domain, codes: Codes, weights: Ints, classes: Ints, count: int) -> Ints:
    """The code that represents each class: the median of numbers and dates, the most frequent category.

    J. Domingo-Ferrer and V. Torra, Data Mining and Knowledge Discovery 11, 2005.

    Args:
        domain: The column.
        codes: Code of each combination.
        weights: Records of each combination.
        classes: Class of each combination, 0 to `count` - 1, none of them empty.
        count: Number of classes.
    """
    order = np.lexsort((codes, classes))
    owner, code, weight = classes[order], codes[order].astype(np.int64), weights[order]
    if isinstance(domain, OrderedDomain):
        start = np.searchsorted(owner, np.arange(count))
        total = np.cumsum(weight)
        inside = total - (total[start] - weight[start])[owner]
        whole = np.bincount(owner, weights=weight, minlength=count)
        reached = np.flatnonzero(2 * inside >= whole[owner])
        _, first = np.unique(owner[reached], return_index=True)
        return code[reached[first]]
    width = domain.size + 1
    pairs, inverse = np.unique(owner * width + code, return_inverse=True)
    frequency = np.bincount(inverse, weights=weight)
    best = np.lexsort((pairs % width, -frequency, pairs // width))
    _, first = np.unique(pairs[best] // width, return_index=True)
    chosen: Ints = pairs[best[first]] % width
    return chosen


def representative(
    domain: Domain, codes: Codes, chosen: Ints, classes: Ints, count: int, hidden: npt.NDArray[np.bool_]
) -> GeneralizedColumn:
    """Publish one value for each class, as `central` chose it, or `*` where it is `hidden`; arguments as there.

    A cell then need not cover its own value. The loss is that of the range or set which the value represents.
    """
    covering = generalize(domain, codes, classes, count)
    suppressed = covering.of_class != MISSING
    mixed = np.zeros(count, dtype=bool)
    mixed[classes[codes == domain.size]] = True
    labels: list[str] = []
    of_class = np.full(count, MISSING, dtype=np.int64)
    _label(of_class, ~mixed, chosen[~mixed], domain.texts, labels)
    of_class[(mixed & suppressed) | hidden] = len(labels)
    labels.append(SUPPRESSED)
    return GeneralizedColumn(labels, of_class, np.where(hidden, 1.0, covering.loss))


def _label(
    of_class: Ints, which: npt.NDArray[np.bool_], keys: Ints, texts: Callable[[Ints], list[str]], labels: list[str]
) -> None:
    distinct, inverse = np.unique(keys, return_inverse=True)
    of_class[which] = inverse + len(labels)
    labels.extend(texts(distinct))


def _label_sets(
    of_class: Ints, domain: Domain, code: Ints, first: Ints, last: Ints, which: Ints, labels: list[str]
) -> None:
    texts = domain.texts(np.arange(domain.size))
    seen: dict[bytes, int] = {}
    for each in which.tolist():
        members = code[first[each] : last[each] + 1]
        key = members.tobytes()
        if key not in seen:
            seen[key] = len(labels)
            labels.append(category_set(texts[member] for member in members))
        of_class[each] = seen[key]
