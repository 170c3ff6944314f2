"""One dataset: its files or its frame, and what is known of it so far; and frames on their way to later steps."""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, StepTimeout
from pamola_tasks_data.directives import has_offset

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks.plan import Step
    from pamola_tasks_data.column_types import ColumnType
    from pamola_tasks_data.description import ColumnDescription
    from pamola_tasks_data.verified import VerifiedFile


_LOOKED_AT = 10_000  # rows at a time
LOOKED_AT = 1_000
"""Rows of each column that reports look at."""

# What holds any values in formats whose files state no types.
_ANYTHING = ("csv", "jsonl", "xlsx")


@attrs.define(eq=False)
class Dataset:
    """A dataset: its files, or a frame."""

    name: str
    files: tuple[VerifiedFile, ...] = ()
    format: str = "memory"
    role: Any = "data"
    stated: Mapping[str, Any] = attrs.Factory(dict)  #: options of its format: `delimiter`, `sheet`, `decimal` …
    kinds: dict[str, ColumnType] = attrs.Factory(dict)  #: the types that `data_types` states, by column
    loose: set[str] = attrs.Factory(set)  #: columns of which the stated type holds only if all values fit it
    zones: dict[str, bool | None] = attrs.field(
        init=False
    )  #: whether times of a column say an offset, where it is known
    required: frozenset[str] = frozenset()  #: columns that it has to have, since they are stated for it by name
    frame: pd.DataFrame | None = None  #: the dataset itself, or the columns that were read
    complete: bool = False  #: the frame has all columns
    written: pd.DataFrame | None = None  #: what the file was written from, where reading it would give the same
    schema: dict[str, str] | None = None
    found: dict[str, str] | None = None  #: the same, before columns get the types that are stated
    rows: int | None = None  #: how many it has, once it was read in pieces
    fingerprint: str = ""  #: the hash, once it is known
    described: bool = False
    checked: bool = False  #: its files are what the tasks that made them recorded
    sizes: dict[str | None, float] = attrs.Factory(dict)  #: bytes by column, as estimated; None where all are known
    seen: dict[str, Any] = attrs.Factory(dict)  #: by column, the first rows that were read of it
    notes: dict[str, dict[str, Any]] = attrs.Factory(dict)  #: what was found out about each file while reading it
    warn: Callable[[str], object] = str  #: called with a sentence that the user should read
    lock: Any = attrs.field(factory=threading.RLock, repr=False)

    @zones.default
    def _zones_stated(self) -> dict[str, bool | None]:
        return {column: has_offset(kind.format) for column, kind in self.kinds.items() if kind.format}

    @property
    def paths(self) -> tuple[str, ...]:
        """Where its files are."""
        return tuple(file.path for file in self.files)

    @property
    def what(self) -> str:
        """What messages call it."""
        return f"dataset {self.name!r}" + (f" ({', '.join(self.shown())})" if self.files else "")

    def shown(self, name: Callable[[str], str] = str) -> list[str]:
        """Where its files are, for people: of copies, what they are copies of; `name` shortens the path of others."""
        return [file.original.address if file.original is not None else name(file.path) for file in self.files]

    def has(self, columns: Any) -> bool:
        """Whether these columns (None: all) were read."""
        frame = self.frame
        if frame is None or (columns is None and not self.complete):
            return False
        return self.complete or set(columns or ()) <= set(frame.columns)

    def look_at(self, frame: pd.DataFrame) -> None:
        """Keep the first rows of columns, for what is said of them later."""
        for name in frame.columns if self.role == "data" else ():
            if name not in self.seen:
                self.seen[name] = frame[name].iloc[:LOOKED_AT].copy()

    def columns_seen(self, share: float) -> list[ColumnDescription]:
        """What these look like."""
        from pamola_tasks_data.describing import ColumnsSeen

        found = []
        for values in self.seen.values():
            seen = ColumnsSeen(self.name, stated=self.kinds, share=share, csv=self.format in ("csv", ""))
            seen.add(values.to_frame())
            seen.spelled = self.decimals()
            found += seen.described()
        return found

    def how_read(self) -> dict[str, Any]:
        """How its files are read: the format, and what was stated or found out of CSV files."""
        found = {**self._found, **self.stated}
        options = {
            key: found[key] for key in ("delimiter", "quotechar", "encoding", "sheet", "header") if found.get(key)
        }
        files = {"file": ", ".join(self.paths), "format": self.format}
        return {**files, "bytes": sum(file.size for file in self.files), **options}

    def decimals(self) -> dict[str, Any]:
        """How the numbers of its columns are written, where it is one CSV file that was read."""
        kinds = self._found.get("kinds", {}) if len(self.files) == 1 else {}
        return {name: kind.decimals for name, kind in kinds.items()}

    @property
    def _found(self) -> Mapping[str, Any]:
        """What was found out about its first file."""
        return self.notes.get(self.paths[0], {}) if self.files else {}

    def read_as_text(self, plan: Iterable[Step]) -> None:
        """Take columns for text that a step wants as they are in the file (`reads_as_text`, by dataset)."""
        for step in plan:
            wanted: Mapping[str, Sequence[str]] = getattr(step.operation, "reads_as_text", None) or {}
            for column in wanted.get(self.name, ()):
                if column not in self.kinds:
                    from pamola_tasks_data.column_types import ColumnType

                    with self.lock:
                        self.kinds[column] = ColumnType(type="text").completed(self.stated)
                        self.frame, self.complete, self.schema, self.found = None, False, None, None
                        self.sizes = {}

    def kinds_in(self, there: Any) -> Mapping[str, ColumnType]:
        """The types that are stated, once it is sure that the columns that have to be there are."""
        absent = [column for column in self.required if column not in there]
        if absent:
            raise DataError(f"{self.what}: data_types names column {absent[0]!r}, which it does not have")
        return self.kinds

    def typed(self, frame: pd.DataFrame, wanted: Any, before: int = 0) -> pd.DataFrame:
        """The frame with the types that are stated; only with all columns (`wanted` is None) have these to be there.

        `before` is how many rows of its file came in earlier pieces.
        """
        from pamola_tasks_data.cells import flat, tell
        from pamola_tasks_data.stated_types import apply_types

        kinds = self.kinds_in(frame.columns) if wanted is None else self.kinds

        def told(column: str, why: str) -> None:
            if column not in kinds:
                tell(column, why, self.notes.setdefault("", {}), lambda text: self.warn(f"{self.what}: {text}"))

        with explained(self.what):
            texts = {column: stated.kind in ("text", "category") for column, stated in kinds.items()}
            typed = apply_types(flat(frame, texts, told), kinds, self.zones, before, self.loose)
        self.look_at(typed)
        return typed

    def learn(self, columns: Iterable[str], tables: Callable[[], Iterable[Any]]) -> bool:
        """Find out what types have to know before the first row is given, so that all pieces and files are alike.

        That is whether `loose` ones hold, for which their columns are read; and whether times have offsets, for which
        these are read up to the first value.

        Returns:
            Whether a type turned out not to hold.
        """
        loose, self.loose = [name for name in columns if name in self.loose], set()
        misfits: set[str] = set()
        for table in tables() if loose else ():
            for piece in table.chunks(_LOOKED_AT, loose):
                for name in loose:
                    try:
                        self.typed(piece[[name]], [name])
                    except DataError:
                        misfits.add(name)
        for name in misfits:
            del self.kinds[name]
        for column in columns:
            stated = self.kinds.get(column)
            if stated is None or stated.kind != "datetime" or self.zones.get(column) is not None:
                continue
            for table in tables():
                rows = 0
                for piece in table.chunks(_LOOKED_AT, [column]):
                    rows += len(self.typed(piece, [column], rows))
                    if self.zones.get(column) is not None or str(piece.dtypes.iloc[0]).startswith("datetime64"):
                        break
        return bool(misfits)

    def common_dtype(self, column: str, one: str, two: str) -> str:
        """The dtype that holds the values of two of its files without loss."""
        if one == two or two == "object":  # of which all values are missing
            return {"int64": "Int64", "bool": "boolean"}.get(one, one) if one != two else one
        if one == "object":
            return self.common_dtype(column, two, one)
        for wider, narrower in (("Int64", {"int64"}), ("boolean", {"bool"}), ("float64", {"int64", "Int64"})):
            if {one, two} - {wider} <= narrower:
                return wider
        if self.format in _ANYTHING:
            from pamola_tasks_data.arrow import TEXT_DTYPE

            return TEXT_DTYPE
        raise DataError(f"{self.what}: column {column!r} is {one} in one file and {two} in another")


