"""A window's rows of PostgreSQL tables as production left them, and what tells when it did.

Everything is read in one snapshot. That rows are older than a side table is told by three things, of
which a server always has the first:

* the order of transactions: a side row whose transaction began to write after that of the oldest of the
  window's rows (`age(xmin)`). Later steps that touch every row of the window make it look younger.
* moments of commit, if `track_commit_timestamp` is on;
* else the side table's own columns of that meaning (`…updated…`), if it has some.

A row that was deleted from a side table leaves no trace.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from shadowagg.condition_sql import POSTGRES, condition_sql
from shadowagg.control.hive_rows import WindowRows, columns_to_read
from shadowagg.errors import InputUnreadable, RowSetInvalid
from shadowagg.postgres_rows import columns_of, read_rows, unfit_columns
from shadowagg.provider import RunStamp
from shadowagg.rowset import Role, RowSetSpec
from shadowagg.window import Window

if TYPE_CHECKING:
    import psycopg2.extensions

__all__ = ["PostgresWindow", "SideTable"]

_UPDATED = re.compile(r"updated", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SideTable:
    """What tells when a side table was changed last.

    Args:
        name: of the table.
        changed: the latest moment that the server or the table itself tells, in nanoseconds since
            1970; None if neither does.
        after_rows: whether a row of it was written by a later transaction than the window's rows; None
            if there are none to compare with.
    """

    name: str
    changed: int | None
    after_rows: bool | None


@dataclass
class PostgresWindow:
    """One snapshot of a tenant's schema.

    Args:
        connection: of `postgres_rows.snapshot`.
        schema: the tenant's.
        window: whose rows are wanted.
    """

    connection: psycopg2.extensions.connection
    schema: str
    window: Window
    _oldest_age: int | None = None
    """How many transactions have begun since the one that wrote the oldest row that was read."""

    def rows(self, spec: RowSetSpec) -> WindowRows:
        """The rows of a published table; `written` is their earliest moment of commit, if it is kept.

        Raises:
            InputUnreadable: if there is no such table.
            RowSetInvalid: if it is not as specified.
        """
        on = f"table {self.schema}.{spec.table}"
        found = columns_of(self.connection, self.schema, spec.table)
        if not found:
            raise InputUnreadable("no such table", on=on, hint="check database, schema and rights")
        columns = [
            column
            for column in columns_to_read(spec)
            if column.role is not Role.LEFT_OUT or column.name in found
        ]
        wanted = pa.schema([(column.name, column.type.arrow) for column in columns])
        if faults := unfit_columns(wanted, found):
            raise RowSetInvalid("; ".join(faults), on=on)
        asked = condition_sql(spec.asked(self.window))
        ours = condition_sql(spec.read_back)
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FILTER (WHERE ({ours.text}) IS NOT TRUE),"  # noqa: S608 - names quoted
                f" max(age(xmin)) FILTER (WHERE {ours.text}),"
                f" min({self._committed()}) FILTER (WHERE {ours.text})"
                f" FROM {POSTGRES.identifier(self.schema, spec.table)} WHERE {asked.text}",
                (*ours.values, *ours.values, *ours.values, *asked.values),
            )
            left_aside, age, committed = cursor.fetchone() or (0, None, None)
        if age is not None:
            self._oldest_age = max(age, self._oldest_age or 0)
        table = read_rows(self.connection, self.schema, spec.table, wanted, asked & ours)
        return WindowRows(table, left_aside, _nanoseconds(committed))

    def stamp(self, stamp: RunStamp) -> int | None:
        """The moment that production noted, in nanoseconds since 1970; None if it noted none."""
        if stamp.column not in columns_of(self.connection, self.schema, stamp.table):
            return None
        rows = condition_sql(stamp.rows)
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"SELECT min({POSTGRES.identifier(stamp.column)})"  # noqa: S608 - names quoted
                f" FROM {POSTGRES.identifier(self.schema, stamp.table)} WHERE {rows.text}",
                rows.values,
            )
            (moment,) = cursor.fetchone() or (None,)
        return _nanoseconds(moment)

    def side_tables(self, names: Iterable[str]) -> list[SideTable]:
        """Those that lie in the schema; to be asked after the rows."""
        return [
            self._side_table(name, found)
            for name in names
            if (found := columns_of(self.connection, self.schema, name))
        ]

    def _side_table(self, name: str, found: Mapping[str, str]) -> SideTable:
        moments = [self._committed()]
        if not self._commits_are_dated():
            moments = [POSTGRES.identifier(column) for column in _updated_columns(found)]
        latest = ", ".join(f"max({moment})" for moment in moments)
        with self.connection.cursor() as cursor:
            cursor.execute(
                # Ages below zero are those of rows that have outlived the counter.
                "SELECT bool_or(age(xmin) >= 0 AND age(xmin) < %s),"  # noqa: S608 - names quoted
                f" {f'greatest({latest})' if latest else 'NULL'}"
                f" FROM {POSTGRES.identifier(self.schema, name)}",
                (self._oldest_age,),
            )
            after, changed = cursor.fetchone() or (None, None)
        after_rows = None if self._oldest_age is None else bool(after)
        return SideTable(name, _nanoseconds(changed), after_rows)

    def _commits_are_dated(self) -> bool:
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('track_commit_timestamp')::boolean")
            (dated,) = cursor.fetchone() or (False,)
        return bool(dated)

    def _committed(self) -> str:
        """SQL for the moment when a row's transaction committed; NULL where nobody keeps it."""
        if self._commits_are_dated():
            return "pg_xact_commit_timestamp(xmin)"
        return "CAST(NULL AS timestamptz)"


def _updated_columns(found: Mapping[str, str]) -> Sequence[str]:
    return [
        name
        for name, type_ in found.items()
        if type_.startswith("timestamp") and _UPDATED.search(name)
    ]


def _nanoseconds(moment: dt.datetime | None) -> int | None:
    """A moment of PostgreSQL; one without a zone is UTC, as production writes it."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    whole = aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (whole // dt.timedelta(microseconds=1)) * 1000
