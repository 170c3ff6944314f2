"""`Address`: which table, or rows of which query, of a database that the project file names."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import attrs

from pamola_tasks.errors import DataError

SCHEMES = ("postgresql", "postgres", "sqlite", "duckdb")
FILES = ("sqlite", "duckdb")  # of databases that are files
_SCHEME = re.compile(rf"(?:{'|'.join(SCHEMES)})://", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
FORM = "postgresql://DATABASE?table=SCHEMA.TABLE, or ?query=SELECT+…"


def is_address(text: object) -> bool:
    """Whether a text is meant as the address of a table."""
    return isinstance(text, str) and _SCHEME.match(text) is not None


@attrs.frozen
class Address:
    """A table or a query."""

    scheme: str  #: the kind of database: `postgresql`, `sqlite`, `duckdb`
    database: str  #: the database, as the project file calls it
    table: str = ""  #: the table, with its schema where that is stated
    query: str = ""  #: or a query

    @classmethod
    def of(cls, text: str) -> Address:
        """The address that a text is.

        Raises:
            DataError: It is none, or holds a user or password. What it holds is not shown.
        """
        try:
            parts = urlsplit(text)
            given = parse_qsl(parts.query, keep_blank_values=True)
        except ValueError:
            raise DataError(f"it is not an address: {FORM}") from None
        if "@" in parts.netloc or any(key in ("user", "password") for key, _ in given):
            raise DataError(
                "an address holds neither user nor password: the project file has them, under sql.databases,"
                " the password as ${secret:NAME} or ${env:NAME}"
            )
        known = dict(given)
        if parts.scheme not in SCHEMES or not _NAME.fullmatch(parts.netloc) or parts.path.strip("/") or parts.fragment:
            raise DataError(f"it is not an address: {FORM}, where DATABASE is a name under sql.databases")
        if len(given) != 1 or not known.keys() < {"table", "query"} or not given[0][1].strip():
            raise DataError(f"an address has one table or one query: {FORM}")
        found = cls(kind_of(parts.scheme), parts.netloc, **known)
        if found.table and not all(found.parts):
            raise DataError("a table is NAME or SCHEMA.NAME")
        return found

    @property
    def parts(self) -> tuple[str, ...]:
        """Schema, where there is one, and name of the table."""
        return tuple(self.table.split(".", 1))

    @property
    def quoted(self) -> str:
        """The table as SQL has it."""
        return ".".join(map(quoted, self.parts))

    @property
    def sql(self) -> str:
        """What rows are selected from: the table, or the query in parentheses."""
        return self.quoted if self.table else f"({self.query.strip().rstrip(';')}\n)"

    def __str__(self) -> str:
        """As it is shown: a query may hold values, so it is not."""
        return f"{self.scheme}://{self.database}?{f'table={self.table}' if self.table else 'query=…'}"


def kind_of(scheme: str) -> str:
    """The kind of database that a scheme means."""
    return scheme if scheme in FILES else "postgresql"


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL has it, whatever `standard_conforming_strings` is."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
