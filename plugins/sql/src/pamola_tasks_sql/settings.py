"""The plugin's own section of the configuration: `sql`, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, urlsplit

import attrs

from pamola_tasks.errors import DataError
from pamola_tasks.secret import Secret
from pamola_tasks_sql.address import FILES, SCHEMES, Address, kind_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_CREDENTIALS = ("user", "password", "passfile", "sslpassword")  # parameters of libpq that do not belong into an address


@attrs.frozen(kw_only=True)
class Database:
    """A database that tasks may use.

    Attributes:
        url: Where it is: `postgresql://HOST:PORT/NAME`, with parameters of libpq (`?sslmode=verify-full`) and without
            user and password. A host other than this machine is reached with `sslmode=verify-full` unless stated. Or
            a file of the project: `sqlite:PATH`, `duckdb:PATH`.
        user: The user to connect as.
        password: That user's password, by reference: `${secret:NAME}` or `${env:NAME}`.
        write: Tables that tasks may replace, as names with `*` for any text (`research.*`); none unless set.
        fingerprint: How a change of a table is seen: `xmin` by the number of rows and the transactions that wrote
            them, `hash` by a hash of all values. Views and queries are always hashed.
    """

    url: str
    user: str | None = None
    password: str | Secret | None = None
    write: list[str] = attrs.Factory(list)
    fingerprint: Literal["xmin", "hash"] = "xmin"

    @property
    def kind(self) -> str:
        """The kind of database, as addresses have it."""
        return kind_of(self.url.partition(":")[0])

    @property
    def file(self) -> str:
        """The file that it is; empty of a server."""
        return self.url.partition(":")[2] if self.kind in FILES else ""


@attrs.frozen(kw_only=True)
class SqlSettings:
    """Databases that tables are read from and written to.

    Attributes:
        databases: Databases that tasks may use, by the name that addresses have; in the project file only.
        outputs: Datasets that are written into a table besides: by the dataset's name, an address such as
            `postgresql://clinic?table=research.people`.
    """

    databases: dict[str, Database] = attrs.Factory(dict)
    outputs: dict[str, str] = attrs.Factory(dict)


def problems(config: Config) -> Iterator[str]:
    """What is wrong with the section `sql` of a configuration."""
    settings: SqlSettings = config.plugin("sql")
    for key, origin in config.origins().items():
        if f"{key}.".startswith("sql.databases.") and origin.value and origin.layer not in ("project file", "default"):
            yield (
                f"{origin.place}: {key}: only the project file can say which databases there are: a task names one of"
                " them"
            )
    for name, database in settings.databases.items():
        path = ("sql", "databases", name)
        if not _NAME.fullmatch(name):
            yield config.problem_at(path, "a name has letters, digits, '_', '.' and '-'", at_key=True)
        if said := _wrong_file(database) if database.file else _wrong(database.url):
            yield config.problem_at((*path, "url"), said)
    for name, address in settings.outputs.items():
        try:
            if not Address.of(address).table:
                yield config.problem_at(("sql", "outputs", name), "a table is written: say ?table=NAME")
        except DataError as problem:
            yield config.problem_at(("sql", "outputs", name), str(problem))


def _wrong_file(database: Database) -> str:
    """What is wrong with a database that is a file; empty where nothing is."""
    if database.file.startswith("//"):
        return f"expected {database.kind}:PATH, with a path in the project"
    return "a file has neither user nor password" if database.user or database.password else ""


def _wrong(url: str) -> str:
    """What is wrong with the place of a database; empty where nothing is. What it holds is not shown."""
    try:
        parts = urlsplit(url)
        complete = (
            parts.scheme in SCHEMES
            and parts.scheme not in FILES
            and parts.hostname
            and parts.path.strip("/")
            and (parts.port or True)
        )
    except ValueError:
        complete = False
    if not complete:
        return "expected postgresql://HOST:PORT/NAME, sqlite:PATH or duckdb:PATH"
    if "@" in parts.netloc or any(key in _CREDENTIALS for key, _ in parse_qsl(parts.query)):
        return "it holds a user or password; give these beside it, the password as ${secret:NAME}"
    return ""
