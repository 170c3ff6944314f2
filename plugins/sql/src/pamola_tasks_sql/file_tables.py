"""Tables of databases that are files in the project: what SQLite and DuckDB have in common."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pamola_tasks.errors import DataError
from pamola_tasks_sql.address import quoted
from pamola_tasks_sql.connecting import database_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_sql.address import Address
    from pamola_tasks_sql.reading import Fingerprint

MODULES = {"duckdb": "duckdb"}  # what has to be installed for a kind of file
_BESIDE = {"sqlite": ("-wal", "-journal"), "duckdb": (".wal",)}  # changes that are not in the file yet


class FileTable:
    """Reads one table, or the rows of one query, of a file that is not changed, or writes a table in one transaction.

    Args:
        run: The run.
        address: What is read or written.
        reads: Whether it only reads.
    """

    kind = ""  #: the scheme of addresses
    errors: tuple[type[Exception], ...] = ()  #: what the library raises

    def __init__(self, run: RunServices, address: Address, *, reads: bool) -> None:
        self.address = address
        self.memory_mb = int(getattr(run.config, "memory_limit_mb", None) or 1024)
        self.warnings: list[str] = []  #: what was found out about columns
        self._files = run.files
        self._name = database_of(run.config, address.database).file
        self._reads = reads
        if reads:
            self._check()
        else:
            self._files.mkdirs(os.path.dirname(self._name) or ".")
            with self._files.append(self._name):  # may it be written? where it is not there, an empty one is made
                pass
            if not self._files.stat(self._name).size:  # to DuckDB that is not a database
                self._files.unlink(self._name)
        self.path = str(self._files.root / self._files.name(self._name))

    def _check(self) -> None:
        """Refuse a file of which not all is in it, and one that is encrypted."""
        try:
            self._files.stat(self._name)
        except FileNotFoundError:
            raise DataError(f"{self.address}: there is no file {self._name}") from None
        if self._files.encryption_of(self._name).encrypted:
            raise DataError(f"{self.address}: {self._name} is encrypted: decrypt it with `pamola-task decrypt`")
        for ending in _BESIDE[self.kind]:
            beside = f"{self._name}{ending}"
            if self._files.exists(beside) and self._files.stat(beside).size:
                raise DataError(
                    f"{self.address}: {beside} has changes that are not in the file yet: end the program that writes"
                    " it, or open and close it once"
                )

    @property
    def uri(self) -> str:
        """The file as a URI of SQLite."""
        return f"file:{quote(self.path)}"

    def fingerprint(self) -> Fingerprint:
        """Whether rows are the same as before: by the file."""
        from pamola_tasks_sql.reading import Fingerprint

        count = self.one(f"select count(*) from {self.address.sql} q")
        digest = self._files.sha256(self._name)
        return Fingerprint(
            text=f"{count} rows, file {digest}", count=count, how="number of rows and the SHA-256 of the file"
        )

    def content(self) -> Fingerprint:
        """Whether the rows of a table are the same as before, whatever else is in the file."""
        raise NotImplementedError

    def one(self, statement: str) -> Any:
        """The only value that a statement gives."""
        raise NotImplementedError

    def types(self) -> dict[str, str]:
        """Types are not kept."""
        return {}

    @staticmethod
    def in_words(error: Exception) -> str:
        """What an error says, without values."""
        raise NotImplementedError

    @staticmethod
    def passes(error: Exception) -> bool:
        """Whether the same may succeed later: another program has the file in use."""
        return "lock" in str(error).lower()

    @property
    def order(self) -> str:
        """The order of rows, in words; empty where it is not determined."""
        raise NotImplementedError

    def tables(self, cell_text: Callable[[Any], str | None]) -> Iterator[Any]:
        """The rows as Arrow tables of one schema, at least one; `cell_text` makes text of a cell of several values."""
        raise NotImplementedError

    def replace(self, schema: Any, batches: Iterator[Any]) -> None:
        """Fill a new table and put it in the place of the old one, in one transaction."""
        raise NotImplementedError

    def close(self) -> None:
        """Undo what was not committed, and close the file."""
        raise NotImplementedError

    def new_name(self) -> str:
        """A name for the table until it is in its place."""
        return ".".join(map(quoted, [*self.address.parts[:-1], f"pamola_{secrets.token_hex(8)}"]))

    def query_order(self) -> str:
        """The order of a query's rows, in words."""
        from pamola_tasks_sql.reading import ORDERED

        return "as the query orders them" if ORDERED.search(self.address.query) else ""


def missing(scheme: str) -> str:
    """What has to be installed for a kind of file; empty where nothing has to."""
    module = MODULES.get(scheme, "")
    if not module or importlib.util.find_spec(module) is not None:
        return ""
    return f'{scheme} files need the library {module}: pip install "pamola-tasks-sql[{scheme}]"'


def json_text(text: str | None, cell_text: Callable[[Any], str | None]) -> str | None:
    """JSON of the database as the text that the data service makes of a cell."""
    from pamola_tasks_sql.reading import exact_number

    return None if text is None else cell_text(json.loads(text, parse_float=exact_number))
