"""A connection to a database that the project file names, and its errors in words that hold no cell."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pamola_tasks.errors import DataError
from pamola_tasks.secret import Secret

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config
    from pamola_tasks_sql.settings import Database

# Rows come in the order in which they are stored, and values are written alike wherever the server is.
_SESSION = (
    "set local synchronize_seqscans = off",
    "set local max_parallel_workers_per_gather = 0",
    "set local timezone = 'UTC'",
    "set local datestyle = 'ISO'",
    "set local intervalstyle = 'iso_8601'",
    "set local extra_float_digits = 1",
    "set local bytea_output = 'hex'",
)
_SNAPSHOT = "set transaction isolation level repeatable read, read only"
_LOCK_SECONDS = 60
# Classes of SQLSTATE of which the message names things of the database and quotes no cell.
_SPEAKING = ("08", "28", "3D", "3F", "42", "53", "55", "57", "0A", "25")
# Errors that may pass: lost connections, serialization failures and deadlocks, locks that were not to be had, a server
# that starts or stops.
_PASSING = ("08", "40", "55P03", "57P0")
_NO_SERVER = re.compile(
    r"server closed the connection|connection (?:not open|refused|reset|timed out)|timeout expired|no connection to|"
    r"could not (?:connect|receive|send)|closed unexpectedly|unreachable|no route to host|terminating connection|"
    r"(?:is|not yet) (?:starting up|shutting down|accepting connections|in recovery mode)|too many clients",
    re.IGNORECASE,
)
_WORDS = {
    "2BP01": "other objects of the database (views, foreign keys) depend on the table that would be replaced: drop"
    " these first, and make them again from the new one",
    "55P03": f"another program has the table in use: it was waited for {_LOCK_SECONDS} seconds",
}


class DatabaseError(DataError, code="database"):
    """A database refuses something."""


class DatabaseUnavailable(DatabaseError, code="database_unavailable"):
    """A database cannot do something now: the step may be retried."""

    retriable = True


def database_of(config: Config, name: str) -> Database:
    """A database that the project file names.

    Raises:
        DataError: It names no such database.
    """
    databases: dict[str, Database] = config.plugin("sql").databases
    if name not in databases:
        known = f"it has {', '.join(sorted(databases))}" if databases else "it has none"
        raise DataError(f"the project file names no database {name!r} under sql.databases: {known}")
    return databases[name]


@contextlib.contextmanager
def connected(config: Config, name: str, *, reads: bool) -> Iterator[Any]:
    """A connection in a transaction, which ends with the block: committed by who writes, else rolled back.

    Args:
        config: The task's configuration.
        name: The database, as the project file calls it.
        reads: Whether it only reads: it then sees one snapshot.

    Raises:
        DatabaseUnavailable: The database is not there, or something passes.
        DatabaseError: It refuses something. Both are in words without values.
    """
    import adbc_driver_postgresql.dbapi as driver

    database = database_of(config, name)
    with explained(f"database {name}"):
        connection = driver.connect(_uri(database))
        try:
            with connection.cursor() as cursor:
                if reads:
                    cursor.execute(_SNAPSHOT)
                for statement in (*_SESSION, f"set local lock_timeout = '{_LOCK_SECONDS}s'"):
                    cursor.execute(statement)
            yield connection
        finally:
            with contextlib.suppress(Exception):  # of a server that is gone
                connection.rollback()
            connection.close()


def rows(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    """The few rows that a statement gives."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _uri(database: Database) -> str:
    parts = urlsplit(database.url)
    given = dict(parse_qsl(parts.query))
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    more = {"connect_timeout": "10", "application_name": "pamola-tasks"} | ({} if here else {"sslmode": "verify-full"})
    password = database.password.reveal() if isinstance(database.password, Secret) else database.password
    who = quote(database.user or "", safe="")
    if password:
        who += f":{quote(password, safe='')}"
    place = f"{who}@{parts.netloc}" if who else parts.netloc
    return f"postgresql://{place}{parts.path}?{urlencode({**more, **given})}"


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn errors of the driver into a `DatabaseError` that names no value of a table."""
    import adbc_driver_manager as manager

    try:
        yield
    except manager.Error as error:
        kind = DatabaseUnavailable if _passes(error) else DatabaseError
        raise kind(f"{what}: {_in_words(error)}") from None


def _passes(error: Any) -> bool:
    """Whether the same may succeed later. Errors of connecting have no SQLSTATE."""
    state = str(error.sqlstate or "")
    return state.startswith(_PASSING) if state else _NO_SERVER.search(str(error)) is not None


def _in_words(error: Any) -> str:
    state, text = str(error.sqlstate or ""), str(error)
    if state in _WORDS:
        return _WORDS[state]
    if not state:
        fatal = re.search(r"(?:FATAL|connection to server[^\n]*?failed|could not [^\n:]*):[^\n]*", text)
        if fatal:
            return f"it cannot be reached: {fatal[0]}"
        return "the driver reports an error without a code; the server's log may say more"
    said = re.search(r"(?:ERROR|FATAL):\s*([^\n]*)", text)
    if state[:2] in _SPEAKING and said:
        return f"{said[1]} (SQLSTATE {state})"
    return f"it refuses this with SQLSTATE {state}; its message may quote values and is in the server's log"
