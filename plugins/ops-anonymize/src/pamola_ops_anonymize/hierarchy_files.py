"""Files of generalization hierarchies: the first field is a value, the following ones its generalizations.

They need no header. One that names the column, or its levels, or is unlike all other lines, is left out with a warning.
Files of text are decoded as CSV files are, and their values read as those of the column's file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pamola_tasks import OperationContext
from pamola_tasks.errors import DataError

from .columns import distinct_texts, text_of
from .stated_values import as_in_column

DELIMITERS = ";,\t|"
"""A file has the one of these that divides every line into the same number of fields, more than one."""

_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?(?:\r\n|\r|\n|$)', re.IGNORECASE)  # by which Excel is told it
_END = "\x03"
_ROWS = 100_000  # at a time
_LEVEL = re.compile(r"(?:level|lvl|levels?|stufe|ebene|niveau|nivel|livello|poziom)[ _.-]?[0-9]+", re.IGNORECASE)


def stated_hierarchy(ctx: OperationContext, dataset: str, column: str, *, of: str) -> tuple[list[list[str]], str]:
    """The lines of a hierarchy that a dataset holds, and what messages call it.

    Its file is read as it is, because it need not have a header; a frame in memory by its cells.

    Args:
        ctx: Of the operation.
        dataset: Holds the hierarchy.
        column: The column it is for.
        of: The dataset that has the column.
    """
    path = ctx.data.path(dataset)
    found: set[str] = set()

    def values() -> AbstractSet[str]:
        if not found:
            for piece in ctx.data.chunks(of, _ROWS, [column]):
                found.update(distinct_texts(piece[column])[1])
        return found

    def as_read(texts: Sequence[str]) -> list[str]:
        return as_in_column(ctx, of, column, texts)

    lines = _lines_of(ctx, dataset, path, column, values, as_read)
    places = [number for number, fields in enumerate(lines) if fields]
    why = _is_header([lines[place] for place in places], column, values, as_read) if path and places else None
    if why is not None:
        ctx.warn(f"{path}: line {places[0] + 1} of the hierarchy of {column} is its header{why}, and was left out")
        lines[places.pop(0)] = []
    for place, text in zip(places, as_read([lines[place][0] for place in places]), strict=True):
        lines[place] = [text, *lines[place][1:]]
    return lines, path or dataset


def _lines_of(
    ctx: OperationContext,
    dataset: str,
    path: str,
    column: str,
    values: Callable[[], AbstractSet[str]],
    as_read: Callable[[Sequence[str]], Sequence[str]],
) -> list[list[str]]:
    """The fields of each line: of a file of text as it is, else of a table, with the names of its columns as line 1."""
    file: Any = None
    if path:
        read = getattr(ctx.run.data_source, "written_text", None)
        with ctx.data.open_raw(dataset) as raw:
            if read is None:
                return read_hierarchy(raw.read(), path, column, values, as_read=as_read)
            file = read(dataset, raw)
    if file is None:
        cells = ctx.data.frame(dataset).astype(object)
        rows = cells.where(cells.notna(), None).to_numpy()
        lines = [["" if value is None else text_of(value) for value in row] for row in rows]
        return [list(map(str, cells.columns)), *lines] if path else lines
    delimiters = file.delimiter or DELIMITERS
    lines = read_hierarchy(file.text, path, column, values, delimiters, file.quotechar or '"', as_read)
    return [[field.strip() for field in fields] for fields in lines] if file.trim else lines


def read_hierarchy(
    content: bytes | str,
    file: str,
    column: str,
    values: Callable[[], AbstractSet[str]] = frozenset,
    delimiters: str = DELIMITERS,
    quotechar: str = '"',
    as_read: Callable[[Sequence[str]], Sequence[str]] = list,
) -> list[list[str]]:
    """The lines of a hierarchy file, each with as many fields as the others.

    Args:
        content: The file, UTF-8, or its text.
        file: Its name, for messages.
        column: The column it is for, for messages.
        values: Gives the values of the column as text: of two delimiters the one is taken with which more of them
            have a line, then the one that makes more levels.
        delimiters: Of which one divides the fields.
        quotechar: Round fields that have a delimiter or a line end in them.
        as_read: Gives texts as the column has them.

    Raises:
        DataError: It is empty or no UTF-8, a line has another number of fields, a quote is never closed, or two
            delimiters do as well.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{file}, line {line}: the hierarchy of {column} is not UTF-8: save it as UTF-8") from error
    if named := _SEPARATOR_LINE.match(text):
        delimiters, text = named[1], "\n" + text[named.end() :]
    divided: dict[str, list[list[str]]] = {}
    for delimiter in delimiters:
        try:
            lines = _lines(text, delimiter, quotechar)
        except csv.Error as error:
            raise DataError(f"{file}: the hierarchy of {column} cannot be read: {error}") from error
        *rows, end = (fields for fields in lines if fields)
        if end != [_END] and len((rows or [end])[0]) > 1:
            raise DataError(
                f"{file}, line {len(lines)}: the hierarchy of {column} has a quote here that is never closed: close it,"
                " or double it if it belongs to the label"
            )
        lines.pop()
        if not rows:
            raise DataError(f"{file}: the hierarchy of {column} is empty")
        if len(rows[0]) > 1 and all(len(fields) == len(rows[0]) for fields in rows):
            divided[delimiter] = lines
    if divided:
        return _best(divided, file, column, values, as_read)
    delimiter = max(delimiters, key=text.count)
    lines = _lines(text, delimiter, quotechar)[:-1]
    for number, fields in enumerate(lines, start=1):
        if fields and len(fields) != len(lines[0]):
            raise DataError(
                f"{file}, line {number}: the hierarchy of {column} has {len(fields)} levels here and"
                f" {len(lines[0])} in line 1: every line needs the same number of fields"
            )
    raise one_field(file, column)


