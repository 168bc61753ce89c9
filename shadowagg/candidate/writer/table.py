"""The PostgreSQL table as it is, against what its row set is about to put there."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from shadowagg.candidate.writer.transaction import Transaction
from shadowagg.errors import WriteFailed
from shadowagg.rowset import RowSet

__all__ = ["Bounds", "check_table", "days_without_partition", "holds"]

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
"""

_PARTITIONS = """
SELECT pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s
"""

_RANGE = re.compile(r"FOR VALUES FROM \((.+)\) TO \((.+)\)")
_DAY = re.compile(r"'(\d{4}-\d\d-\d\d)(?: 00:00:00)?'")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The days of one partition: from the first, up to and without the last."""

    first: dt.date
    after: dt.date


def check_table(
    transaction: Transaction, schema: str, rows: RowSet, columns: Sequence[str]
) -> None:
    """See that the table can take the rows, before anything is deleted.

    Args:
        transaction: open.
        schema: of the table.
        rows: for it.
        columns: that are written.

    Raises:
        WriteFailed: for a missing table, column or partition, or a type that would change values.
    """
    spec = rows.spec
    on = f"{schema}.{spec.table}"
    found = transaction.rows(
        "SELECT c.oid, c.relkind = 'p' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')",
        [schema, spec.table],
    )
    if not found:
        raise WriteFailed("no such table", on=on, hint="check schema and database")
    table, partitioned = found[0]
    types = dict(transaction.rows(_COLUMNS, [table]))
    faults = [
        f"column {name} is missing"
        if name not in types
        else f"column {name} is {types[name]}, specified {spec.column(name).type.postgres}"
        for name in columns
        if name not in types or not holds(types[name], spec.column(name).type.postgres)
    ]
    if faults:
        raise WriteFailed(
            "; ".join(faults), on=on, hint="the specification or the table has changed"
        )
    if partitioned and rows.num_rows:
        _check_partitions(transaction, table, rows, on)


def _check_partitions(transaction: Transaction, table: int, rows: RowSet, on: str) -> None:
    key = transaction.value("SELECT pg_get_partkeydef(%s)", [table])
    if key != f"RANGE ({rows.spec.day_column})":
        return  # cut in another way: PostgreSQL itself says if a row has no place
    texts = [text for (text,) in transaction.rows(_PARTITIONS, [table])]
    days = sorted(pc.unique(rows.table.column(rows.spec.day_column)).to_pylist())
    missing = days_without_partition(texts, days)
    if missing:
        raise WriteFailed(
            f"no partition for {missing[0]}"
            + (f" and {len(missing) - 1} more days" if len(missing) > 1 else ""),
            on=on,
            hint=f"make the partition of {missing[0]:%Y-%m} first; the writer makes none",
        )


def days_without_partition(bounds: Iterable[str], days: Iterable[dt.date]) -> list[dt.date]:
    """The days for which no partition has room; none where a bound is not understood.

    Args:
        bounds: as PostgreSQL prints them.
        days: that are written.
    """
    ranges: list[Bounds] = []
    for text in bounds:
        match = _RANGE.fullmatch(text)
        if match is None:  # the default partition, which takes everything
            return []
        first, after = (_day(part) for part in match.groups())
        if first is None or after is None:
            return []
        ranges.append(Bounds(first, after))
    return [day for day in days if not any(r.first <= day < r.after for r in ranges)]


def _day(text: str) -> dt.date | None:
    if text in {"MINVALUE", "MAXVALUE"}:
        return dt.date.min if text == "MINVALUE" else dt.date.max
    match = _DAY.fullmatch(text)
    return dt.date.fromisoformat(match[1]) if match else None


def holds(actual: str, specified: str) -> bool:
    """Whether a column of the actual type keeps every value of the specified one as it is.

    >>> holds("character varying(253)", "varchar(253)"), holds("numeric(30,10)", "numeric(33,15)")
    (True, False)
    """
    name, numbers = _parts(actual)
    wanted, limits = _parts(specified)
    texts = {"text", "character varying"}
    if wanted in texts:
        return name in texts and (not numbers or bool(limits and numbers[0] >= limits[0]))
    if wanted == "numeric":
        if name != "numeric" or not numbers:
            return name == "numeric"
        digits, scale = limits
        return numbers[1] >= scale and numbers[0] - numbers[1] >= digits - scale
    return name == wanted or (name == "bigint" and wanted == "integer")


def _parts(type_: str) -> tuple[str, list[int]]:
    name, _, rest = type_.partition("(")
    name = {"varchar": "character varying", "decimal": "numeric"}.get(name.strip(), name.strip())
    return name, list(_numbers(rest))


def _numbers(text: str) -> Iterator[int]:
    for part in text.rstrip(")").split(","):
        if part.strip():
            yield int(part)
