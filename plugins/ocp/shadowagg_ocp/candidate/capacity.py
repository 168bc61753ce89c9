"""Capacity of nodes and of the cluster per day, from the hourly pod rows (`ocp.md` 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import Aggregates, append, group, lookup, recode, single_chunk
from shadowagg_ocp import inputs as tables

__all__ = ["Capacity", "capacity"]

_CPU = "node_capacity_cpu_core_seconds"
_MEMORY = "node_capacity_memory_byte_seconds"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the nodes offered.

    Args:
        nodes: NC: one row per `day` and `node`, with both sums in core·s and byte·s.
        cluster: CC: one row per `day`, over all nodes, those without a name included.
    """

    nodes: pa.Table
    cluster: pa.Table

    def of_nodes(self, days: pa.Array, nodes: pa.DictionaryArray) -> tuple[pa.Array, pa.Array]:
        """Core·s and byte·s of each row's node on its day; NULL where nothing was reported."""
        known: pa.DictionaryArray = single_chunk(self.nodes.column("node"))
        rows = lookup(
            [days, recode(nodes, known.dictionary)],
            [single_chunk(self.nodes.column("day")), recode(known, known.dictionary)],
        )
        return _taken(self.nodes, rows)

    def of_cluster(self, days: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Core·s and byte·s of the cluster on each row's day; NULL where nothing was reported."""
        return _taken(self.cluster, lookup([days], [single_chunk(self.cluster.column("day"))]))


def _taken(table: pa.Table, rows: pa.Array) -> tuple[pa.Array, pa.Array]:
    return (
        single_chunk(table.column(_CPU)).take(rows),
        single_chunk(table.column(_MEMORY)).take(rows),
    )


def capacity(context: Context) -> Capacity:
    """NC and CC of the sub-window's days; the hourly rows are read and reduced file by file."""
    return context.memo("ocp capacity", lambda: _capacity(context))


def _capacity(context: Context) -> Capacity:
    largest: Aggregates = {_CPU: "max", _MEMORY: "max"}
    hours = [
        # 3.3-1: an hour that is reported several times counts its largest value.
        group(batch, ("interval_start", "node"), largest)
        for batch in context.source.scan(
            tables.POD_HOURS,
            ("interval_start", "node", _CPU, _MEMORY),
            context.start,
            context.day_after,
        )
    ]
    if not hours:
        none = pa.table(
            {
                "day": pa.array([], pa.date32()),
                "node": pa.array([], pa.string()).dictionary_encode(),
                _CPU: pa.array([], pa.float64()),
                _MEMORY: pa.array([], pa.float64()),
            }
        )
        return Capacity(none, none.drop_columns("node"))
    hourly = (
        hours[0] if len(hours) == 1 else group(append(hours), ("interval_start", "node"), largest)
    )
    hourly = hourly.append_column(
        "day", pc.cast(hourly.column("interval_start"), pa.date32(), safe=False)
    )
    nodes = group(hourly, ("day", "node"), {_CPU: "sum", _MEMORY: "sum"})  # 3.3-2
    return Capacity(nodes, group(nodes, ("day",), {_CPU: "sum", _MEMORY: "sum"}))  # 3.3-3
