"""What a comparison calls equal, changed, missing, extra; and what it keeps of it."""

from __future__ import annotations

import datetime as dt
import json
import math
import subprocess
import sys
from decimal import Decimal

import pyarrow as pa
import pytest

from shadowagg.condition import where
from shadowagg.diff import StageDiff, compare
from shadowagg.errors import RowSetInvalid
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    EXACT,
    INTEGER,
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

DAY = dt.date(2025, 8, 1)
TEXTS = ColumnType(pa.list_(pa.string()), "array(varchar)", "text[]")


def specification(*columns: Column, key=("day", "name"), kinds=None) -> RowSetSpec:
    fixed = (Column("day", DATE), Column("name", TEXT), Column("source", TEXT))
    return RowSetSpec(
        name="p:s",
        table="t",
        home="inner",
        columns=(*fixed, *columns),
        kinds=kinds or (RowKind("all", tuple(key)),),
        day="day",
        source="source",
        group="name",
    )


def row_set(spec: RowSetSpec, **columns) -> RowSet:
    """A row set of these columns; all others are filled with one day, one name, one source."""
    rows = max(len(values) for values in columns.values())
    defaults = {"day": [DAY] * rows, "name": ["n"] * rows, "source": ["s"] * rows}
    arrays = {
        column.name: pa.array(
            columns.get(column.name, defaults.get(column.name, [None] * rows)), column.type.arrow
        )
        for column in spec.columns
    }
    return RowSet.conform(spec, pa.table(arrays))


def one_column(column: Column, control, candidate, **options) -> StageDiff:
    """The difference of two row sets of one row each, with one column beside the key."""
    spec = specification(column)
    return compare(
        row_set(spec, **{column.name: [control]}),
        row_set(spec, **{column.name: [candidate]}),
        today=DAY,
        **options,
    )


def counts(diff: StageDiff):
    return diff.equal_rows, diff.changed_rows, diff.missing_rows, diff.extra_rows


# --- single values ---------------------------------------------------------------------------

WORKING = Column("x", DOUBLE, Role.MEASURE, WORKING_DOUBLE, nan=True)
STORED = Column("x", numeric(33, 15), Role.MEASURE, STORED_DECIMAL)
EXACT_DECIMAL = Column("x", numeric(33, 15), Role.MEASURE, EXACT)
PLAIN = Column("x", TEXT)
LABELS = Column("x", JSON, Role.JSON)
SET = Column("x", TEXTS, Role.SET)
UNIT = Decimal("0.000000000000001")


@pytest.mark.parametrize(
    ("column", "control", "candidate"),
    [
        (WORKING, 1.0, 1.0 + 1e-14),
        (WORKING, math.nan, math.nan),
        (WORKING, math.inf, math.inf),
        (WORKING, -math.inf, -math.inf),
        (WORKING, 0.0, -0.0),
        (WORKING, None, None),
        (STORED, 3 * UNIT, 4 * UNIT),
        (STORED, Decimal(5000), Decimal(5000) + 5 * 10**6 * UNIT),
        (PLAIN, "", ""),
        (LABELS, '{"a":0,"b":"x"}', '{ "b": "x", "a": 0.000000000 }'),
        (LABELS, None, None),
        (LABELS, '{"a":1,"a":2}', '{"a":1,"a":2}'),
        (LABELS, "{", "{"),
        (LABELS, '"\\u00e9"', '"é"'),
        (SET, ["a", None, "b"], ["b", "a", None]),
        (SET, [], []),
    ],
)
def test_these_two_values_agree(column, control, candidate):
    diff = one_column(column, control, candidate)

    assert (1, 0, 0, 0) == counts(diff)
    assert diff.agrees


