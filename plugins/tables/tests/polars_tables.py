"""A stranger's service `tables`, with Polars and in memory: what the interface says is enough to write it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1
PAMOLA_PLUGIN_NAME = "polars_tables"


@hookimpl
def pamola_provide_tables(run: Any) -> Tables:
    return Tables()


class Tables:
    def of(self, ctx: Any) -> View:
        return View(ctx)


class View:
    engine = "polars"

    def __init__(self, ctx: Any) -> None:
        self.ctx = ctx

    def rows(self, name: str) -> int:
        return len(self._whole(name))

    def stream(self, name: str, columns: Sequence[str] | None = None, batch: int | None = None) -> Any:
        return pa.Table.from_pandas(self._whole(name, columns), preserve_index=False).to_reader(batch)

    def combinations(self, name: str, columns: Sequence[str], entity: str | Sequence[str] | None = None) -> Any:
        of = [entity] if isinstance(entity, str) else list(entity or ())
        frame = self._whole(name, [*columns, *(each for each in of if each not in columns)])
        weight = "weight"
        while weight in columns:
            weight += "_"
        rows = self._held(frame)
        if of:
            rows = rows.unique()
        found = rows.group_by(list(columns)).agg(pl.len().cast(pl.Int64).alias(weight))
        found = found.sort(list(columns), nulls_last=False)
        shape = pa.Schema.from_pandas(frame[list(columns)].assign(**{weight: 0}), preserve_index=False)
        cells = [_cast(found[each.name].to_arrow(), each.type) for each in shape]
        return pa.Table.from_arrays(cells, schema=shape).to_reader()

    def class_sizes(self, name: str, columns: Sequence[str]) -> tuple[Any, Any]:
        sizes = self._held(self._whole(name, columns)).group_by(list(columns)).len(name="n")["n"]
        found = sizes.value_counts().sort("n")
        return found["n"].to_numpy().astype(np.int64), found["count"].to_numpy().astype(np.int64)

    def rewrite(
        self,
        name: str,
        change: Callable[[pd.DataFrame], pd.DataFrame] | Sequence[Callable[[pd.DataFrame], pd.DataFrame]],
        out: str,
        *,
        columns: Sequence[str] | None = None,
        sorted_by: str | None = None,
        finish: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    ) -> Any:
        pieces = self._changed(name, [change] if callable(change) else list(change), columns)
        return self.write(out, pieces, sorted_by=sorted_by, finish=finish)

    def write(self, out: str, pieces: Any, *, sorted_by: str | None = None, finish: Any = None) -> Any:
        finished = finish or (lambda piece: piece)
        if sorted_by is None:
            return self.ctx.data.write(out, map(finished, pieces))
        frame = pd.concat(list(pieces), ignore_index=True)
        place = self._held(frame).with_row_index("the row").sort(list(frame), nulls_last=False, maintain_order=True)
        size = self.ctx.config.chunk_size
        ordered = frame.iloc[place["the row"].to_numpy()]
        parts = (ordered.iloc[start : start + size] for start in range(0, max(len(ordered), 1), size))
        return self.ctx.data.write(out, (finished(part.reset_index(drop=True)) for part in parts))

    @contextlib.contextmanager
    def divided(
        self, name: str, part_of: Callable[[pd.DataFrame], Any], parts: int, *, columns: Sequence[str] | None = None
    ) -> Iterator[list[Part]]:
        frame = self._whole(name, columns)
        part = part_of(frame)
        yield [Part(self.ctx, frame[part == number].reset_index(drop=True)) for number in range(parts)]

    def _whole(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        (frame,) = self.ctx.data.chunks(name, 1 << 40, columns)
        return frame

    def _changed(self, name: str, changes: Sequence[Any], columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
        for piece in self.ctx.data.chunks(name, columns=columns):
            for change in changes:
                piece = change(piece).reset_index(drop=True)
            yield piece

    def _held(self, frame: pd.DataFrame) -> pl.DataFrame:
        """As Polars has it: categories as their text, whole numbers as such, missing cells as null, zero unsigned."""
        texts = {
            name: column.astype(object).map(str, na_action="ignore").astype("str")
            for name, column in frame.items()
            if isinstance(column.dtype, pd.CategoricalDtype)
        }
        held = pl.from_pandas(frame.assign(**texts), nan_to_null=True)
        return held.with_columns(pl.col(pl.Float32, pl.Float64) + 0.0)


class Part(View):
    def __init__(self, ctx: Any, frame: pd.DataFrame) -> None:
        super().__init__(ctx)
        self._frame = frame

    @property
    def rows(self) -> int:
        return len(self._frame)

    def pieces(self) -> Iterator[pd.DataFrame]:
        yield self._frame

    def combinations(self, columns: Sequence[str]) -> Any:
        return super().combinations("", columns)

    def _whole(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        return self._frame if columns is None else self._frame[list(columns)]


def _cast(cells: Any, wanted: Any) -> Any:
    """Of this type; one without values, as where all cells are missing, is cast to from none."""
    values = wanted.value_type if pa.types.is_dictionary(wanted) else wanted
    return pa.nulls(len(cells), wanted) if pa.types.is_null(values) else cells.cast(wanted)
