"""Whether numbers agree within their tolerance, in arithmetic of their own kind.

Doubles are compared in doubles, decimals and integers in exact decimal arithmetic. The reference of
every relative bound is the control's value, never the candidate's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.rowset import Tolerance

__all__ = ["Agreement", "compare_numbers", "plain_numbers"]

_FINEST_EXPONENT = 35
"""Decimals of a relative bound beyond these are cut: 38 digits by 10^35 still fit into 76."""

_INFINITE_BITS = 0x7FF0000000000000
"""The bits of an infinite double: those of any finite positive one are a smaller integer."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the numbers of one column agree, row by row.

    Args:
        differs: true where control and candidate lie apart beyond the tolerance; never NULL.
        within: true where they agree, but are not the same bit for bit; never NULL.
        absolute: the largest finite distance of two unequal numbers, within tolerance or not; None
            where there is none. A float for doubles, a Decimal for the others.
        relative: the largest distance in parts of the control's number, where that is not zero.
    """

    differs: pa.Array
    within: pa.Array
    absolute: float | Decimal | None = None
    relative: float | None = None


def plain_numbers(column: pa.ChunkedArray) -> pa.Array:
    """A column of numbers in one piece, without dictionary: doubles, or decimals.

    Integers become decimals without decimals: their differences then cannot overflow.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_integer(column.type):
        column = column.cast(pa.decimal128(20, 0))
    elif pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays([*column.chunks, pa.array([], column.type)])


def compare_numbers(
    control: pa.Array, candidate: pa.Array, tolerance: Tolerance, scale: pa.Array | None = None
) -> Agreement:
    """Compare two columns of numbers of one type, row by row.

    Args:
        control: doubles or decimals, as `plain_numbers` gives them.
        candidate: the same type.
        tolerance: the bounds; values within any of them agree.
        scale: the control's values of `tolerance.scale_column`, in the same rows.
    """
    rows = len(control)
    if pa.types.is_floating(control.type):
        same = pc.equal(control.view(pa.int64()), candidate.view(pa.int64()))
        compare = _compare_doubles
    else:
        same = pc.equal(control, candidate)
        compare = _compare_decimals
    if same.null_count:
        same = pc.fill_null(same, pc.and_(pc.is_null(control), pc.is_null(candidate)))
    nothing = pa.repeat(pa.scalar(False), rows)
    if pc.all(same, min_count=0).as_py():
        return Agreement(nothing, nothing)
    return compare(control, candidate, same, tolerance, scale)


# --- doubles ---------------------------------------------------------------------------------


def _compare_doubles(
    control: pa.Array,
    candidate: pa.Array,
    same: pa.Array,
    tolerance: Tolerance,
    scale: pa.Array | None,
) -> Agreement:
    distance = pc.abs(pc.subtract(candidate, control))
    size = pc.abs(control)
    bound = pc.multiply(size, tolerance.relative)
    near = pc.less_equal(distance, bound)
    if scale is not None:
        # An infinite or missing scale bounds nothing.
        scaled = pc.multiply(pc.abs(scale.cast(pa.float64())), tolerance.relative)
        usable = pc.fill_null(pc.is_finite(scaled), False)
        scaled = pc.if_else(usable, scaled, 0.0)
        near = pc.or_(near, pc.less_equal(distance, scaled))
    if not _all_finite(distance):
        # An infinite bound would take anything; infinities agree with themselves, NaN with NaN.
        near = pc.and_(near, pc.is_finite(distance))
        near = pc.or_(near, pc.equal(control, candidate))
        near = pc.or_(near, pc.and_(pc.is_nan(control), pc.is_nan(candidate)))
    agrees = pc.or_(same, pc.fill_null(near, False))
    return Agreement(
        differs=pc.invert(agrees),
        within=pc.and_not(agrees, same),
        absolute=_largest(distance, lambda: pc.is_finite(distance)),
        relative=_largest(
            pc.divide(distance, size), lambda: pc.is_finite(pc.divide(distance, size))
        ),
    )


def _largest(distances: pa.Array, usable: Callable[[], pa.Array]) -> float | None:
    """The largest finite distance beside zero, over doubles that are not negative.

    Such doubles are ordered as their bits are, and integers are compared many times faster.
    """
    bits = pc.max(distances.view(pa.int64())).as_py()
    if bits is not None and bits >= _INFINITE_BITS:
        bits = pc.max(distances.filter(usable()).view(pa.int64())).as_py()
    return _double(bits) if bits else None


