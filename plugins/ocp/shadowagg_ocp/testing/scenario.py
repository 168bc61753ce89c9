"""An OpenShift scenario in memory: rows as plain values, so that a failing example can be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from shadowagg.provider import InputTable
from shadowagg.testing import Partition, write_scenario
from shadowagg.window import Cluster
from shadowagg_ocp import inputs as tables

__all__ = ["LakeFile", "OpenShiftScenario", "Row"]

Row = Mapping[str, Any]
"""Column -> value; times are naive datetimes, NULL is None."""

_ARROW = {
    "text": pa.string(),
    "uuid": pa.string(),
    "double": pa.float64(),
    "time": pa.timestamp("ms"),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One file of a lake table.

    Args:
        partition: where it lies.
        columns: those it has, in its order.
        rows: its rows, with those columns.
    """

    partition: Partition
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def table(self, of: InputTable) -> pa.Table:
        """The file as an Arrow table, in the types of the lake."""
        return _table(of, self.columns, self.rows)


@dataclass(frozen=True, slots=True)
class OpenShiftScenario:
    """A scenario in memory: one cluster, a window of a day or two.

    Args:
        start: first day.
        end: last day, included.
        cluster: the cluster.
        lake: table name -> its files; a table that does not exist is not named.
        side: side table name -> its rows; a table that does not exist is not named.
        schema: of the tenant.
    """

    start: dt.date
    end: dt.date
    cluster: Cluster
    lake: Mapping[str, tuple[LakeFile, ...]]
    side: Mapping[str, tuple[Row, ...]]
    schema: str = "org1234567"

    def rows(self, table: InputTable) -> tuple[Row, ...]:
        """The rows that a run reads: of the cluster's source and month; absent columns are None."""
        own = Partition(self.cluster.source_uuid, self.start.year, self.start.month)
        blank = dict.fromkeys(column.name for column in table.columns)
        return tuple(
            blank | dict(row)
            for file in self.lake.get(table.name, ())
            if file.partition == own
            for row in file.rows
        )

    def write(self, folder: Path) -> Path:
        """Write the scenario's folder.

        Args:
            folder: made if missing; must be empty.

        Returns:
            The folder.
        """
        named = {table.name: table for table in tables.INPUTS}
        return write_scenario(
            folder,
            name="ocp-small",
            provider="OCP",
            schema=self.schema,
            start=self.start,
            end=self.end,
            clusters=[self.cluster],
            lake={
                name: [(file.partition, file.table(named[name])) for file in found]
                for name, found in self.lake.items()
            },
            side={
                name: _table(named[name], [c.name for c in named[name].columns], rows)
                for name, rows in self.side.items()
            },
        )


def _table(of: InputTable, columns: Sequence[str], rows: Sequence[Row]) -> pa.Table:
    return pa.table(
        {
            name: pa.array([row[name] for row in rows], _ARROW[of.column(name).type])
            for name in columns
        }
    )