@pytest.mark.parametrize(
    ("column", "control", "candidate"),
    [
        (WORKING, 1.0, 1.0 + 1e-11),
        (WORKING, math.nan, 1.0),
        (WORKING, math.nan, None),
        (WORKING, math.inf, -math.inf),
        (WORKING, math.inf, 1.0),
        (WORKING, 1.0, math.inf),
        (WORKING, 0.0, None),
        (WORKING, 0.0, 1e-300),
        (STORED, 3 * UNIT, 5 * UNIT),
        (STORED, Decimal(0), None),
        (EXACT_DECIMAL, Decimal(123456789012345678), Decimal("123456789012345678.000000000000001")),
        (PLAIN, "", None),
        (PLAIN, "a", "A"),
        (PLAIN, "a", "a "),
        (LABELS, '{"a":"x"}', '{"a":"y"}'),
        (LABELS, '{"a":1}', '{"a":"1"}'),
        (LABELS, None, "{}"),
        (LABELS, None, "null"),
        (LABELS, "{}", "null"),
        (LABELS, '{"a":1,"a":2}', '{"a":2,"a":1}'),
        (LABELS, '{"a":1,"a":2}', '{"a":2}'),
        (LABELS, "[1,2]", "[2,1]"),
        (LABELS, "1", "1.0000000000000000000000000000000000001"),
        (SET, ["a", "a"], ["a"]),
        (SET, [None], []),
        (SET, [], None),
        (SET, ["NULL"], [None]),
    ],
)
def test_these_two_values_are_a_changed_row(column, control, candidate):
    diff = one_column(column, control, candidate)

    assert (0, 1, 0, 0) == counts(diff)
    assert not diff.agrees
    assert ["x"] == [c.name for c in diff.columns if c.differing]


@pytest.mark.parametrize("column", [WORKING, STORED])
def test_a_relative_tolerance_refers_to_the_control(column):
    # 0.995 % of 101 reaches down to 100, 0.995 % of 100 does not reach up to 101.
    column = Column("x", column.type, Role.MEASURE, Tolerance(relative=0.00995))

    assert one_column(column, 101, 100).agrees
    assert not one_column(column, 100, 101).agrees


def test_integers_are_compared_without_running_over():
    column = Column("x", ColumnType(pa.int64(), "bigint", "bigint"), Role.MEASURE)

    assert one_column(column, 2**63 - 1, 2**63 - 1).agrees
    diff = one_column(column, 2**63 - 1, -(2**63))
    assert str(2**64 - 1) == diff.columns[-1].max_absolute


def test_a_difference_of_large_numbers_may_refer_to_them():
    spec = specification(
        Column(
            "rest",
            DOUBLE,
            Role.MEASURE,
            WORKING_DOUBLE,
            {"unallocated": Tolerance(relative=1e-12, scale_column="capacity")},
        ),
        Column("capacity", DOUBLE, Role.MEASURE, WORKING_DOUBLE),
        kinds=(
            RowKind("unallocated", ("day", "name"), where(("name", "=", "node"))),
            RowKind("other", ("day", "name")),
        ),
    )
    names = ["node", "pod"]
    control = row_set(spec, name=names, rest=[1e-9, 1.0], capacity=[1000.0, 1000.0])
    near = row_set(spec, name=names, rest=[1.5e-9, 1.0], capacity=[1000.0, 1000.0])
    far = row_set(spec, name=names, rest=[1e-9, 1.0 + 5e-10], capacity=[1000.0, 1000.0])

    assert compare(control, near, today=DAY).agrees
    assert (1, 1, 0, 0) == counts(compare(control, far, today=DAY))


def test_the_scale_is_the_controls_and_an_infinite_one_bounds_nothing():
    column = Column("x", DOUBLE, Role.MEASURE, Tolerance(relative=0.1, scale_column="scale"))
    spec = specification(column, Column("scale", DOUBLE, Role.MEASURE, Tolerance(1e9), nan=True))
    control = row_set(spec, x=[1.0], scale=[1.0])

    assert not compare(control, row_set(spec, x=[5.0], scale=[1e6]), today=DAY).agrees
    infinite = row_set(spec, x=[1.0], scale=[math.inf])
    assert not compare(infinite, row_set(spec, x=[5.0], scale=[math.inf]), today=DAY).agrees


# --- rows ------------------------------------------------------------------------------------

SPEC = specification(WORKING, Column("note", TEXT))


def test_two_empty_row_sets_agree_with_zero_rows():
    empty = row_set(SPEC, x=[])

    diff = compare(empty, empty, today=DAY)

    assert diff.agrees
    assert (0, 0, 0, 0) == counts(diff)
    assert {} == diff.to_json()["datacompy"]


def test_an_empty_side_leaves_all_rows_of_the_other():
    rows, empty = row_set(SPEC, name=["a", "b"], x=[1.0, 2.0]), row_set(SPEC, x=[])

    assert (0, 0, 2, 0) == counts(compare(rows, empty, today=DAY))
    assert (0, 0, 0, 2) == counts(compare(empty, rows, today=DAY))


def test_a_lost_row_is_missing_and_a_doubled_row_is_extra():
    control = row_set(SPEC, name=["a", "b"], x=[1.0, 2.0])

    lost = compare(control, row_set(SPEC, name=["a"], x=[1.0]), today=DAY)
    doubled = compare(control, row_set(SPEC, name=["a", "b", "b"], x=[1.0, 2.0, 2.0]), today=DAY)

    assert (1, 0, 1, 0) == counts(lost)
    assert (2, 0, 0, 1) == counts(doubled)


