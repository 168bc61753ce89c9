"""Which rows and values differ: exact for all rows, from Arrow alone.

Rows that are equal whatever their order, chunks and dictionaries are settled here at little more
than the cost of reading them; so are rows whose numbers agree within tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import Codes, encode, fold, row_numbers
from shadowagg.diff.json_values import merge_equal_json
from shadowagg.diff.multiset import Numbers, cancel
from shadowagg.diff.numbers import Agreement, compare_numbers, plain_numbers
from shadowagg.diff.pairing import Pairing, Pairs, pair
from shadowagg.rowset import Column, Role, RowKind, RowSet, RowSetSpec

_T = TypeVar("_T")

__all__ = ["Differences", "KindDifferences", "find_differences", "is_numeric"]


@dataclass(frozen=True)
class KindDifferences:
    """The rows of one kind.

    Args:
        kind: which.
        pairs: rows that belong together; those of a repeated key are here only where they agree.
        columns: for each compared column beside the key how it agrees, one entry per pair.
        missing: control rows without a partner.
        extra: candidate rows without a partner.
        missing_single: those of `missing` whose key is not repeated.
        extra_single: those of `extra` whose key is not repeated.
    """

    kind: RowKind
    pairs: Pairs
    columns: Mapping[str, Agreement]
    missing: pa.Array
    extra: pa.Array
    missing_single: pa.Array
    extra_single: pa.Array

    @cached_property
    def changed(self) -> pa.Array:
        """Whether each pair differs beyond tolerance in any column."""
        nothing = pa.repeat(pa.scalar(False), len(self.pairs))
        return reduce(pc.or_, (c.differs for c in self.columns.values()), nothing)

    @cached_property
    def within(self) -> pa.Array:
        """Whether each pair agrees, but not bit for bit."""
        nothing = pa.repeat(pa.scalar(False), len(self.pairs))
        inside = reduce(pc.or_, (c.within for c in self.columns.values()), nothing)
        return pc.and_not(inside, self.changed)

    @property
    def settled(self) -> bool:
        """Whether nothing differs."""
        return not (len(self.missing) or len(self.extra) or pc.any(self.changed).as_py())


@dataclass(frozen=True)
class Differences:
    """All rows of two row sets.

    Args:
        kinds: by row kind, in the specification's order; kinds without rows are left out.
        codes: the encoded columns, with JSON texts by value if that made a difference.
    """

    kinds: tuple[KindDifferences, ...]
    codes: Mapping[str, Codes] = field(repr=False)


def is_numeric(column: Column) -> bool:
    """Whether a column is compared as a number, within its tolerance."""
    type_ = column.type.arrow
    number = pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    measured = column.role is Role.MEASURE or not column.tolerance.exact
    return bool(number and (measured or column.tolerance_by_kind))


def find_differences(control: RowSet, candidate: RowSet) -> Differences:
    """Settle what is equal, and find what is not.

    JSON texts are first compared as they are; only if something is left, and some texts do mean the
    same value, is everything compared again by value.
    """
    spec = control.spec
    keys = {name for kind in spec.kinds for name in kind.key}
    encoded = [column for column in spec.compared if column.name in keys or not is_numeric(column)]
    # Columns of one value are many, and share one array of zeros.
    constant = fold([], control.num_rows, candidate.num_rows)

    def of_column(column: Column) -> tuple[str, Codes]:
        made = encode(control.table[column.name], candidate.table[column.name])
        if made.size <= 1:
            made = replace(made, control=constant.control, candidate=constant.candidate)
        return column.name, made

    codes = dict(_in_threads(of_column, encoded))
    rows = _rows_by_kind(spec, control.table), _rows_by_kind(spec, candidate.table)
    differences = _differences(control, candidate, codes, rows)
    if all(kind.settled for kind in differences.kinds):
        return differences
    merged = {
        column.name: merged_codes
        for column in encoded
        if column.role is Role.JSON
        and (merged_codes := merge_equal_json(codes[column.name])) is not None
    }
    return _differences(control, candidate, {**codes, **merged}, rows) if merged else differences


def compare_column(
    column: Column, kind: RowKind, control: RowSet, candidate: RowSet, pairs: Pairs
) -> Agreement:
    """How one column agrees in given pairs of a kind; exactly compared columns have no distances."""
    if is_numeric(column):
        return _numbers_agree(column, control, candidate, [(kind, pairs)])[0]
    codes = encode(control.table[column.name], candidate.table[column.name])
    of_pairs = codes.take(pairs.control, pairs.candidate)
    differs = pc.not_equal(of_pairs.control, of_pairs.candidate)
    return Agreement(differs, pa.repeat(pa.scalar(False), len(pairs)))


def _rows_by_kind(spec: RowSetSpec, table: pa.Table) -> list[pa.Array]:
    """For each kind the numbers of its rows."""
    if len(spec.kinds) == 1 and not spec.kinds[0].when.tests:
        return [row_numbers(table.num_rows)]
    kinds = spec.kind_of(table)
    return [
        pc.indices_nonzero(pc.equal(kinds, pa.scalar(index, pa.int8()))).cast(pa.int32())
        for index in range(len(spec.kinds))
    ]


def _differences(
    control: RowSet,
    candidate: RowSet,
    codes: Mapping[str, Codes],
    rows: tuple[list[pa.Array], list[pa.Array]],
) -> Differences:
    spec = control.spec
    matched = [
        (kind, *_match(kind, control, candidate, codes, (control_rows, candidate_rows)))
        for kind, control_rows, candidate_rows in zip(spec.kinds, *rows, strict=True)
        if len(control_rows) or len(candidate_rows)
    ]
    numeric = [column for column in spec.compared if is_numeric(column)]
    numbers = _in_threads(
        lambda column: _numbers_agree(
            column, control, candidate, [(kind, pairs) for kind, pairs, *_ in matched]
        ),
        numeric,
    )
    result = []
    for index, (kind, pairs, pairing, missing, extra) in enumerate(matched):
        attributes = _attributes(spec, kind, codes)
        agreements = _codes_agree(attributes, pairs)
        agreements.update(
            {
                column.name: of_kinds[index]
                for column, of_kinds in zip(numeric, numbers, strict=True)
                if column.name not in kind.key
            }
        )
        in_order = {c.name: agreements[c.name] for c in spec.compared if c.name in agreements}
        result.append(
            KindDifferences(kind, pairs, in_order, missing, extra, pairing.missing, pairing.extra)
        )
    return Differences(tuple(result), codes)


def _match(
    kind: RowKind,
    control: RowSet,
    candidate: RowSet,
    codes: Mapping[str, Codes],
    rows: tuple[pa.Array, pa.Array],
) -> tuple[Pairs, Pairing, pa.Array, pa.Array]:
    """Pairs, what the keys alone say, all missing rows, all extra rows."""
    control_rows, candidate_rows = rows
    key = [codes[name] for name in kind.key]
    if len(control_rows) < control.num_rows or len(candidate_rows) < candidate.num_rows:
        key = [column.take(control_rows, candidate_rows) for column in key]
    pairing = pair(fold(key, len(control_rows), len(candidate_rows)), control_rows, candidate_rows)
    repeated = pairing.repeated_control, pairing.repeated_candidate
    if not any(len(side) for side in repeated):
        return pairing.pairs, pairing, pairing.missing, pairing.extra
    spec = control.spec
    attributes = [column.take(*repeated) for column in _attributes(spec, kind, codes).values()]
    columns = [
        _numbers_of(column, kind, control, candidate, repeated)
        for column in spec.compared
        if is_numeric(column) and column.name not in kind.key
    ]
    groups = fold([pairing.repeated_keys, *attributes], *map(len, repeated))
    cancelled = cancel(groups, columns)
    return (
        pairing.pairs
        + Pairs(
            repeated[0].take(cancelled.pairs.control), repeated[1].take(cancelled.pairs.candidate)
        ),
        pairing,
        pa.concat_arrays([pairing.missing, repeated[0].take(cancelled.missing)]),
        pa.concat_arrays([pairing.extra, repeated[1].take(cancelled.extra)]),
    )


def _attributes(spec: RowSetSpec, kind: RowKind, codes: Mapping[str, Codes]) -> dict[str, Codes]:
    """The columns that are compared exactly in rows of a kind, beside its key."""
    return {
        column.name: codes[column.name]
        for column in spec.compared
        if not is_numeric(column) and column.name not in kind.key
    }


def _numbers_of(
    column: Column,
    kind: RowKind,
    control: RowSet,
    candidate: RowSet,
    rows: tuple[pa.Array, pa.Array],
) -> Numbers:
    tolerance = column.tolerance_in(kind.name)
    scale = None
    if tolerance.scale_column is not None:
        scale = plain_numbers(control.table[tolerance.scale_column].take(rows[0]))
    return Numbers(
        plain_numbers(control.table[column.name].take(rows[0])),
        plain_numbers(candidate.table[column.name].take(rows[1])),
        tolerance,
        scale,
    )


def _numbers_agree(
    column: Column,
    control: RowSet,
    candidate: RowSet,
    pairs_by_kind: Sequence[tuple[RowKind, Pairs]],
) -> list[Agreement]:
    """How a column of numbers agrees in the pairs of each kind."""
    numbers = plain_numbers(control.table[column.name])
    others = plain_numbers(candidate.table[column.name])
    result = []
    for kind, pairs in pairs_by_kind:
        tolerance = column.tolerance_in(kind.name)
        scale = None
        if tolerance.scale_column is not None:
            scale = plain_numbers(control.table[tolerance.scale_column]).take(pairs.control)
        result.append(
            compare_numbers(
                numbers.take(pairs.control), others.take(pairs.candidate), tolerance, scale
            )
        )
    return result


def _codes_agree(attributes: Mapping[str, Codes], pairs: Pairs) -> dict[str, Agreement]:
    """How exactly compared columns agree: one look at all of them, and one at each if needed."""
    nothing = pa.repeat(pa.scalar(False), len(pairs))
    if attributes and len(pairs):
        first = next(iter(attributes.values()))
        all_rows = len(first.control), len(first.candidate)
        together = fold(list(attributes.values()), *all_rows).take(pairs.control, pairs.candidate)
        if not together.control.equals(together.candidate):
            result = {}
            for name, codes in attributes.items():
                of_pairs = codes.take(pairs.control, pairs.candidate)
                differs = pc.not_equal(of_pairs.control, of_pairs.candidate)
                result[name] = Agreement(differs, nothing)
            return result
    return {name: Agreement(nothing, nothing) for name in attributes}


def _in_threads(function: Callable[[Column], _T], columns: Sequence[Column]) -> list[_T]:
    """A function of each column, on as many threads as Arrow may use; Arrow leaves Python's lock."""
    if len(columns) < 2 or pa.cpu_count() < 2:
        return [function(column) for column in columns]
    with ThreadPoolExecutor(pa.cpu_count()) as threads:
        return list(threads.map(function, columns))
