"""Quasi-identifiers that hold numbers or dates but were read as text: ranges of them would lose less than sets."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pandas as pd

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
    describe = getattr(ctx.run.data_source, "describe_columns", None)
    texts = [name for name in quasi_identifiers if name in frame.columns and _is_text(frame[name])]
    if describe is None or not texts:
        return
    chosen = ("whole numbers", "numbers") if not ctx.data.path(dataset) else ()  # whoever made the frame has seen these
    for column in describe(dataset, texts):
        if column.ordered and column.unread and column.looks_like not in chosen:
            settings = [column.setting] if column.setting else []
            settings += [setting for question in column.questions for setting in question.settings if _typed(setting)]
            asked = [question.text.rpartition(": ")[2] for question in column.questions if not question.settings]
            mend = f"set {' or '.join(settings)}" if settings else "".join(asked[:1]) or "set its type"
            ctx.warn(
                f"{dataset}: quasi-identifier {column.name} holds {column.in_words}, but was read as"
                f" {column.read_as} and is treated as a category: {mend}"
            )


def _typed(setting: str) -> bool:
    return setting.startswith("data_types")


def _is_text(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype)
