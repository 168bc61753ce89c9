"""Hypothesis strategies that know no provider: values that tend to break an aggregation.

Needs the extra `testing`: hypothesis is imported here and in plugins' testing modules only.
"""

from __future__ import annotations

import calendar
import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

__all__ = [
    "Label",
    "days_of_a_window",
    "doubles",
    "files",
    "label_maps",
    "label_texts",
    "moments",
    "or_null",
    "quotient_ties",
    "texts",
    "windows",
]

T = TypeVar("T")

Label = str | int | bool | None
"""A label's value: a text as a rule; what the specifications define beside it."""

_TEXTS = (
    *("", "a", "A", "prod", "null", "true", "0", " ", "two words", "tab\there", "line\nbreak"),
    *('say "hi"', "O'Neil", "back\\slash", "{brace}", "[1]", "a/b", "a,b", "a|b", "%", "_"),
    *("é", "e\u0301", "ß", "日本", "😀", "\u2028", "\ufeff"),
)

_MONTHS = ((2024, 2), (2025, 2), (2025, 8), (2025, 9), (2024, 12))


def texts() -> st.SearchStrategy[str]:
    """Texts worth trying: empty, quoted, escaped, wildcards of LIKE, composed and beyond the BMP.

    Neither NUL nor half a surrogate pair: PostgreSQL takes neither in a JSON text.
    """
    anything = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
    return st.one_of(st.sampled_from(_TEXTS), anything)


def or_null(strategy: st.SearchStrategy[T], chance: int = 8) -> st.SearchStrategy[T | None]:
    """What the strategy gives, and now and then None: once in about `chance` times."""
    return st.integers(0, chance - 1).flatmap(
        lambda drawn: strategy if drawn < chance - 1 else st.none()
    )


# --- labels ------------------------------------------------------------------------------------


def label_maps(
    keys: Sequence[str], values: st.SearchStrategy[Any] | None = None, *, most: int = 4
) -> st.SearchStrategy[dict[str, Label]]:
    """Label maps over few keys, so that they meet.

    Args:
        keys: the keys to draw from.
        values: the values; by default mostly few texts, now and then any of `texts`, None, a whole
            number or a boolean.
        most: keys of one map at most.
    """
    few = st.sampled_from(("a", "b", ""))
    rare: st.SearchStrategy[Any] = st.one_of(
        texts(), st.none(), st.sampled_from((0, -7, 12, True, False))
    )
    usual = st.integers(0, 3).flatmap(lambda drawn: few if drawn else rare)
    return st.dictionaries(st.sampled_from(list(keys)), values or usual, max_size=most)


@st.composite
def label_texts(draw: st.DrawFn, maps: st.SearchStrategy[dict[str, Label]]) -> str:
    """JSON texts of label maps: any order of keys, any spacing, escaped or not.

    Every text is an object without repeated keys and without nested values.
    """
    items = draw(maps.flatmap(lambda labels: st.permutations(list(labels.items()))))
    separators, ascii_only = draw(
        st.sampled_from(((None, True), (None, True), ((",", ":"), False), ((" , ", " : "), True)))
    )
    return json.dumps(dict(items), separators=separators, ensure_ascii=ascii_only)


# --- numbers -----------------------------------------------------------------------------------


def quotient_ties(divisor: float) -> st.SearchStrategy[float]:
    """Doubles whose quotient by `divisor` prints with 16 decimals, the last a 5.

    Such a quotient lies on a rounding tie of 15 decimals: half away from zero rounds it up, while its
    binary value may lie below the tie.
    """

    def dividend(digits: int) -> float:
        # Not every quotient is one of a double; about six of seven are, so the next will do.
        for candidate in range(digits, digits + 1000):
            printed = f"0.{candidate:015d}5"
            quotient = float(printed)
            near = quotient * divisor
            for value in (near, math.nextafter(near, 0.0), math.nextafter(near, math.inf)):
                if value / divisor == quotient and repr(quotient) == printed:
                    return value
        raise ValueError(f"no double divided by {divisor} lies on a tie near 0.{digits:015d}5")

    return st.integers(10**14, 9 * 10**14).map(dividend)


