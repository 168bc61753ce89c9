"""Row sets and their specifications."""

import datetime as dt
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from shadowagg.condition import where
from shadowagg.errors import RowSetInvalid
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    TEXT,
    Column,
    Role,
    RowKind,
    RowSet,
    RowSetSpec,
    Tolerance,
    numeric,
)

SPEC = RowSetSpec(
    name="some:things",
    table="things",
    home="postgres",
    day="day",
    group="name",
    source="source",
    kinds=(RowKind("named", ("source", "day", "name"), where(("name", "is not null"))),),
    columns=(
        Column("id", TEXT, Role.LEFT_OUT, reason="random"),
        Column("day", DATE, nullable=False),
        Column("source", TEXT),
        Column("name", TEXT),
        Column("amount", numeric(33, 15), Role.MEASURE),
        Column("weight", DOUBLE, Role.MEASURE),
    ),
)


def rows(**changes):
    columns = {
        "day": pa.array([dt.date(2025, 1, 1)] * 2),
        "source": pa.array(["s", "s"]),
        "name": pa.array(["a", "b"]),
        "amount": pa.array([Decimal("1.5"), None], pa.decimal128(33, 15)),
        "weight": pa.array([0.5, None]),
    }
    columns.update(changes)
    return pa.table({name: values for name, values in columns.items() if values is not None})


def test_columns_come_in_the_order_of_the_specification_and_left_out_ones_may_be_missing():
    table = rows().select(["weight", "name", "amount", "source", "day"])
    assert SPEC.schema.names == RowSet.conform(SPEC, table).table.column_names


def test_dictionaries_and_large_strings_are_text():
    encoded = rows(
        name=pa.array(["a", "b"]).dictionary_encode(),
        source=pa.array(["s", "s"], pa.large_string()),
    )
    assert 2 == RowSet.conform(SPEC, encoded).num_rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "column name is missing"),
        ({"other": pa.array([1, 2])}, "column other is not specified"),
        ({"name": pa.array([1, 2])}, "column name is int64, specified string"),
        ({"day": pa.array(["2025-01-01"] * 2)}, "column day is string, specified date32"),
        (
            {"amount": pa.array([1, 2], pa.decimal128(33, 9))},
            r"column amount is decimal128\(33, 9\), specified decimal128\(33, 15\)",
        ),
        ({"weight": pa.array([1, 2])}, "column weight is int64, specified double"),
        ({"weight": pa.array([float("nan"), 1.0])}, "1 values that are NaN or infinite"),
        ({"weight": pa.array([float("inf"), None])}, "1 values that are NaN or infinite"),
        ({"day": pa.array([None, None], pa.date32())}, "column day has 2 NULLs"),
    ],
)
def test_every_deviation_is_named(changes, message):
    with pytest.raises(RowSetInvalid, match=message):
        RowSet.conform(SPEC, rows(**changes))


def test_a_column_that_occurs_twice_is_named():
    twice = rows().append_column("name", pa.array(["x", "y"]))
    with pytest.raises(RowSetInvalid, match="column name occurs 2 times"):
        RowSet.conform(SPEC, twice)


def test_all_deviations_are_named_at_once():
    with pytest.raises(RowSetInvalid, match=r"name is missing.*weight is int64"):
        RowSet.conform(SPEC, rows(name=None, weight=pa.array([1, 2])))


def test_nan_may_be_allowed():
    from dataclasses import replace

    loose = replace(
        SPEC, columns=(*SPEC.columns[:-1], Column("weight", DOUBLE, Role.MEASURE, nan=True))
    )
    table = rows(weight=pa.array([float("nan"), float("inf")]))
    assert 2 == RowSet.conform(loose, table).num_rows


def test_rows_of_no_kind_are_an_error():
    with pytest.raises(RowSetInvalid, match="1 rows are of none of the kinds"):
        SPEC.kind_of(rows(name=pa.array(["a", None])))


def test_a_specification_that_names_a_missing_column_is_refused():
    from dataclasses import replace

    with pytest.raises(RowSetInvalid, match="elsewhere"):
        replace(SPEC, day="elsewhere")


def test_an_empty_row_set_conforms():
    assert 0 == RowSet.conform(SPEC, SPEC.empty()).num_rows


def test_to_pandas_keeps_decimals_dates_and_null():
    encoded = rows(name=pa.array(["a", None]).dictionary_encode())
    frame = RowSet.conform(SPEC, encoded).to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert Decimal("1.500000000000000") == frame["amount"][0]
    assert frame["amount"][1] is None
    assert dt.date(2025, 1, 1) == frame["day"][0]
    assert pd.isna(frame["name"][1])
    assert "a" == frame["name"][0]


def test_a_tolerance_says_what_it_is():
    assert "exact" == str(Tolerance())
    both = Tolerance(relative=1e-12, units=1, scale_column="capacity")
    assert "1e-12 relative of capacity or 1 unit of the last decimal" == str(both)
