"""Some of the rows that differ, for people: the same ones in every run over the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import Codes, row_numbers
from shadowagg.diff.differences import KindDifferences, is_numeric
from shadowagg.diff.numbers import plain_numbers
from shadowagg.diff.result import Sample
from shadowagg.diff.texts import texts
from shadowagg.rowset import Role, RowKind, RowSet

__all__ = ["first_rows", "take_samples"]


@dataclass(frozen=True)
class _Pile:
    """Rows of one kind that differ in one way.

    Args:
        difference: in which.
        kind: the differences of the kind.
        pairs: places of changed pairs among the kind's pairs; for missing and extra rows None.
        rows: the numbers of the rows: the candidate's for extra ones, else the control's.
    """

    difference: Literal["changed", "missing", "extra"]
    kind: KindDifferences
    pairs: pa.Array | None
    rows: pa.Array


def take_samples(
    kinds: Sequence[KindDifferences],
    codes: Mapping[str, Codes],
    control: RowSet,
    candidate: RowSet,
    count: int,
) -> tuple[Sample, ...]:
    """Up to `count` rows, fairly from each kind and way to differ; the first by key in each."""
    piles = [pile for pile in _piles(kinds) if len(pile.rows)]
    samples: list[Sample] = []
    for pile, share in zip(piles, _shares([len(p.rows) for p in piles], count), strict=True):
        side = candidate if pile.difference == "extra" else control
        first = first_rows(pile.kind.kind, side, codes, pile.rows, share, extra=side is candidate)
        if pile.pairs is None:
            samples.extend(_of_one_side(pile, side, pile.rows.take(first)))
        else:
            samples.extend(_of_both(pile, control, candidate, pile.pairs.take(first)))
    return tuple(samples)


def _piles(kinds: Sequence[KindDifferences]) -> list[_Pile]:
    changed = [(kind, pc.indices_nonzero(kind.changed)) for kind in kinds]
    return [
        *(_Pile("changed", kind, at, kind.pairs.control.take(at)) for kind, at in changed),
        *(_Pile("missing", kind, None, kind.missing) for kind in kinds),
        *(_Pile("extra", kind, None, kind.extra) for kind in kinds),
    ]


def _shares(sizes: Sequence[int], count: int) -> list[int]:
    """How many of each pile: evenly, and what one pile does not need goes to the others."""
    shares = [0] * len(sizes)
    while count > 0 and shares != list(sizes):
        for index, size in enumerate(sizes):
            if count > 0 and shares[index] < size:
                shares[index] += 1
                count -= 1
    return shares


def first_rows(
    kind: RowKind,
    side: RowSet,
    codes: Mapping[str, Codes],
    rows: pa.Array,
    count: int,
    *,
    extra: bool,
) -> pa.Array:
    """The places of the first rows by key, then by all else, in that order.

    After each column only those rows are looked at which it leaves undecided, so that the first of
    a million rows are found at little more than the cost of one column.

    Args:
        kind: whose key it is.
        side: the row set that the rows are of.
        codes: encoded columns.
        rows: numbers of rows.
        count: how many are wanted.
        extra: whether the rows are the candidate's.
    """
    spec = side.spec
    names = [
        *kind.key,
        *(c.name for c in spec.compared if c.name in codes and c.name not in kind.key),
    ]
    # Lists are numbered as they come, which tells nothing of their order.
    ordered = [codes[name] for name in names if spec.column(name).role is not Role.SET]
    ranks = [(column.ranks(), column.candidate if extra else column.control) for column in ordered]
    sure = pa.array([], pa.int32())
    open_ = row_numbers(len(rows))
    for rank, of_side in ranks:
        wanted = count - len(sure)
        if len(open_) <= wanted or not wanted:
            break
        here = rank.take(of_side.take(rows.take(open_)))
        smallest = pc.select_k_unstable(here, k=wanted, sort_keys=[("", "ascending")])
        last = pc.max(here.take(smallest))
        sure = pa.concat_arrays([sure, open_.filter(pc.less(here, last))])
        open_ = open_.filter(pc.equal(here, last))
    wanted = count - len(sure)
    if len(open_) > wanted:
        open_ = open_.take(_by_numbers(side, rows.take(open_)).slice(0, wanted))
    found = pa.concat_arrays([sure, open_])
    if not ranks:
        return found
    order = pa.table(
        {
            f"{n}": rank.take(of_side.take(rows.take(found)))
            for n, (rank, of_side) in enumerate(ranks)
        }
    )
    keys = [(name, "ascending") for name in order.column_names]
    return found.take(pc.sort_indices(order, sort_keys=keys))


def _by_numbers(side: RowSet, rows: pa.Array) -> pa.Array:
    """The order of rows that only their numbers tell apart."""
    names = [column.name for column in side.spec.compared if is_numeric(column)]
    if not names:
        return row_numbers(len(rows))
    numbers = pa.table({name: plain_numbers(side.table[name].take(rows)) for name in names})
    return pc.sort_indices(numbers, sort_keys=[(name, "ascending") for name in names])


def _of_both(pile: _Pile, control: RowSet, candidate: RowSet, at: pa.Array) -> Iterator[Sample]:
    kind = pile.kind
    ones = _values(control, kind.pairs.control.take(at))
    others = _values(candidate, kind.pairs.candidate.take(at))
    differs = {name: c.differs.take(at).to_pylist() for name, c in kind.columns.items()}
    for index, (one, other) in enumerate(zip(ones, others, strict=True)):
        yield Sample(
            difference=pile.difference,
            kind=kind.kind.name,
            key={name: one[name] for name in kind.kind.key},
            columns={
                name: (one[name], other[name]) for name, mask in differs.items() if mask[index]
            },
        )


def _of_one_side(pile: _Pile, side: RowSet, rows: pa.Array) -> Iterator[Sample]:
    key = pile.kind.kind.key
    missing = pile.difference == "missing"
    for row in _values(side, rows):
        yield Sample(
            difference=pile.difference,
            kind=pile.kind.kind.name,
            key={name: row[name] for name in key},
            columns={
                name: (value, None) if missing else (None, value)
                for name, value in row.items()
                if name not in key
            },
        )


def _values(side: RowSet, rows: pa.Array) -> list[dict[str, str | None]]:
    """All compared values of some rows, as text."""
    names = [column.name for column in side.spec.compared]
    columns = [texts(side.table[name].take(rows)) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
