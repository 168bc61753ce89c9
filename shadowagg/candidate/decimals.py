"""Doubles to stored decimals, exactly as Trino converts them on an insert.

Trino takes the *shortest* decimal text that reads back as the double (Java's `Double.toString`,
Python's `repr`) and rounds that text half up, away from zero. Neither Arrow's cast
nor scaled arithmetic gives that. Making texts gives it, but costs most of a microsecond a value;
`_units` gives the same with plain arithmetic on whole arrays in a tenth of the time, and leaves the
few values that it cannot settle to the texts.

How `_units` works, for a double `a > 0` and a scale `s`; a *unit* is 10^-s:

* `y = a * 10^s` is computed as an integer and a rest, to about 2^-72 of itself.
* The shortest text `r` lies within half a unit in the last place of `a`; call that, in units, `E`.
* Every decimal of 15 significant digits has a double of its own, so `r` is the closest decimal of 15
  digits if that reads back as `a`; else the closest of 16 digits if that lies within `E`; else the
  closest of 17.
* `j` says how many units the 15-digit decimals of that size lie apart: 10^j, so those of 16 digits
  lie 10^(j-1) apart, those of 17 digits 10^(j-2).

  - `j >= 2`: all of them are whole units; nothing is left to be rounded.
  - `j = 1`: those of 17 digits are tenths of a unit. `r` is the closest tenth, so it is rounded up
    where the rest of `y` is 0.45 or more.
  - `j <= 0`: `E` is less than a ninth. Only a tie, half a unit, can lie between `y` and `r`, and it
    does not unless it *is* `r`. For `j = 0` it has 16 digits and must be the closest of those: within
    0.05 of `y`, and within `E`. For `j < 0` it has 15 or fewer and need only lie within `E`, which is
    below 0.05 there. So `y` is rounded up from 0.5 - min(E, 0.05) on, and since `E` is above 0.05 for
    `j = 1`, one formula serves both.

* Where `y` lies so close to one of these limits that the inexactness of `y` could decide, the value is
  left to the texts; so are values of 9 * 10^18 units and more, and scales below 4 or above 15.
"""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.errors import InputRefused

__all__ = ["to_decimal"]

_BLOCK = 65_536
"""Rows per pass: the intermediate arrays of a pass stay in the processor's cache."""

_SPLITTER = 2.0**35 + 1
"""Cuts a double into 18 leading bits and the rest (Veltkamp); 5^15 has 35 bits, so the product of the
leading bits and a power of ten up to 10^15 is exact."""

_SCALES = range(4, 16)
_LARGEST_UNITS = 9e18
_DOUBT = 1e-5
"""Of E, which is 2^-54 of y or more, while y is known to 2^-72."""
_EXPONENT_BITS = 0x7FF0_0000_0000_0000

_SAMPLE = 4096
_FEW = 256


def to_decimal(
    values: pa.Array | pa.ChunkedArray, precision: int, scale: int, *, on: str = ""
) -> pa.ChunkedArray:
    """Doubles as decimals, as Trino stores them.

    Args:
        values: doubles; NULL stays NULL.
        precision: digits in all, at most 38.
        scale: digits behind the point.
        on: what the values are, for messages: the column.

    Returns:
        `decimal128(precision, scale)`, chunk by chunk.

    Raises:
        InputRefused: for NaN, an infinity, or more digits than the type has: production fails there.

    >>> to_decimal(pa.array([0.7408655322280855, 5e-16, -0.0]), 33, 15).to_pylist()
    [Decimal('0.740865532228086'), Decimal('1E-15'), Decimal('0E-15')]
    """
    chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    type_ = pa.decimal128(precision, scale)
    return pa.chunked_array([_chunk(chunk, type_, on) for chunk in chunks], type_)


def _chunk(values: pa.Array, type_: pa.Decimal128Type, on: str) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(values), type_)
    _refuse(values, type_, on)
    if len(values) > _SAMPLE and len(values.slice(0, _SAMPLE).unique()) < _FEW:
        # Capacities repeat on every row of a node; looking them up is cheaper than converting them.
        coded = values.dictionary_encode()
        if len(coded.dictionary) < len(values) // 4:
            return _chunk(coded.dictionary, type_, on).take(coded.indices)
    if type_.scale not in _SCALES:
        return _from_texts(values, type_, on)
    blocks = [
        _block(values.slice(offset, _BLOCK), type_, on) for offset in range(0, len(values), _BLOCK)
    ]
    return blocks[0] if len(blocks) == 1 else pa.concat_arrays(blocks)


