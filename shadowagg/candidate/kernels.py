"""Neutral Arrow steps: grouping, joining and LIKE on integer codes.

Text columns are dictionaries throughout; whatever compares or groups them works on their codes, so
no step costs more than a pass over integers. Aggregations run on one thread: several would add
doubles in the order in which they happen to finish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "Aggregates",
    "Constants",
    "Matches",
    "append",
    "composite_keys",
    "constant",
    "group",
    "is_like",
    "lookup",
    "match_all",
    "positions",
    "recode",
    "single_chunk",
    "single_chunks",
    "take_codes",
    "without_nulls",
]

Aggregates = Mapping[str, Literal["sum", "max"]]
"""Column -> what becomes of it in a group."""

_LARGEST_KEY = 2**62

# --- chunks and dictionaries ------------------------------------------------------------------


def single_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array; the dictionaries of its chunks are unified.

    By concatenation: `unify_dictionaries` crashed (pyarrow 26.0.1) on a dictionary that has a validity
    bitmap without a NULL in it.
    """
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def single_chunks(table: pa.Table) -> pa.Table:
    """A table of one chunk per column, dictionaries unified."""
    return pa.table(
        {name: single_chunk(table.column(name)) for name in table.column_names},
    )


def append(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of the same columns, one after another; at least one is given.

    Tables without rows say nothing about types. Where a column is a dictionary in some and plain in
    others, it becomes plain.
    """
    filled = [table for table in tables if table.num_rows] or list(tables[:1])
    if len(filled) == 1:
        return filled[0]
    first = filled[0].schema
    if all(table.schema.equals(first) for table in filled):
        return pa.concat_tables(filled)
    mixed = {
        name
        for name in first.names
        if len({str(table.schema.field(name).type) for table in filled}) > 1
    }
    return pa.concat_tables(
        [
            pa.table(
                {
                    name: _decoded(table.column(name)) if name in mixed else table.column(name)
                    for name in first.names
                }
            )
            for table in filled
        ]
    )


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def constant(value: str | None, rows: int) -> pa.DictionaryArray:
    """A text column that says the same in every row; NULL for None."""
    if value is None:
        return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()), pa.array([], pa.string()))
    codes = pa.repeat(pa.scalar(0, pa.int32()), rows)
    return pa.DictionaryArray.from_arrays(codes, pa.array([value], pa.string()))


class Constants:
    """Columns that say the same in every row; they share their memory.

    Args:
        rows: how many.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._codes = pa.repeat(pa.scalar(0, pa.int32()), rows)
        self._nothing: dict[pa.DataType, pa.Array] = {}

    def text(self, value: str | None) -> pa.DictionaryArray:
        """A text; NULL for None."""
        if value is None:
            return self.nothing(pa.string())
        return pa.DictionaryArray.from_arrays(self._codes, pa.array([value], pa.string()))

    def nothing(self, type_: pa.DataType) -> pa.Array:
        """NULLs of a type; texts are dictionaries here too."""
        if type_ not in self._nothing:
            self._nothing[type_] = (
                constant(None, self._rows)
                if pa.types.is_string(type_)
                else pa.nulls(self._rows, type_)
            )
        return self._nothing[type_]


def recode(column: pa.DictionaryArray, onto: pa.Array) -> pa.Array:
    """Where each row's text stands in `onto` (distinct texts): int32; NULL for NULL or not there."""
    return pc.index_in(column.dictionary, value_set=onto).take(column.indices)


def take_codes(column: pa.DictionaryArray, rows: pa.Array) -> pa.DictionaryArray:
    """The rows of a text column by number, NULL for NULL; its dictionary stays."""
    return pa.DictionaryArray.from_arrays(column.indices.take(rows), column.dictionary)


def positions(rows: int) -> pa.Array:
    """0, 1, 2, …: int64."""
    return pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), rows)), 1)


