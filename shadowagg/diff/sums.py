"""Groups of rows over both sides, and sums of numbers per group that cannot run over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import Codes, encode, fold, places
from shadowagg.diff.numbers import plain_numbers

__all__ = ["Groups", "absolute_sums", "doubles", "group_rows", "group_sizes", "on_both", "sum_by"]


@dataclass(frozen=True)
class Groups:
    """Groups of rows over both sides, as numbers from 0.

    Args:
        control: each control row's group.
        candidate: each candidate row's group.
        count: how many groups there are.
        days: each group's day, as a number from 0.
        labels: columns `day` and `group` (if there is one), one entry per group.
    """

    control: pa.Array
    candidate: pa.Array
    count: int
    days: pa.Array
    labels: pa.Table


def group_rows(by: Sequence[str], tables: Sequence[pa.Table], codes: Mapping[str, Codes]) -> Groups:
    """The groups of rows that are equal in some columns, the first of which is the day.

    Args:
        by: the columns.
        tables: of control and candidate.
        codes: of encoded columns of these tables; others are encoded here.
    """
    rows = tables[0].num_rows, tables[1].num_rows
    keys = [
        codes[name] if name in codes else encode(tables[0][name], tables[1][name]) for name in by
    ]
    folded = fold(keys, *rows)
    both = pa.chunked_array([folded.control, folded.candidate]).dictionary_encode()
    numbers = pa.concat_arrays([*(c.indices for c in both.chunks), pa.array([], pa.int32())])
    count = len(both.chunk(0).dictionary) if both.num_chunks else 0
    control, candidate = numbers.slice(0, rows[0]), numbers.slice(rows[0])
    # A row that stands for its group: its day and group are the group's.
    examples = places(control, count), places(candidate, count)
    in_control = pc.is_valid(examples[0])
    labels = {}
    for place, name in zip(("day", "group"), by, strict=False):
        one, other = (
            _plain(table[name].take(rows_of_side))
            for table, rows_of_side in zip(tables, examples, strict=True)
        )
        labels[place] = pc.if_else(in_control, one, other)
    days = pc.if_else(
        in_control, keys[0].control.take(examples[0]), keys[0].candidate.take(examples[1])
    )
    return Groups(control, candidate, count, days.dictionary_encode().indices, pa.table(labels))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    type_ = column.type
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_string(type_) or pa.types.is_string_view(type_):
        type_ = pa.large_string()
    return column.cast(type_)


def on_both(function: Callable[[int], pa.Table]) -> list[pa.Table]:
    """A function of side 0 and side 1, each on its own thread."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(function, (0, 1)))


def sum_by(values: pa.Table, groups: pa.Array, count: int) -> pa.Table:
    """The sum of each column per group, in the order of the groups' numbers."""
    names = values.column_names
    columns = {f"{n}": _safe(values[name]) for n, name in enumerate(names)}
    summed = (
        pa.table({**columns, "group": groups})
        .group_by("group", use_threads=False)
        .aggregate([(name, "sum") for name in columns])
    )
    order = places(summed["group"].combine_chunks(), count)
    return pa.table(
        {name: summed[f"{n}_sum"].combine_chunks().take(order) for n, name in enumerate(names)}
    )


def _safe(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers whose sum cannot overflow: decimals of 256 bits where 38 digits might not do."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_integer(column.type):
        return column.cast(pa.decimal128(38, 0))
    if not pa.types.is_decimal(column.type):
        return column.cast(pa.float64())
    type_ = column.type
    spare = 38 - len(str(len(column)))
    if type_.precision > spare:
        limit = pa.scalar(
            Decimal(1).scaleb(spare - type_.scale, Context(prec=76)), pa.decimal256(76, type_.scale)
        ).cast(pa.decimal128(38, type_.scale))
        small = pc.less(pc.abs(column), limit)
        if not pc.all(small, min_count=0).as_py():
            return column.cast(pa.decimal256(type_.precision, type_.scale))
    return column


def absolute_sums(values: pa.Table, sums: pa.Table, groups: pa.Array, count: int) -> pa.Table:
    """The sum of each column's absolute values per group; that of its values if none is negative."""
    known = {}
    open_ = {}
    for name in values.column_names:
        numbers = plain_numbers(values[name])
        if name in sums.column_names and not _any_negative(numbers):
            known[name] = sums[name]
        else:
            open_[name] = pc.abs(numbers)
    summed = sum_by(pa.table(open_), groups, count)
    return pa.table({**known, **{name: summed[name] for name in open_}})


def _any_negative(numbers: pa.Array) -> bool:
    if pa.types.is_floating(numbers.type):
        # Negative doubles have the sign bit of a negative integer, which is found much faster.
        numbers = numbers.view(pa.int64())
        return bool((pc.min(numbers).as_py() or 0) < 0)
    return bool(pc.any(pc.less(numbers, pa.scalar(Decimal(0), numbers.type))).as_py())


def group_sizes(groups: pa.Array, count: int) -> pa.Array:
    """How many rows each group has, as doubles."""
    ones = pa.table({"rows": pa.repeat(pa.scalar(1, pa.int64()), len(groups))})
    return doubles(sum_by(ones, groups, count)["rows"])


def doubles(column: pa.ChunkedArray) -> pa.Array:
    """Sums as doubles; NULL is zero."""
    return pc.fill_null(column.combine_chunks().cast(pa.float64()), 0.0)
