"""Whether the people of a control are others than those of the original: else every comparison with them is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pamola_tasks.errors import DataError

from .columns import distinct_texts
from .domains import Ints, combinations

_DEVIATIONS = 4
_RARE = 0.01


def check_control(
    original: pd.DataFrame,
    control: pd.DataFrame,
    columns: Sequence[str],
    person: Sequence[str],
    dataset: str,
) -> None:
    """Refuse a control with people of the original, or with records that can hardly be those of others.

    Without columns that identify persons, records are compared: more of the control's should not be in the original
    than the original's are there a second time, beyond what chance does; and not all, unless doubles are that common.
    Nor may both be the same records, unless each has a double.

    Args:
        original: The original.
        control: The control.
        columns: What is compared where `person` is empty.
        person: Columns that identify a person in both.
        dataset: The control, for messages.

    Raises:
        DataError: Persons of the control, or too many of its records, are in the original.
    """
    ours, theirs = _numbers(original, control, person or columns)
    if person:
        both = len(np.intersect1d(ours, theirs))
        if both:
            raise DataError(
                f"{dataset}: {both:,} of {len(np.unique(theirs)):,} persons (by {', '.join(person)}) are in the"
                f" original, too: a control has only people who were held out before the release was made"
            )
        return
    count = np.bincount(ours, minlength=int(theirs.max()) + 1)
    expected, found = float((count[ours] > 1).mean()), float((count[theirs] > 0).mean())
    deviation = (0.25 / len(theirs) + 0.25 / len(ours)) ** 0.5
    by_chance = ((expected * len(ours) + 1) / (len(ours) + 2)) ** len(theirs)
    same = len(ours) == len(theirs) and expected < 1 and bool((np.sort(ours) == np.sort(theirs)).all())
    if same or found > expected + _DEVIATIONS * deviation or (found == 1 and by_chance < _RARE):
        raise DataError(
            f"{dataset}: {100 * found:.0f} % of its records are also in the original, where {100 * expected:.0f} % have"
            f" a double (by {', '.join(columns)}): a control has only people who were held out before the release was"
            f" made. If they are other people, name columns that identify them in `person`; else leave"
            f" `control_dataset` out, or hold people out with HoldOutOperation"
        )


def _numbers(original: pd.DataFrame, control: pd.DataFrame, columns: Sequence[str]) -> tuple[Ints, Ints]:
    """A number for each record of both, the same for the same cells."""
    ids, sizes = [], []
    for name in columns:
        of_both = [distinct_texts(frame[name]) for frame in (original, control)]
        common, found = pd.factorize(np.array([text for _, texts in of_both for text in texts], dtype=object))
        known = np.split(common.astype(np.int64), [len(of_both[0][1])])
        codes = [np.append(there, len(found))[which] for there, (which, _) in zip(known, of_both, strict=True)]
        ids.append(np.concatenate(codes))
        sizes.append(len(found) + 1)
    number = combinations(ids, sizes)[1]
    return number[: len(original)], number[len(original) :]