def test_under_a_repeated_key_rows_cancel_and_the_rest_is_missing_and_extra():
    diff = compare(row_set(SPEC, x=[1.0, 2.0]), row_set(SPEC, x=[2.0, 3.0]), today=DAY)

    assert (1, 0, 1, 1) == counts(diff)


def test_under_a_repeated_key_rows_within_tolerance_cancel_whatever_their_order():
    control = row_set(SPEC, x=[1.0, 1.0, 5.0], note=["p", "q", "p"])
    candidate = row_set(SPEC, x=[5.0 + 1e-13, 1.0 + 1e-14, 1.0 + 1e-14], note=["p", "q", "p"])

    diff = compare(control, candidate, today=DAY)

    assert (3, 0, 0, 0) == counts(diff)
    assert 3 == diff.within_tolerance_rows


def test_a_column_is_key_in_one_kind_and_an_attribute_in_another():
    kinds = (
        RowKind("by note", ("day", "name", "note"), where(("name", "=", "a"))),
        RowKind("by name", ("day", "name")),
    )
    spec = specification(WORKING, Column("note", TEXT), kinds=kinds)
    control = row_set(spec, name=["a", "b"], note=["1", "1"], x=[1.0, 1.0])
    candidate = row_set(spec, name=["a", "b"], note=["2", "2"], x=[1.0, 1.0])

    diff = compare(control, candidate, today=DAY)

    assert (0, 1, 1, 1) == counts(diff)
    assert {"by note", "by name"} == {sample.kind for sample in diff.samples}


def test_a_row_that_is_of_another_kind_is_another_row():
    kinds = (
        RowKind("empty", ("day", "name"), where(("note", "is null"))),
        RowKind("full", ("day", "name")),
    )
    spec = specification(WORKING, Column("note", TEXT), kinds=kinds)
    control, candidate = row_set(spec, note=[None], x=[1.0]), row_set(spec, note=[""], x=[1.0])

    assert (0, 0, 1, 1) == counts(compare(control, candidate, today=DAY))


def test_rows_of_no_kind_are_refused():
    spec = specification(WORKING, kinds=(RowKind("a", ("day",), where(("name", "=", "a"))),))

    with pytest.raises(RowSetInvalid, match="none of the kinds"):
        compare(row_set(spec, x=[1.0]), row_set(spec, x=[1.0]), today=DAY)


def test_row_sets_of_two_specifications_are_refused():
    with pytest.raises(RowSetInvalid, match="one specification"):
        compare(row_set(SPEC, x=[1.0]), row_set(specification(STORED), x=[1]), today=DAY)


def test_columns_that_are_left_out_do_not_count():
    spec = specification(WORKING, Column("id", TEXT, Role.LEFT_OUT))

    diff = compare(row_set(spec, x=[1.0], id=["1"]), row_set(spec, x=[1.0], id=["2"]), today=DAY)

    assert diff.agrees
    assert "id" not in [column.name for column in diff.columns]


def test_labels_are_a_key_by_their_value():
    spec = specification(LABELS, Column("y", DOUBLE, Role.MEASURE), key=("day", "x"))
    control = row_set(spec, x=['{"a":1,"b":2}', '{"a":1}'], y=[1.0, 2.0])
    candidate = row_set(spec, x=['{"a":1.0}', '{"b":2,"a":1}'], y=[2.0, 1.0])

    assert (2, 0, 0, 0) == counts(compare(control, candidate, today=DAY))


def test_texts_of_one_json_value_make_a_repeated_key():
    spec = specification(LABELS, Column("y", DOUBLE, Role.MEASURE), key=("day", "x"))
    control = row_set(spec, x=['{"a":1}', '{"a":1.0}'], y=[1.0, 2.0])
    candidate = row_set(spec, x=['{"a":1}', '{"a":1.0}'], y=[2.0, 3.0])

    assert (1, 0, 1, 1) == counts(compare(control, candidate, today=DAY))


# --- figures ---------------------------------------------------------------------------------