def _refuse(values: pa.Array, type_: pa.Decimal128Type, on: str) -> None:
    if not pc.all(pc.is_finite(values)).as_py():
        raise InputRefused(
            f"NaN or infinite, but stored as decimal({type_.precision},{type_.scale})",
            on=on,
            hint="a volume whose placements all lack a node divides by zero; production fails too",
        )
    ends = pc.min_max(values).as_py()
    largest = max(abs(ends["min"]), abs(ends["max"]))
    if largest >= 10.0 ** (type_.precision - type_.scale):
        raise _too_large(type_, on)


def _too_large(type_: pa.Decimal128Type, on: str) -> InputRefused:
    return InputRefused(
        f"a value has more than {type_.precision - type_.scale} digits before the point",
        on=on,
        hint=f"it does not fit decimal({type_.precision},{type_.scale}); production fails too",
    )


def _block(values: pa.Array, type_: pa.Decimal128Type, on: str) -> pa.Array:
    units, doubtful = _units(values, type_.scale)
    decimals = _as_decimal(units, type_, on)
    if not pc.any(doubtful, min_count=0).as_py():
        return decimals
    left = values.filter(doubtful)
    return pc.replace_with_mask(
        decimals, pc.fill_null(doubtful, False), _from_texts(left, type_, on)
    )


def _as_decimal(units: pa.Array, type_: pa.Decimal128Type, on: str) -> pa.Array:
    """Integers of units as decimals; the same 16 bytes with another point."""
    if type_.precision < 19:
        ends = pc.min_max(units).as_py()
        limit = 10**type_.precision
        if ends["max"] is not None and not -limit < ends["min"] <= ends["max"] < limit:
            raise _too_large(type_, on)
    whole = units.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(
        type_, len(whole), whole.buffers(), null_count=whole.null_count, offset=whole.offset
    )


def _from_texts(values: pa.Array, type_: pa.Decimal128Type, on: str) -> pa.Array:
    """The definition itself: shortest text, rounded half up."""
    # What is below a tenth of a unit becomes zero anyway; the rest has 17 digits at most.
    tiny = pc.less(pc.abs(values), 10.0 ** -(type_.scale + 1))
    coded = pc.if_else(tiny, 0.0, values).dictionary_encode()
    texts = pc.abs(coded.dictionary).cast(pa.string())
    exact = texts.cast(pa.decimal256(72, type_.scale + 18))
    # Half a unit more, then cut. Arrow divides decimals wrongly now and then where the divisor has
    # more than 32 bits (26.0.1: `round` and casts that drop 15 or 18 digits are off by a unit), so
    # the 18 digits go nine at a time.
    half_unit = pa.scalar(Decimal(5).scaleb(-type_.scale - 1))
    cut_once = _cut(pc.add(exact, half_unit), pa.decimal256(72, type_.scale + 9))
    rounded = _cut(cut_once, type_)
    # The cast that may cut does not look whether the result fits.
    if pc.max(rounded).as_py() >= Decimal(1).scaleb(type_.precision - type_.scale):
        raise _too_large(type_, on)
    negative = pc.less(coded.dictionary, 0.0)
    return pc.if_else(negative, pc.negate(rounded), rounded).take(coded.indices)


def _cut(values: pa.Array, type_: pa.DataType) -> pa.Array:
    return pc.cast(values, options=pc.CastOptions(type_, allow_decimal_truncate=True))


def _units(values: pa.Array, scale: int) -> tuple[pa.Array, pa.Array]:
    """The decimals as numbers of units (int64), and where they are not to be trusted.

    See the module's text for the reasoning.
    """
    a = pc.abs(values)
    high, low = _product(a, 10.0**scale)
    largest = pc.max(high).as_py() or 0.0
    too_large = None
    if largest >= _LARGEST_UNITS:
        too_large = pc.greater_equal(high, _LARGEST_UNITS)
        a, high, low = (pc.if_else(too_large, 0.0, part) for part in (a, high, low))
    floor = pc.floor(high)
    rest = pc.add(
        pc.subtract(high, floor), low
    )  # y = floor + rest, which may pass 0 and 1 a little
    whole = floor.cast(pa.int64())
    last_place = pc.bit_wise_and(a.view(pa.int64()), _EXPONENT_BITS).view(pa.float64())
    error = pc.multiply(last_place, 2.0**-53 * 10.0**scale)
    half = pc.add(pc.min_element_wise(error, 0.05), 0.5)
    if largest < 1e15:
        units, doubt = _rounded(rest, half)
    elif largest < 1e16:
        units, doubt = _shortest_below_ten(rest, error, half)
        short, is_short = _fifteen_digits(a, 10.0 ** (scale - 1))
        units = pc.if_else(is_short, pc.subtract(pc.multiply(short, 10), whole), units)
    else:
        small = pc.less(high, 1e16)
        grid = pc.if_else(
            small,
            10.0,
            pc.if_else(pc.less(high, 1e17), 100.0, pc.if_else(pc.less(high, 1e18), 1e3, 1e4)),
        )
        units, doubt = _shortest(whole, rest, error, grid, pc.if_else(small, half, 0.5))
        short, is_short = _fifteen_digits(a, pc.divide(10.0**scale, grid))
        short = pc.multiply(short, grid.cast(pa.int64()))
        units = pc.if_else(is_short, pc.subtract(short, whole), units)
    units = pc.add(whole, units)
    doubtful = pc.less(doubt, pc.multiply(error, _DOUBT))
    units = pc.if_else(pc.less(values, 0.0), pc.negate(units), units)
    return units, doubtful if too_large is None else pc.or_(doubtful, too_large)


