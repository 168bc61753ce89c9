"""Conditions on dictionary-encoded columns, and constants that came through JSON."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from shadowagg.condition import Condition, where

VALUES = ["a", None, "", "b"]
TESTS = [
    ("x", "=", "a"),
    ("x", "!=", "a"),
    ("x", "in", ("a", "")),
    ("x", "in", ()),
    ("x", "is null"),
    ("x", "is not null"),
    ("x", "null or =", "b"),
    ("x", ">=", "a"),
    ("x", "<=", "a"),
]


@pytest.mark.parametrize("test", TESTS)
def test_a_dictionary_means_nothing_to_a_condition(test):
    plain = pa.table({"x": pa.array(VALUES)})
    # NULL once by its index and once by a NULL in the dictionary; a value that is there twice.
    first = pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), pa.array(["a"]))
    second = pa.DictionaryArray.from_arrays(
        pa.array([1, 3], pa.int8()), pa.array(["b", "", "", "b", None])
    )
    third = pa.DictionaryArray.from_arrays(pa.array([4], pa.int8()), second.dictionary)
    encoded = pa.table({"x": pa.chunked_array([first, second, third])})

    expected = where(test).mask(plain).to_pylist()

    assert [*expected, expected[1]] == where(test).mask(encoded).to_pylist()


@pytest.mark.parametrize("test", TESTS)
def test_a_table_without_rows_gives_a_mask_without_rows(test):
    table = pa.table({"x": pa.array([], pa.dictionary(pa.int8(), pa.string()))})

    assert [] == where(test).mask(table).to_pylist()


def test_a_day_may_come_through_json():
    table = pa.table({"day": [dt.date(2025, 7, 31), dt.date(2025, 8, 1), None]})
    condition = where(("day", ">=", dt.date(2025, 8, 1)), ("day", "in", (dt.date(2025, 8, 1),)))

    assert [False, True, False] == condition.mask(table).to_pylist()
    through_json = Condition.from_json(condition.to_json())
    assert [False, True, False] == through_json.mask(table).to_pylist()