def test_the_figures_of_a_column_are_exact_for_all_rows():
    rows = 1000
    names = [f"{n}" for n in range(rows)]
    control = row_set(SPEC, name=names, x=[1.0] * rows)
    x = [1.0 + 1e-14] * 10 + [2.0] * 5 + [None] * 3 + [1.0] * (rows - 18)
    candidate = row_set(SPEC, name=names, x=x)

    diff = compare(control, candidate, today=DAY, rows_for_datacompy=2)
    column = next(column for column in diff.columns if column.name == "x")

    assert (992, 8, 0, 0) == counts(diff)
    assert 10 == diff.within_tolerance_rows
    assert (8, 10, 3) == (column.differing, column.within, column.null_against_value)
    assert ("1.0", 1.0) == (column.max_absolute, column.max_relative)
    assert 2 == diff.to_json()["datacompy"]["row_summary"]["unequal_rows"]


def test_what_was_normalised_is_said_of_each_column():
    spec = specification(WORKING, Column("j", JSON, Role.JSON), Column("s", TEXTS, Role.SET))

    diff = compare(row_set(spec, x=[1.0]), row_set(spec, x=[1.0]), today=DAY)

    assert {"j", "s"} == {column.name for column in diff.columns if column.normalised}


def test_samples_show_the_key_and_what_differs():
    control = row_set(SPEC, name=["a", "b"], x=[1.0, 2.0], note=["", None])
    candidate = row_set(SPEC, name=["a", "c"], x=[1.0, 2.0], note=[None, None])

    changed, missing, extra = compare(control, candidate, today=DAY).to_json()["samples"]

    key = {"day": "2025-08-01", "name": "a"}
    assert {
        "difference": "changed", "kind": "all", "key": key, "columns": {"note": ["", None]},
    } == changed  # fmt: skip
    assert {"source": ["s", None], "x": ["2.0", None], "note": [None, None]} == missing["columns"]
    assert ("extra", "c") == (extra["difference"], extra["key"]["name"])


def test_samples_are_the_first_rows_by_key_in_whatever_order_rows_come():
    names = [f"{n:03}" for n in range(100)]
    control = row_set(SPEC, name=names, x=[1.0] * 100)
    upwards = row_set(SPEC, name=names, x=[2.0] * 100)
    downwards = row_set(SPEC, name=names[::-1], x=[2.0] * 100)

    one = compare(control, upwards, today=DAY, sample_rows=3)
    other = compare(control, downwards, today=DAY, sample_rows=3)

    assert ["000", "001", "002"] == [sample.key["name"] for sample in one.samples]
    assert one.samples == other.samples


def test_samples_are_shared_between_the_ways_to_differ():
    names = [f"{n}" for n in range(10)]
    control = row_set(SPEC, name=names, x=[1.0] * 10)
    candidate = row_set(SPEC, name=[*names[1:], "new"], x=[2.0] * 10)

    diff = compare(control, candidate, today=DAY, sample_rows=4)

    assert ["changed", "changed", "missing", "extra"] == [s.difference for s in diff.samples]


def test_samples_can_be_switched_off():
    diff = one_column(PLAIN, "secret", "other", samples=False)

    assert "secret" not in json.dumps(diff.to_json())


def test_a_difference_survives_being_stored():
    spec = specification(STORED, Column("labels", JSON, Role.JSON), Column("n", INTEGER))
    control = row_set(spec, name=["a", "b"], x=[1, 2], labels=["{}", None], n=[1, None])
    candidate = row_set(spec, name=["a", "c"], x=[2, 2], labels=["{}", None], n=[1, None])

    diff = compare(control, candidate, today=DAY)

    assert diff == StageDiff.from_json(json.loads(json.dumps(diff.to_json())))
    fields = (
        "stage spec table home control_rows candidate_rows equal_rows within_tolerance_rows "
        "changed_rows missing_rows extra_rows ignored_rows columns totals totals_by_day samples "
        "ignored expired_rules datacompy seconds"
    )
    assert fields == " ".join(diff.to_json())


def test_comparing_rows_that_agree_imports_no_polars_and_no_datacompy():
    code = (
        "import sys, datetime as dt, pyarrow as pa\n"
        "from shadowagg.rowset import *\n"
        "from shadowagg.diff import compare\n"
        "spec = RowSetSpec('p:s', 't', 'inner', (Column('d', DATE), Column('x', DOUBLE, Role.MEASURE)),\n"
        "    (RowKind('all', ('d',)),), 'd', 'd')\n"
        "rows = pa.table({'d': pa.array([dt.date(2025, 8, 1)]), 'x': pa.array([1.0])})\n"
        "rows = RowSet.conform(spec, rows)\n"
        "assert compare(rows, rows, today=dt.date(2025, 8, 1)).agrees\n"
        "print(sorted({'polars', 'datacompy'} & set(sys.modules)))\n"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == run.stdout.strip()
