"""Rows of both sides that belong together by their key."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import Codes, places, row_numbers

__all__ = ["Pairing", "Pairs", "pair"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows that belong together: the numbers of the control's rows, and those of the candidate's.

    Args:
        control: int32, row numbers in the control's table.
        candidate: int32, at the same place the partner's row number in the candidate's table.
    """

    control: pa.Array
    candidate: pa.Array

    def __len__(self) -> int:
        return len(self.control)

    def __add__(self, other: Pairs) -> Pairs:
        if not len(other):
            return self
        return Pairs(
            pa.concat_arrays([self.control, other.control]),
            pa.concat_arrays([self.candidate, other.candidate]),
        )

    def filter(self, mask: pa.Array) -> Pairs:
        """The pairs at which the mask is true."""
        return Pairs(self.control.filter(mask), self.candidate.filter(mask))


@dataclass(frozen=True, slots=True)
class Pairing:
    """What the keys say of the rows of one kind; every row is in one place.

    Args:
        pairs: rows whose key occurs once on each side.
        missing: control rows whose key occurs once there, and never in the candidate.
        extra: candidate rows whose key occurs once there, and never in the control.
        repeated_control: control rows whose key occurs more than once on either side.
        repeated_candidate: candidate rows of those keys.
        repeated_keys: the keys of the repeated rows.
    """

    pairs: Pairs
    missing: pa.Array
    extra: pa.Array
    repeated_control: pa.Array
    repeated_candidate: pa.Array
    repeated_keys: Codes


def pair(keys: Codes, control_rows: pa.Array, candidate_rows: pa.Array) -> Pairing:
    """Join both sides on their keys.

    Args:
        keys: of the rows.
        control_rows: the rows' numbers in the control's table.
        candidate_rows: the rows' numbers in the candidate's table.
    """
    count = len(control_rows)
    both = pa.chunked_array([keys.control, keys.candidate]).dictionary_encode()
    numbers = pa.concat_arrays([*(chunk.indices for chunk in both.chunks), _nothing()])
    distinct = len(both.chunk(0).dictionary) if both.num_chunks else 0
    control, candidate = numbers.slice(0, count), numbers.slice(count)
    # For each key, the place of one row that has it; NULL where a side has none.
    control_places, candidate_places = places(control, distinct), places(candidate, distinct)

    repeated = _repeated(control, control_places, candidate, candidate_places, distinct)
    control_open, candidate_open = control, candidate
    control_rows_open, candidate_rows_open = control_rows, candidate_rows
    control_repeated = candidate_repeated = _nothing()
    if repeated is not None:
        control_mask, candidate_mask = repeated.take(control), repeated.take(candidate)
        control_repeated, candidate_repeated = _at(control_mask), _at(candidate_mask)
        control_single, candidate_single = pc.invert(control_mask), pc.invert(candidate_mask)
        control_open = control.filter(control_single)
        control_rows_open = control_rows.filter(control_single)
        candidate_open = candidate.filter(candidate_single)
        candidate_rows_open = candidate_rows.filter(candidate_single)

    partners = candidate_places.take(control_open)
    absent = control_places.take(candidate_open)
    missing = control_rows_open.filter(pc.is_null(partners)) if partners.null_count else _nothing()
    extra = candidate_rows_open.filter(pc.is_null(absent)) if absent.null_count else _nothing()
    if partners.null_count:
        control_rows_open = control_rows_open.filter(pc.is_valid(partners))
        partners = partners.drop_null()
    return Pairing(
        pairs=Pairs(control_rows_open, candidate_rows.take(partners)),
        missing=missing,
        extra=extra,
        repeated_control=control_rows.take(control_repeated),
        repeated_candidate=candidate_rows.take(candidate_repeated),
        repeated_keys=Codes(
            control.take(control_repeated), candidate.take(candidate_repeated), max(distinct, 1)
        ),
    )


def _repeated(
    control: pa.Array,
    control_places: pa.Array,
    candidate: pa.Array,
    candidate_places: pa.Array,
    distinct: int,
) -> pa.Array | None:
    """Whether each key occurs more than once on a side; None if none does."""
    keys = [
        numbers.filter(pc.not_equal(standing.take(numbers), row_numbers(len(numbers))))
        for numbers, standing in ((control, control_places), (candidate, candidate_places))
        if len(standing) - standing.null_count < len(numbers)
    ]
    if not keys:
        return None
    return pc.is_valid(places(pa.concat_arrays(keys), distinct))


def _at(mask: pa.Array) -> pa.Array:
    return pc.indices_nonzero(mask).cast(pa.int32())


def _nothing() -> pa.Array:
    return pa.array([], pa.int32())
