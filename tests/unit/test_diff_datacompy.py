"""datacompy's traps, each with the test that we do not step into it; and that it is really asked."""

from __future__ import annotations

import datetime as dt
import json
import math
import subprocess
import sys
from decimal import Decimal

import datacompy
import pyarrow as pa
import pytest

from shadowagg.condition import where
from shadowagg.diff import compare
from shadowagg.errors import RowSetInvalid, ShadowaggError
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    EXACT,
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


ONE_KIND = (RowKind("all", ("day", "name")),)


def specification(*columns: Column, kinds=ONE_KIND) -> RowSetSpec:
    return RowSetSpec(
        name="p:s",
        table="t",
        home="inner",
        columns=(Column("day", DATE), Column("name", TEXT), *columns),
        kinds=kinds,
        day="day",
        source="name",
    )


def row_set(spec: RowSetSpec, names, **columns) -> RowSet:
    values = {"day": [DAY] * len(names), "name": names, **columns}
    return RowSet.conform(
        spec, pa.table({c.name: pa.array(values[c.name], c.type.arrow) for c in spec.columns})
    )


EXACT_DECIMAL = specification(Column("x", numeric(33, 15), Role.MEASURE, EXACT))
WORKING = specification(Column("x", DOUBLE, Role.MEASURE, WORKING_DOUBLE, nan=True))


def test_decimals_that_differ_in_the_last_of_many_digits_differ():
    control = row_set(EXACT_DECIMAL, ["a"], x=[Decimal("123456789012345678.000000000000001")])
    candidate = row_set(EXACT_DECIMAL, ["a"], x=[Decimal("123456789012345678.000000000000002")])

    diff = compare(control, candidate, today=DAY)

    assert 1 == diff.changed_rows
    assert 1 == diff.to_json()["datacompy"]["row_summary"]["unequal_rows"]


def test_nan_is_not_null():
    control = row_set(WORKING, ["a"], x=[math.nan])

    diff = compare(control, row_set(WORKING, ["a"], x=[None]), today=DAY)

    assert 1 == diff.changed_rows
    assert 1 == diff.to_json()["datacompy"]["row_summary"]["unequal_rows"]


@pytest.mark.parametrize("type_", [pa.string(), pa.timestamp("us")])
def test_a_date_does_not_match_its_text(type_):
    days = pa.array([DAY]).cast(type_)

    with pytest.raises(RowSetInvalid, match="column day is"):
        RowSet.conform(WORKING, pa.table({"day": days, "name": ["a"], "x": [1.0]}))


def test_an_integer_does_not_match_a_double():
    with pytest.raises(RowSetInvalid, match="column x is int64"):
        RowSet.conform(WORKING, pa.table({"day": [DAY], "name": ["a"], "x": [1]}))


def test_two_empty_row_sets_agree_without_asking(monkeypatch):
    monkeypatch.setattr(datacompy, "PolarsCompare", None)
    empty = row_set(WORKING, [], x=[])

    assert compare(empty, empty, today=DAY).agrees


def test_repeated_keys_are_not_paired_as_they_come():
    control = row_set(WORKING, ["a", "a", "b"], x=[1.0, 2.0, 1.0])
    candidate = row_set(WORKING, ["b", "a", "a"], x=[5.0, 2.0, 1.0])

    diff = compare(control, candidate, today=DAY)

    assert (2, 1) == (diff.equal_rows, diff.changed_rows)
    assert not diff.to_json()["datacompy"]["row_summary"]["has_duplicates"]
    assert 1 == diff.to_json()["datacompy"]["row_summary"]["common_rows"]


def test_the_control_is_the_second_frame_to_which_tolerances_refer():
    spec = specification(Column("x", DOUBLE, Role.MEASURE, Tolerance(relative=0.00995)))
    rows = [row_set(spec, ["a", "b"], x=[value, 1.0]) for value in (100.0, 101.0)]

    assert compare(rows[1], rows[0], today=DAY).agrees
    diff = compare(rows[0], rows[1], today=DAY)
    assert 1 == diff.changed_rows
    assert "control" == diff.to_json()["datacompy"]["df2_name"]


def test_the_row_sets_are_not_altered():
    spec = specification(Column("Mixed Case", DOUBLE, Role.MEASURE))
    control = row_set(spec, ["a"], **{"Mixed Case": [1.0]})
    before = control.table

    diff = compare(control, row_set(spec, ["a"], **{"Mixed Case": [2.0]}), today=DAY)

    assert ["day", "name", "Mixed Case"] == control.table.column_names
    assert before.equals(control.table)
    assert "Mixed Case" == diff.to_json()["datacompy"]["mismatch_stats"]["stats"][0]["column"]


def test_null_against_a_value_is_no_distance():
    control = row_set(WORKING, ["a", "b"], x=[None, 1.0])

    diff = compare(control, row_set(WORKING, ["a", "b"], x=[5.0, 1.5]), today=DAY)

    assert ("0.5", 1) == (diff.columns[-1].max_absolute, diff.columns[-1].null_against_value)


