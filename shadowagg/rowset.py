"""The specification of a row set, and a row set that conforms to it.

A `RowSetSpec` is the one place that states what a table of a stage looks like: its columns, their
types per engine, what each column is for, how exactly it must agree, where the table lies, what is
deleted before it is written and how it is read back.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.condition import ALWAYS, Condition, Test
from shadowagg.errors import RowSetInvalid

if TYPE_CHECKING:
    import pandas as pd

    from shadowagg.window import Window

__all__ = [
    "DATE",
    "DOUBLE",
    "EXACT",
    "INTEGER",
    "JSON",
    "JSON_TEXT",
    "STORED_DECIMAL",
    "TEXT",
    "UUID",
    "WORKING_DOUBLE",
    "Column",
    "ColumnType",
    "Level",
    "Role",
    "RowKind",
    "RowSet",
    "RowSetSpec",
    "Tolerance",
    "numeric",
    "varchar",
]


# --- types -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ColumnType:
    """One type in the three engines."""

    arrow: pa.DataType
    trino: str
    postgres: str


TEXT = ColumnType(pa.string(), "varchar", "text")
UUID = ColumnType(pa.string(), "uuid", "uuid")
DATE = ColumnType(pa.date32(), "date", "date")
INTEGER = ColumnType(pa.int32(), "integer", "integer")
DOUBLE = ColumnType(pa.float64(), "double", "double precision")
JSON = ColumnType(pa.string(), "json", "jsonb")
JSON_TEXT = ColumnType(pa.string(), "varchar", "text")


def varchar(length: int) -> ColumnType:
    """Text of at most `length` characters; longer text is an error, never cut."""
    return ColumnType(pa.string(), f"varchar({length})", f"varchar({length})")


def numeric(precision: int, scale: int) -> ColumnType:
    """A stored decimal."""
    return ColumnType(
        pa.decimal128(precision, scale),
        f"decimal({precision},{scale})",
        f"numeric({precision},{scale})",
    )


# --- tolerance -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two values of a column may lie apart and still agree.

    Values agree if they lie within *any* of the bounds; NULL agrees with NULL only, NaN with NaN,
    an infinity with itself.

    Args:
        relative: bound relative to the control's value.
        units: bound in units of the last decimal (stored decimals only).
        scale_column: a column of the same row whose control value `relative` may refer to, where it
            is the larger one: a difference of two large doubles carries their noise, not its own.
        reason: why the column needs it; shown wherever the tolerance is.
    """

    relative: float = 0.0
    units: int = 0
    scale_column: str | None = None
    reason: str = ""

    @property
    def exact(self) -> bool:
        """Whether only equal values agree."""
        return self.relative == 0.0 and self.units == 0

    def __str__(self) -> str:
        if self.exact:
            return "exact"
        parts = []
        if self.relative:
            of = f" of {self.scale_column}" if self.scale_column else ""
            parts.append(f"{self.relative:g} relative{of}")
        if self.units:
            parts.append(f"{self.units} unit{'s' if self.units > 1 else ''} of the last decimal")
        return " or ".join(parts)


EXACT = Tolerance()
WORKING_DOUBLE = Tolerance(
    relative=1e-12, reason="a sum of doubles in an order that the control does not fix"
)
STORED_DECIMAL = Tolerance(
    relative=1e-12,
    units=1,
    reason="rounded from a double whose last bits depend on the order of a sum",
)


# --- columns ---------------------------------------------------------------------------------


class Role(enum.Enum):
    """What a column is for."""

    ATTRIBUTE = "attribute"
    """Text, date, number: part of a row kind's key, or compared exactly under it."""
    MEASURE = "measure"
    """A number, compared within its tolerance, summed in totals."""
    JSON = "json"
    """JSON text, compared as a JSON value: order and spacing free, NULL is not `{}`."""
    SET = "set"
    """A list compared without order; NULL elements count."""
    LEFT_OUT = "left out"
    """Not compared: random ids, moments of the run, columns that later steps write."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row set.

    Args:
        name: as in the table.
        type: its types.
        role: what it is for.
        tolerance: how exactly it must agree.
        tolerance_by_kind: the tolerance in rows of the row kind named, where it is another.
        nan: whether NaN and the infinities may occur (Trino's working tables take them, PostgreSQL's
            decimals do not); otherwise such a value makes the row set invalid.
        nullable: whether NULL may occur.
        reason: for a column left out: why.
        random_id: whether each row gets a random UUID when it is written, and NULL stands here until then.
    """

    name: str
    type: ColumnType
    role: Role = Role.ATTRIBUTE
    tolerance: Tolerance = EXACT
    tolerance_by_kind: Mapping[str, Tolerance] = field(default_factory=dict)
    nan: bool = False
    nullable: bool = True
    reason: str = ""
    random_id: bool = False

    def tolerance_in(self, kind: str) -> Tolerance:
        """The tolerance in rows of a kind."""
        return self.tolerance_by_kind.get(kind, self.tolerance)


