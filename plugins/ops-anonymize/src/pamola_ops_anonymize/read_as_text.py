"""Quasi-identifiers that hold numbers or dates but were read as text: ranges of them would lose less than sets."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from .notation import INTERVAL

if TYPE_CHECKING:
    from pamola_tasks import OperationContext


def warn_of_categories(
    ctx: OperationContext, dataset: str, frame: pd.DataFrame, quasi_identifiers: Collection[str]
) -> None:
    """Warn of columns of text of which most values are numbers or dates, with the setting that makes them that.

    Args:
        ctx: Of the operation; a data source that describes columns says what they look like.
        dataset: The table.
        frame: The same, read.
        quasi_identifiers: Columns that are generalized or grouped by their values, without a stated hierarchy.
    """
    for said in unread(ctx, dataset, frame, quasi_identifiers):
        ctx.warn(f"{dataset}: {said}")


def unread(
    ctx: OperationContext, dataset: str, frame: pd.DataFrame, quasi_identifiers: Collection[str]
) -> Iterator[str]:
    """The same, said of each column."""
    describe = getattr(ctx.run.data_source, "describe_columns", None)
    there = [name for name in quasi_identifiers if name in frame.columns]
    recoded = _recoded(ctx, dataset)
    texts = [
        name for name in there if name not in recoded and _is_text(frame[name]) and not _is_generalized(frame[name])
    ]
    if describe is None or not texts:
        return
    chosen = ("whole numbers", "numbers") if not ctx.data.path(dataset) else ()  # whoever made the frame has seen these
    for column in describe(dataset, texts):
        if column.ordered and column.unread and column.looks_like not in chosen:
            settings = [column.setting] if column.setting else []
            settings += [setting for question in column.questions for setting in question.settings if _typed(setting)]
            asked = [question.text.rpartition(": ")[2] for question in column.questions if not question.settings]
            mend = f"set {' or '.join(settings)}" if settings else "".join(asked[:1]) or "set its type"
            yield (
                f"quasi-identifier {column.name} holds {column.in_words}, but was read as {column.read_as} and is"
                f" treated as a category: {mend}"
            )


def to_be_read_as(ctx: OperationContext, dataset: str, column: str, *types: str) -> str:
    """What the values of a column look like, and the settings of which one makes them of one of these types.

    Empty where they look like another type, or the data source does not say what they look like.
    """
    describe = getattr(ctx.run.data_source, "describe_columns", None)
    for seen in () if describe is None else describe(dataset, [column]):
        offered = [seen.setting, *(setting for question in seen.questions for setting in question.settings)]
        settings = [each for each in offered if any(f"{{type: {type_}" in each for type_ in types)]
        if settings:
            return f"it looks like {seen.in_words}: set {' or '.join(settings)}"
    return ""


def _typed(setting: str) -> bool:
    return setting.startswith("data_types")


def _recoded(ctx: OperationContext, dataset: str) -> set[str]:
    """The columns of a dataset that steps of this run have recoded."""
    found: set[str] = set()
    for operation in (step.operation for step in ctx.run.plan if dataset in step.writes):
        found.update(*(getattr(operation, name, ()) for name in ("columns", "quasi_identifiers")))
        if before := getattr(operation, "input_dataset", None):
            found |= _recoded(ctx, before)
    return found


def _is_generalized(column: pd.Series[Any]) -> bool:
    """Whether a column is one of a release: among its values are intervals such as `[20,39]`."""
    found = (INTERVAL.fullmatch(value) for value in column.dropna().unique() if isinstance(value, str))
    return any(each is not None and each[1] is not None for each in found)


def _is_text(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype)
