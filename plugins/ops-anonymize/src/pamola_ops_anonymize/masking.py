"""The operation that hides characters of values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pandas as pd

from pamola_tasks import Effects, OperationContext, OperationResult, writes
from pamola_tasks.errors import ParameterError

from .column_operation import ColumnOperation
from .columns import FORMS, belongs_to, finest, one_of, require, whole_number, with_texts, wrong
from .effects import Columns, of_each
from .hashed_pairs import HashedPairs
from .roles import DIRECT, MASKED

if TYPE_CHECKING:
    from pamola_tasks.operation import Scope

Method = Literal["full", "partial", "pattern"]

_BELONGS = {"full": ("length",), "partial": ("keep_first", "keep_last", "preserve"), "pattern": ("pattern",)}


def _one_character(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or len(value) != 1:
        raise wrong(operation, attribute.name, "one character", value)


class MaskOperation(ColumnOperation):
    """Hide characters of values: all of them, all but the first or last, or what a pattern finds.

    Masking as in ISO/IEC 20889:2018 (character masking). Missing values stay missing. What is left of a value may still
    identify a person: the report counts the values that are the only ones to look as they do.

    Args:
        input_dataset: The table.
        output_dataset: What the masked table is called.
        columns: The columns to mask; numbers and dates are masked as they are written, times of a
            column all to the same unit.
        method: `full` hides every character; `partial` all but `keep_first` and `keep_last`; `pattern` what a regular
            expression finds, or its groups where it has some.
        character: The text in place of a hidden character.
        length: With `full`: write so many characters whatever the value, so that its length is hidden too.
        keep_first: With `partial`: how many characters at the beginning stay.
        keep_last: With `partial`: how many at the end stay. A value with no more characters than stay is hidden whole.
        preserve: With `partial`: characters that stay wherever they occur, such as `-@.`.
        pattern: With `pattern`: a regular expression of Python's `re`. Of a match in which none of its groups took
            part all is hidden. A value without a match stays as it is.
        on_identifiers: What happens to other columns of a published table that look like direct identifiers: `warn`
            keeps them, `drop` leaves them out, `fail` refuses to continue.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_masked")
    method: Method = attrs.field(default="full", validator=one_of(Method))
    character: str = attrs.field(default="*", validator=_one_character)
    length: int | None = attrs.field(default=None, validator=whole_number(1))
    keep_first: int = attrs.field(default=0, validator=whole_number(0))
    keep_last: int = attrs.field(default=0, validator=whole_number(0))
    preserve: str = ""
    pattern: str | None = None

    version = "1.2"
    done = MASKED
    role = DIRECT

    def __attrs_post_init__(self) -> None:
        belongs_to(self, "method", _BELONGS)
        if self.method == "partial" and not (self.keep_first or self.keep_last or self.preserve):
            raise ParameterError(
                "MaskOperation: `method: partial` needs `keep_first`, `keep_last` or `preserve`; to hide everything,"
                " say `method: full`"
            )
        if self.method == "pattern":
            if not self.pattern:
                raise ParameterError("MaskOperation: `method: pattern` needs a `pattern` to hide")
            try:
                re.compile(self.pattern)
            except re.error as problem:
                raise ParameterError(f"MaskOperation: `pattern` is not a regular expression: {problem}") from None

    @property
    def scope(self) -> Scope:
        """Times of a column are all written to the unit that the finest of them needs, unless none of it is written."""
        return self.scope_of("row" if self.length is not None else "aggregate")

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Of values whose length is hidden too, nothing is left but whether there was one."""
        if self.length is None:
            return super().effects(columns)
        there: Columns = {name: of_each(self.input_dataset, [name], "CONDITIONAL") for name in self.columns}
        return {self.output_dataset: self.effects_of(columns, there)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Mask chunk by chunk; count what was changed and what was not."""
        require(ctx, self.input_dataset, {"columns": self.columns})
        changed = dict.fromkeys(self.columns, 0)
        cells = dict.fromkeys(self.columns, 0)
        looks = {name: HashedPairs(of_group=2) for name in self.columns}

        forms = self._forms_of_times(ctx)

        def mask_piece(piece: pd.DataFrame) -> pd.DataFrame:
            masked: dict[str, pd.Series[str]] = {}
            for name in self.columns:
                before = with_texts(piece[name], str, forms.get(name))
                after = with_texts(before, self._masked)
                cells[name] += int(after.notna().sum())
                changed[name] += int((before != after).fillna(False).sum())
                pairs = pd.DataFrame({"before": before, "after": after}).dropna().drop_duplicates()
                looks[name].add(pairs["after"], pairs["before"])
                masked[name] = after
            return piece.assign(**masked)

        rows, _, looks_like = self.rewritten(ctx, mask_piece)
        for name in self.columns:
            unchanged = cells[name] - changed[name]
            if unchanged:
                ctx.warn(
                    f"{self.output_dataset}: {unchanged:,} of {cells[name]:,} values of {name} were left as they are:"
                    f" there was nothing in them to hide"
                )
        return OperationResult.success(
            {
                "rows": rows,
                "cells_masked": changed,
                "cells_unchanged": {name: cells[name] - changed[name] for name in self.columns},
                "distinct_after": {name: len(found.members) * found.times for name, found in looks.items()},
                "distinct_that_hide_one_value": {
                    name: int((found.members == 1).sum()) * found.times for name, found in looks.items()
                },
                **looks_like,
            }
        )

    def _forms_of_times(self, ctx: OperationContext) -> dict[str, str]:
        """By column of times, the one form of all its cells: shorter ones would tell which are at midnight."""
        dtypes = ctx.data.schema(self.input_dataset)
        found: dict[str, str] = {}
        for name in self.columns:
            if dtypes[name].startswith("datetime64"):
                pieces = ctx.data.chunks(self.input_dataset, columns=[name])
                found[name] = max((finest(piece[name]) for piece in pieces), key=FORMS.index, default="days")
        return found

    def _masked(self, text: str) -> str:
        if self.method == "full":
            return self.character * (len(text) if self.length is None else self.length)
        if self.method == "partial":
            return self._partly(text)
        assert self.pattern is not None
        hidden = {position for match in re.finditer(self.pattern, text) for position in _positions(match)}
        return "".join(self.character if position in hidden else each for position, each in enumerate(text))

    def _partly(self, text: str) -> str:
        end = len(text) - self.keep_last
        if end <= self.keep_first:
            end = len(text)
            first = 0
        else:
            first = self.keep_first
        middle = "".join(each if each in self.preserve else self.character for each in text[first:end])
        return text[:first] + middle + text[end:]


def _positions(match: re.Match[str]) -> Iterator[int]:
    """What a match hides: its groups that took part, wherever they stand; all of it where none did."""
    spans = [match.span(group) for group in range(1, match.re.groups + 1) if match.start(group) >= 0]
    for start, end in spans or [match.span()]:
        yield from range(start, end)
