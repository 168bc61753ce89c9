"""Totals per day and group: exact, with a bound that agreeing rows always keep."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Context, Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowagg.diff import compare
from shadowagg.diff.result import TotalRow
from shadowagg.diff.totals import compare_totals
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    EXACT,
    STORED_DECIMAL,
    TEXT,
    WORKING_DOUBLE,
    Column,
    Role,
    RowKind,
    RowSet,
    RowSetSpec,
    numeric,
)

DAY = dt.date(2025, 8, 1)
NEXT = dt.date(2025, 8, 2)
SPEC = RowSetSpec(
    name="p:s",
    table="t",
    home="inner",
    columns=(
        Column("day", DATE),
        Column("namespace", TEXT),
        Column("row", TEXT),
        Column("usage", DOUBLE, Role.MEASURE, WORKING_DOUBLE, nan=True),
        Column("cost", numeric(33, 15), Role.MEASURE, STORED_DECIMAL),
        Column("count", numeric(38, 0), Role.MEASURE, EXACT),
    ),
    kinds=(RowKind("all", ("day", "namespace", "row")),),
    day="day",
    source="row",
    group="namespace",
)


def row_set(rows) -> RowSet:
    names = [column.name for column in SPEC.columns]
    columns = list(zip(*rows, strict=True)) if rows else [[]] * len(names)
    arrays = [pa.array(list(c), f.type) for c, f in zip(columns, SPEC.schema, strict=True)]
    return RowSet.conform(SPEC, pa.table(arrays, names=names))


def totals(control, candidate):
    nothing = pa.nulls(0, pa.int32())
    return compare_totals(row_set(control), row_set(candidate), {}, (nothing, nothing))


def test_totals_of_each_day_are_listed_with_their_exact_sums():
    rows = [
        (DAY, "a", "1", 0.5, Decimal("0.1"), 1),
        (DAY, "b", "2", 0.25, Decimal("0.2"), 10**37),
        (NEXT, "a", "3", None, None, None),
    ]

    diff = compare(row_set(rows), row_set(rows[::-1]), today=DAY)

    assert diff.agrees
    assert (("day", "namespace"), 0, 3, ()) == (
        diff.totals.by,
        diff.totals.differing,
        diff.totals.groups,
        diff.totals.rows,
    )
    assert [
        ("2025-08-01", "usage", "0.75", True),
        ("2025-08-01", "cost", "0.300000000000000", True),
        ("2025-08-01", "count", "10000000000000000000000000000000000001", True),
        ("2025-08-02", "usage", None, True),
        ("2025-08-02", "cost", None, True),
        ("2025-08-02", "count", None, True),
    ] == [(t.day, t.column, t.control, t.agrees) for t in diff.totals_by_day]


def test_a_total_that_differs_is_listed_by_day_group_and_column():
    control = [(DAY, "a", "1", 1.0, 1, 1), (DAY, None, "2", 1.0, 1, 1)]
    candidate = [(DAY, "a", "1", 1.0, 1, 1), (DAY, None, "2", 1.0, 1, 3)]

    of_groups, by_day = totals(control, candidate)

    assert 1 == of_groups.differing
    assert (TotalRow("2025-08-01", None, "count", "1", "3"),) == of_groups.rows
    assert ["count"] == [total.column for total in by_day if not total.agrees]


def test_sums_of_decimals_do_not_run_over():
    large = 10**38 - 1
    rows = [(DAY, "a", f"{n}", 1.0, 1, large) for n in range(11)]

    of_groups, by_day = totals(rows, [*rows[:-1], (DAY, "a", "10", 1.0, 1, large - 1)])

    assert 1 == of_groups.differing
    assert (str(11 * large), str(11 * large - 1)) == (
        of_groups.rows[0].control,
        of_groups.rows[0].candidate,
    )
    assert not by_day[-1].agrees


def test_exact_totals_differ_by_the_smallest_unit():
    assert 1 == totals([(DAY, "a", "1", 1.0, 1, 7)], [(DAY, "a", "1", 1.0, 1, 8)])[0].differing


def test_null_is_not_zero_in_totals_either():
    control, candidate = [(DAY, "a", "1", None, None, 7)], [(DAY, "a", "1", 0.0, 0, 7)]

    assert 2 == totals(control, candidate)[0].differing


def test_a_total_lies_further_apart_than_its_rows_may():
    unit = Decimal("0.000000000000001")
    control = [(DAY, "a", f"{n}", 1.0, unit, 1) for n in range(3)]
    at_the_bound = [(DAY, "a", f"{n}", 1.0, 2 * unit, 1) for n in range(3)]
    beyond = [(DAY, "a", f"{n}", 1.0, (2 if n else 3) * unit, 1) for n in range(3)]

    assert 0 == totals(control, at_the_bound)[0].differing
    assert 1 == totals(control, beyond)[0].differing


def test_rows_that_agree_with_totals_that_do_not_make_no_match(monkeypatch):
    rows = row_set([(DAY, "a", "1", 1.0, 1, 1)])
    wrong = totals([(DAY, "a", "1", 1.0, 1, 1)], [(DAY, "a", "1", 2.0, 1, 1)])
    monkeypatch.setattr("shadowagg.diff.comparison.compare_totals", lambda *_: wrong)

    diff = compare(rows, rows, today=DAY)

    assert (1, 0, 1) == (diff.equal_rows, diff.changed_rows, diff.totals.differing)
    assert not diff.agrees


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False, width=64),
            st.floats(-9e-13, 9e-13),
            st.decimals(-(10**15), 10**15, places=15, allow_nan=False),
            st.integers(-1, 1),
        ),
        max_size=30,
    )
)
def test_totals_agree_wherever_all_rows_do(values):
    unit = Decimal("0.000000000000001")
    control = [(DAY, "a", f"{n}", v[0], v[2], 1) for n, v in enumerate(values)]
    candidate = [
        (DAY, "a", f"{n}", v[0] * (1 + v[1]), _plus(v[2], v[3] * unit), 1)
        for n, v in enumerate(values)
    ]
    candidate = [row for row in candidate if math.isfinite(row[3])]
    control = [row for row in control if row[2] in {other[2] for other in candidate}]

    diff = compare(row_set(control), row_set(candidate[::-1]), today=DAY)

    assert 0 == diff.changed_rows
    assert diff.agrees


def _plus(value: Decimal, more: Decimal) -> Decimal:
    return Context(prec=60).add(value, more)
