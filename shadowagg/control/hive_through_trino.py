"""A window's rows of a Hive table, read through Trino: where the lake itself cannot be reached."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import trino.auth  # imported with the table that is read through it, never with the package
import trino.dbapi
import trino.exceptions

from shadowagg.condition import Condition, Test
from shadowagg.condition_sql import TRINO, condition_sql
from shadowagg.control.hive_rows import (
    WindowRows,
    columns_to_read,
    of_window,
    partition_values,
)
from shadowagg.errors import InputUnreadable, RowSetInvalid
from shadowagg.rowset import RowSetSpec
from shadowagg.servers import TrinoServer
from shadowagg.window import Window

__all__ = ["read_through_trino"]

_BATCH = 10_000
"""Rows that are Python objects at a time."""
_MODIFIED = "$file_modified_time"
"""Trino's hidden column: when the file of a row was last changed."""


def read_through_trino(
    server: TrinoServer, schema: str, spec: RowSetSpec, window: Window
) -> tuple[WindowRows, str]:
    """The rows, and the id of the query that gave them.

    Args:
        server: with a catalog `hive`.
        schema: the tenant's.
        spec: of the rows.
        window: whose rows are wanted.

    Raises:
        InputUnreadable: for what Trino says instead.
        RowSetInvalid: for a value that its declared type cannot hold.
    """
    wanted = pa.schema([(column.name, column.type.arrow) for column in columns_to_read(spec)])
    asked = condition_sql(
        Condition(
            (
                *(Test(name, "in", partition_values(name, window)) for name in spec.partitions),
                *spec.asked(window).tests,
            )
        ),
        TRINO,
    )
    names = ", ".join(TRINO.identifier(name) for name in (*wanted.names, _MODIFIED))
    table = TRINO.identifier("hive", schema, spec.table)
    statement = f"SELECT {names} FROM {table} WHERE {asked.text}"  # noqa: S608 - names quoted
    connection = _connect(server)
    try:
        cursor = connection.cursor()
        cursor.execute(statement, list(asked.values))
        batches, written = [], None
        for rows in _batches(cursor):
            *values, moments = zip(*rows, strict=True)
            batches.append(_as_declared(values, wanted, spec))
            first = _nanoseconds(min(moments))
            written = first if written is None else min(first, written)
        read = of_window(spec, pa.Table.from_batches(batches, wanted), window, written)
        return read, str(cursor.query_id or "")
    except (trino.exceptions.Error, OSError) as error:
        reason = getattr(error, "message", None) or str(error)
        raise InputUnreadable(
            f"Trino says: {str(reason).splitlines()[0]}",
            on=f"table hive.{schema}.{spec.table}",
            hint="see to the server, or say where the table's files lie",
        ) from None
    finally:
        connection.close()


def _connect(server: TrinoServer) -> Any:
    authentication: Any = None
    if server.jwt:
        authentication = trino.auth.JWTAuthentication(server.jwt)
    elif server.password:
        authentication = trino.auth.BasicAuthentication(server.user, server.password)
    return trino.dbapi.connect(  # type: ignore[no-untyped-call]
        host=server.host,
        port=server.port,
        user=server.user,
        http_scheme=server.scheme,
        auth=authentication,
        verify=server.verify or True,
        timezone="UTC",
        source="shadowagg",
    )


def _batches(cursor: Any) -> Iterator[list[Any]]:
    while rows := cursor.fetchmany(_BATCH):
        yield rows


def _as_declared(values: list[Any], wanted: pa.Schema, spec: RowSetSpec) -> pa.RecordBatch:
    arrays = []
    for column, cells in zip(wanted, values, strict=True):
        try:
            arrays.append(pa.array(cells, column.type))
        except (pa.ArrowException, TypeError, ValueError):  # the message quotes the value
            raise RowSetInvalid(
                f"column {column.name} has a value that is no {column.type}",
                on=f"table {spec.table} as Trino gives it",
            ) from None
    return pa.record_batch(arrays, schema=wanted)


def _nanoseconds(moment: dt.datetime) -> int:
    whole = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (whole // dt.timedelta(microseconds=1)) * 1000
