"""Rows that no key tells apart, cancelled against each other as multisets.

Production rows have no unique key in places. Under such a key {1, 2} against {2, 3} is one row
missing and one extra, not two changed: equal rows cancel first, then rows within tolerance, and
what is left has no partner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import Codes, encode, fold, row_numbers
from shadowagg.diff.numbers import compare_numbers
from shadowagg.diff.pairing import Pairs, pair
from shadowagg.rowset import Tolerance

__all__ = ["Cancelled", "Numbers", "cancel"]

_WIDEST_TOLERANCE = 0.25
"""A relative bound from here on is no noise: neighbours within it say little of their neighbours."""

_MOST_PAIRS_TRIED = 1_000_000
"""How many pairs are tried one by one, over all groups where the order alone finds no partners."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """One column of numbers of the repeated rows.

    Args:
        control: doubles or decimals, one per row.
        candidate: the same type.
        tolerance: within which they cancel.
        scale: the control's values of the tolerance's scale column.
    """

    control: pa.Array
    candidate: pa.Array
    tolerance: Tolerance
    scale: pa.Array | None = None

    def take(self, control: pa.Array, candidate: pa.Array) -> Numbers:
        """The numbers of some rows of each side."""
        return Numbers(
            self.control.take(control),
            self.candidate.take(candidate),
            self.tolerance,
            self.scale.take(control) if self.scale is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What came of the repeated rows, as places among them.

    Args:
        pairs: rows that agree.
        missing: control rows without a partner.
        extra: candidate rows without a partner.
    """

    pairs: Pairs
    missing: pa.Array
    extra: pa.Array


def cancel(groups: Codes, columns: Sequence[Numbers]) -> Cancelled:
    """Cancel rows of equal groups against each other: equal ones, then as many near ones as can be.

    Args:
        groups: per row its key and everything else that must be equal, folded.
        columns: the numbers, compared within tolerance.
    """
    exact = [
        encode(pa.chunked_array([column.control]), pa.chunked_array([column.candidate]))
        for column in columns
    ]
    equal = _in_order(fold([groups, *exact], len(groups.control), len(groups.candidate)))
    control, candidate = equal.missing, equal.extra
    near = _cancel_near(
        groups.take(control, candidate), [column.take(control, candidate) for column in columns]
    )
    cancelled = Pairs(control.take(near.pairs.control), candidate.take(near.pairs.candidate))
    return Cancelled(
        equal.pairs + cancelled, control.take(near.missing), candidate.take(near.extra)
    )


def _agree(columns: Sequence[Numbers], pairs: Pairs) -> pa.Array:
    """Whether the rows of pairs agree in all columns: the one test that decides."""
    result = pa.repeat(pa.scalar(True), len(pairs))
    for column in columns:
        of_pairs = column.take(pairs.control, pairs.candidate)
        agreement = compare_numbers(
            of_pairs.control, of_pairs.candidate, column.tolerance, of_pairs.scale
        )
        result = pc.and_not(result, agreement.differs)
    return result


def _in_order(groups: Codes) -> Cancelled:
    """Pair the first rows of each group, the second ones, and so on."""
    ranks = [_ranks(side) for side in (groups.control, groups.candidate)]
    size = 1 + max((pc.max(rank).as_py() or 0 for rank in ranks), default=0)
    sides = len(groups.control), len(groups.candidate)
    keys = fold([groups, Codes(ranks[0], ranks[1], size)], *sides)
    pairing = pair(keys, row_numbers(sides[0]), row_numbers(sides[1]))
    return Cancelled(pairing.pairs, pairing.missing, pairing.extra)


def _ranks(groups: pa.Array) -> pa.Array:
    """The place of each row among the rows of its group, from 0."""
    if not len(groups):
        return pa.array([], pa.int32())
    order = pc.sort_indices(groups).cast(pa.int32())
    numbers = row_numbers(len(groups))
    first = _changes(groups.take(order))
    starts = pc.cumulative_max(pc.if_else(first, numbers, pa.scalar(0, pa.int32())))
    return pc.subtract(numbers, starts).take(_inverse(order))


def _cancel_near(groups: Codes, columns: Sequence[Numbers]) -> Cancelled:
    """Cancel rows within tolerance: propose partners, ask, try single pairs where that failed."""
    sides = len(groups.control), len(groups.candidate)
    if not all(sides):
        return Cancelled(_pairs([]), row_numbers(sides[0]), row_numbers(sides[1]))
    for column in columns:
        groups = fold([groups, _clusters(groups, column)], *sides)
    order = [
        _order(groups.control, columns, "control"),
        _order(groups.candidate, columns, "candidate"),
    ]
    proposed = _in_order(groups.take(order[0], order[1])).pairs
    pairs = Pairs(order[0].take(proposed.control), order[1].take(proposed.candidate))
    pairs = pairs.filter(_agree(columns, pairs))
    pairs = _improved(groups, columns, pairs)
    return Cancelled(pairs, _others(pairs.control, sides[0]), _others(pairs.candidate, sides[1]))


