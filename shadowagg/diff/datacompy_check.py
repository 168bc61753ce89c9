"""datacompy's word on what the Arrow pass left: a second judge, held to agree with the first.

Its defaults are not fit for money: decimals compared as doubles, NaN equal to NULL, tolerances
relative to the second frame, repeated keys paired as they come, frames renamed in place. So it gets
frames of its own, with unique keys, the control second, and a comparator for every column; its
own comparators are never reached.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.codes import Codes
from shadowagg.diff.differences import KindDifferences, is_numeric
from shadowagg.diff.numbers import compare_numbers, plain_numbers
from shadowagg.diff.samples import first_rows
from shadowagg.errors import ShadowaggError
from shadowagg.rowset import Column, RowKind, RowSet, RowSetSpec

if TYPE_CHECKING:
    import polars as pl
    from datacompy.comparator.base import BaseComparator

__all__ = ["ask_datacompy"]

_KIND = "row kind"
"""Name of the column that keeps rows of two kinds apart."""

_ONE, _OTHER = "candidate", "control"
"""datacompy's names of its two frames; its tolerances would refer to the second, so do ours."""


@dataclass(frozen=True)
class _Left:
    """The rows of one kind that are handed over, by their numbers.

    Args:
        kind: which.
        control: of changed pairs, then missing rows.
        candidate: of the same pairs, then extra rows.
        changed: how many pairs.
    """

    kind: RowKind
    control: pa.Array
    candidate: pa.Array
    changed: int


@dataclass(frozen=True)
class _Handed:
    """One column of the frames.

    Args:
        name: in the frames.
        column: of the row set.
        key: whether it is joined on; otherwise it is compared.
        kinds: names of the kinds whose rows have it so; it is NULL in rows of others.
    """

    name: str
    column: Column
    key: bool
    kinds: frozenset[str]


def ask_datacompy(
    kinds: Sequence[KindDifferences],
    codes: Mapping[str, Codes],
    control: RowSet,
    candidate: RowSet,
    most_rows: int,
) -> dict[str, Any]:
    """Have datacompy compare what is left under unique keys, and check that it counts the same.

    Args:
        kinds: the differences that the Arrow pass found.
        codes: encoded columns; JSON texts by value where that made a difference.
        control: the reference.
        candidate: the other side.
        most_rows: how many rows of each side are handed over at most; the first by key.

    Returns:
        Its report as plain values; empty if nothing was left.

    Raises:
        ShadowaggError: if it counts other rows as unequal, missing or extra than the Arrow pass.
    """
    left = _left(kinds, codes, control, candidate, most_rows)
    if not left:
        return {}
    # Imported only here: with pandas and polars it costs seconds and 170 MB, and a window that
    # agrees never needs it.
    import datacompy

    # polars has an allocator of its own, which cannot use what Arrow's holds in reserve.
    pa.default_memory_pool().release_unused()
    handed = _handed(control, [part.kind for part in left])
    with warnings.catch_warnings():
        # datacompy calls polars by names that polars is about to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        comparison = datacompy.PolarsCompare(
            _frame(candidate, left, handed, codes, of_control=False),
            _frame(control, left, handed, codes, of_control=True),
            join_columns=[_KIND, *(part.name for part in handed if part.key)],
            df1_name=_ONE,
            df2_name=_OTHER,
            cast_column_names_lower=False,
            custom_comparators=[_comparator(handed, [part.kind for part in left])],
        )
        report = comparison.build_report_data(sample_count=0)
    _check(report, left, control.spec.name)
    plain: dict[str, Any] = _plain(report.to_dict())
    # Drawn tables without rows: samples are taken elsewhere, the same ones in every run.
    plain["mismatch_stats"]["samples"] = []
    return plain


