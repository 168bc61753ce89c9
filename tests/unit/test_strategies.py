"""The neutral strategies give what they promise, and what they are for does occur."""

from __future__ import annotations

import calendar
import datetime as dt
import json
import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from shadowagg.testing import strategies as worth

# What hypothesis draws: no pin concerns it.
pytestmark = pytest.mark.once

KEYS = ("app", "env", "")
quick = settings(max_examples=50, deadline=None, database=None)
patient = settings(max_examples=2_000, deadline=None, database=None)


@quick
@given(worth.texts())
def test_texts_can_be_stored_by_every_engine(text):
    assert "\0" not in text
    assert text == text.encode().decode()


@pytest.mark.parametrize(
    "wanted",
    [
        lambda text: not text,
        lambda text: '"' in text,
        lambda text: "\\" in text,
        lambda text: "%" in text,
        lambda text: any(ord(letter) > 0xFFFF for letter in text),
    ],
    ids=["empty", "quote", "backslash", "wildcard", "beyond the BMP"],
)
def test_texts_worth_trying_occur(wanted):
    assert wanted(find(worth.texts(), wanted, settings=patient))


@quick
@given(worth.label_texts(worth.label_maps(KEYS)))
def test_label_texts_are_flat_objects_of_the_keys_given(text):
    labels = json.loads(text)

    assert set(labels) <= set(KEYS)
    assert all(value is None or isinstance(value, str | int) for value in labels.values())


@pytest.mark.parametrize(
    "wanted",
    [
        lambda text: None in json.loads(text).values(),
        lambda text: "" in json.loads(text).values(),
        lambda text: list(json.loads(text)) == ["env", "app"],
        lambda text: "\\u" in text,
        lambda text: not text.isascii(),
        lambda text: '":"' in text,
    ],
    ids=["null", "empty", "key order", "escaped", "not escaped", "other spacing"],
)
def test_label_texts_worth_trying_occur(wanted):
    strategy = worth.label_texts(worth.label_maps(KEYS))
    assert wanted(find(strategy, wanted, settings=patient))


@quick
@given(worth.quotient_ties(3600.0))
def test_a_quotient_tie_rounds_up_though_its_binary_value_need_not(value):
    quotient = value / 3600.0
    unit = Decimal("1e-15")

    half = Decimal(repr(quotient)) - Decimal("5e-16")
    assert half == half.quantize(unit)
    assert Decimal(repr(quotient)).quantize(unit, ROUND_HALF_UP) == half + unit


@quick
@given(worth.quotient_ties(86400.0 * 31))
def test_quotient_ties_exist_for_the_seconds_of_a_month(value):
    assert len("0.") + 16 == len(repr(value / (86400.0 * 31)))


@quick
@given(st.lists(worth.doubles(1e17), max_size=200), st.randoms(use_true_random=False))
def test_sums_of_doubles_agree_in_any_order(values, shuffler):
    other = list(values)
    shuffler.shuffle(other)

    exact = sum(map(Fraction, values))
    for order in (values, other, sorted(values)):
        assert abs(Fraction(sum(order)) - exact) <= Fraction(1e-12) * exact


@quick
@given(st.lists(worth.doubles(1e17, whole=True), max_size=1000))
def test_whole_numbers_are_summed_exactly(values):
    assert all(value.is_integer() and value >= 0 for value in values)
    assert sum(values) == math.fsum(values) < 2**53


@quick
@given(worth.windows(longest=5))
def test_windows_lie_in_one_month(window):
    start, end = window

    assert 1 <= (end - start).days + 1 <= 5
    assert (start.year, start.month) == (end.year, end.month)


def test_windows_touch_both_ends_of_a_month():
    def last(window):
        end = window[1]
        return end.day == calendar.monthrange(end.year, end.month)[1]

    assert last(find(worth.windows(), last, settings=patient))
    assert find(worth.windows(), lambda w: w[0].day == 1, settings=patient)[0].day == 1


def test_days_lie_around_the_window_only_where_that_is_wanted():
    day = dt.date(2025, 8, 5)
    strategy = worth.days_of_a_window(day, day)

    assert find(strategy, lambda found: found > day) == day + dt.timedelta(days=1)
    assert find(strategy, lambda found: found < day) == day - dt.timedelta(days=1)

    @quick
    @given(worth.days_of_a_window(day, day, around=False))
    def inside(found):
        assert found == day

    inside()


@quick
@given(st.data())
def test_files_hold_every_row_once_and_every_column_in_the_first(data):
    rows = [{"a": n, "b": -n, "c": str(n)} for n in range(5)]
    made = data.draw(worth.files(rows, ["a", "b", "c"], optional=["b"]))

    assert set(made[0][0]) == {"a", "b", "c"}
    assert sorted(row["a"] for _, mine in made for row in mine) == [0, 1, 2, 3, 4]
    for columns, mine in made:
        assert {"a", "c"} <= set(columns)
        assert all(tuple(row) == columns for row in mine)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda made: any("b" not in columns for columns, _ in made),
        lambda made: made[0][0] == ("b", "a"),
        lambda made: len(made) == 3,
    ],
    ids=["column missing", "other order", "several"],
)
def test_files_are_cut_in_every_way(wanted):
    strategy = worth.files([{"a": 1, "b": 2}], ["a", "b"], optional=["b"])
    assert wanted(find(strategy, wanted, settings=patient))


def test_or_null_gives_both():
    strategy = worth.or_null(st.just(1), 3)

    assert find(strategy, lambda value: value is None) is None
    assert find(strategy, lambda value: value is not None) == 1