def _clusters(groups: Codes, column: Numbers) -> Codes:
    """Numbers of one group that lie near each other, as codes: partners never lie in two clusters.

    The bound here is wider than the tolerance, so doubles will do even for decimals.
    """
    tolerance = column.tolerance
    sides = len(groups.control), len(groups.candidate)
    if tolerance.scale_column or tolerance.relative >= _WIDEST_TOLERANCE:
        return fold([], *sides)
    values = pa.concat_arrays(
        [side.cast(pa.float64()) for side in (column.control, column.candidate)]
    )
    keys = pa.concat_arrays([side.cast(pa.int64()) for side in (groups.control, groups.candidate)])
    order = pc.sort_indices(
        pa.table({"group": keys, "value": values}),
        [("group", "ascending"), ("value", "ascending")],
    ).cast(pa.int32())
    values, keys = values.take(order), keys.take(order)
    value, before = values.slice(1), values.slice(0, len(values) - 1)
    unit = 0.0 if pa.types.is_floating(column.control.type) else 10.0**-column.control.type.scale
    size = pc.max_element_wise(pc.abs(value), pc.abs(before))
    bound = pc.add(pc.multiply(size, 2 * tolerance.relative + 1e-15), 2 * tolerance.units * unit)
    near = pc.or_(
        pc.and_(pc.less_equal(pc.subtract(value, before), bound), pc.is_finite(bound)),
        pc.or_(pc.equal(value, before), pc.and_(pc.is_nan(value), pc.is_nan(before))),
    )
    near = pc.fill_null(near, pc.and_(pc.is_null(value), pc.is_null(before)))
    starts = pc.or_(_changes(keys), pa.concat_arrays([pa.array([True]), pc.invert(near)]))
    numbers = pc.subtract(pc.cumulative_sum(starts.cast(pa.int32())), pa.scalar(1, pa.int32()))
    numbers = numbers.take(_inverse(order))
    return Codes(
        numbers.slice(0, sides[0]), numbers.slice(sides[0]), (pc.max(numbers).as_py() or 0) + 1
    )


def _order(groups: pa.Array, columns: Sequence[Numbers], side: str) -> pa.Array:
    """The rows of a side by group, then by their numbers."""
    table = pa.table(
        {
            "group": groups,
            **{f"{n}": getattr(column, side) for n, column in enumerate(columns)},
        }
    )
    keys = [(name, "ascending") for name in table.column_names]
    return pc.sort_indices(table, keys).cast(pa.int32())


# --- pairs tried one by one ------------------------------------------------------------------


def _improved(groups: Codes, columns: Sequence[Numbers], pairs: Pairs) -> Pairs:
    """More pairs, in groups where rows of both sides were left: as many as there can be."""
    left = set(groups.control.take(_others(pairs.control, len(groups.control))).to_pylist())
    left &= set(groups.candidate.take(_others(pairs.candidate, len(groups.candidate))).to_pylist())
    if not left:
        return pairs
    rows = [_rows_of(side, left) for side in (groups.control, groups.candidate)]
    tried: list[tuple[int, int]] = []
    for group in sorted(left):
        if len(tried) + len(rows[0][group]) * len(rows[1][group]) <= _MOST_PAIRS_TRIED:
            tried.extend((one, other) for one in rows[0][group] for other in rows[1][group])
    partners: dict[int, list[int]] = defaultdict(list)
    mask = _agree(columns, _pairs(tried)).to_pylist()
    for (one, other), agreed in zip(tried, mask, strict=True):
        if agreed:
            partners[one].append(other)

    touched = pc.is_in(pairs.control, value_set=pa.array(list(partners), pa.int32()))
    open_ = pairs.filter(touched)
    matching = _Matching(partners, open_)
    for row in partners:
        matching.place(row)
    return pairs.filter(pc.invert(touched)) + _pairs(sorted(matching.candidate_of.items()))


class _Matching:
    """Partners of control rows; grows by augmenting paths until no more can be placed."""

    def __init__(self, partners: dict[int, list[int]], start: Pairs) -> None:
        self.partners = partners
        pairs = list(zip(start.control.to_pylist(), start.candidate.to_pylist(), strict=True))
        self.candidate_of: dict[int, int] = dict(pairs)
        self.control_of: dict[int, int] = {other: one for one, other in pairs}

    def place(self, row: int) -> None:
        """Give a control row a partner, if need be by moving others to other partners."""
        if row in self.candidate_of:
            return
        reached_from: dict[int, int] = {}
        queue = [row]
        for control in queue:  # grows while it is walked
            for candidate in self.partners[control]:
                if candidate in reached_from:
                    continue
                reached_from[candidate] = control
                if candidate not in self.control_of:
                    self._move(candidate, reached_from)
                    return
                queue.append(self.control_of[candidate])

    def _move(self, free: int, reached_from: dict[int, int]) -> None:
        candidate: int | None = free
        while candidate is not None:
            control = reached_from[candidate]
            before = self.candidate_of.get(control)
            self.candidate_of[control] = candidate
            self.control_of[candidate] = control
            candidate = before


def _pairs(rows: Sequence[tuple[int, int]]) -> Pairs:
    return Pairs(
        pa.array([one for one, _ in rows], pa.int32()),
        pa.array([other for _, other in rows], pa.int32()),
    )


def _rows_of(groups: pa.Array, wanted: Iterable[int]) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = defaultdict(list)
    chosen = pc.indices_nonzero(pc.is_in(groups, value_set=pa.array(list(wanted), groups.type)))
    for row, group in zip(chosen.to_pylist(), groups.take(chosen).to_pylist(), strict=True):
        rows[group].append(row)
    return rows


# --- small steps -----------------------------------------------------------------------------


def _changes(values: pa.Array) -> pa.Array:
    """True where a value is not the one before it; true for the first."""
    other = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
    return pa.concat_arrays([pa.array([True]), other])


def _inverse(order: pa.Array) -> pa.Array:
    return pc.inverse_permutation(order)


def _others(rows: pa.Array, count: int) -> pa.Array:
    """The numbers below `count` that are not among the rows."""
    numbers = row_numbers(count)
    return numbers.filter(pc.invert(pc.is_in(numbers, value_set=rows)))
