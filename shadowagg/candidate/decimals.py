"""Doubles to stored decimals, exactly as Trino converts them on an insert.

Trino takes the *shortest* decimal text that reads back as the double (Java's `Double.toString`,
Python's `repr`) and rounds that text half up, away from zero (`ocp.md` 6.3-4). Neither Arrow's cast
nor scaled arithmetic gives that. Making texts gives it, but costs most of a microsecond a value;
`_units` gives the same with plain arithmetic on whole arrays, and leaves the few values that it
cannot settle to the texts.

How `_units` works, for a double `a > 0` and a scale `s`; the *unit* is 10^-s:

* `y = a * 10^s` is computed exactly, as an integer `Y` and a fraction `f`: the product of two doubles
  is the sum of two doubles.
* The shortest text `r` lies within half a unit in the last place of `a`, in units `E`.
* With 15 significant digits every decimal has a double of its own; with 16 and 17 the decimal closest
  to `a` among the shortest is taken. So `r` is the closest decimal of 15 digits if that lies within
  `E`, else the closest of 16 digits if that does, else the closest of 17.
* `j` says how many units the 15-digit decimals of that size lie apart: 10^j.

  - `j <= 0`: `r` differs from `a` by less than a ninth of a unit. Only a tie, `Y + 1/2`, can be
    crossed, and it is if `r` *is* the tie: it has 15 digits or fewer for `j < 0`, and 16 for `j = 0`,
    where it must also be the closest decimal of 16 digits, so within 1/20 of a unit.
  - `j = 1`: decimals of 15 and 16 digits are whole units, those of 17 tenths: up from `f >= 0.45`.
  - `j >= 2`: all of them are whole units.

* Where `y` lies so close to one of these limits that rounding errors of the test itself (below
  10^-11) could decide, the value is left to the texts; so are values of 9 * 10^18 units and more.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.errors import InputRefused

__all__ = ["to_decimal"]

_BLOCK = 65_536
"""Rows per pass: the intermediate arrays of a pass stay in the processor's cache."""

_SPLITTER = 134_217_729.0
"""2^27 + 1: cuts a double into two halves of 26 bits (Veltkamp)."""

_LARGEST_UNITS = 9e18
_DOUBT = 1e-9
_EXPONENT_BITS = 0x7FF0_0000_0000_0000

_SAMPLE = 4096
_FEW = 256

_TEXT_DECIMAL = pa.decimal256(76, 40)
"""Holds every text that is left over: below 10^36, with 17 digits from 10^-16 on."""


