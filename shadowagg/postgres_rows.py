"""Rows of PostgreSQL as Arrow, in declared types, without loss.

`COPY … TO STDOUT` as CSV is the fastest way out, and it keeps apart what must stay apart: NULL is nothing,
the empty text is `""`; decimals come with all their digits, doubles with as many as make them again.
Arrays come as JSON. A value that does not fit its declared type is an error, never another value.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from shadowagg.condition_sql import POSTGRES, TRINO, SqlCondition
from shadowagg.errors import InputUnreadable, RowSetInvalid, UserError
from shadowagg.servers import PostgresServer

if TYPE_CHECKING:
    import psycopg2.extensions

__all__ = ["columns_of", "read_rows", "snapshot", "unfit_columns"]

_TEXT = {"text", "character varying", "uuid", "jsonb", "json"}
_TYPES: tuple[tuple[Any, frozenset[str]], ...] = (
    (pa.types.is_string, frozenset(_TEXT)),
    (pa.types.is_decimal, frozenset({"numeric"})),
    (pa.types.is_integer, frozenset({"smallint", "integer", "bigint"})),
    (pa.types.is_float64, frozenset({"double precision"})),
    (pa.types.is_date32, frozenset({"date"})),
    (pa.types.is_boolean, frozenset({"boolean"})),
)
"""What PostgreSQL may call a column that is read as an Arrow type; a list takes an array of these."""

_BLOCK_BYTES = 16 << 20
"""Arrow takes the CSV in blocks; no row may be larger than one."""
_LOCK_WAIT = "10s"
"""We read beside production; we do not queue up behind its changes of tables, and others behind us."""
_CONNECT_SECONDS = 10


@contextlib.contextmanager
def snapshot(server: PostgresServer | None = None) -> Iterator[psycopg2.extensions.connection]:
    """A connection that only reads, and sees one moment; closed at the end.

    Keep it short: as long as it is open, production's changes of the tables that were read wait.

    Args:
        server: by default the one that the environment names.

    Raises:
        UserError: if none is named, or it does not let us in.
        InputUnreadable: for what the server refuses later.
    """
    import psycopg2  # a shared library: loaded where a connection is made

    named = server or PostgresServer.from_environment()
    try:
        connection = psycopg2.connect(
            host=named.host,
            port=named.port,
            user=named.user,
            password=named.password or None,
            dbname=named.database,
            connect_timeout=_CONNECT_SECONDS,
            application_name="shadowagg",
            client_encoding="UTF8",
        )
    except psycopg2.OperationalError as error:
        raise UserError(
            f"no connection: {_first_line(error)}",
            on=f"PostgreSQL at {named.host}:{named.port}",
            hint="see PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE",
        ) from None
    try:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute(
                "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD';"
                " SET LOCAL extra_float_digits = 3; SET LOCAL lock_timeout = %s",
                (_LOCK_WAIT,),
            )
        yield connection
    except psycopg2.Error as error:
        raise InputUnreadable(
            f"the server says: {_first_line(error)}",
            on=f"PostgreSQL at {named.host}:{named.port}",
            hint="see to the server and to our user's rights",
        ) from None
    finally:
        connection.close()


def columns_of(
    connection: psycopg2.extensions.connection, schema: str, table: str
) -> Mapping[str, str]:
    """The columns of a table and what PostgreSQL calls their types; none if there is no such table."""
    with connection.cursor() as cursor:
        # A path of quoted names as a value: the placeholders' rules do not concern it.
        cursor.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (TRINO.identifier(schema, table),),
        )
        return dict(cursor.fetchall())


def unfit_columns(wanted: pa.Schema, found: Mapping[str, str]) -> list[str]:
    """What keeps the wanted columns from being read without loss, a line each.

    >>> unfit_columns(pa.schema([("cost", pa.decimal128(33, 15))]), {"cost": "double precision"})
    ['column cost is double precision, declared decimal128(33, 15)']
    """
    faults = []
    for column in wanted:
        name, type_, suffix = column.name, column.type, ""
        if pa.types.is_list(type_):
            type_, suffix = type_.value_type, "[]"
        accepted = {f"{x}{suffix}" for fits, names in _TYPES if fits(type_) for x in names}
        if name not in found:
            faults.append(f"column {name} is missing")
        elif found[name] not in accepted:
            faults.append(f"column {name} is {found[name]}, declared {column.type}")
    return faults


def read_rows(
    connection: psycopg2.extensions.connection,
    schema: str,
    table: str,
    columns: pa.Schema,
    which: SqlCondition,
) -> pa.Table:
    """Columns of some rows of a table, in the declared types; texts are dictionary-encoded.

    Args:
        connection: of `snapshot`.
        schema: of the table.
        table: its name.
        columns: names and types; `unfit_columns` has nothing against them.
        which: of the rows.

    Raises:
        RowSetInvalid: for a value that its declared type cannot hold.
    """
    wanted = []
    for number, column in enumerate(columns):
        name = POSTGRES.identifier(column.name)
        value = f"array_to_json({name})" if pa.types.is_list(column.type) else name
        wanted.append(f"{value} AS c{number}")
    # With a header: no first value can be taken for a byte-order mark, and no rows are no empty file.
    statement = (
        f"COPY (SELECT {', '.join(wanted)} FROM {POSTGRES.identifier(schema, table)}"  # noqa: S608 - names quoted
        f" WHERE {which.text}) TO STDOUT (FORMAT csv, HEADER)"
    )
    with connection.cursor() as cursor, tempfile.TemporaryFile() as file:
        cursor.copy_expert(cursor.mogrify(statement, which.values), file)
        file.seek(0)
        return _parsed(file, columns, f"table {schema}.{table}")


def _parsed(file: IO[bytes], columns: pa.Schema, on: str) -> pa.Table:
    from pyarrow import csv  # only where rows of PostgreSQL are read

    types = {f"c{number}": _csv_type(column.type) for number, column in enumerate(columns)}
    try:
        read = csv.read_csv(
            file,
            read_options=csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowException as error:
        raise _does_not_fit(error, columns, on) from None
    return pa.table(
        [
            _lists(read.column(number), column, on)
            if pa.types.is_list(column.type)
            else read.column(number)
            for number, column in enumerate(columns)
        ],
        names=columns.names,
    )


def _csv_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_list(type_) or pa.types.is_string(type_):
        return pa.dictionary(pa.int32(), pa.string())
    return type_


def _lists(texts: pa.ChunkedArray, column: pa.Field, on: str) -> pa.ChunkedArray:
    """JSON arrays -> lists; each distinct text is read once."""
    coded = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
    if isinstance(coded, pa.ChunkedArray):  # of no chunk at all
        return pa.chunked_array([pa.array([], column.type)])
    values = [json.loads(text, parse_float=Decimal) for text in coded.dictionary.to_pylist()]
    try:
        lists = pa.array(values, column.type)
    except (pa.ArrowException, TypeError, ValueError):
        raise RowSetInvalid(
            f"column {column.name} has an array that is no {column.type}", on=on
        ) from None
    return pa.chunked_array([lists.take(coded.indices)])


def _does_not_fit(error: pa.ArrowException, columns: pa.Schema, on: str) -> RowSetInvalid:
    """Names the column; the message itself quotes the value, and values of rows are for nobody."""
    found = re.search(r"CSV column #(\d+)", str(error))
    if found is None:
        return RowSetInvalid("the rows cannot be read as declared", on=on)
    column = columns.field(int(found.group(1)))
    return RowSetInvalid(f"column {column.name} has a value that is no {column.type}", on=on)


def _first_line(error: Exception) -> str:
    """What happened; not the details, which may quote rows."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return str(primary or str(error).strip() or type(error).__name__).splitlines()[0]
