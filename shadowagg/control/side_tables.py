"""Side tables, from the Parquet files of their export into PostgreSQL, by COPY."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from shadowagg.control.scratch import Scratch, failing, quoted
from shadowagg.errors import InputRefused, InputUnreadable
from shadowagg.provider import InputTable

__all__ = ["copy_side_table", "copy_text"]

_TYPES = {
    "text": "text",
    "double": "double precision",
    "time": "timestamp(3)",
    "integer": "integer",
    "boolean": "boolean",
    "uuid": "uuid",
    "texts": "text[]",
}
"""A declared type (`provider.InputColumn.type`) in PostgreSQL, unless it says itself how it is stored."""

_BATCH_ROWS = 10_000
_UUID_BYTES = 16


def copy_side_table(scratch: Scratch, table: InputTable, path: str | None) -> None:
    """Make a side table in the scratch schema, with the declared columns, and fill it.

    Args:
        scratch: of the run.
        table: which.
        path: of its Parquet file; None for a table that stays empty.

    Raises:
        InputRefused: if it lacks a declared column, or has one of another type.
        InputUnreadable: naming the file.
    """
    import psycopg2

    name = quoted(scratch.name, table.name)
    columns = ", ".join(f"{quoted(c.name)} {c.stored or _TYPES[c.type]}" for c in table.columns)
    scratch.sql(f"CREATE TABLE {name} ({columns})")
    if path is None:
        return
    into = f"COPY {name} ({', '.join(quoted(c.name) for c in table.columns)}) FROM STDIN"
    with failing("PostgreSQL"), scratch.database.cursor() as cursor:
        for lines in _batches(table, path):
            try:
                cursor.copy_expert(into, io.StringIO(lines))
            except psycopg2.DataError as error:
                raise InputRefused(
                    f"a value does not fit its declared type (SQLSTATE {error.diag.sqlstate})",
                    on=f"table {table.name}",
                    hint=f"export {path} again with the declared types",
                ) from None


def _batches(table: InputTable, path: str) -> Iterator[str]:
    """The rows as COPY takes them, some at a time."""
    import pyarrow.parquet as pq  # heavy; most modes do not read Parquet themselves

    names = [column.name for column in table.columns]
    try:
        with pq.ParquetFile(path) as file:
            missing = sorted(set(names) - set(file.schema_arrow.names))
            if missing:
                raise InputRefused(
                    f"no file of the table has the columns {missing}",
                    on=f"table {table.name}",
                    hint="export the side table again",
                )
            for batch in file.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
                rows = zip(*(batch.column(name).to_pylist() for name in names), strict=True)
                yield "".join("\t".join(map(copy_text, row)) + "\n" for row in rows)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise InputUnreadable(
            f"cannot read: {reason}", on=path, hint="export the side table again"
        ) from None


def copy_text(value: Any) -> str:
    r"""One value in the text format of COPY.

    >>> [copy_text(value) for value in (None, "", "a\tb", True, ["x", None, 'a"b'])]
    ['\\N', '', 'a\\tb', 't', '{"x",NULL,"a\\\\"b"}']
    """
    return "\\N" if value is None else _escaped(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, list):
        items = ("NULL" if item is None else _quoted_item(_plain(item)) for item in value)
        return "{" + ",".join(items) + "}"
    if isinstance(value, bytes) and len(value) == _UUID_BYTES:
        return str(uuid.UUID(bytes=value))
    if isinstance(value, dt.datetime):
        utc = value.astimezone(dt.UTC) if value.tzinfo else value
        return utc.replace(tzinfo=None).isoformat(" ")
    return repr(value) if isinstance(value, float) else str(value)


def _quoted_item(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return text
