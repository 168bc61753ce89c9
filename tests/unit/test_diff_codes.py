"""Columns as integers: equal where the values are, whatever their layout."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowagg.diff import codes as module
from shadowagg.diff.codes import encode, fold, row_numbers
from shadowagg.diff.json_values import canonical_json


def chunked(*chunks, type_=None) -> pa.ChunkedArray:
    return pa.chunked_array(
        [pa.array(c, type_) if isinstance(c, list) else c for c in chunks], type_
    )


def pattern(codes) -> list[int]:
    """The codes of both sides, numbered as they come."""
    both = codes.control.to_pylist() + codes.candidate.to_pylist()
    assert all(0 <= code < codes.size for code in both)
    return [list(dict.fromkeys(both)).index(code) for code in both]


def dictionary(indices, values, index_type="int8", type_="string") -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices, index_type), pa.array(values, type_))


@pytest.mark.parametrize(
    ("control", "candidate", "expected"),
    [
        (chunked(["a", None], ["b"]), chunked(["b", "a", None]), [0, 1, 2, 2, 0, 1]),
        (
            chunked(dictionary([0, 1, None], ["a", "b"]), dictionary([1, 0], ["a", "b"])),
            chunked(dictionary([0, 1], ["b", "a"], "uint16", "large_string")),
            [0, 1, 2, 1, 0, 1, 0],
        ),
        (
            chunked(dictionary([0, 1, 2, 3], ["a", None, "a", "b"])),
            chunked(["b", None, "a"], type_=pa.large_string()),
            [0, 1, 0, 2, 2, 1, 0],
        ),
        (
            chunked(["a", None], type_=pa.string_view()),
            chunked(["a", ""], type_=pa.string()),
            [0, 1, 0, 2],
        ),
        (chunked([], type_=pa.string()), chunked(["a"]), [0]),
        (pa.chunked_array([], pa.dictionary(pa.int8(), pa.string())), chunked(["a"]), [0]),
        (
            chunked([3, None, 2**62], type_=pa.int64()),
            chunked([-(2**62), 3], type_=pa.int64()),
            [0, 1, 2, 3, 0],
        ),
        (chunked([-5, None], type_=pa.int32()), chunked([7, -5], type_=pa.int32()), [0, 1, 2, 0]),
        (
            chunked([0.0, math.nan, None]),
            chunked([-0.0, math.nan, math.inf, None]),
            [0, 1, 2, 0, 1, 3, 2],
        ),
        (
            chunked([dt.date(2025, 8, 1), None]),
            chunked([dt.date(1, 1, 1), dt.date(2025, 8, 1)]),
            [0, 1, 2, 0],
        ),
        (chunked([True, None]), chunked([False, True]), [0, 1, 2, 0]),
        (chunked([Decimal("1.0")]), chunked([Decimal("1.1"), Decimal("1.0")]), [0, 1, 0]),
    ],
)
def test_equal_values_have_equal_codes_and_others_do_not(control, candidate, expected):
    assert expected == pattern(encode(control, candidate))


def test_a_list_that_is_null_may_hide_elements():
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 2, 3], pa.int32()), pa.array(["x", "y", "z"]), mask=pa.array([True, False])
    )

    codes = encode(pa.chunked_array([hidden]), chunked([["z"], None, ["x"]]))

    assert [0, 1, 1, 0, 2] == pattern(codes)


ELEMENTS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", ""])), max_size=4)
LISTS = st.lists(st.one_of(st.none(), ELEMENTS), max_size=6)


@settings(max_examples=100, deadline=None)
@given(LISTS, LISTS)
def test_lists_are_equal_as_multisets(control, candidate):
    type_ = pa.list_(pa.string())
    both = [None if item is None else Counter(item) for item in control + candidate]
    expected = [both.index(item) for item in both]

    codes = encode(chunked(control, type_=type_), chunked(candidate, type_=type_))

    numbers = codes.control.to_pylist() + codes.candidate.to_pylist()
    assert expected == [numbers.index(number) for number in numbers]


COLUMN = st.lists(st.integers(0, 3), min_size=5, max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(COLUMN, max_size=5), st.sampled_from([1 << 62, 40, 4]))
def test_folded_columns_are_equal_where_all_of_them_are(columns, largest):
    rows = list(zip(*columns, strict=True)) or [()] * 5
    expected = [rows.index(row) for row in rows]
    encoded = [encode(chunked(column[:2]), chunked(column[2:])) for column in columns]
    before = module._LARGEST_FOLD
    module._LARGEST_FOLD = largest
    try:
        codes = fold(encoded, 2, 3)
    finally:
        module._LARGEST_FOLD = before

    assert expected == [pattern(codes).index(number) for number in pattern(codes)]


def test_codes_know_the_order_of_their_values():
    codes = encode(chunked(["b", None, "a"]), chunked(["c"]))

    ranks = codes.ranks().take(pa.concat_arrays([codes.control, codes.candidate]))

    assert [1, 3, 0, 2] == ranks.to_pylist()


@pytest.mark.parametrize("count", [0, 1, 63, 64, 1000])
def test_row_numbers_count_from_zero(count):
    assert list(range(count)) == row_numbers(count).to_pylist()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('{"b": 1, "a": [true, null]}', '{"a":[true,null],"b":1.0}'),
        ("0", "-0.000"),
        ("0", "0e9"),
        ("100", "1e2"),
        ("1E-2", "0.010"),
        ("1" + "0" * 5000, "1e5000"),
        ('{"a":{"c":1,"b":2}}', '{"a":{"b":2,"c":1}}'),
        (' {"a" : "x"}\n', '{"a":"x"}'),
        ('"\\u00e9\\/"', '"é/"'),
        ('"\\ud800"', '"\\uD800"'),
    ],
)
def test_texts_of_one_json_value_have_one_canonical_text(text, same):
    assert canonical_json(text) == canonical_json(same)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("1", "-1"),
        ("1", '"1"'),
        ("12", "1.2"),
        ("1", "true"),
        ("0", "false"),
        ("null", '"null"'),
        ("{}", "[]"),
        ('{"a":null}', "{}"),
        ("[1,2]", "[2,1]"),
        ("9007199254740993", "9007199254740992"),
        ("0.1", "0.1000000000000000055511151231257827"),
        ('{"a":1,"a":1}', '{"a":1}'),
        ("NaN", "nan"),
        ("1e99999999999999999999", "1E99999999999999999999"),
        ("[" * 100_000, "[" * 99_999),
        ('""', ""),
    ],
)
def test_texts_of_two_json_values_or_of_none_differ(text, other):
    assert canonical_json(text) != canonical_json(other)
