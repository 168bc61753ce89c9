"""Sums of each measure per day and group, on both sides.

They are made from the row sets themselves, not from the pairs that the row comparison found, and so
hold it to account. Where all rows agree, a total can lie apart by no more than its rows may
together; that bound is what a total must keep, beside the noise of summing doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import Codes, encode, fold, row_numbers
from shadowagg.diff.numbers import plain_numbers
from shadowagg.diff.pairing import places
from shadowagg.diff.result import DayTotal, TotalRow, Totals
from shadowagg.diff.texts import texts
from shadowagg.rowset import Column, RowSet

__all__ = ["compare_totals"]

_MOST_ROWS = 100
"""Differing totals that are listed; all are counted."""

_ROUNDING = 2.0**-53
"""The relative error of one rounding of a double."""

_SLACK = 1 + 1e-9
"""What the bounds, which are doubles, may themselves have lost."""


@dataclass(frozen=True)
class _Groups:
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


@dataclass(frozen=True)
class _Sums:
    """One measure's sums, one entry per group or day; NULL where all of its values are NULL.

    Args:
        control: doubles or decimals.
        candidate: the same type.
        bound: how far they may lie apart: doubles.
        differs: whether they lie further apart.
    """

    control: pa.Array
    candidate: pa.Array
    bound: pa.Array
    differs: pa.Array


def compare_totals(
    control: RowSet,
    candidate: RowSet,
    codes: Mapping[str, Codes],
    left_out: tuple[pa.Array, pa.Array],
) -> tuple[Totals, tuple[DayTotal, ...]]:
    """The totals per day and group, and those per day.

    Args:
        control: the reference.
        candidate: the other side.
        codes: of encoded columns; the day's and the group's are taken from here if they are there.
        left_out: the numbers of each side's rows that an ignore rule covers.
    """
    spec = control.spec
    measures = [column for column in spec.measures if _summable(column)]
    used = {column.name for column in measures} | _scales(measures)
    by = (spec.day, *([spec.group] if spec.group else []))
    tables = [
        _kept(side.table.select(sorted({*used, *by})), out)
        for side, out in zip((control, candidate), left_out, strict=True)
    ]
    if any(len(out) for out in left_out):
        codes = {}  # they are of all rows
    groups = _groups(by, tables, codes)
    sums = _sums(measures, tables, groups)
    differing = _differing(groups, sums)
    return (
        Totals(
            by=by,
            differing=sum(_count(of_column.differs) for of_column in sums.values()),
            groups=groups.count,
            rows=tuple(differing),
        ),
        _by_day(groups, sums),
    )


def _summable(column: Column) -> bool:
    type_ = column.type.arrow
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _scales(columns: Sequence[Column]) -> set[str]:
    """The columns that some row's tolerance refers to."""
    return {
        tolerance.scale_column
        for column in columns
        for tolerance in (column.tolerance, *column.tolerance_by_kind.values())
        if tolerance.scale_column is not None
    }


def _kept(table: pa.Table, left_out: pa.Array) -> pa.Table:
    """The table without some of its rows."""
    if not len(left_out):
        return table
    numbers = row_numbers(table.num_rows)
    return table.filter(pc.invert(pc.is_in(numbers, value_set=left_out)))