def test_its_report_is_kept_as_plain_values():
    control = row_set(WORKING, ["a", "m"], x=[1.0, 1.0])

    report = compare(control, row_set(WORKING, ["a", "e"], x=[math.inf, 1.0]), today=DAY).to_json()

    kept = report["datacompy"]
    assert kept == json.loads(json.dumps(kept, allow_nan=False))
    assert {"common_rows": 1, "unequal_rows": 1, "df1_unique": 1, "df2_unique": 1}.items() <= (
        kept["row_summary"].items()
    )


def test_it_is_imported_only_when_rows_are_left():
    code = (
        "import sys, shadowagg.diff, shadowagg.explain\n"
        "print(sorted({'datacompy', 'polars', 'pandas'} & set(sys.modules)))"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == run.stdout.strip()


def test_it_is_really_asked(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("asked")

    monkeypatch.setattr(datacompy, "PolarsCompare", refuse)
    control = row_set(WORKING, ["a"], x=[1.0])

    assert compare(control, row_set(WORKING, ["a"], x=[1.0 + 1e-14]), today=DAY).agrees
    with pytest.raises(AssertionError, match="asked"):
        compare(control, row_set(WORKING, ["a"], x=[2.0]), today=DAY)


def test_its_verdict_is_honoured(monkeypatch):
    class Blind(datacompy.PolarsCompare):
        def count_matching_rows(self):
            return len(self.intersect_rows)

    monkeypatch.setattr(datacompy, "PolarsCompare", Blind)
    control = row_set(WORKING, ["a"], x=[1.0])

    with pytest.raises(ShadowaggError, match="the Arrow pass counts"):
        compare(control, row_set(WORKING, ["a"], x=[2.0]), today=DAY)


def test_both_judges_count_the_same_over_kinds_roles_and_types():
    texts = ColumnType(pa.list_(pa.string()), "array(varchar)", "text[]")
    spec = specification(
        Column("labels", JSON, Role.JSON),
        Column("tags", texts, Role.SET),
        Column("node", TEXT),
        Column("node_match", TEXT),
        Column("ratio", DOUBLE),
        Column("flag", ColumnType(pa.bool_(), "boolean", "boolean")),
        Column(
            "x",
            numeric(33, 15),
            Role.MEASURE,
            STORED_DECIMAL,
            {"a": Tolerance(units=1, relative=1e-3, scale_column="y")},
        ),
        Column("y", numeric(20, 2), Role.MEASURE, EXACT),
        kinds=(
            RowKind("a", ("day", "name", "labels"), where(("name", "=", "a"))),
            RowKind("other", ("day", "name", "node", "node_match")),
        ),
    )
    control = row_set(
        spec,
        ["a", "b", "c", "d", None],
        labels=['{"p":1}', "{}", None, "{}", "{}"],
        tags=[["t"], [], None, ["x", None], []],
        node=[None, "n", "n", "n", "n"],
        node_match=["m", "m", "m", "m", "m"],
        ratio=[0.0, 1.0, 2.0, None, 1.0],
        flag=[True, False, None, True, True],
        x=[1, 1, 1, 1, 1],
        y=[1000, 1, 1, 1, 1],
    )
    candidate = row_set(
        spec,
        ["a", "b", "c", "d", None],
        labels=['{"p":1.0}', '{"q":1}', None, "{}", "{}"],
        tags=[["t"], [], [], [None, "x"], []],
        node=["other", "n", "n", "N", "n"],
        node_match=["m", "m", "m", "m", "m"],
        ratio=[-0.0, 1.0, 2.0, None, 1.5],
        flag=[True, False, None, True, True],
        x=[2, 1, 2, 1, 1],
        y=[1000, 1, 1, 1, 1],
    )

    diff = compare(control, candidate, today=DAY)

    assert (4, 1, 1) == (diff.changed_rows, diff.missing_rows, diff.extra_rows)
    differing = {column.name: column.differing for column in diff.columns if column.differing}
    assert {"labels": 1, "tags": 1, "node": 1, "ratio": 1, "x": 1} == differing
    assert 4 == diff.to_json()["datacompy"]["row_summary"]["unequal_rows"]


def test_no_more_rows_are_handed_over_than_asked_for():
    names = [f"{n:02}" for n in range(40)]
    control = row_set(WORKING, names, x=[1.0] * 40)
    candidate = row_set(WORKING, [*names[:20], *(f"e{n}" for n in names[20:])], x=[2.0] * 40)

    diff = compare(control, candidate, today=DAY, rows_for_datacompy=25)
    nothing = compare(control, candidate, today=DAY, rows_for_datacompy=0)

    rows = diff.to_json()["datacompy"]["row_summary"]
    assert (20, 5, 5) == (rows["unequal_rows"], rows["df1_unique"], rows["df2_unique"])
    assert (20, 20, 20) == (diff.changed_rows, diff.missing_rows, diff.extra_rows)
    assert {} == nothing.to_json()["datacompy"]
    assert 20 == nothing.changed_rows