def check_columns(wanted: Sequence[str], there: Sequence[str]) -> None:
    """Refuse columns that are not there."""
    known = set(there)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        shown = ", ".join(map(repr, there[:20])) + (" …" if len(there) > 20 else "")
        if set(unknown) & {name.strip() for name in there}:
            blank = sum(name != name.strip() for name in there)
            shown += f"; {blank} of its names begin or end with a blank: set data: {{trim: true}}"
        raise DataError(f"there is no column {', '.join(map(repr, unknown))}: it has {shown}")


def warn_once(options: Mapping[str, Any], sentence: str) -> None:
    """Warn with a sentence, if there is one, but once of a file that is opened several times."""
    notes = options.get("notes")
    told: set[str] = set() if notes is None else notes.setdefault("told", set())
    if sentence and sentence not in told:
        told.add(sentence)
        (options.get("warn") or str)(sentence)  # outside a run there is nobody to warn


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what libraries raise into errors that name the dataset, and none of its values.

    Errors of the disk that may pass (`OSError` with a number) are left as they are: they may be retried.
    """
    try:
        yield
    except DataError as problem:
        raise DataError(f"{what}: {problem}", **problem.details) from None
    except StepTimeout:
        raise
    except FileNotFoundError:
        raise DataError(f"{what}: there is no such file") from None
    except (PermissionError, IsADirectoryError, NotADirectoryError) as problem:
        raise DataError(f"{what}: cannot be opened: {problem.strerror}") from None
    except Exception as problem:
        import zipfile
        import zlib

        import pyarrow as pa

        damaged = (pa.ArrowException, json.JSONDecodeError, UnicodeError, EOFError, zlib.error, zipfile.BadZipFile)
        if problem.errno is not None if isinstance(problem, OSError) else not isinstance(problem, damaged):
            raise
        raise DataError(f"{what}: cannot be read: it is damaged, or not of the format that its name says") from None


class Handover:
    """Frames that a data writer leaves for the source of the same run, which so need not read their files again."""

    def __init__(self) -> None:
        #: whether a dataset is read by another step than the one that writes it
        self.is_read: Callable[[str, str], bool] = lambda name, step: False
        #: what they may take together, in bytes, and what they take
        self.limit, self.bytes = math.inf, 0
        self._frames: dict[str, tuple[str, Any, int]] = {}
        self._lock = threading.Lock()

    def offer(self, name: str, step: str, sha256: str, frame: pd.DataFrame) -> None:
        """Leave a frame as it is now, with the hash of the file that was written from it."""
        from pamola_tasks_data.arrow import frame_bytes, own_copy

        if self.is_read(name, step) and self.bytes + (taken := frame_bytes(frame)) <= self.limit:
            copy = own_copy(frame)
            with self._lock:
                self.bytes += taken - self._frames.get(name, ("", None, 0))[2]
                self._frames[name] = (sha256, copy, taken)

    def taken(self, name: str, sha256: str) -> pd.DataFrame | None:
        """The frame of a file of this hash. It is given once: whatever else was left under the name is forgotten."""
        with self._lock:
            left_with, frame, taken = self._frames.pop(name, ("", None, 0))
            self.bytes -= taken
        return frame if sha256 and left_with == sha256 else None

    def clear(self) -> None:
        """Forget all frames: their files are read."""
        with self._lock:
            self._frames, self.bytes = {}, 0
