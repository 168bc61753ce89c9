"""Output tables of the twin: made from the row sets' specifications, read back in their types."""

from __future__ import annotations

import tempfile

import pyarrow as pa

from shadowagg.control import trino_rows
from shadowagg.control.scratch import Scratch, quoted
from shadowagg.rowset import RowSetSpec
from shadowagg.window import Window

__all__ = ["make_table", "read_rows"]

_IN_MEMORY = 64 << 20
"""Bytes of a COPY that are kept in memory; more goes to a file of the run's own."""

_LONGEST_ROW = 64 << 20
"""Bytes: the reader takes a row whole."""


def make_table(scratch: Scratch, spec: RowSetSpec) -> None:
    """An empty table in PostgreSQL, in the specification's types: plain, though production's has parts.

    Tables of the lake are made by the templates themselves.
    """
    columns = ", ".join(
        f"{quoted(column.name)} {column.type.postgres}{'' if column.nullable else ' NOT NULL'}"
        for column in spec.columns
    )
    scratch.sql(f"CREATE TABLE {quoted(scratch.name, spec.table)} ({columns})")


def read_rows(scratch: Scratch, spec: RowSetSpec, window: Window) -> pa.Table:
    """The rows that are this row set's, of the window's source and days.

    Args:
        scratch: where the table lies, in the catalog that the specification names.
        spec: of the row set.
        window: whose source and days.
    """
    if spec.home == "hive":
        table = trino_rows.read_rows(spec, scratch.session, scratch.hive(spec.table))
    else:
        table = _from_postgres(scratch, spec)
    asked = spec.asked(window)
    table = table.filter(asked.mask(table))
    return table.filter(spec.read_back.mask(table))


def _from_postgres(scratch: Scratch, spec: RowSetSpec) -> pa.Table:
    """By COPY as CSV, in which NULL and the empty text differ by their quotes."""
    from pyarrow import csv  # only this reader needs it

    columns = ", ".join(quoted(column.name) for column in spec.columns)
    statement = (
        f"COPY (SELECT {columns} FROM {quoted(scratch.name, spec.table)})"  # noqa: S608 - names quoted
        " TO STDOUT (FORMAT csv)"
    )
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        with scratch.database.cursor() as cursor:
            cursor.copy_expert(statement, file)
        if not file.tell():
            return spec.empty()
        file.seek(0)
        table: pa.Table = csv.read_csv(
            pa.PythonFile(file, mode="r"),
            read_options=csv.ReadOptions(column_names=spec.schema.names, block_size=_LONGEST_ROW),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={field.name: field.type for field in spec.schema},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
        return table