def _check(report: Any, left: Sequence[_Left], spec: str) -> None:
    """Raise unless datacompy counts what the Arrow pass counted."""
    changed = sum(part.changed for part in left)
    ours = {
        "rows on both sides": changed,
        "unequal rows": changed,
        "missing rows": sum(len(part.control) for part in left) - changed,
        "extra rows": sum(len(part.candidate) for part in left) - changed,
    }
    rows = report.row_summary
    theirs = {
        "rows on both sides": rows.common_rows,
        "unequal rows": rows.unequal_rows,
        "missing rows": rows.df2_unique,
        "extra rows": rows.df1_unique,
    }
    if ours != theirs:
        raise ShadowaggError(
            f"the Arrow pass counts {ours}, datacompy {theirs}",
            on=f"comparison of {spec}",
            hint="neither is to be trusted: keep both row sets and report it",
        )


# --- which rows ------------------------------------------------------------------------------


def _left(
    kinds: Sequence[KindDifferences],
    codes: Mapping[str, Codes],
    control: RowSet,
    candidate: RowSet,
    most_rows: int,
) -> list[_Left]:
    left = []
    control_room = candidate_room = most_rows
    for kind in kinds:
        at = pc.indices_nonzero(kind.changed)
        rows = kind.pairs.control.take(at)
        room = min(control_room, candidate_room)
        if len(rows) > room:
            at = at.take(first_rows(kind.kind, control, codes, rows, room, extra=False))
        control_room, candidate_room = control_room - len(at), candidate_room - len(at)
        missing, extra = kind.missing_single, kind.extra_single
        if len(missing) > control_room:
            first = first_rows(kind.kind, control, codes, missing, control_room, extra=False)
            missing = missing.take(first)
        if len(extra) > candidate_room:
            first = first_rows(kind.kind, candidate, codes, extra, candidate_room, extra=True)
            extra = extra.take(first)
        control_room, candidate_room = control_room - len(missing), candidate_room - len(extra)
        if len(at) or len(missing) or len(extra):
            left.append(
                _Left(
                    kind.kind,
                    pa.concat_arrays([kind.pairs.control.take(at), missing]),
                    pa.concat_arrays([kind.pairs.candidate.take(at), extra]),
                    len(at),
                )
            )
    return left


# --- what they look like ---------------------------------------------------------------------


def _handed(control: RowSet, kinds: Sequence[RowKind]) -> list[_Handed]:
    """The columns of the frames: one that is key in some kinds only is there twice."""
    parts: list[_Handed] = []
    everywhere = frozenset(kind.name for kind in kinds)
    for column in control.spec.compared:
        key_in = frozenset(kind.name for kind in kinds if column.name in kind.key)
        if key_in:
            parts.append(_Handed(_free(column.name, parts), column, key=True, kinds=key_in))
        if key_in != everywhere:
            name = f"{column.name} (attribute)" if key_in else column.name
            parts.append(_Handed(_free(name, parts), column, key=False, kinds=everywhere - key_in))
    return parts


def _free(name: str, parts: Sequence[_Handed]) -> str:
    """A name that none of the names which datacompy makes of others can meet."""
    endings = (f"_{_ONE}", f"_{_OTHER}", "_match")
    taken = {part.name for part in parts} | {_KIND}
    while name in taken or name.endswith(endings) or name.startswith("_merge"):
        name = f"{name}'" if not name.startswith("_merge") else f"'{name}"
    return name


def _frame(
    side: RowSet,
    left: Sequence[_Left],
    handed: Sequence[_Handed],
    codes: Mapping[str, Codes],
    *,
    of_control: bool,
) -> pl.DataFrame:
    import polars as pl

    tables = []
    for index, part in enumerate(left):
        rows = part.control if of_control else part.candidate
        columns = {_KIND: pa.repeat(pa.scalar(part.kind.name), len(rows))}
        for each in handed:
            if not each.key and is_numeric(each.column):
                values = _number(side, each.column, index, part, of_control=of_control)
            else:
                values = _exact(side, each.column, codes, rows, of_control=of_control)
            if part.kind.name not in each.kinds:
                values = pa.nulls(len(rows), values.type)
            columns[each.name] = values
        tables.append(pa.table(columns))
    frame = pl.from_arrow(pa.concat_tables(tables))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"polars made {type(frame)} of a table")
    return frame


