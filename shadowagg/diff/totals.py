"""Sums of each measure per day and group, on both sides.

They are made from the row sets themselves, not from the pairs that the row comparison found, and so
hold it to account. Where all rows agree, a total can lie apart by no more than its rows may
together; that bound is what a total must keep, beside the noise of summing doubles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import Codes, places, row_numbers
from shadowagg.diff.result import DayTotal, TotalRow, Totals
from shadowagg.diff.sums import (
    Groups,
    absolute_sums,
    doubles,
    group_rows,
    group_sizes,
    on_both,
    sum_by,
)
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
    if spec.day is None:
        return Totals(by=(), differing=0, groups=0, rows=()), ()
    measures = [column for column in spec.measures if _summable(column)]
    used = {column.name for column in measures} | _scales(measures)
    by = (spec.day, *([spec.group] if spec.group else []))
    tables = [
        _kept(side.table.select(sorted({*used, *by})), out)
        for side, out in zip((control, candidate), left_out, strict=True)
    ]
    if any(len(out) for out in left_out):
        codes = {}  # they are of all rows
    groups = group_rows(by, tables, codes)
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


# --- sums ------------------------------------------------------------------------------------


def _sums(
    measures: Sequence[Column], tables: Sequence[pa.Table], groups: Groups
) -> dict[str, _Sums]:
    names = [column.name for column in measures]
    of_rows = (groups.control, groups.candidate)
    control, candidate = on_both(
        lambda side: sum_by(tables[side].select(names), of_rows[side], groups.count)
    )
    open_ = [
        column for column in measures if not control[column.name].equals(candidate[column.name])
    ]
    bounds = _bounds(open_, tables, groups, (control, candidate)) if open_ else {}
    nothing = pa.repeat(pa.scalar(0.0), groups.count)
    return {
        name: _compared(control[name], candidate[name], bounds.get(name, nothing)) for name in names
    }


def _bounds(
    measures: Sequence[Column],
    tables: Sequence[pa.Table],
    groups: Groups,
    sums: tuple[pa.Table, pa.Table],
) -> dict[str, pa.Array]:
    """How far each total may lie apart if all rows agree, one double per group.

    A row may lie apart by its units or its relative bound; the sum of both over a group is at least
    what its rows may do together. Each of n additions of doubles rounds once.
    """
    wanted = sorted({column.name for column in measures} | _scales(measures))
    of_rows = (groups.control, groups.candidate)
    sizes = on_both(
        lambda side: absolute_sums(
            tables[side].select(wanted), sums[side], of_rows[side], groups.count
        )
    )
    rows = pc.max_element_wise(*(group_sizes(side, groups.count) for side in of_rows))
    bounds = {}
    for column in measures:
        tolerances = (column.tolerance, *column.tolerance_by_kind.values())
        relative = max(tolerance.relative for tolerance in tolerances)
        reference = doubles(sizes[0][column.name])
        noise = pa.scalar(0.0)
        if pa.types.is_floating(column.type.arrow):
            both = pc.add(reference, doubles(sizes[1][column.name]))
            noise = pc.multiply(pc.multiply(rows, 4 * _ROUNDING), both)
        for scale in sorted(_scales([column])):
            reference = pc.add(reference, doubles(sizes[0][scale]))
        units = max(tolerance.units for tolerance in tolerances) * _unit(column)
        by_rows = pc.add(pc.multiply(reference, relative), pc.multiply(rows, units))
        bounds[column.name] = pc.multiply(pc.add(by_rows, noise), _SLACK)
    return bounds


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


def _unit(column: Column) -> float:
    """One unit of the last decimal."""
    type_ = column.type.arrow
    if pa.types.is_floating(type_):
        return 0.0
    return 10.0**-type_.scale if pa.types.is_decimal(type_) else 1.0


# --- what is shown ---------------------------------------------------------------------------


def _differing(groups: Groups, sums: Mapping[str, _Sums]) -> list[TotalRow]:
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


def _by_day(groups: Groups, sums: Mapping[str, _Sums]) -> tuple[DayTotal, ...]:
    """The totals of the days, summed from those of their groups."""
    if not groups.count:
        return ()
    days = pc.max(groups.days).as_py() + 1
    labels = groups.labels["day"].take(places(groups.days, days))
    order = pc.sort_indices(labels)
    names = texts(labels.take(order))
    control, candidate, bound = (
        sum_by(
            pa.table({name: getattr(of_column, part) for name, of_column in sums.items()}),
            groups.days,
            days,
        )
        for part in ("control", "candidate", "bound")
    )
    result: dict[str, tuple[list[str | None], list[str | None], list[bool]]] = {}
    for column in sums:
        compared = _compared(control[column], candidate[column], doubles(bound[column]))
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