def without_nulls(table: pa.Table, *columns: str) -> pa.Table:
    """The rows where none of the columns is NULL: a join by equality matches no others."""
    for name in columns:
        if table.column(name).null_count:
            table = table.filter(pc.is_valid(table.column(name)))
    return table


# --- grouping ---------------------------------------------------------------------------------


def group(table: pa.Table, keys: Sequence[str], aggregates: Aggregates) -> pa.Table:
    """`GROUP BY keys` with sums and maxima; NULL is one ordinary key.

    The maximum of a text is bytewise (= by code points); sums and maxima pass over NULL and give
    NULL for nothing else; maxima pass over NaN. Sums are added in the order of the rows.

    Args:
        table: one chunk per column.
        keys: integers, dates or texts.
        aggregates: column -> `sum` (of doubles) or `max` (of doubles, integers, texts).

    Returns:
        Keys and aggregates under their own names, one row per group, in an order that depends on the
        rows alone.
    """
    table = single_chunks(table)
    working: dict[str, pa.Array] = {}
    texts: dict[str, pa.Array] = {}
    for name in [*keys, *aggregates]:
        column = table.column(name).chunk(0) if table.column(name).num_chunks else None
        if column is None:
            column = single_chunk(table.column(name))
        if pa.types.is_dictionary(column.type):
            if name in aggregates:
                column = _in_order(column)
            texts[name] = column.dictionary
            column = column.indices
        working[name] = column
    grouped = pa.TableGroupBy(pa.table(working), list(keys), use_threads=False).aggregate(
        list(aggregates.items())
    )
    names = {name: name for name in keys} | {
        name: f"{name}_{function}" for name, function in aggregates.items()
    }
    result = {name: single_chunk(grouped.column(made)) for name, made in names.items()}
    for name, function in aggregates.items():
        if function == "max" and pa.types.is_floating(result[name].type):
            result[name] = _nothing_but_nan(result[name], working[name])
    for name, dictionary in texts.items():
        result[name] = pa.DictionaryArray.from_arrays(result[name], dictionary)
    return pa.table(result)


def _nothing_but_nan(largest: pa.Array, values: pa.Array) -> pa.Array:
    """The maximum of nothing but NaN is NaN; pyarrow before 25 says that it is -inf."""
    lowest = pa.scalar(float("-inf"))
    wrong = pc.fill_null(pc.equal(largest, lowest), False)
    if not pc.any(wrong, min_count=0).as_py() or pc.any(pc.equal(values, lowest)).as_py():
        return largest
    return pc.if_else(wrong, float("nan"), largest)