def doubles(
    most: float = 1e15, *, divisor: float = 3600.0, whole: bool = False
) -> st.SearchStrategy[float]:
    """Doubles from 0 to `most`, tame enough that a sum in any order agrees to 1e-12 relative.

    None is negative, so that no sum cancels; none is so small that a product underflows.

    Args:
        most: the largest.
        divisor: of the quotients that lie on ties.
        whole: only whole numbers, whose sums below 2**53 are exact.
    """
    wholes = st.one_of(
        st.sampled_from((0.0, 1.0, 59.0, 3599.0, 3600.0, 86400.0)),
        st.integers(0, int(min(most, 2**40))).map(float),
    )
    if whole:
        return wholes
    return st.one_of(
        wholes,
        st.sampled_from((1e-12, 1e-6, 0.1, 100.0 / 3.0, 3600.0 * 0.7408655322280855)),
        quotient_ties(divisor),
        st.floats(1e-6, most, allow_subnormal=False),
    ).filter(lambda value: value <= most)


# --- days --------------------------------------------------------------------------------------


@st.composite
def windows(draw: st.DrawFn, *, longest: int = 2) -> tuple[dt.date, dt.date]:
    """First and last day of a window inside one month, often at its first or last day."""
    year, month = draw(st.sampled_from(_MONTHS))
    length = calendar.monthrange(year, month)[1]
    days = draw(st.integers(1, min(longest, length)))
    last_start = length - days + 1
    start = draw(st.one_of(st.sampled_from((1, last_start, 9)), st.integers(1, last_start)))
    start = min(start, last_start)
    return dt.date(year, month, start), dt.date(year, month, start + days - 1)


def days_of_a_window(
    start: dt.date, end: dt.date, *, around: bool = True
) -> st.SearchStrategy[dt.date]:
    """Days of a window, now and then the day before or after it.

    Args:
        start: first day.
        end: last day, included.
        around: whether the day before and the day after may come.
    """
    inside = [start + dt.timedelta(days=n) for n in range((end - start).days + 1)]
    outside = [start - dt.timedelta(days=1), end + dt.timedelta(days=1)]
    if not around:
        return st.sampled_from(inside)
    return st.integers(0, 3).flatmap(
        lambda drawn: st.sampled_from(outside if drawn == 2 else inside)
    )


def moments(days: st.SearchStrategy[dt.date]) -> st.SearchStrategy[dt.datetime]:
    """Full hours of such days, naive: mostly a few, so that they meet; the last one among them."""
    hours = st.one_of(st.sampled_from((0, 1, 23)), st.integers(0, 23))
    return st.tuples(days, hours).map(lambda pair: dt.datetime.combine(pair[0], dt.time(pair[1])))


# --- files -------------------------------------------------------------------------------------


@st.composite
def files(
    draw: st.DrawFn,
    rows: Sequence[Mapping[str, Any]],
    columns: Iterable[str],
    *,
    optional: Iterable[str] = (),
    most: int = 3,
) -> tuple[tuple[tuple[str, ...], tuple[Mapping[str, Any], ...]], ...]:
    """Rows cut into files: rows and columns shuffled, optional columns missing in some.

    The first file has every column, since a column that no file has is refused by production; a file
    without rows may come.

    Args:
        draw: given by hypothesis.
        rows: all rows, each with every column.
        columns: names of the columns.
        optional: names of columns that later files may lack; their values are lost then.
        most: files at most; at least one.

    Returns:
        Per file its columns in order, and its rows with those columns.
    """
    names = list(columns)
    count = draw(st.integers(1, most))
    place = [draw(st.integers(0, count - 1)) for _ in rows]
    result = []
    for number in range(count):
        order = draw(st.permutations(names)) if draw(st.booleans()) else names
        lacking = (
            draw(st.sets(st.sampled_from(sorted(optional)))) if number and list(optional) else set()
        )
        kept = tuple(name for name in order if name not in lacking)
        mine = [row for row, file in zip(rows, place, strict=True) if file == number]
        result.append((kept, tuple({name: row[name] for name in kept} for row in mine)))
    return tuple(result)
