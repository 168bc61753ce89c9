"""Two row sets of one stage -> their difference: the whole comparison on one page."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.datacompy_check import ask_datacompy
from shadowagg.diff.differences import KindDifferences, find_differences
from shadowagg.diff.ignored import Ignored, apply_rules, in_force
from shadowagg.diff.result import ColumnDiff, StageDiff
from shadowagg.diff.samples import take_samples
from shadowagg.diff.texts import text_of
from shadowagg.diff.totals import compare_totals
from shadowagg.errors import RowSetInvalid
from shadowagg.ignore import IgnoreRule
from shadowagg.rowset import Column, Role, RowSet

__all__ = ["Comparison", "compare", "compare_rows"]

_NORMALISED = {
    Role.JSON: "JSON value: order of members, spaces and spelling of numbers mean nothing",
    Role.SET: "order of elements means nothing",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A difference, and where its rows are.

    Args:
        diff: what is recorded.
        control_rows: numbers of the control's rows that are changed or missing.
        candidate_rows: numbers of the candidate's rows that are changed or extra.
    """

    diff: StageDiff
    control_rows: pa.Array
    candidate_rows: pa.Array


def compare(
    control: RowSet,
    candidate: RowSet,
    *,
    ignore: Sequence[IgnoreRule] = (),
    today: dt.date,
    rows_for_datacompy: int = 100_000,
    sample_rows: int = 20,
    samples: bool = True,
) -> StageDiff:
    """Compare two row sets of one stage.

    Rows are a multiset: their order, chunks and dictionaries mean nothing. Counts and statistics
    are exact for all rows; what is left under unique keys goes through datacompy as well.

    Args:
        control: the reference; every relative tolerance is relative to its values.
        candidate: the row set on trial, of the same specification.
        ignore: rules; those of other row sets are passed over.
        today: the day on which rules are in force or expired.
        rows_for_datacompy: how many rows of each side datacompy gets at most.
        sample_rows: how many differing rows are kept as samples at most.
        samples: whether rows may be kept at all; totals are no rows.

    Raises:
        RowSetInvalid: if the row sets have different specifications, or rows of no kind.
        ShadowaggError: if datacompy counts other than the Arrow pass.
        UserError: for an ignore rule that names a column which is not compared.
    """
    return compare_rows(
        control,
        candidate,
        ignore=ignore,
        today=today,
        rows_for_datacompy=rows_for_datacompy,
        sample_rows=sample_rows if samples else 0,
    ).diff


def compare_rows(
    control: RowSet,
    candidate: RowSet,
    *,
    ignore: Sequence[IgnoreRule],
    today: dt.date,
    rows_for_datacompy: int,
    sample_rows: int,
) -> Comparison:
    """As `compare`, with the numbers of the rows that differ."""
    started = time.perf_counter()
    spec = control.spec
    if candidate.spec != spec:
        raise RowSetInvalid(
            f"control is of {spec.name}, candidate of {candidate.spec.name}",
            on="comparison",
            hint="compare row sets of one specification",
        )
    rules, expired = in_force(ignore, spec, today)
    found = find_differences(control, candidate)
    datacompy = ask_datacompy(found.kinds, found.codes, control, candidate, rows_for_datacompy)
    ignored = apply_rules(rules, found.kinds, control, candidate)
    totals, by_day = compare_totals(
        control, candidate, found.codes, (ignored.control_rows, ignored.candidate_rows)
    )
    changed = _sum(_count(kind.changed) for kind in ignored.kinds)
    stage = spec.name.partition(":")[2] or spec.name
    diff = StageDiff(
        stage=stage,
        spec=spec.name,
        table=spec.table,
        home=spec.home,
        control_rows=control.num_rows,
        candidate_rows=candidate.num_rows,
        equal_rows=_sum(len(kind.pairs) for kind in ignored.kinds) - changed,
        within_tolerance_rows=_sum(_count(kind.within) for kind in ignored.kinds),
        changed_rows=changed,
        missing_rows=_sum(len(kind.missing) for kind in ignored.kinds),
        extra_rows=_sum(len(kind.extra) for kind in ignored.kinds),
        ignored_rows=ignored.count,
        columns=tuple(
            _column(column, ignored.kinds, control, candidate) for column in spec.compared
        ),
        totals=totals,
        totals_by_day=by_day,
        samples=take_samples(ignored.kinds, found.codes, control, candidate, sample_rows),
        ignored=ignored.rows,
        expired_rules=expired,
        datacompy=datacompy,
    )
    return Comparison(
        diff=replace(diff, seconds=round(time.perf_counter() - started, 6)),
        control_rows=_rows(ignored, of_control=True),
        candidate_rows=_rows(ignored, of_control=False),
    )


def _column(
    column: Column, kinds: Sequence[KindDifferences], control: RowSet, candidate: RowSet
) -> ColumnDiff:
    """One column's figures over all kinds."""
    of_kinds = [(kind, kind.columns[column.name]) for kind in kinds if column.name in kind.columns]
    nulls = 0
    for kind, agreement in of_kinds:
        at = pc.indices_nonzero(agreement.differs)
        if len(at):
            one = control.table[column.name].take(kind.pairs.control.take(at))
            other = candidate.table[column.name].take(kind.pairs.candidate.take(at))
            nulls += _count(pc.xor(_is_null(one), _is_null(other)))
    absolute = [a.absolute for _, a in of_kinds if a.absolute is not None]
    relative = [a.relative for _, a in of_kinds if a.relative is not None]
    return ColumnDiff(
        name=column.name,
        role=column.role.value,
        tolerance=_tolerance(column),
        differing=_sum(_count(agreement.differs) for _, agreement in of_kinds),
        within=_sum(_count(agreement.within) for _, agreement in of_kinds),
        null_against_value=nulls,
        max_absolute=text_of(max(absolute)) if absolute else None,
        max_relative=max(relative) if relative else None,
        normalised=_NORMALISED.get(column.role, ""),
    )


def _tolerance(column: Column) -> str:
    """The tolerance in words; where a row kind has its own, that one too."""
    by_kind = [
        f"{tolerance} in {kind} rows" for kind, tolerance in column.tolerance_by_kind.items()
    ]
    return "; ".join([str(column.tolerance), *by_kind])


def _is_null(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether values are NULL, also where a dictionary holds the NULL."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return pc.is_null(values)


def _rows(ignored: Ignored, *, of_control: bool) -> pa.Array:
    parts = [pa.array([], pa.int32())]
    for kind in ignored.kinds:
        side = kind.pairs.control if of_control else kind.pairs.candidate
        parts += [side.filter(kind.changed), kind.missing if of_control else kind.extra]
    return pa.concat_arrays(parts)


def _count(mask: pa.Array | pa.ChunkedArray) -> int:
    return int(pc.sum(mask, min_count=0).as_py())


def _sum(counts: Iterable[int]) -> int:
    return sum(counts)