def to_decimal(
    values: pa.Array | pa.ChunkedArray, precision: int, scale: int, *, on: str = ""
) -> pa.ChunkedArray:
    """Doubles as decimals, as Trino stores them.

    Args:
        values: doubles; NULL stays NULL.
        precision: digits in all, at most 38.
        scale: digits behind the point, at most 22.
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
    if type_.scale > 22:
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
    coded = values.dictionary_encode()
    exact = coded.dictionary.cast(pa.string()).cast(_TEXT_DECIMAL)
    rounded = pc.round(exact, type_.scale, round_mode="half_towards_infinity")
    try:
        return rounded.cast(type_).take(coded.indices)
    except pa.ArrowInvalid as error:
        raise _too_large(type_, on) from error


def _units(values: pa.Array, scale: int) -> tuple[pa.Array, pa.Array]:
    """The decimals as numbers of units (int64), and where they are not to be trusted.

    See the module's text for the reasoning.
    """
    a = pc.abs(values)
    high, low = _exact_product(a, 10.0**scale)
    large = pc.greater_equal(high, _LARGEST_UNITS)
    if pc.any(large, min_count=0).as_py():
        a = pc.if_else(large, 0.0, a)
        high, low = pc.if_else(large, 0.0, high), pc.if_else(large, 0.0, low)
    # y = whole + fraction, 0 <= fraction < 1
    floor = pc.floor(high)
    rest = pc.add(pc.subtract(high, floor), low)
    carry = pc.floor(rest)
    fraction = pc.subtract(rest, carry)
    whole = pc.add(floor.cast(pa.int64()), carry.cast(pa.int64()))
    # E: half a unit in the last place of a, in units
    exponent = pc.bit_wise_and(a.view(pa.int64()), _EXPONENT_BITS).view(pa.float64())
    error = pc.multiply(exponent, 2.0**-53 * 10.0**scale)

    # j <= 0
    limit = pc.subtract(0.5, pc.min_element_wise(error, 0.05))
    units = pc.add(whole, pc.greater_equal(fraction, limit).cast(pa.int64()))
    doubtful = pc.less(pc.abs(pc.subtract(fraction, limit)), _doubt_of(error))
    if (pc.max(high).as_py() or 0.0) >= 1e15:
        coarse = pc.greater_equal(high, 1e15)
        coarse_units, coarse_doubt = _coarse_units(high, whole, fraction, error)
        units = pc.if_else(coarse, coarse_units, units)
        doubtful = pc.if_else(coarse, coarse_doubt, doubtful)
    units = pc.if_else(pc.less(values, 0.0), pc.negate(units), units)
    return units, pc.or_(doubtful, large)


def _doubt_of(error: pa.Array) -> pa.Array:
    # Small doubles lie densely, so the limit must be known more closely than they lie apart.
    return pc.min_element_wise(pc.multiply(error, 1e-3), _DOUBT)


def _coarse_units(
    high: pa.Array, whole: pa.Array, fraction: pa.Array, error: pa.Array
) -> tuple[pa.Array, pa.Array]:
    """The case `j >= 1`: decimals of 15 digits lie ten units or more apart."""
    grid = pc.if_else(
        pc.less(high, 1e16),
        10.0,
        pc.if_else(pc.less(high, 1e17), 100.0, pc.if_else(pc.less(high, 1e18), 1e3, 1e4)),
    )
    steps = grid.cast(pa.int64())
    multiple = pc.multiply(pc.divide(whole, steps), steps)
    digits = pc.subtract(whole, multiple).cast(pa.float64())  # of Y below the grid
    base = multiple

    low15, chosen15, distance15, _ = _closest(digits, fraction, grid)
    del low15
    grid16 = pc.divide(grid, 10.0)
    low16, chosen16, distance16, _ = _closest(digits, fraction, grid16)
    del low16
    grid17 = pc.max_element_wise(pc.divide(grid16, 10.0), 1.0)
    low17, chosen17, _, tie17 = _closest(digits, fraction, grid17)
    # j = 1: decimals of 17 digits are tenths of a unit, rounded afterwards
    tenths = pc.less(grid, 50.0)
    rounded = pc.add(low17, pc.greater_equal(fraction, 0.45).cast(pa.float64()))
    tie_of_tenths = pc.less(pc.abs(pc.subtract(fraction, 0.45)), _DOUBT)
    chosen17 = pc.if_else(tenths, rounded, chosen17)
    tie17 = pc.if_else(tenths, tie_of_tenths, tie17)

    within15 = pc.less(distance15, error)
    within16 = pc.less(distance16, error)
    chosen = pc.if_else(within15, chosen15, pc.if_else(within16, chosen16, chosen17))
    units = pc.add(base, chosen.cast(pa.int64()))
    unsure15 = pc.less(pc.abs(pc.subtract(distance15, error)), _DOUBT)
    unsure16 = pc.less(pc.abs(pc.subtract(distance16, error)), _DOUBT)
    tie16 = pc.less(pc.abs(pc.subtract(distance16, pc.divide(grid16, 2.0))), _DOUBT)
    later = pc.or_(unsure16, pc.if_else(within16, tie16, tie17))
    return units, pc.or_(unsure15, pc.and_not(later, within15))


def _closest(
    digits: pa.Array, fraction: pa.Array, grid: pa.Array
) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """The multiples of `grid` next to `digits + fraction`.

    Returns:
        The one below, the closest one, the distance to that, and whether both are equally close.
    """
    below = pc.multiply(pc.floor(pc.divide(digits, grid)), grid)
    above_by = pc.add(pc.subtract(digits, below), fraction)
    half = pc.divide(grid, 2.0)
    up = pc.greater(above_by, half)
    chosen = pc.if_else(up, pc.add(below, grid), below)
    distance = pc.if_else(up, pc.subtract(grid, above_by), above_by)
    tie = pc.less(pc.abs(pc.subtract(above_by, half)), _DOUBT)
    return below, chosen, distance, tie


def _exact_product(a: pa.Array, factor: float) -> tuple[pa.Array, pa.Array]:
    """`a * factor` as the sum of two doubles, the second below half a last place of the first (Dekker)."""
    split = _SPLITTER * factor
    factor_high = split - (split - factor)
    factor_low = factor - factor_high
    product = pc.multiply(a, factor)
    cut = pc.multiply(a, _SPLITTER)
    a_high = pc.subtract(cut, pc.subtract(cut, a))
    a_low = pc.subtract(a, a_high)
    error = pc.subtract(pc.multiply(a_high, factor_high), product)
    error = pc.add(error, pc.multiply(a_high, factor_low))
    error = pc.add(error, pc.multiply(a_low, factor_high))
    return product, pc.add(error, pc.multiply(a_low, factor_low))