def _all_finite(distances: pa.Array) -> bool:
    bits = pc.max(distances.view(pa.int64())).as_py()
    return bits is None or bits < _INFINITE_BITS


def _double(bits: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<q", bits))[0]
    return value


# --- decimals --------------------------------------------------------------------------------


def _compare_decimals(
    control: pa.Array,
    candidate: pa.Array,
    same: pa.Array,
    tolerance: Tolerance,
    scale: pa.Array | None,
) -> Agreement:
    one_null = pc.xor(pc.is_null(control), pc.is_null(candidate))
    open_ = pc.indices_nonzero(pc.and_not(pc.invert(same), one_null))
    few = len(open_) < len(control)
    if few:
        control, candidate = control.take(open_), candidate.take(open_)
        scale = scale.take(open_) if scale is not None else None
    distance = _distance(control, candidate)
    near = _decimals_near(control, distance, tolerance, scale)
    if few:
        near = pc.replace_with_mask(
            pa.repeat(pa.scalar(False), len(same)), pc.and_not(pc.invert(same), one_null), near
        )
    agrees = pc.or_(same, near)
    return Agreement(
        differs=pc.invert(agrees),
        within=pc.and_not(agrees, same),
        absolute=pc.max(distance).as_py(),
        relative=_largest_part(distance, control),
    )


def _distance(control: pa.Array, candidate: pa.Array) -> pa.Array:
    """Exact absolute differences."""
    type_ = control.type
    if type_.precision > 37:
        # The difference of two numbers of 38 digits may have 39.
        control, candidate = (
            side.cast(pa.decimal256(type_.precision, type_.scale)) for side in (control, candidate)
        )
    return pc.abs(pc.subtract(candidate, control))


def _decimals_near(
    control: pa.Array, distance: pa.Array, tolerance: Tolerance, scale: pa.Array | None
) -> pa.Array:
    near = pa.repeat(pa.scalar(False), len(distance))
    if tolerance.units:
        unit = Decimal(tolerance.units).scaleb(-control.type.scale, Context(prec=76))
        near = pc.less_equal(distance, _scalar(unit, 76, control.type.scale))
    if not tolerance.relative:
        return near
    open_ = pc.indices_nonzero(pc.invert(near))
    if not len(open_):
        return near
    exact = _Part.of(tolerance.relative)
    part = exact.reaches(distance.take(open_), control.take(open_))
    if scale is not None:
        part = pc.or_(part, exact.reaches(distance.take(open_), scale.take(open_)))
    return pc.replace_with_mask(near, pc.invert(near), part)


@dataclass(frozen=True, slots=True)
class _Part:
    """A relative bound as an exact fraction: `numerator` / 10^`exponent`."""

    numerator: int
    exponent: int

    @classmethod
    def of(cls, relative: float) -> _Part:
        """The bound as people write it: 1e-12 is one part in 10^12, not the double beside it."""
        value = Decimal(repr(relative))
        if -int(value.as_tuple().exponent) > _FINEST_EXPONENT:
            value = value.quantize(
                Decimal(1).scaleb(-_FINEST_EXPONENT), rounding=ROUND_DOWN, context=Context(prec=76)
            )
        _, digits, exponent = value.as_tuple()
        numerator = int("".join(map(str, digits)))
        exponent = int(exponent)
        return cls(numerator * 10 ** max(exponent, 0), max(-exponent, 0))

    def reaches(self, distance: pa.Array, reference: pa.Array) -> pa.Array:
        """Whether distances are at most this part of the references; false where one is NULL."""
        left = pc.multiply(
            _wide(distance), _scalar(Decimal(10**self.exponent), self.exponent + 1, 0)
        )
        digits = len(str(self.numerator))
        right = pc.multiply(pc.abs(_wide(reference)), _scalar(Decimal(self.numerator), digits, 0))
        return pc.fill_null(pc.less_equal(left, right), False)


def _wide(decimals: pa.Array) -> pa.Array:
    type_ = decimals.type
    return decimals.cast(pa.decimal256(type_.precision, type_.scale))


def _scalar(value: Decimal, precision: int, scale: int) -> pa.Scalar[pa.Decimal256Type[int, int]]:
    return pa.scalar(value, pa.decimal256(precision, scale))


def _largest_part(distance: pa.Array, control: pa.Array) -> float | None:
    """A figure for people, so a double will do."""
    parts = pc.divide(distance.cast(pa.float64()), pc.abs(control.cast(pa.float64())))
    largest = pc.max(parts.filter(pc.is_finite(parts))).as_py()
    return float(largest) if largest else None
