"""The rows of a stage, from Trino back to Arrow: from its files where they can be reached, else row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.control.scratch import quoted
from shadowagg.control.trino_session import TrinoSession
from shadowagg.rowset import ColumnType, RowSetSpec

__all__ = ["kept_as", "read_files", "read_rows", "restored"]

_AS_TEXT = frozenset({"uuid", "json"})
"""Types that Hive has not: such a column is kept as text, which is what a row set carries."""

_CAST = {"uuid": "CAST({} AS varchar)", "json": "json_format({})"}
_RESTORE = {"uuid": "CAST({} AS uuid)", "json": "json_parse({})"}
_PARQUET = "*"


def kept_as(type_: ColumnType) -> tuple[str, str]:
    """The type in which a column of a stage is kept in Hive, and the form of its values there."""
    if type_.trino in _AS_TEXT:
        return "varchar", _CAST[type_.trino]
    return type_.trino, "{}"


def restored(spec: RowSetSpec, table: str) -> str | None:
    """A SELECT that gives a kept stage its own types again; None where it has them."""
    if not any(column.type.trino in _AS_TEXT for column in spec.columns):
        return None
    values = (
        f"{_RESTORE.get(column.type.trino, '{}').format(quoted(column.name))}"
        f" AS {quoted(column.name)}"
        for column in spec.columns
    )
    return f"SELECT {', '.join(values)} FROM {table}"  # noqa: S608 - names quoted


def read_files(spec: RowSetSpec, folder: Path) -> pa.Table:
    """The Parquet files that Trino has written for a stage, in the types of its specification.

    Args:
        spec: of its row set.
        folder: with nothing else in it; one without files has no rows.

    Raises:
        OSError: if a file cannot be read.
    """
    import pyarrow.parquet as pq  # heavy; most modes do not read Parquet themselves

    schema = _nullable(spec)
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    tables = [
        pq.read_table(file, partitioning=None, read_dictionary=texts)
        for file in sorted(folder.rglob(_PARQUET))
        if file.is_file() and not file.name.startswith((".", "_")) and file.stat().st_size
    ]
    columns = {}
    for field in schema:
        chunks = [chunk for table in tables for chunk in table.column(field.name).chunks]
        columns[field.name] = _column(chunks, field.type)
    return pa.table(columns)


def read_rows(spec: RowSetSpec, session: TrinoSession, table: str) -> pa.Table:
    """A stage's rows through the client, in bounded batches, in the types of its specification.

    Doubles come as the shortest text that gives the same double again, decimals and dates as such.

    Args:
        spec: of its row set.
        session: on Trino.
        table: its qualified, quoted name.
    """
    schema = _nullable(spec)
    names = ", ".join(quoted(name) for name in schema.names)
    statement = f"SELECT {names} FROM {table}"  # noqa: S608 - names quoted
    return pa.Table.from_batches(_batches(session, statement, schema), schema)


def _batches(session: TrinoSession, statement: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for rows in session.batches(statement):
        values = zip(*rows, strict=True)
        arrays = [pa.array(v, field.type) for v, field in zip(values, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)


def _column(chunks: list[Any], type_: pa.DataType) -> pa.ChunkedArray:
    if not chunks:
        return pa.chunked_array([], type_)
    if not pa.types.is_string(type_):
        return pa.chunked_array(chunks).cast(type_)
    # Files may differ in whether a column came as a dictionary.
    if all(pa.types.is_dictionary(chunk.type) for chunk in chunks):
        return pa.chunked_array(chunks)
    plain = [
        pc.cast(chunk, pa.string()) if pa.types.is_dictionary(chunk.type) else chunk
        for chunk in chunks
    ]
    return pa.chunked_array([chunk.cast(pa.string()) for chunk in plain], pa.string())


def _nullable(spec: RowSetSpec) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in spec.schema])
