"""Doubles to stored decimals (`ocp.md` 6.3-4, cases 4 and 5; engine facts *Double to decimal*)."""

import math
import random
import struct
from decimal import ROUND_HALF_UP, Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from shadowagg.candidate import decimals
from shadowagg.candidate.decimals import to_decimal
from shadowagg.errors import InputRefused

WIDE = Context(prec=80)
nan, inf = float("nan"), float("inf")


def defined(value, scale):
    """The definition, one value at a time."""
    unit = Decimal(1).scaleb(-scale)
    return Decimal(repr(value)).quantize(unit, ROUND_HALF_UP, WIDE) + Decimal(0)


def converted(values, precision, scale):
    return to_decimal(pa.array(values, pa.float64()), precision, scale).to_pylist()


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param(0.7408655322280855, "0.740865532228086", id="case-4"),
        pytest.param(5e-16, "1e-15", id="case-5-tie"),
        pytest.param(4.9e-16, "0", id="case-5-below"),
        pytest.param(-5e-16, "-1e-15", id="case-5-negative"),
        (123456789.123456789, "123456789.12345679"),
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "0"),
        (999999999999999700.0, "999999999999999700"),
        (9.1, "9.1"),
        (8.0, "8"),
    ],
)
def test_known_values(value, stored):
    (result,) = converted([value], 33, 15)

    assert Decimal(stored) == result
    assert not result.is_signed() or result


def awkward(seed, count, limit):
    """Doubles that a careless conversion gets wrong: ties, neighbours of ties, ends of the range."""
    chance = random.Random(seed)
    kinds = [
        lambda: chance.random() * 10.0 ** chance.randrange(-20, 18),
        lambda: tie(chance, 18),
        lambda: near(chance, tie(chance, 17)),
        lambda: chance.randrange(10**6) / 3600,
        lambda: struct.unpack("d", struct.pack("Q", chance.randrange(2**52)))[0],  # subnormal
        lambda: near(chance, 2.0 ** chance.randrange(-80, 58)),
        lambda: round(chance.random() * 10.0 ** chance.randrange(18), chance.randrange(16)),
        lambda: chance.uniform(0.5, 16),
        lambda: chance.uniform(1e17, 1e18),
    ]
    values = [chance.choice(kinds)() * chance.choice((1, 1, -1)) for _ in range(count)]
    return [value for value in values if abs(value) < limit]


def tie(chance, digits):
    length = chance.randrange(1, digits)
    figures = chance.randrange(10 ** (length - 1), 10**length) * 10 + 5
    return float(Decimal(figures).scaleb(-chance.choice((16, 10, 5))))


def near(chance, value):
    for _ in range(chance.randrange(4)):
        value = math.nextafter(value, chance.choice((0.0, inf)))
    return value


@pytest.mark.parametrize(
    ("precision", "scale"), [(33, 15), (24, 9), (30, 12), (20, 4), (20, 2), (18, 0), (38, 20)]
)
def test_awkward_doubles_are_converted_as_defined(precision, scale):
    values = awkward(precision * scale, 20_000, 10.0 ** (precision - scale) - 1)

    assert [defined(value, scale) for value in values] == converted(values, precision, scale)


@pytest.mark.parametrize(("precision", "scale"), [(33, 15), (24, 9), (20, 2)])
def test_the_texts_alone_give_the_same(precision, scale):
    # Numbers just below powers of 2^32 are those that a division of decimals gets wrong.
    values = [*awkward(3, 10_000, 1e15), 4294967295.9999995, 35184372088831.992, 17592186044415.994]
    from_texts = decimals._from_texts(pa.array(values), pa.decimal128(precision, scale), "")

    assert [defined(value, scale) for value in values] == from_texts.to_pylist()


def test_nearly_all_values_are_settled_without_texts():
    chance = random.Random(11)
    values = pa.array([chance.uniform(0, 2000) for _ in range(50_000)])

    doubtful = decimals._units(values, 15)[1]

    assert pc.sum(doubtful).as_py() < 250


def test_nulls_chunks_and_repeated_values_keep_their_places():
    few = [1 / 3, None, 2 / 3, 1e17] * 3000
    column = pa.chunked_array([pa.array(few), pa.array([None], pa.float64()), pa.array([0.1])])

    result = to_decimal(column, 33, 15)

    expected = [defined(v, 15) if v is not None else None for v in [*few, None, 0.1]]
    assert expected == result.to_pylist()
    assert [12_000, 1, 1] == [len(chunk) for chunk in result.chunks]


def test_a_slice_is_converted_from_its_own_first_value():
    values = pa.array([0.1, 0.2, None, 0.4]).slice(1)

    assert [Decimal("0.2"), None, Decimal("0.4")] == to_decimal(values, 33, 15).to_pylist()


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(InputRefused, match=r"stored as decimal\(33,15\)") as caught:
        to_decimal(pa.array([1.0, value, None]), 33, 15, on="column x")

    assert caught.value.on == "column x"


@pytest.mark.parametrize(
    ("value", "precision", "scale"),
    [
        (1e18, 33, 15),
        (-1e18, 33, 15),
        (999.999, 5, 2),
        (9999999999.9999999995, 19, 9),
        (99999.9, 6, 1),
    ],
)
def test_more_digits_than_the_type_has_are_refused(value, precision, scale):
    with pytest.raises(InputRefused, match="digits before the point"):
        converted([value, 99999.96 if precision == 6 else 1.0], precision, scale)