def _in_order(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same texts with codes in their bytewise order, so that the largest code is the largest text."""
    order = pc.sort_indices(column.dictionary)
    rank = pc.sort_indices(order).cast(pa.int32())
    return pa.DictionaryArray.from_arrays(rank.take(column.indices), column.dictionary.take(order))


# --- joining ----------------------------------------------------------------------------------


def composite_keys(
    left: Sequence[pa.Array], right: Sequence[pa.Array]
) -> tuple[pa.Array, pa.Array]:
    """One integer per row of both sides that is equal where all parts are.

    Args:
        left: parts of the left side's key: integers or dates of common meaning.
        right: the same parts of the right side.

    Returns:
        int64 arrays; NULL where a part is NULL (a join never matches NULL).
    """
    left_key = pa.repeat(pa.scalar(0, pa.int64()), len(left[0]))
    right_key = pa.repeat(pa.scalar(0, pa.int64()), len(right[0]))
    size = 1
    for left_part, right_part in zip(left, right, strict=True):
        left_codes, right_codes = _integers(left_part), _integers(right_part)
        ends = [
            end
            for part in (left_codes, right_codes)
            for end in pc.min_max(part).as_py().values()
            if end is not None
        ]
        low, width = (min(ends), max(ends) - min(ends) + 1) if ends else (0, 1)
        if size * width > _LARGEST_KEY:
            left_key, right_key, size = _dense(left_key, right_key)
        left_key = pc.add(pc.multiply(left_key, width), pc.subtract(left_codes, low))
        right_key = pc.add(pc.multiply(right_key, width), pc.subtract(right_codes, low))
        size *= width
    return left_key, right_key


def _integers(part: pa.Array) -> pa.Array:
    if pa.types.is_date32(part.type):
        part = part.cast(pa.int32())
    return part.cast(pa.int64())


def _dense(left: pa.Array, right: pa.Array) -> tuple[pa.Array, pa.Array, int]:
    """The same keys renumbered, where their product would leave 64 bits."""
    both = pa.concat_arrays([left, right]).dictionary_encode()
    codes = both.indices.cast(pa.int64())
    return codes.slice(0, len(left)), codes.slice(len(left)), max(len(both.dictionary), 1)


def lookup(left: Sequence[pa.Array], right: Sequence[pa.Array]) -> pa.Array:
    """For every left row the right row with an equal key, NULL for none; right keys are unique."""
    return _places(*composite_keys(left, right))


def _places(left_key: pa.Array, right_key: pa.Array) -> pa.Array:
    """Where each left key stands among the right ones, int32; NULL for NULL or not there."""
    largest = max(pc.max(left_key).as_py() or 0, pc.max(right_key).as_py() or 0)
    if largest > len(left_key) // 2:
        return pc.index_in(left_key, value_set=right_key, skip_nulls=True)
    # Few possible keys: look each of them up once, then gather.
    return pc.index_in(positions(largest + 1), value_set=right_key, skip_nulls=True).take(left_key)


@dataclass(frozen=True, slots=True)
class Matches:
    """The pairs of a left outer join.

    Args:
        left: number of the left row of every pair, in order; None where each left row has exactly
            one pair, which needs no gathering.
        right: number of the right row, NULL where the left row matches nothing.
    """

    left: pa.Array | None
    right: pa.Array

    def spread(self, column: pa.Array) -> pa.Array:
        """A left column, one value per pair."""
        if self.left is None:
            return column
        if pa.types.is_dictionary(column.type):
            return take_codes(column, self.left)
        return column.take(self.left)

    def spread_table(self, table: pa.Table) -> pa.Table:
        """A left table, one row per pair."""
        if self.left is None:
            return table
        return pa.table(
            {name: self.spread(single_chunk(table.column(name))) for name in table.column_names}
        )


def match_all(left: Sequence[pa.Array], right: Sequence[pa.Array]) -> Matches:
    """`left LEFT OUTER JOIN right` on equal keys, which may repeat on both sides."""
    left_key, right_key = composite_keys(left, right)
    order = pc.sort_indices(right_key)
    runs = pc.value_counts(pc.drop_null(right_key.take(order)))
    counts = runs.field("counts")
    slot = _places(left_key, runs.field("values"))
    ends = pc.cumulative_sum(counts)
    first = pc.subtract(ends, counts).take(slot)
    if not len(counts) or pc.max(counts).as_py() == 1:
        return Matches(None, order.take(first))
    pairs = pc.fill_null(counts.take(slot), 1)
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(pairs)])
    total = offsets[-1].as_py()
    numbers = positions(total)
    lists = pa.LargeListArray.from_arrays(offsets, numbers)
    parents = pc.list_parent_indices(lists)
    within = pc.subtract(numbers, offsets.take(parents))
    return Matches(parents, order.take(pc.add(first.take(parents), within)))


# --- patterns ---------------------------------------------------------------------------------


def is_like(texts: pa.Array, pattern: str) -> pa.Array:
    r"""`text LIKE pattern` without an escape character; NULL for NULL.

    Arrow takes the backslash for one, so it is doubled.

    >>> is_like(pa.array(["my-ns", "my_ns", "a\\b"]), "my_ns").to_pylist()
    [True, True, False]
    """
    return pc.match_like(texts, pattern.replace("\\", "\\\\"))
