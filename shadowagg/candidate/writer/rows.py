"""Rows as CSV for `COPY`, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO

import pyarrow as pa
import pyarrow.csv as pa_csv

from shadowagg.rowset import Role, RowSet

__all__ = ["CsvStream", "columns_to_write", "random_ids"]

_VARIANT = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)


def columns_to_write(rows: RowSet) -> tuple[str, ...]:
    """The columns that are written; the others get the table's default, as in production's insert.

    Those are columns left out of the comparison without a value, other than random ids.
    """
    return tuple(
        column.name
        for column in rows.spec.columns
        if column.random_id
        or column.role is not Role.LEFT_OUT
        or rows.table.column(column.name).null_count < rows.num_rows
    )


def random_ids(count: int) -> pa.Array:
    """Random UUIDs (version 4) as text of 32 digits, which PostgreSQL reads as well as hyphens."""
    digits = bytearray(os.urandom(16 * count).hex().encode())
    digits[12::32] = b"4" * count
    digits[16::32] = digits[16::32].translate(_VARIANT)
    fixed = pa.Array.from_buffers(pa.binary(32), count, [None, pa.py_buffer(bytes(digits))])
    return fixed.cast(pa.binary()).cast(pa.string())


class CsvStream:
    """A file that `COPY … FROM STDIN (FORMAT csv)` reads.

    NULL is nothing, an empty text is two quotes: PostgreSQL's CSV means the same by them. Decimals are
    written digit by digit, doubles as the shortest text that reads back as the double.

    Args:
        rows: what is written.
        columns: in this order.
        batch_rows: how many rows are text at once; what bounds the memory.
    """

    def __init__(self, rows: RowSet, columns: tuple[str, ...], *, batch_rows: int) -> None:
        self._batches = _texts(rows, columns, batch_rows)
        self._text = BytesIO()

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""
        if size < 0:
            return self._text.read() + b"".join(self._batches)
        piece = self._text.read(size)
        while not piece:
            try:
                self._text = BytesIO(next(self._batches))
            except StopIteration:
                return b""
            piece = self._text.read(size)
        return piece


def _texts(rows: RowSet, columns: tuple[str, ...], batch_rows: int) -> Iterator[bytes]:
    layout = pa_csv.WriteOptions(include_header=False, batch_size=batch_rows)
    ids = {column.name for column in rows.spec.columns if column.random_id}
    for start in range(0, rows.num_rows, batch_rows):
        piece = rows.table.slice(start, batch_rows)
        batch = pa.table(
            {
                name: random_ids(piece.num_rows)
                if name in ids
                else _plain(piece.column(name), rows.spec.column(name).type.arrow)
                for name in columns
            }
        )
        text = BytesIO()
        pa_csv.write_csv(batch, text, layout)
        yield text.getvalue()


def _plain(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return values.cast(type_)
