"""Grouping, joining and LIKE on codes (`ocp.md` 6.1; engine facts *Numbers*, *Text*, *NULL*)."""

import datetime as dt
import random

import pyarrow as pa
import pytest

from shadowagg.candidate import kernels
from shadowagg.candidate.kernels import (
    Constants,
    append,
    composite_keys,
    group,
    is_like,
    lookup,
    match_all,
    recode,
    single_chunk,
)

nan = float("nan")


def codes(*texts):
    return pa.array(texts, pa.string()).dictionary_encode()


def test_null_is_one_key_and_sums_and_maxima_pass_over_null():
    table = pa.table(
        {
            "day": pa.array([dt.date(2025, 8, 5)] * 5),
            "name": codes("a", None, "a", None, "b"),
            "sum": [1.0, 2.0, None, 4.0, None],
            "max": [1.0, None, 5.0, 3.0, None],
        }
    )

    grouped = group(table, ("day", "name"), {"sum": "sum", "max": "max"})

    assert {"a": (1.0, 5.0), None: (6.0, 3.0), "b": (None, None)} == {
        row["name"]: (row["sum"], row["max"]) for row in grouped.to_pylist()
    }


def test_the_largest_text_is_the_last_in_code_points():
    table = pa.table({"k": [1, 1, 1, 1, 2], "t": codes("～", "\U0001f600", "a", None, None)})

    assert ["\U0001f600", None] == group(table, ("k",), {"t": "max"}).column("t").to_pylist()


def test_maxima_pass_over_nan_and_sums_do_not():
    table = pa.table({"k": [1, 1, 2], "x": [nan, 1.0, nan], "y": [nan, 1.0, 2.0]})

    first, second = group(table, ("k",), {"x": "max", "y": "sum"}).to_pylist()

    assert first["x"] == 1.0
    assert second["x"] != second["x"]
    assert first["y"] != first["y"]
    assert second["y"] == 2.0


def test_sums_are_added_in_the_order_of_the_rows():
    values = [1e16, 1.0, -1e16, 1.0] * 50
    expected = 0.0
    for value in values:
        expected += value

    table = pa.table({"k": [0] * len(values), "x": values})

    assert [expected] == group(table, ("k",), {"x": "sum"}).column("x").to_pylist()


def test_chunks_with_dictionaries_of_their_own_are_grouped_by_text():
    column = pa.chunked_array([codes("a", "b"), codes("b", "c")])

    grouped = group(pa.table({"name": column, "x": [1.0, 2.0, 3.0, 4.0]}), ("name",), {"x": "sum"})

    assert [("a", 1.0), ("b", 5.0), ("c", 4.0)] == [tuple(r.values()) for r in grouped.to_pylist()]


def test_grouping_without_aggregates_is_distinct():
    table = pa.table({"a": [1, 1, 2], "b": codes(None, None, "x")})

    assert [{"a": 1, "b": None}, {"a": 2, "b": "x"}] == group(table, ("a", "b"), {}).to_pylist()


def test_recode_gives_places_in_other_texts_and_null_for_what_is_not_there():
    assert [1, None, None, 0] == recode(
        codes("b", None, "z", "a"), pa.array(["a", "b"])
    ).to_pylist()


def test_a_lookup_never_matches_null():
    left = [pa.array([1, None, 3, 4]), pa.array([10, 20, None, 40])]
    right = [pa.array([4, None, 1]), pa.array([40, 20, 10])]

    assert [2, None, None, 0] == lookup(left, right).to_pylist()


@pytest.mark.parametrize("seed", range(5))
def test_match_all_is_a_left_outer_join(seed):
    chance = random.Random(seed)
    left = [chance.choice([None, *range(6)]) for _ in range(30)]
    right = [chance.choice([None, *range(8)]) for _ in range(chance.choice([0, 3, 20]))]

    matches = match_all([pa.array(left, pa.int32())], [pa.array(right, pa.int32())])

    numbers = matches.spread(pa.array(range(len(left)))).to_pylist()
    expected = []
    for n, value in enumerate(left):
        pairs = [(n, m) for m, other in enumerate(right) if value is not None and value == other]
        expected += pairs or [(n, None)]
    assert sorted(expected, key=str) == sorted(
        zip(numbers, matches.right.to_pylist(), strict=True), key=str
    )


def test_spreading_repeats_texts_as_codes():
    matches = match_all([pa.array([1, 2])], [pa.array([1, 1])])

    assert ["a", "a", "b"] == matches.spread(codes("a", "b")).to_pylist()


def test_keys_that_leave_64_bits_are_renumbered(monkeypatch):
    monkeypatch.setattr(kernels, "_LARGEST_KEY", 5)
    left = [pa.array([1, 2, 3]), pa.array([7, 8, 9]), pa.array([0, 50, None])]
    right = [pa.array([3, 2, 2]), pa.array([9, 8, 8]), pa.array([1, 50, 0])]

    left_key, right_key = composite_keys(left, right)

    assert [None, 1, None] == lookup([left_key], [right_key]).to_pylist()[::-1]


def test_keys_of_dates_and_numbers():
    days = pa.array([dt.date(2025, 8, 5), dt.date(2025, 8, 6)])

    assert [1, 0] == lookup(
        [days, pa.array([1, 2])], [days.take([1, 0]), pa.array([2, 1])]
    ).to_pylist()


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("my_ns", "my-ns", True),
        ("a%", "a\nb", True),
        ("%", "", True),
        ("_", "\U0001f600", True),
        (r"a\_b", "a_b", False),
        (r"a\_b", r"a\xb", True),
        ("A", "a", False),
        ("a", "aa", False),
        ("a.c", "abc", False),
        ("[a]%", "[a]x", True),
    ],
)
def test_like_without_an_escape_character(pattern, text, matches):
    assert [matches, None] == is_like(pa.array([text, None]), pattern).to_pylist()


def test_appending_ignores_empty_tables_and_decodes_where_types_differ():
    empty = pa.table({"t": pa.array([], pa.string())})
    coded, plain = pa.table({"t": codes("a")}), pa.table({"t": ["b"]})

    assert append([empty, coded]).schema.field("t").type == coded.schema.field("t").type
    assert append([empty, empty]).num_rows == 0
    assert append([coded, plain]).column("t").to_pylist() == ["a", "b"]


def test_a_single_chunk_of_nothing_has_its_type():
    assert pa.int32() == single_chunk(pa.chunked_array([], pa.int32())).type


def test_constants_share_their_memory():
    say = Constants(3)

    assert say.text("x").indices.buffers()[1].address == say.text("y").indices.buffers()[1].address
    assert say.nothing(pa.float64()) is say.nothing(pa.float64())
    assert ["x", "x", "x"] == say.text("x").to_pylist()
    assert [None, None, None] == say.text(None).to_pylist()
