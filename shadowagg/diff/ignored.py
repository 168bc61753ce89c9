"""Differences that ignore rules cover: taken out of the count of differences, counted apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import marked
from shadowagg.diff.differences import KindDifferences, compare_column
from shadowagg.diff.result import IgnoredRows
from shadowagg.ignore import IgnoreRule
from shadowagg.rowset import RowSet, RowSetSpec

__all__ = ["Ignored", "apply_rules", "in_force"]


@dataclass(frozen=True)
class Ignored:
    """What is left after the rules, and what they took.

    Args:
        kinds: the differences that are left; pairs that the rules cover wholly are in none of them.
        pairs: how many pairs are covered wholly.
        control_rows: numbers of the control's rows that are covered wholly, in pairs or missing.
        candidate_rows: numbers of the candidate's rows that are.
        rows: what each rule took.
    """

    kinds: tuple[KindDifferences, ...]
    pairs: int
    control_rows: pa.Array
    candidate_rows: pa.Array
    rows: tuple[IgnoredRows, ...]

    @property
    def count(self) -> int:
        """How many changed, missing and extra rows are covered; a pair counts once."""
        return len(self.control_rows) + len(self.candidate_rows) - self.pairs


def in_force(
    rules: Sequence[IgnoreRule], spec: RowSetSpec, today: dt.date
) -> tuple[list[IgnoreRule], tuple[str, ...]]:
    """The rules of a row set that have an effect today, and the names of those that have expired.

    Raises:
        UserError: for a rule that names a column which is not compared.
    """
    concerned = [rule for rule in rules if rule.spec == spec.name]
    for rule in concerned:
        rule.check(spec)
    expired = tuple(rule.name for rule in concerned if rule.expired(today))
    return [rule for rule in concerned if not rule.expired(today)], expired


def apply_rules(
    rules: Sequence[IgnoreRule],
    kinds: Sequence[KindDifferences],
    control: RowSet,
    candidate: RowSet,
) -> Ignored:
    """Take out what the rules cover; the first rule that covers a difference takes it."""
    nothing = pa.array([], pa.int32())
    if not rules:
        return Ignored(tuple(kinds), 0, nothing, nothing, ())
    taken = _Taken({rule.name: 0 for rule in rules}, [nothing], [nothing])
    left = [_without_covered(rules, kind, control, candidate, taken) for kind in kinds]
    return Ignored(
        kinds=tuple(left),
        pairs=taken.pairs,
        control_rows=pa.concat_arrays(taken.control),
        candidate_rows=pa.concat_arrays(taken.candidate),
        rows=tuple(IgnoredRows(name, rows) for name, rows in taken.by_rule.items()),
    )


@dataclass
class _Taken:
    """What the rules took so far."""

    by_rule: dict[str, int]
    control: list[pa.Array]
    candidate: list[pa.Array]
    pairs: int = field(default=0)


def _without_covered(
    rules: Sequence[IgnoreRule],
    kind: KindDifferences,
    control: RowSet,
    candidate: RowSet,
    taken: _Taken,
) -> KindDifferences:
    missing = _without_covered_rows(rules, kind.missing, control.table, taken, taken.control)
    extra = _without_covered_rows(rules, kind.extra, candidate.table, taken, taken.candidate)
    changed = pc.indices_nonzero(kind.changed)
    rows = kind.pairs.control.take(changed)
    differs = {name: c.differs.take(changed) for name, c in kind.columns.items()}
    for rule in rules:
        covers = _covers(rule, control.table, rows)
        took = pa.repeat(pa.scalar(False), len(rows))
        for name in rule.columns or differs:
            if name in differs:
                took = pc.or_(took, pc.and_(differs[name], covers))
                differs[name] = pc.and_not(differs[name], covers)
        taken.by_rule[rule.name] += pc.sum(took, min_count=0).as_py()
    still = pa.repeat(pa.scalar(False), len(rows))
    for mask in differs.values():
        still = pc.or_(still, mask)
    ignored = changed.filter(pc.invert(still))
    taken.control.append(kind.pairs.control.take(ignored))
    taken.candidate.append(kind.pairs.candidate.take(ignored))
    taken.pairs += len(ignored)
    return _left(kind, (control, candidate), (changed, ignored), differs, (missing, extra))


def _without_covered_rows(
    rules: Sequence[IgnoreRule],
    rows: pa.Array,
    table: pa.Table,
    taken: _Taken,
    to: list[pa.Array],
) -> pa.Array:
    """Missing or extra rows that no rule covers; only rules for whole rows can cover them."""
    for rule in rules:
        if rule.columns or not len(rows):
            continue
        covers = _covers(rule, table, rows)
        covered = rows.filter(covers)
        taken.by_rule[rule.name] += len(covered)
        to.append(covered)
        rows = rows.filter(pc.invert(covers))
    return rows


def _covers(rule: IgnoreRule, table: pa.Table, rows: pa.Array) -> pa.Array:
    """Whether the rule's condition holds in each of some rows of a table."""
    names = sorted({test.column for test in rule.condition.tests})
    if not names:
        return pa.repeat(pa.scalar(True), len(rows))
    mask = rule.condition.mask(table.select(names).take(rows))
    return pa.concat_arrays([*mask.chunks, pa.array([], pa.bool_())])


def _left(
    kind: KindDifferences,
    sides: tuple[RowSet, RowSet],
    places: tuple[pa.Array, pa.Array],
    differs: Mapping[str, pa.Array],
    single: tuple[pa.Array, pa.Array],
) -> KindDifferences:
    """The differences without the pairs that are ignored, and with fewer differing columns.

    Args:
        kind: the differences before.
        sides: control and candidate.
        places: of the pairs that were changed, and of those of them that are ignored.
        differs: at the changed pairs, which columns still differ.
        single: the missing and the extra rows that are left.
    """
    count = len(kind.pairs)
    was_changed = marked(places[0], count)
    keep = pc.invert(marked(places[1], count))
    columns = {}
    for name, column in kind.columns.items():
        still = pc.replace_with_mask(column.differs, was_changed, differs[name])
        if still.equals(column.differs):
            columns[name] = replace(
                column, differs=still.filter(keep), within=column.within.filter(keep)
            )
            continue
        taken = pc.and_not(column.differs, still)
        others = kind.pairs.filter(pc.invert(taken))
        without = compare_column(sides[0].spec.column(name), kind.kind, *sides, others)
        columns[name] = replace(
            without, differs=still.filter(keep), within=column.within.filter(keep)
        )
    return replace(
        kind, pairs=kind.pairs.filter(keep), columns=columns, missing=single[0], extra=single[1]
    )
