"""Conditions: plain data that names rows."""

import datetime as dt

import pyarrow as pa
import pytest

from shadowagg.condition import ALWAYS, Condition, where

ROWS = pa.table(
    {
        "text": pa.array(["a", "b", None, ""]),
        "number": pa.array([0.0, 5.0, None, -1.0]),
        "day": pa.array([dt.date(2025, 1, d) for d in (1, 2, 3, 4)]),
    }
)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (("text", "=", "a"), [True, False, False, False]),
        (("text", "!=", "a"), [False, True, False, True]),
        (("text", "in", ("a", "")), [True, False, False, True]),
        (("text", "is null"), [False, False, True, False]),
        (("text", "is not null"), [True, True, False, True]),
        (("number", "null or =", 0), [True, False, True, False]),
        (("day", ">=", dt.date(2025, 1, 3)), [False, False, True, True]),
        (("day", "<=", dt.date(2025, 1, 1)), [True, False, False, False]),
    ],
)
def test_null_satisfies_only_what_names_null(test, expected):
    assert expected == where(test).mask(ROWS).to_pylist()


def test_dictionaries_are_compared_by_value():
    encoded = ROWS.set_column(0, "text", ROWS.column("text").dictionary_encode())
    assert [True, False, False, False] == where(("text", "=", "a")).mask(encoded).to_pylist()


def test_all_tests_must_hold():
    both = where(("text", "is not null"), ("number", "null or =", 0))
    assert [True, False, False, False] == both.mask(ROWS).to_pylist()


def test_no_test_always_holds():
    assert [True] * 4 == ALWAYS.mask(ROWS).to_pylist()


def test_json_keeps_the_meaning():
    condition = where(("day", ">=", dt.date(2025, 1, 3)), ("text", "in", ("a", "")))
    again = Condition.from_json(condition.to_json())
    assert condition.mask(ROWS).to_pylist() == again.mask(ROWS).to_pylist()