@dataclass(frozen=True, slots=True)
class RowKind:
    """Rows of one kind inside a row set, and the columns that identify a row among them.

    Args:
        name: for reports.
        when: which rows; the first kind whose condition holds is the row's.
        key: names of the columns that identify a row; they need not be unique, the comparison is one
            of multisets.
    """

    name: str
    key: tuple[str, ...]
    when: Condition = ALWAYS


Home = Literal["hive", "postgres", "inner"]

Level = Literal["accessor", "updater"]
"""Where in production's call chain rows are replaced: `accessor` for one cluster, `updater` for all clusters
of a source at once. What production deletes depends on it."""


@dataclass(frozen=True)
class RowSetSpec:
    """What a row set looks like and where it lies.

    Args:
        name: `provider:stage`, as `--spec` takes it.
        table: name of the table that it fills; for an inner row set a name for logs.
        home: `hive`, `postgres`, or `inner` for one that no table of production keeps.
        columns: in the table's order.
        kinds: row kinds, tried in order; together they cover all rows.
        day: the column with the row's day, for totals and windows; None for a table without days.
        group: the column by which totals are made beside the day; None for none.
        source: the column with the source's UUID, by which a window's rows are found; None for a
            table without.
        found_by: how else a window's rows are found, or by whose UUID: column -> value of the window
            (`Window.values`), as in `deleted_by`.
        rewritten: whether every sub-window rewrites the table, so that it holds the last one's rows
            only once the run is over.
        changed_later: whether later steps of production change the table: recorded rows then stand apart,
            as this step left them.
        deletes: what is deleted before the rows are written, beside the window's days and source.
        read_back: which of the table's rows are this row set's when it is read back later.
        deleted_by: per level, the columns that say whose rows are deleted, beside the days and `deletes`:
            column -> the value of the window that it equals (`source_uuid`, `cluster.cluster_id`,
            `cluster.report_period_id`, `parameters.bill_id`, …). Without it: by `source`, for an accessor.
        partitions: for `hive`: the columns that are folders, in order; the day's parts are called `year`,
            `month` and `day` there, without padding.
    """

    name: str
    table: str
    home: Home
    columns: tuple[Column, ...]
    kinds: tuple[RowKind, ...]
    day: str | None
    source: str | None
    group: str | None = None
    found_by: Mapping[str, str] = field(default_factory=dict)
    rewritten: bool = False
    changed_later: bool = False
    deletes: Condition = ALWAYS
    read_back: Condition = ALWAYS
    deleted_by: Mapping[Level, Mapping[str, str]] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        named = (self.day, self.source, self.group, *self.partitions, *self.found_by)
        used = {name for name in named if name is not None}
        used.update(name for owners in self.deleted_by.values() for name in owners)
        used.update(name for kind in self.kinds for name in kind.key)
        if len(set(names)) != len(names) or used - set(names):
            raise RowSetInvalid(
                f"columns named twice, or named but not there: {sorted(used - set(names))}",
                on=f"specification {self.name}",
            )

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of a conforming table."""
        return pa.schema(
            [pa.field(c.name, c.type.arrow, nullable=c.nullable) for c in self.columns]
        )

    @cached_property
    def compared(self) -> tuple[Column, ...]:
        """The columns that a diff looks at."""
        return tuple(column for column in self.columns if column.role is not Role.LEFT_OUT)

    @cached_property
    def measures(self) -> tuple[Column, ...]:
        """The columns that totals are made of."""
        return tuple(column for column in self.columns if column.role is Role.MEASURE)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def day_column(self) -> str:
        """The day's column, where there must be one.

        Raises:
            RowSetInvalid: for a table without days.
        """
        if self.day is None:
            raise RowSetInvalid("the table has no days", on=f"specification {self.name}")
        return self.day

    def asked(self, window: Window) -> Condition:
        """Which of a table's rows a window asks for: its source's or clusters', of its days.

        Raises:
            UserError: if the window lacks a value that they are found by.
        """
        found_by = dict(self.found_by)
        if self.source is not None:
            found_by.setdefault(self.source, "source_uuid")
        tests = []
        for column, name in found_by.items():
            values = window.values(name)
            one = len(values) == 1
            tests.append(Test(column, "=" if one else "in", values[0] if one else values))
        if self.day is not None:
            tests += [Test(self.day, ">=", window.start), Test(self.day, "<=", window.end)]
        return Condition(tuple(tests))

    @cached_property
    def found_in(self) -> frozenset[str]:
        """The columns that a window's rows are found by."""
        named = (self.day, self.source, *self.found_by)
        tests = (test.column for test in self.read_back.tests)
        return frozenset(name for name in (*named, *tests) if name is not None)

    def kind_of(self, table: pa.Table) -> pa.Array:
        """The row kind of every row, as its index in `kinds`: int8, one per row, never NULL.

        Raises:
            RowSetInvalid: for rows of no kind.
        """
        result = pa.nulls(table.num_rows, pa.int8())
        for index in reversed(range(len(self.kinds))):
            mask = self.kinds[index].when.mask(table).combine_chunks()
            result = pc.if_else(mask, pa.scalar(index, pa.int8()), result)
        if result.null_count:
            raise RowSetInvalid(
                f"{result.null_count} rows are of none of the kinds {[k.name for k in self.kinds]}",
                on=self.name,
            )
        return result

    def empty(self) -> pa.Table:
        """A conforming table without rows."""
        return self.schema.empty_table()


