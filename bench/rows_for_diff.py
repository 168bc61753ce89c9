"""Two Parquet files of one specification, for the benchmarks of the comparison.

Rows have unique keys: 30 days, 100 namespaces, 20,000 label sets. The candidate's rows are the
control's, shuffled, in other chunks and with other dictionaries.
"""

from __future__ import annotations

import datetime as dt
import random
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from shadowagg.discovery import registry
from shadowagg.rowset import Role, RowSetSpec


def control_rows(spec: RowSetSpec, rows: int) -> pa.Table:
    """The control's rows; columns that are not listed here are NULL."""
    number = pa.array(range(rows), pa.int64())
    day = number_modulo(number, 30)
    rest = pc.divide(number, 30)
    namespace = number_modulo(rest, 100)
    rest = pc.divide(rest, 100)
    node = pc.add(namespace, pc.divide(rest, 200))
    labels = pc.add(pc.multiply(number_modulo(rest, 200), 100), namespace)
    one = pa.repeat(pa.scalar(0, pa.int64()), rows)
    first = (dt.date(2025, 8, 1) - dt.date(1970, 1, 1)).days
    days = pc.add(day, first).cast(pa.int32()).cast(pa.date32())
    known = {
        "report_period_id": one.cast(pa.int32()),
        "cluster_id": dictionary(one, "cluster-{}"),
        "cluster_alias": dictionary(one, "alias {}"),
        "data_source": dictionary(one, "Pod"),
        "usage_start": days,
        "usage_end": days,
        "namespace": dictionary(namespace, "namespace-{}"),
        "node": dictionary(node, "ip-10-0-{}.internal"),
        "resource_id": dictionary(node, "i-{:017}"),
        "pod_labels": dictionary(labels, '{{"app": "app-{0}", "version": "{0}"}}'),
        "infrastructure_usage_cost": dictionary(one, '{{"cpu": {}.000000000}}'),
        "source_uuid": dictionary(one, "5b3d0a67-0000-4000-8000-00000000000{}"),
        "source": dictionary(one, "5b3d0a67-0000-4000-8000-00000000000{}"),
        "day": dictionary(pc.add(day, 1), "{}"),
    }
    columns = {}
    for place, column in enumerate(spec.columns):
        if column.role is Role.LEFT_OUT:
            continue
        if column.role is Role.MEASURE:
            # Only doubles that decimals can carry, so that both types have the same values.
            values = pc.round(pc.multiply(pc.random(rows, initializer=place), 1000.0), 9)
            columns[column.name] = values.cast(column.type.arrow, safe=False)
        else:
            columns[column.name] = known.get(column.name, pa.nulls(rows, column.type.arrow))
    return pa.table(columns)


def number_modulo(numbers: pa.Array, by: int) -> pa.Array:
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, by), by))


def dictionary(numbers: pa.Array, text: str) -> pa.Array:
    count = pc.max(numbers).as_py() + 1
    return pa.DictionaryArray.from_arrays(
        numbers.cast(pa.int32()), pa.array([text.format(n) for n in range(count)])
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


def main(name: str, rows: int, folder: Path) -> None:
    """Write `control`, `equal` and `different`.parquet."""
    control = control_rows(registry().spec(name), rows)
    parquet.write_table(control, folder / "control.parquet", row_group_size=200_000)
    equal = shuffled(last_bits_changed(control))
    parquet.write_table(equal, folder / "equal.parquet", row_group_size=120_000)
    different = shuffled(every_row_different(control))
    parquet.write_table(different, folder / "different.parquet", row_group_size=120_000)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