def _product(a: pa.Array, factor: float) -> tuple[pa.Array, pa.Array]:
    """`a * factor` as the sum of two doubles; wrong by 2^-72 of itself at most."""
    cut = pc.multiply(a, _SPLITTER)
    leading = pc.subtract(cut, pc.subtract(cut, a))
    exact = pc.multiply(leading, factor)
    rest = pc.multiply(pc.subtract(a, leading), factor)
    high = pc.add(exact, rest)
    return high, pc.subtract(rest, pc.subtract(high, exact))


def _rounded(rest: pa.Array, half: pa.Array | float) -> tuple[pa.Array, pa.Array]:
    """`floor(rest + half)` as int64, and how far the sum lies from a whole number."""
    moved = pc.add(rest, half)
    return pc.floor(moved).cast(pa.int64()), _distance(moved, pc.round(moved))


def _distance(left: pa.Array, right: pa.Array) -> pa.Array:
    return pc.abs(pc.subtract(left, right))


def _fifteen_digits(a: pa.Array, factor: pa.Array | float) -> tuple[pa.Array, pa.Array]:
    """The closest decimal of 15 digits as an integer times 1/factor, and whether it reads back as `a`.

    Exact: the integer is below 2^53, the factor a power of ten, so the quotient is rounded once, as
    reading the decimal's text would.
    """
    digits = pc.round(pc.multiply(a, factor))
    return digits.cast(pa.int64()), pc.equal(pc.divide(digits, factor), a)


def _shortest_below_ten(
    rest: pa.Array, error: pa.Array, half: pa.Array
) -> tuple[pa.Array, pa.Array]:
    """`_shortest` where no value reaches `j = 2`: decimals of 16 digits are whole units."""
    seventeen, doubt17 = _rounded(rest, half)
    sixteen = pc.round(rest)
    distance = _distance(rest, sixteen)
    units = pc.if_else(pc.less(distance, error), sixteen.cast(pa.int64()), seventeen)
    doubt = pc.min_element_wise(doubt17, _distance(distance, error), _distance(distance, 0.5))
    return units, doubt


def _shortest(
    whole: pa.Array, rest: pa.Array, error: pa.Array, grid: pa.Array, half: pa.Array
) -> tuple[pa.Array, pa.Array]:
    """The closest decimal of 16 digits if within `error`, else that of 17, in units beyond `whole`.

    Returns:
        int64, and the distance to the nearest limit at which the answer would change.
    """
    # Distances need the digits below the coarsest grid only: exact in a double beside the rest.
    digits = pc.subtract(whole, pc.multiply(pc.divide(whole, 10_000), 10_000)).cast(pa.float64())
    below = pc.add(digits, rest)
    grid17 = pc.max_element_wise(pc.multiply(grid, 0.01), 1.0)
    moved = pc.add(pc.divide(below, grid17), half)
    seventeen = pc.multiply(pc.floor(moved), grid17)
    grid16 = pc.multiply(grid, 0.1)
    sixteen = pc.multiply(pc.round(pc.divide(below, grid16)), grid16)
    distance = _distance(below, sixteen)
    chosen = pc.if_else(pc.less(distance, error), sixteen, seventeen)
    doubt = pc.min_element_wise(
        _distance(moved, pc.round(moved)),
        _distance(distance, error),
        _distance(distance, pc.multiply(grid16, 0.5)),
    )
    return pc.subtract(chosen, digits).cast(pa.int64()), doubt