def _exact(
    side: RowSet, column: Column, codes: Mapping[str, Codes], rows: pa.Array, *, of_control: bool
) -> pa.Array:
    """A column that is joined on or compared exactly: readable where polars compares as we do."""
    type_ = column.type.arrow
    of_column = codes[column.name]
    numbers = (of_column.control if of_control else of_column.candidate).take(rows)
    if pa.types.is_string(type_) and of_column.values is not None:
        # JSON texts are those by which they were compared, one per value.
        values = pa.concat_arrays([of_column.values, pa.nulls(1, of_column.values.type)])
        return values.take(numbers).cast(pa.large_string())
    if pa.types.is_integer(type_) or pa.types.is_date(type_) or pa.types.is_boolean(type_):
        return _whole(side.table[column.name].take(rows))
    return numbers.cast(pa.int64())


def _number(side: RowSet, column: Column, index: int, part: _Left, *, of_control: bool) -> pa.Array:
    """A column that is compared within tolerance; with what the tolerance needs, if it varies."""
    rows = part.control if of_control else part.candidate
    values = plain_numbers(side.table[column.name].take(rows))
    if not column.tolerance_by_kind and column.tolerance.scale_column is None:
        return values
    name = column.tolerance_in(part.kind.name).scale_column
    type_ = _scale_type(side.spec, column, values.type)
    scale = pa.nulls(len(rows), type_)
    if name is not None and of_control:
        scale = plain_numbers(side.table[name].take(rows)).cast(type_)
    kinds = pa.repeat(pa.scalar(index, pa.int32()), len(rows))
    return pa.StructArray.from_arrays([values, scale, kinds], ["value", "scale", "kind"])


def _scale_type(spec: RowSetSpec, column: Column, of_values: pa.DataType) -> pa.DataType:
    """One type for the scale columns of all kinds."""
    tolerances = (column.tolerance, *column.tolerance_by_kind.values())
    names = {t.scale_column for t in tolerances if t.scale_column is not None}
    if pa.types.is_floating(of_values):
        return of_values
    types = [plain_numbers(pa.chunked_array([], spec.column(n).type.arrow)).type for n in names]
    return pa.decimal128(38, max([of_values.scale, *(type_.scale for type_ in types)]))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays([*column.chunks, pa.array([], column.type)])


# --- how they are compared -------------------------------------------------------------------


def _comparator(handed: Sequence[_Handed], kinds: Sequence[RowKind]) -> BaseComparator:
    """The comparator that datacompy asks, for every column: each by its specification."""
    import polars as pl
    from datacompy.comparator.base import BaseComparator

    numbers = {
        f"{each.name}_{_ONE}": each.column
        for each in handed
        if not each.key and is_numeric(each.column)
    }

    class BySpecification(BaseComparator):
        """Compares a joined column of the candidate with that of the control."""

        def compare(self, col1: pl.Series, col2: pl.Series, **_: Any) -> pl.Series:
            column = numbers.get(col1.name)
            if column is None:
                return col1.eq_missing(col2)
            differs = _numbers_differ(column, kinds, _arrow(col2), _arrow(col1))
            return pl.Series(pc.invert(differs))

    return BySpecification()


def _arrow(series: pl.Series) -> pa.Array:
    values = series.to_arrow()
    return _whole(values) if isinstance(values, pa.ChunkedArray) else values


def _numbers_differ(
    column: Column, kinds: Sequence[RowKind], control: pa.Array, candidate: pa.Array
) -> pa.Array:
    """Whether numbers differ; of rows of several kinds, where the tolerance depends on the kind."""
    if not pa.types.is_struct(control.type):
        return compare_numbers(control, candidate, column.tolerance).differs
    values, scale, of_kind = (control.field(name) for name in ("value", "scale", "kind"))
    result = pa.repeat(pa.scalar(False), len(control))
    for index, kind in enumerate(kinds):
        tolerance = column.tolerance_in(kind.name)
        agreement = compare_numbers(
            values,
            candidate.field("value"),
            tolerance,
            scale if tolerance.scale_column is not None else None,
        )
        here = pc.fill_null(pc.equal(of_kind, pa.scalar(index, of_kind.type)), False)
        result = pc.or_(result, pc.and_(here, agreement.differs))
    return result


def _plain(value: Any) -> Any:
    """Values that JSON has: lists for tuples, None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
