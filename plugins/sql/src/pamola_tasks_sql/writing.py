"""A dataset into a table: a new one is filled, and takes the place of the old one, all in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import DataError
from pamola_tasks_sql.address import literal, quoted
from pamola_tasks_sql.connecting import rows
from pamola_tasks_sql.reading import Fingerprint, TableReader
from pamola_tasks_sql.typed import TypedTable, natural

if TYPE_CHECKING:
    from pamola_tasks import OperationContext
    from pamola_tasks_sql.address import Address

_WIDER = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20)}
_WIDER |= {pa.int8(): pa.int16(), pa.float16(): pa.float32()}
_NAME = 63  # bytes that a name may have in PostgreSQL


def write(
    ctx: OperationContext, connection: Any, address: Address, dataset: str, types: Mapping[str, str]
) -> tuple[Fingerprint, dict[str, str]]:
    """Write a dataset, commit, and return what the database then says of the table, and the types that were kept.

    Grants of the table that is replaced hold for the new one; its indexes, constraints, triggers and comments go with
    it.

    Args:
        types: The types that columns have where the database has them, by column; others are as the dataset has them.

    Raises:
        DataError: A column cannot be stored, or something depends on the table that would be replaced.
    """
    ctx.stage("looking at the dataset")
    schema = schema_of(ctx, dataset)
    new = f"{address.parts[-1].encode()[: _NAME - 17].decode(errors='ignore')}_{secrets.token_hex(8)}"
    place = [*address.parts[:-1], new]
    new_name = ".".join(map(quoted, place))
    typed = TypedTable(connection, schema, types)
    for column, type_ in typed.unknown.items():
        ctx.warn(f"{address} has no type {type_}: column {column} is stored as {natural(schema.field(column).type)}")
    ctx.stage("writing")
    pieces = pa.RecordBatchReader.from_batches(schema, batches_of(ctx, dataset, schema))
    with connection.cursor() as cursor:
        if typed.types:
            waiting = f"pamola_{secrets.token_hex(8)}"  # a temporary table, which needs no log of the server
            cursor.adbc_ingest(waiting, pieces, mode="create", temporary=True)
            for statement in typed.statements(waiting, new_name):
                cursor.execute(statement)
            cursor.execute(f"drop table {waiting}")
        else:
            where = {"db_schema_name": place[0]} if len(place) > 1 else {}
            cursor.adbc_ingest(new, pieces, mode="create", **where)
    ctx.stage("putting it in place")
    grants = _grants(connection, address, new_name)
    with connection.cursor() as cursor:
        cursor.execute(f"drop table if exists {address.quoted}")
        cursor.execute(f"alter table {new_name} rename to {quoted(address.parts[-1])}")
        for grant in grants:
            cursor.execute(grant)
        said = f"written by pamola-tasks: task {ctx.run.record.task_id}, run {ctx.run.id}, dataset {dataset}"
        cursor.execute(f"comment on table {address.quoted} is {literal(said)}")
    found = TableReader(connection, address).fingerprint()
    connection.commit()
    return found, typed.types


def batches_of(ctx: OperationContext, dataset: str, schema: Any) -> Iterator[Any]:
    """The rows of a dataset as record batches of this schema."""
    done = 0
    for piece in ctx.data.chunks(dataset):
        table = pa.Table.from_pandas(piece, preserve_index=False)
        cells = [table.column(field.name).cast(field.type) for field in schema]
        for field, column in zip(schema, cells, strict=True):
            if pa.types.is_string(field.type) and pc.any(pc.match_substring(column, "\0")).as_py():
                raise DataError(f"{dataset}: column {field.name!r} has a text with the character NUL: remove it")
        yield from pa.Table.from_arrays(cells, schema=schema).to_batches()
        done += len(piece)
        ctx.progress(done, unit="rows")


def schema_of(ctx: OperationContext, dataset: str) -> Any:
    """One schema for all pieces: columns of objects (decimals, days) say only in their cells what they are."""
    dtypes = ctx.data.schema(dataset)
    if not dtypes:
        raise DataError(f"{dataset}: a table without columns cannot be written")
    if long := [name for name in dtypes if len(name.encode()) > _NAME]:
        raise DataError(f"{dataset}: column {long[0]!r} has a name of more than {_NAME} bytes: rename it")
    schema = _arrow_schema(next(iter(ctx.data.chunks(dataset))))
    loose = [name for name, dtype in dtypes.items() if dtype == "object"]
    for piece in ctx.data.chunks(dataset, columns=loose) if loose else ():
        schema = pa.unify_schemas([schema, _arrow_schema(piece)], promote_options="permissive")
    return pa.schema([(name, _stored(dataset, name, schema.field(name).type)) for name in dtypes])


def _arrow_schema(piece: Any) -> Any:
    schema = pa.Schema.from_pandas(piece, preserve_index=False)
    values = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in schema]
    return pa.schema(list(zip(schema.names, values, strict=True)))


def _stored(dataset: str, name: str, type_: Any) -> Any:
    """The type that PostgreSQL has for one of Arrow."""
    if pa.types.is_large_string(type_) or pa.types.is_null(type_):
        return pa.string()
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", type_.tz)
    stored = _WIDER.get(type_, type_)
    if pa.types.is_string(stored) or pa.types.is_primitive(stored) or pa.types.is_decimal(stored):
        return stored
    raise DataError(f"{dataset}: column {name!r} is {type_}, for which a table has no type: make it text")


def _grants(connection: Any, address: Address, new_name: str) -> list[str]:
    """Statements that give the new table what others may do with the old one."""
    granted = rows(
        connection,
        "select a.privilege_type, a.is_grantable, case a.grantee when 0 then 'public' else quote_ident(r.rolname) end"
        " from pg_class c cross join lateral aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee"
        f" where c.oid = to_regclass({literal(address.quoted)}) and a.grantee <> c.relowner",
    )
    return [
        f"grant {privilege} on {address.quoted} to {who}{' with grant option' if may_grant else ''}"
        for privilege, may_grant, who in granted
    ]