def one_field(file: str, column: str) -> DataError:
    """What is said of a file that has values only."""
    return DataError(
        f"{file}, line 1: the hierarchy of {column} has one field a line: there is nothing to generalize to"
    )


def _lines(text: str, delimiter: str, quotechar: str) -> list[list[str]]:
    """Fields of each line, empty for an empty one, so that places are line numbers; and `_END`, if no quote is open."""
    ended = "" if text.endswith(("\n", "\r")) else "\n"
    return list(csv.reader(io.StringIO(f"{text}{ended}{_END}", newline=""), delimiter=delimiter, quotechar=quotechar))


def _best(
    divided: dict[str, list[list[str]]],
    file: str,
    column: str,
    values: Callable[[], AbstractSet[str]],
    as_read: Callable[[Sequence[str]], Sequence[str]],
) -> list[list[str]]:
    if len(divided) == 1:
        return next(iter(divided.values()))
    there = values()
    rank = {
        delimiter: (sum(text in there for text in as_read([line[0] for line in lines if line])), max(map(len, lines)))
        for delimiter, lines in divided.items()
    }
    best = [delimiter for delimiter in divided if rank[delimiter] == max(rank.values())]
    if len(best) > 1:
        raise DataError(
            f"{file}: {' and '.join(map(repr, best))} both divide every line of the hierarchy of {column} alike: put"
            f" labels that hold one of them in quotes"
        )
    return divided[best[0]]


def _is_header(
    rows: Sequence[Sequence[str]],
    column: str,
    values: Callable[[], AbstractSet[str]],
    as_read: Callable[[Sequence[str]], Sequence[str]],
) -> str | None:
    """Whether the first line names the column or its levels and is no value of it; why it is thought to do, if not."""
    first, *labels = (field.strip() for field in rows[0])
    numbers = not _is_number(first) and len(rows) > 1 and all(_is_number(fields[0]) for fields in rows[1:])
    named = first.casefold() == column.strip().casefold() or (labels and all(map(_LEVEL.fullmatch, labels)))
    others = [{fields[level] for fields in rows[1:]} for level in range(1, len(rows[0]))]
    unlike = len(rows) > 2 and all(label not in there for label, there in zip(rows[0][1:], others, strict=True))
    if not (named or numbers or unlike):
        return None
    there = values()
    value, *rest = as_read([fields[0] for fields in rows])
    if value in there or (not named and there.isdisjoint(rest)):
        return None
    return "" if named or numbers else " (no record has its value, and no other line one of its labels)"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
