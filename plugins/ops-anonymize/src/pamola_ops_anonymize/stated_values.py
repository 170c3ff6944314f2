"""Values that parameters and hierarchy files state, as the text that a column has for them.

A text is a cell of the column's file, as people wrote it there, where it fits the column's type (`1,50` is 1.5,
`01.02.1980` is 1980-02-01, `ja` is true); else the text of a value, as releases have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .columns import text_of

if TYPE_CHECKING:
    from pamola_tasks import OperationContext


def as_in_column(ctx: OperationContext, dataset: str, column: str, values: Sequence[Any]) -> list[str]:
    """Each value as the column's text.

    Args:
        ctx: Of the operation; a data source that reads texts as cells of a column (`values_of`) does so here.
        dataset: The table.
        column: Its column.
        values: Texts, numbers and truth values.
    """
    read = getattr(ctx.run.data_source, "values_of", None)
    texts = [value for value in values if isinstance(value, str)] if read is not None else []
    found = dict(zip(texts, read(dataset, column, texts), strict=True)) if read is not None and texts else {}
    return [text_of(value if found.get(value) is None else found[value]) for value in values]


def told_of_absent(role: str, columns: Sequence[str], absent: Sequence[str]) -> str:
    """What is said of stated values, as the parameter has them, of which columns have none."""
    shown = ", ".join(map(repr, absent[:5])) + (" …" if len(absent) > 5 else "")
    return (
        f"`{role}`: no value of {' or '.join(columns)} is one of {shown}: write them as the file does, or as its values"
        " are once read"
    )