# --- row sets --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RowSet:
    """An Arrow table that conforms to its specification.

    Text columns may be dictionary-encoded, and columns may be cut into chunks in any way; neither
    means anything. The order of rows means nothing.
    """

    spec: RowSetSpec
    table: pa.Table

    @classmethod
    def conform(cls, spec: RowSetSpec, table: pa.Table) -> RowSet:
        """Check a table against its specification; nothing is converted silently.

        Columns are put in the specification's order; columns left out of the comparison may be
        missing (they become NULL).

        Raises:
            RowSetInvalid: naming every deviation: missing, additional or repeated columns, types,
                NULL, NaN or infinite values where the specification has none.
        """
        faults = list(_deviations(spec, table))
        if faults:
            raise RowSetInvalid("; ".join(faults), on=f"row set {spec.name}")
        # Columns that are missing share one array of NULLs per type: there may be twenty of them.
        missing = {
            column.type.arrow for column in spec.columns if column.name not in table.column_names
        }
        nulls = {type_: pa.nulls(table.num_rows, type_) for type_ in missing}
        columns = {
            column.name: table.column(column.name)
            if column.name in table.column_names
            else nulls[column.type.arrow]
            for column in spec.columns
        }
        return cls(spec, pa.table(columns))

    @property
    def num_rows(self) -> int:
        """How many rows."""
        return int(self.table.num_rows)

    def to_pandas(self) -> pd.DataFrame:
        """The rows for people in notebooks: decimals stay `Decimal`, dates dates, NULL `None`/NaN."""
        plain = pa.table(
            {
                name: column.cast(column.type.value_type)
                if pa.types.is_dictionary(column.type)
                else column
                for name, column in zip(self.table.column_names, self.table.columns, strict=True)
            }
        )
        return plain.to_pandas()


def _deviations(spec: RowSetSpec, table: pa.Table) -> Iterable[str]:
    names = table.column_names
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"column {name} occurs {names.count(name)} times"
    expected = {column.name for column in spec.columns}
    for name in names:
        if name not in expected:
            yield f"column {name} is not specified"
    for column in spec.columns:
        if column.name not in names:
            if column.role is not Role.LEFT_OUT:
                yield f"column {column.name} is missing"
        elif names.count(column.name) == 1:
            yield from _column_deviations(column, table.column(column.name))


def _column_deviations(column: Column, values: pa.ChunkedArray) -> Iterable[str]:
    actual = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not _same_type(column.type.arrow, actual):
        yield f"column {column.name} is {actual}, specified {column.type.arrow}"
        return
    if not column.nullable and values.null_count:
        yield f"column {column.name} has {values.null_count} NULLs, specified NOT NULL"
    if pa.types.is_floating(actual) and not column.nan:
        finite = pc.sum(pc.is_finite(values)).as_py() or 0
        strange = len(values) - values.null_count - finite
        if strange:
            yield f"column {column.name} has {strange} values that are NaN or infinite"


def _same_type(specified: pa.DataType, actual: pa.DataType) -> bool:
    if pa.types.is_string(specified):
        return bool(
            pa.types.is_string(actual)
            or pa.types.is_large_string(actual)
            or pa.types.is_string_view(actual)
        )
    return bool(specified.equals(actual))