def _groups(by: Sequence[str], tables: Sequence[pa.Table], codes: Mapping[str, Codes]) -> _Groups:
    rows = tables[0].num_rows, tables[1].num_rows
    keys = [
        codes[name] if name in codes else encode(tables[0][name], tables[1][name]) for name in by
    ]
    folded = fold(keys, *rows)
    both = pa.chunked_array([folded.control, folded.candidate]).dictionary_encode()
    numbers = pa.concat_arrays([*(c.indices for c in both.chunks), pa.array([], pa.int32())])
    count = len(both.chunk(0).dictionary) if both.num_chunks else 0
    # A row that stands for its group: its day and group are the group's.
    example = places(numbers, count)
    labels = {}
    for place, name in zip(("day", "group"), by, strict=False):
        column = pa.chunked_array(
            [chunk for table in tables for chunk in _plain(table[name]).chunks],
            _plain(tables[0][name]).type,
        )
        labels[place] = column.take(example)
    day_codes = pa.concat_arrays([keys[0].control, keys[0].candidate])
    days = day_codes.take(example).dictionary_encode().indices
    return _Groups(
        numbers.slice(0, rows[0]),
        numbers.slice(rows[0]),
        count,
        days,
        pa.table(labels),
    )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    type_ = column.type
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_string(type_) or pa.types.is_string_view(type_):
        type_ = pa.large_string()
    return column.cast(type_)


# --- sums ------------------------------------------------------------------------------------


def _sums(
    measures: Sequence[Column], tables: Sequence[pa.Table], groups: _Groups
) -> dict[str, _Sums]:
    names = [column.name for column in measures]
    of_rows = (groups.control, groups.candidate)
    control, candidate = _on_both(
        lambda side: _sum_by(tables[side].select(names), of_rows[side], groups.count)
    )
    open_ = [
        column for column in measures if not control[column.name].equals(candidate[column.name])
    ]
    bounds = _bounds(open_, tables, groups) if open_ else {}
    nothing = pa.repeat(pa.scalar(0.0), groups.count)
    return {
        name: _compared(control[name], candidate[name], bounds.get(name, nothing)) for name in names
    }


