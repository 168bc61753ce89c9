"""The comparison against a slow, obvious one: lists, dicts, exact fractions, a plain matching."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowagg.condition import where
from shadowagg.diff import StageDiff, compare
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    JSON,
    STORED_DECIMAL,
    TEXT,
    WORKING_DOUBLE,
    Column,
    ColumnType,
    Role,
    RowKind,
    RowSet,
    RowSetSpec,
    Tolerance,
    numeric,
)

TEXTS = ColumnType(pa.list_(pa.string()), "array(varchar)", "text[]")

SPEC = RowSetSpec(
    name="p:s",
    table="t",
    home="inner",
    columns=(
        Column("day", DATE),
        Column("namespace", TEXT),
        Column("sort", TEXT),
        Column("node", TEXT),
        Column("source", TEXT),
        Column("labels", JSON, Role.JSON),
        Column("tags", TEXTS, Role.SET),
        Column(
            "usage",
            DOUBLE,
            Role.MEASURE,
            WORKING_DOUBLE,
            {"rest": Tolerance(relative=1e-12, scale_column="capacity")},
            nan=True,
        ),
        Column("capacity", DOUBLE, Role.MEASURE, WORKING_DOUBLE, nan=True),
        Column("cost", numeric(33, 15), Role.MEASURE, STORED_DECIMAL),
        Column("count", numeric(12, 2), Role.MEASURE),
    ),
    kinds=(
        RowKind("rest", ("day", "node"), where(("sort", "=", "rest"))),
        RowKind("pod", ("day", "namespace", "node", "labels")),
    ),
    day="day",
    source="source",
    group="namespace",
)
NAMES = [column.name for column in SPEC.columns]

# Few values, near each other, so that keys repeat and numbers lie on both sides of their bounds.
_E = 4e-13
DOUBLES = [None, 0.0, -0.0, 1.0, 1.0 + _E, 1.0 + 2 * _E, 1.0 + 4 * _E, 1000.0, math.nan, math.inf]
UNIT = Decimal("0.000000000000001")
DECIMALS = [None, Decimal(0), UNIT, 2 * UNIT, 3 * UNIT, Decimal(5000), Decimal(5000) + 4999 * UNIT]

ROWS = st.lists(
    st.tuples(
        st.just(dt.date(2025, 8, 1)),
        st.sampled_from(["a", "", None]),
        st.sampled_from(["pod", "rest", None]),
        st.sampled_from(["n", None]),
        st.just("s"),
        st.sampled_from([None, "{}", "null", '{"a":1,"b":"x"}', '{"b": "x", "a": 1.0}', "{"]),
        st.sampled_from([None, (), ("x", None), (None, "x"), ("x", "x")]),
        st.sampled_from(DOUBLES),
        st.sampled_from(DOUBLES),
        st.sampled_from(DECIMALS),
        st.sampled_from([None, Decimal("0.01"), Decimal("0.02")]),
    ),
    max_size=8,
)


def row_set(rows) -> RowSet:
    columns = [[row[place] for row in rows] for place in range(len(NAMES))]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SPEC.schema, strict=True)]
    return RowSet.conform(SPEC, pa.table(arrays, names=NAMES))


# --- the slow comparison ---------------------------------------------------------------------


def kind_of(row) -> str:
    return "rest" if row[NAMES.index("sort")] == "rest" else "pod"


def plain(name: str, value):
    """The value by which an exactly compared column is compared."""
    if name == "labels":
        same = {'{"b": "x", "a": 1.0}': '{"a":1,"b":"x"}'}
        return same.get(value, value)
    if name == "tags" and value is not None:
        return tuple(sorted(value, key=lambda item: (item is None, item or "")))
    return value


def key_of(row):
    key = next(kind.key for kind in SPEC.kinds if kind.name == kind_of(row))
    return (kind_of(row), *(plain(name, row[NAMES.index(name)]) for name in key))


def value_agrees(column: Column, kind: str, control, candidate, scale) -> bool:
    if control is None or candidate is None:
        return control is candidate
    if column.role is not Role.MEASURE:
        return plain(column.name, control) == plain(column.name, candidate)
    if isinstance(control, float) and not (math.isfinite(control) and math.isfinite(candidate)):
        return control == candidate or (math.isnan(control) and math.isnan(candidate))
    tolerance = column.tolerance_in(kind)
    distance = abs(Fraction(candidate) - Fraction(control))
    size = abs(Fraction(control))
    if tolerance.scale_column and scale is not None and math.isfinite(scale):
        size = max(size, abs(Fraction(scale)))
    if tolerance.units and distance <= tolerance.units * Fraction(UNIT):
        return True
    return distance <= Fraction(repr(tolerance.relative)) * size


def agrees(control, candidate) -> bool:
    scale = control[NAMES.index("capacity")]
    return kind_of(control) == kind_of(candidate) and all(
        value_agrees(column, kind_of(control), one, other, scale)
        for column, one, other in zip(SPEC.columns, control, candidate, strict=True)
    )


def equal(control, candidate) -> bool:
    def same(name, one, other):
        if isinstance(one, float) and isinstance(other, float):
            return one == other or (math.isnan(one) and math.isnan(other))
        return plain(name, one) == plain(name, other)

    return all(same(*values) for values in zip(NAMES, control, candidate, strict=True))


def matching(control, candidate) -> int:
    """The largest number of agreeing pairs."""
    partner: dict[int, int] = {}

    def place(one, seen) -> bool:
        for other, row in enumerate(candidate):
            if other not in seen and agrees(control[one], row):
                seen.add(other)
                if other not in partner or place(partner[other], seen):
                    partner[other] = one
                    return True
        return False

    return sum(place(one, set()) for one in range(len(control)))


def expected(control, candidate) -> tuple[int, int, int, int]:
    """Rows that agree, changed, missing, extra."""
    groups = defaultdict(lambda: ([], []))
    for side, rows in enumerate((control, candidate)):
        for row in rows:
            groups[key_of(row)][side].append(row)
    result = [0, 0, 0, 0]
    for ones, others in groups.values():
        if len(ones) == len(others) == 1:
            result[0 if agrees(ones[0], others[0]) else 1] += 1
            continue
        left = list(others)
        rest = []
        cancelled = 0
        for one in ones:
            twin = next((n for n, other in enumerate(left) if equal(one, other)), None)
            if twin is None:
                rest.append(one)
            else:
                del left[twin]
                cancelled += 1
        cancelled += matching(rest, left)
        result[0] += cancelled
        result[2] += len(ones) - cancelled
        result[3] += len(others) - cancelled
    return tuple(result)


def counts(diff: StageDiff) -> tuple[int, int, int, int]:
    return diff.equal_rows, diff.changed_rows, diff.missing_rows, diff.extra_rows


# --- against it ------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, ROWS)
def test_any_two_row_sets_are_counted_as_the_slow_comparison_counts_them(control, candidate):
    diff = compare(row_set(control), row_set(candidate), today=dt.date(2025, 8, 1))

    assert expected(control, candidate) == counts(diff)
    assert diff.control_rows == diff.equal_rows + diff.changed_rows + diff.missing_rows
    assert diff.candidate_rows == diff.equal_rows + diff.changed_rows + diff.extra_rows
    assert diff.agrees == (expected(control, candidate)[1:] == (0, 0, 0))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, st.randoms(use_true_random=False), st.data())
def test_rows_that_were_shuffled_and_then_touched_are_counted_as_the_slow_comparison_does(
    control, random, data
):
    candidate = [list(row) for row in control]
    random.shuffle(candidate)
    for row in candidate:
        if data.draw(st.integers(0, 2)) == 0:
            place = data.draw(st.sampled_from([5, 6, 7, 8, 9, 10]))
            values = {7: DOUBLES, 8: DOUBLES, 9: DECIMALS, 10: [None, Decimal("0.01")]}
            values |= {5: ["{}", '{"a":1,"b":"x"}', '{"b": "x", "a": 1.0}'], 6: [(), ("x", None)]}
            row[place] = data.draw(st.sampled_from(values[place]))

    diff = compare(row_set(control), row_set(candidate), today=dt.date(2025, 8, 1))

    assert expected(control, candidate) == counts(diff)
    assert diff.agrees == (expected(control, candidate)[1:] == (0, 0, 0))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_order_chunks_and_dictionaries_mean_nothing(control, random, size):
    shuffled = list(control)
    random.shuffle(shuffled)
    table = row_set(shuffled).table
    chunks = [table.slice(start, size) for start in range(0, len(shuffled), size)]
    encoded = [
        pa.table(
            {
                name: column.dictionary_encode() if pa.types.is_string(column.type) else column
                for name, column in zip(NAMES, chunk.combine_chunks().columns, strict=True)
            }
        )
        for chunk in chunks
    ]
    candidate = RowSet.conform(SPEC, pa.concat_tables(encoded)) if encoded else row_set([])

    diff = compare(row_set(control), candidate, today=dt.date(2025, 8, 1))

    assert diff.agrees
    assert len(control) == diff.equal_rows
    assert diff.datacompy is None or not diff.datacompy


@pytest.mark.parametrize("count", [60])
def test_many_rows_under_one_key_cancel_as_many_as_can(count):
    # Each value lies within one unit of its neighbours only: a chain that order alone pairs badly.
    control = [_row(cost=n * UNIT, usage=float(n % 3)) for n in range(count)]
    candidate = [_row(cost=(n + 1) * UNIT, usage=float(n % 3)) for n in range(count)]

    diff = compare(row_set(control), row_set(candidate), today=dt.date(2025, 8, 1))

    assert expected(control, candidate) == counts(diff)


def _row(*, cost, usage):
    day = dt.date(2025, 8, 1)
    return (day, "a", "pod", "n", "s", "{}", (), usage, 1.0, cost, Decimal("0.01"))
