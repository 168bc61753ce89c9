"""Row sets -> what goes where; refused here, before anything is touched, if it cannot be stored whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.writer.owner import owned_values
from shadowagg.errors import RowSetInvalid, UserError
from shadowagg.plan import Plan
from shadowagg.provider import Provider
from shadowagg.rowset import JSON, Column, Level, RowSet

__all__ = ["Targets", "choose_targets"]

_NUL_IN_JSON = r"(^|[^\\])(\\\\)*\\u0000"


@dataclass(frozen=True, slots=True)
class Targets:
    """Row sets by where they go.

    Args:
        postgres: for PostgreSQL, in the provider's order.
        hive: for staging tables, in the provider's order.
    """

    postgres: tuple[RowSet, ...]
    hive: tuple[RowSet, ...]


def choose_targets(
    provider: Provider,
    plan: Plan,
    row_sets: Mapping[str, RowSet | pa.Table],
    level: Level,
    *,
    staging: bool,
) -> Targets:
    """The final row sets of a provider, checked.

    Args:
        provider: whose stages.
        plan: of the window.
        row_sets: by stage; inner stages are passed over.
        level: at which they are written.
        staging: whether staging tables are written.

    Raises:
        UserError: if a final stage is missing, or a stage is unknown.
        RowSetInvalid: naming every value that cannot be stored, and rows that are not the window's.
    """
    stages = {stage.name: stage for stage in provider.stages}
    wanted = [
        stage
        for stage in provider.stages
        if stage.final
        and stage.spec.day is not None  # what has no days is merged by production, not replaced
        and (stage.spec.home == "postgres" or (staging and stage.spec.home == "hive"))
    ]
    unknown = sorted(set(row_sets) - set(stages))
    missing = [stage.name for stage in wanted if stage.name not in row_sets]
    if unknown or missing:
        raise UserError(
            f"row sets missing: {missing}, unknown: {unknown}",
            on=f"provider {provider.name}",
            hint=f"its stages are {list(stages)}",
        )
    chosen = []
    for stage in wanted:
        given = row_sets[stage.name]
        rows = RowSet.conform(stage.spec, given.table if isinstance(given, RowSet) else given)
        faults = [*_foreign_rows(rows, plan, level), *_unstorable(rows)]
        if faults:
            raise RowSetInvalid(
                "; ".join(faults), on=f"row set {stage.spec.name}", hint="nothing was written"
            )
        chosen.append(rows)
    return Targets(
        postgres=tuple(rows for rows in chosen if rows.spec.home == "postgres"),
        hive=tuple(rows for rows in chosen if rows.spec.home == "hive"),
    )


def _foreign_rows(rows: RowSet, plan: Plan, level: Level) -> Iterator[str]:
    """Rows that the next run of the window would not delete: they would be doubled."""
    owned = owned_values(rows.spec, plan.window, level)
    if not rows.num_rows:
        return
    days = rows.table.column(rows.spec.day_column)
    ends = pc.min_max(days).as_py()
    last = plan.subwindows[-1].end
    if days.null_count or ends["min"] < plan.start or ends["max"] > last:
        yield f"rows of {ends['min']} to {ends['max']}, or without a day, in {plan.start}..{last}"
    for name, values in owned.items():
        column = rows.table.column(name)
        type_ = rows.spec.column(name).type.arrow
        mine = pc.is_in(_decoded(column).cast(type_), value_set=pa.array(values, type_))
        if not pc.all(mine, min_count=0).as_py():
            yield f"column {name} has other values than the window's {list(values)}"
    if not pc.all(rows.spec.deletes.mask(rows.table), min_count=0).as_py():
        yield f"rows that would not be deleted before the next write ({rows.spec.deletes})"
    for name in set(rows.spec.partitions) & {"year", "month", "day"}:
        part = getattr(pc, name)(days).cast(pa.string())
        equal = pc.equal(part, _decoded(rows.table.column(name)).cast(pa.string()))
        if not pc.all(pc.fill_null(equal, False), min_count=0).as_py():
            yield f"column {name} is not the {name} of {rows.spec.day_column}, without padding"


def _unstorable(rows: RowSet) -> Iterator[str]:
    # Parquet takes what Arrow takes; only PostgreSQL is particular.
    if rows.spec.home != "postgres":
        return
    for column in rows.spec.columns:
        if column.random_id:
            continue
        values = rows.table.column(column.name)
        if values.null_count < rows.num_rows:
            yield from _unstorable_values(column, values)


def _unstorable_values(column: Column, values: pa.ChunkedArray) -> Iterator[str]:
    arrow = column.type.arrow
    if pa.types.is_floating(arrow):
        if not pc.all(pc.is_finite(values)).as_py():
            yield f"column {column.name} has NaN or infinite values"
    elif pa.types.is_decimal(arrow):
        ends = pc.min_max(values).as_py()
        limit = Decimal(1).scaleb(arrow.precision - arrow.scale)
        if not -limit < ends["min"] <= ends["max"] < limit:
            yield f"column {column.name} has values that overflow {column.type.postgres}"
    elif pa.types.is_string(arrow):
        yield from _unstorable_texts(column, _distinct(values))


def _unstorable_texts(column: Column, texts: pa.ChunkedArray) -> Iterator[str]:
    nul = pc.match_substring(texts, "\0")
    if column.type is JSON or column.type.postgres in {"json", "jsonb"}:
        nul = pc.or_(nul, pc.match_substring_regex(texts, _NUL_IN_JSON))
    if _any(nul):
        yield f"column {column.name} has texts with the character NUL"
    limit = _length(column)
    if limit is not None:
        # Blanks beyond the length are cut, as SQL has it and Trino does.
        kept = pc.utf8_length(pc.utf8_rtrim(texts, " "))
        if _any(pc.greater(kept, limit)):
            yield f"column {column.name} has texts of more than {limit} characters"


def _length(column: Column) -> int | None:
    name, _, length = column.type.postgres.partition("(")
    return int(length.rstrip(")")) if name == "varchar" and length else None


def _any(mask: Any) -> bool:
    return bool(pc.any(mask, min_count=0).as_py())


def _distinct(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts that rows have; of dictionaries each once per chunk."""
    if pa.types.is_dictionary(values.type):
        chunks = [_decoded(pc.unique(chunk)) for chunk in values.chunks]
        values = pa.chunked_array(chunks, values.type.value_type)
    return values.cast(pa.string())


def _decoded(values: Any) -> Any:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