def _on_both(function: Callable[[int], pa.Table]) -> list[pa.Table]:
    """A function of side 0 and side 1, each on its own thread."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(function, (0, 1)))


def _sum_by(values: pa.Table, groups: pa.Array, count: int) -> pa.Table:
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


def _bounds(
    measures: Sequence[Column], tables: Sequence[pa.Table], groups: _Groups
) -> dict[str, pa.Array]:
    """How far each total may lie apart if all rows agree, one double per group.

    A row may lie apart by its units or its relative bound; the sum of both over a group is at least
    what its rows may do together. Each of n additions of doubles rounds once.
    """
    wanted = sorted({column.name for column in measures} | _scales(measures))
    of_rows = (groups.control, groups.candidate)
    sizes = _on_both(
        lambda side: _sum_by(
            pa.table({name: pc.abs(plain_numbers(tables[side][name])) for name in wanted}),
            of_rows[side],
            groups.count,
        )
    )
    rows = pc.max_element_wise(*(_counts(side, groups.count) for side in of_rows))
    bounds = {}
    for column in measures:
        tolerances = (column.tolerance, *column.tolerance_by_kind.values())
        relative = max(tolerance.relative for tolerance in tolerances)
        reference = _doubles(sizes[0][column.name])
        noise = pa.scalar(0.0)
        if pa.types.is_floating(column.type.arrow):
            both = pc.add(reference, _doubles(sizes[1][column.name]))
            noise = pc.multiply(pc.multiply(rows, 4 * _ROUNDING), both)
        for scale in sorted(_scales([column])):
            reference = pc.add(reference, _doubles(sizes[0][scale]))
        units = max(tolerance.units for tolerance in tolerances) * _unit(column)
        by_rows = pc.add(pc.multiply(reference, relative), pc.multiply(rows, units))
        bounds[column.name] = pc.multiply(pc.add(by_rows, noise), _SLACK)
    return bounds


def _counts(groups: pa.Array, count: int) -> pa.Array:
    ones = pa.table({"rows": pa.repeat(pa.scalar(1, pa.int64()), len(groups))})
    return _doubles(_sum_by(ones, groups, count)["rows"])


def _unit(column: Column) -> float:
    """One unit of the last decimal."""
    type_ = column.type.arrow
    if pa.types.is_floating(type_):
        return 0.0
    return 10.0**-type_.scale if pa.types.is_decimal(type_) else 1.0


def _doubles(column: pa.ChunkedArray) -> pa.Array:
    return pc.fill_null(column.combine_chunks().cast(pa.float64()), 0.0)


def _compared(control: pa.ChunkedArray, candidate: pa.ChunkedArray, bound: pa.Array) -> _Sums:
    type_ = control.type
    if type_ != candidate.type:
        # One side's sums needed more digits than the other's.
        type_ = pa.decimal256(76, type_.scale)
    one, other = (side.combine_chunks().cast(type_) for side in (control, candidate))
    if pa.types.is_decimal(type_):
        wide = pa.decimal256(75, type_.scale)
        exact = pc.abs(pc.subtract(other.cast(wide), one.cast(wide)))
        distance = exact.cast(pa.float64())
    else:
        distance = pc.abs(pc.subtract(other, one))
    # A bound that is not finite says nothing: the sum ran over, or a value was no number.
    near = pc.or_(pc.less_equal(distance, bound), pc.invert(pc.is_finite(bound)))
    near = pc.or_(near, pc.equal(one, other))
    if pa.types.is_floating(type_):
        near = pc.or_(near, pc.and_(pc.is_nan(one), pc.is_nan(other)))
    agrees = pc.fill_null(near, pc.and_(pc.is_null(one), pc.is_null(other)))
    return _Sums(one, other, bound, pc.invert(agrees))


# --- what is shown ---------------------------------------------------------------------------


def _differing(groups: _Groups, sums: Mapping[str, _Sums]) -> list[TotalRow]:
    """The first differing totals, by day, group and column."""
    any_ = pa.repeat(pa.scalar(False), groups.count)
    for of_column in sums.values():
        any_ = pc.or_(any_, of_column.differs)
    chosen = pc.indices_nonzero(any_)
    labels = groups.labels.take(chosen)
    order = pc.sort_indices(labels, [(name, "ascending") for name in labels.column_names])
    order = order.slice(0, _MOST_ROWS)
    chosen, labels = chosen.take(order), labels.take(order)
    days = texts(labels["day"])
    names = texts(labels["group"]) if "group" in labels.column_names else [None] * len(days)
    rows: list[TotalRow] = []
    parts = {
        name: (
            s.differs.take(chosen).to_pylist(),
            texts(s.control.take(chosen)),
            texts(s.candidate.take(chosen)),
        )
        for name, s in sums.items()
    }
    for index, (day, name) in enumerate(zip(days, names, strict=True)):
        rows.extend(
            TotalRow(day, name, column, control[index], candidate[index])
            for column, (differs, control, candidate) in parts.items()
            if differs[index]
        )
    return rows[:_MOST_ROWS]


def _by_day(groups: _Groups, sums: Mapping[str, _Sums]) -> tuple[DayTotal, ...]:
    """The totals of the days, summed from those of their groups."""
    if not groups.count:
        return ()
    days = pc.max(groups.days).as_py() + 1
    labels = groups.labels["day"].take(places(groups.days, days))
    order = pc.sort_indices(labels)
    names = texts(labels.take(order))
    control, candidate, bound = (
        _sum_by(
            pa.table({name: getattr(of_column, part) for name, of_column in sums.items()}),
            groups.days,
            days,
        )
        for part in ("control", "candidate", "bound")
    )
    result: dict[str, tuple[list[str | None], list[str | None], list[bool]]] = {}
    for column in sums:
        compared = _compared(control[column], candidate[column], _doubles(bound[column]))
        result[column] = (
            texts(compared.control.take(order)),
            texts(compared.candidate.take(order)),
            pc.invert(compared.differs).take(order).to_pylist(),
        )
    return tuple(
        DayTotal(day, column, control_text[index], candidate_text[index], agrees[index])
        for index, day in enumerate(names)
        for column, (control_text, candidate_text, agrees) in result.items()
    )


def _count(mask: pa.Array) -> int:
    return int(pc.sum(mask, min_count=0).as_py())
