"""Seeded row sets for the benchmarks of the comparison: 12 exact columns and 18 measures."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from shadowagg.rowset import (
    DATE,
    DOUBLE,
    INTEGER,
    JSON_TEXT,
    STORED_DECIMAL,
    TEXT,
    WORKING_DOUBLE,
    Column,
    Role,
    RowKind,
    RowSetSpec,
    numeric,
)

KEY = ("source_uuid", "usage_start", "data_source", "namespace", "node", "pod", "labels")


def specification(measure: str = "double") -> RowSetSpec:
    type_, tolerance = (
        (DOUBLE, WORKING_DOUBLE) if measure == "double" else (numeric(33, 15), STORED_DECIMAL)
    )
    return RowSetSpec(
        name=f"bench:{measure}",
        table="bench",
        home="inner",
        columns=(
            Column("cluster_id", TEXT),
            Column("cluster_alias", TEXT),
            Column("data_source", TEXT),
            Column("usage_start", DATE),
            Column("usage_end", DATE),
            Column("namespace", TEXT),
            Column("node", TEXT),
            Column("pod", TEXT),
            Column("labels", JSON_TEXT, Role.JSON),
            Column("source_uuid", TEXT),
            Column("report_period_id", INTEGER),
            Column("storageclass", TEXT),
            *(Column(f"measure_{n}", type_, Role.MEASURE, tolerance) for n in range(18)),
        ),
        kinds=(RowKind("all", KEY),),
        day="usage_start",
        group="namespace",
        source="source_uuid",
    )


def control_rows(rows: int, *, measure: str = "double", seed: int = 1) -> pa.Table:
    """Rows with unique keys: 30 days, 100 namespaces, 50 nodes, 20,000 label sets."""
    number = pa.array(range(rows), pa.int64())
    day = number_modulo(number, 30)
    rest = pc.divide(number, 30)
    namespace = number_modulo(rest, 100)
    rest = pc.divide(rest, 100)
    node = number_modulo(pc.add(rest, namespace), 50)
    labels = pc.add(pc.multiply(number_modulo(rest, 200), 100), namespace)
    pod = pc.divide(rest, 200)
    one = pa.repeat(pa.scalar(0, pa.int64()), rows)
    first = (dt.date(2025, 8, 1) - dt.date(1970, 1, 1)).days
    days = pc.add(day, first).cast(pa.int32())
    # Only doubles that decimals of 15 digits can carry, so that both kinds have the same values.
    measures = [
        pc.round(pc.multiply(pc.random(rows, initializer=seed * 100 + n), 1000.0), 9)
        for n in range(18)
    ]
    if measure != "double":
        measures = [column.cast(pa.decimal128(33, 15), safe=False) for column in measures]
    columns = [
        dictionary(one, "cluster-{}"),
        dictionary(one, "alias {}"),
        dictionary(one, "Pod"),
        days.cast(pa.date32()),
        days.cast(pa.date32()),
        dictionary(namespace, "namespace-{}"),
        dictionary(node, "ip-10-0-{}.ec2.internal"),
        dictionary(pod, "pod-{}"),
        dictionary(labels, '{{"app": "app-{0}", "version": "{0}"}}'),
        dictionary(one, "5b3d0a67-0000-4000-8000-00000000000{}"),
        one.cast(pa.int32()),
        dictionary(number_modulo(number, 7), "class-{}"),
    ]
    return pa.table([*columns, *measures], schema=_dictionary_schema(specification(measure)))


def number_modulo(numbers: pa.Array, by: int) -> pa.Array:
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, by), by))


def dictionary(numbers: pa.Array, text: str) -> pa.Array:
    count = pc.max(numbers).as_py() + 1
    return pa.DictionaryArray.from_arrays(
        numbers.cast(pa.int32()), pa.array([text.format(n) for n in range(count)])
    )


def _dictionary_schema(spec: RowSetSpec) -> pa.Schema:
    return pa.schema(
        [
            pa.field(f.name, pa.dictionary(pa.int32(), pa.string()))
            if pa.types.is_string(f.type)
            else f
            for f in spec.schema
        ]
    )


def shuffled(table: pa.Table, *, seed: int = 2, chunk: int = 70_000) -> pa.Table:
    """The same rows in another order, in other chunks, each with dictionaries of its own."""
    order = pc.sort_indices(pc.random(table.num_rows, initializer=seed))
    table = table.take(order)
    return pa.concat_tables(
        re_encoded(table.slice(start, chunk)) for start in range(0, table.num_rows, chunk)
    )


def re_encoded(table: pa.Table) -> pa.Table:
    columns = []
    for column in table.columns:
        if not pa.types.is_dictionary(column.type):
            columns.append(column)
            continue
        plain = column.cast(pa.string()).combine_chunks()
        values = pc.unique(plain).to_pylist()
        random.Random(len(values)).shuffle(values)  # noqa: S311 - no secret
        indices = pc.index_in(plain, value_set=pa.array(values))
        columns.append(pa.DictionaryArray.from_arrays(indices, pa.array(values)))
    return pa.table(columns, names=table.column_names)


def last_bits_changed(table: pa.Table) -> pa.Table:
    """The same rows with the last bit of every second double flipped."""
    flip = number_modulo(pa.array(range(table.num_rows), pa.int64()), 2)
    for index, column in enumerate(table.columns):
        if pa.types.is_floating(column.type):
            bits = column.combine_chunks().view(pa.int64())
            table = table.set_column(
                index, table.field(index), pc.bit_wise_xor(bits, flip).view(pa.float64())
            )
    return table


def every_row_different(table: pa.Table) -> pa.Table:
    """The same keys with all measures changed."""
    for index, column in enumerate(table.columns):
        if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
            one = pa.scalar(Decimal(1), column.type) if pa.types.is_decimal(column.type) else 1.0
            changed = pc.add(column, one).cast(column.type)
            table = table.set_column(index, table.field(index), changed)
    return table


def write(table: pa.Table, file: Path, *, group: int) -> Path:
    parquet.write_table(table, file, row_group_size=group)
    return file
