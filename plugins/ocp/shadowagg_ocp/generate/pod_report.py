"""The pod report, hour by hour, and the daily roll-up of each upload.

The daily table is really rolled up from the hourly rows, upload by upload, as the ingestion does
(`inputs.md` 1.5), so that both tables tell of the same usage.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute

from shadowagg_ocp.generate.cluster import ClusterModel
from shadowagg_ocp.generate.columns import at_midnight, report_period
from shadowagg_ocp.generate.draw import stream, uniform
from shadowagg_ocp.generate.labels import pod_label_texts
from shadowagg_ocp.generate.pods import Pod, make_jobs, pod_columns
from shadowagg_ocp.generate.shape import Day, Shape

__all__ = ["EFFECTIVE", "PodReport"]

pc: Any = pyarrow.compute  # its stubs know no Python numbers as operands

_LINES_PER_FILE = 200_000
"""Source lines after which the ingestion begins a new file (`inputs.md` 1.1)."""

_MEASURES = (
    "pod_usage_cpu_core_seconds",
    "pod_request_cpu_core_seconds",
    "pod_limit_cpu_core_seconds",
    "pod_usage_memory_byte_seconds",
    "pod_request_memory_byte_seconds",
    "pod_limit_memory_byte_seconds",
    "node_capacity_cpu_core_seconds",
    "node_capacity_memory_byte_seconds",
    "pod_effective_usage_cpu_core_seconds",
    "pod_effective_usage_memory_byte_seconds",
)
_GREATEST = ("node_capacity_cpu_cores", "node_capacity_memory_bytes")
EFFECTIVE = _MEASURES[-2:]
"""Columns that files of older operators lack."""


@dataclass
class PodReport:
    """The pod report of a month, as files of the hourly and of the daily table.

    Args:
        shape: of the month.
        cluster: of the month.
        pods: those that last.
    """

    shape: Shape
    cluster: ClusterModel
    pods: tuple[Pod, ...]
    _lasting: pa.Table = field(init=False, repr=False)
    _labels: pa.Array[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._lasting = pod_columns(self.pods)
        draw = stream(self.shape.seed, "pod labels")
        self._labels = pa.array(pod_label_texts(draw, self.shape.label_texts), pa.string())

    def hourly(self) -> Iterator[pa.Table]:
        """One table per file: a row per pod and hour, in order of time."""
        for _, _, rows in self._files():
            yield rows.drop_columns(["line"])

    def daily(self) -> Iterator[pa.Table]:
        """One table per file: the roll-up of the hourly file in the same place."""
        for day, lines, rows in self._files():
            yield self._roll_up(day, lines, rows)

    def _files(self) -> Iterator[tuple[Day, pa.Table, pa.Table]]:
        for day in self.shape.days:
            pods = self._pods_of(day)
            for number, hours in enumerate(day.uploads):
                size = max(_LINES_PER_FILE // len(hours), 1)
                for start in range(0, pods.num_rows, size):
                    lines = pods.slice(start, size)
                    rows = self._hours(day, number, hours, start, lines)
                    if rows.num_rows:
                        yield day, lines, rows

    def _pods_of(self, day: Day) -> pa.Table:
        lasting = self._lasting.slice(0, max(round(len(self.pods) * day.share), 8))
        pods = pa.concat_tables(
            [lasting, pod_columns(list(make_jobs(self.shape, self.cluster, day)))]
        )
        # the order of the daily table (`inputs.md` 1.2); indices lie in the order of the names
        keys: Any = [(name, "ascending") for name in ("namespace", "node", "pod")]
        return pods.sort_by(keys).combine_chunks()

    def _hours(
        self, day: Day, upload: int, hours: Sequence[int], start: int, lines: pa.Table
    ) -> pa.Table:
        """The hourly rows of some pods in one upload, and the line each is of."""
        chosen, at = [], []
        for hour in hours:
            present = pc.indices_nonzero(self._present(day, hour, lines))
            chosen.append(present.cast(pa.int64()))
            at.append(pa.repeat(pa.scalar(hour, pa.int64()), len(present)))
        line, hour_of = pa.concat_arrays(chosen), pa.concat_arrays(at)
        rows = lines.take(line)
        seconds = pc.subtract(
            3600.0,
            pc.if_else(pc.equal(rows["first"], hour_of), rows["late"], 0.0),
        )
        name = (day.date, upload, start)
        cpu = self._measured(rows, seconds, "cores", 6, ("cpu", *name))
        memory = self._measured(rows, seconds, "bytes", 0, ("memory", *name))
        cores, capacity = self._capacities(day, rows, hour_of, line)
        midnight = dt.datetime.combine(day.date, dt.time.min, tzinfo=dt.UTC)
        begin = pc.add(pc.multiply(hour_of, 3_600_000), int(midnight.timestamp()) * 1000)
        machines = pa.array(
            [
                self.cluster.resource_id(node, day.number, upload)
                for node in range(len(self.cluster.nodes))
            ]
        )
        nodes = self.cluster.nodes
        return pa.table(
            {
                "line": line,
                **report_period(self.shape, len(line)),
                "interval_start": begin.cast(pa.timestamp("ms")),
                "interval_end": pc.add(begin, 3_599_000).cast(pa.timestamp("ms")),
                "pod": rows["pod"],
                "namespace": pa.array(self.cluster.namespaces).take(rows["namespace"]),
                "node": pa.array([node.name for node in nodes]).take(rows["node"]),
                "resource_id": machines.take(rows["node"]),
                "pod_usage_cpu_core_seconds": cpu[0],
                "pod_request_cpu_core_seconds": cpu[1],
                "pod_limit_cpu_core_seconds": cpu[2],
                "pod_usage_memory_byte_seconds": memory[0],
                "pod_request_memory_byte_seconds": memory[1],
                "pod_limit_memory_byte_seconds": memory[2],
                "node_capacity_cpu_cores": cores,
                "node_capacity_cpu_core_seconds": pc.multiply(cores, 3600.0),
                "node_capacity_memory_bytes": capacity,
                "node_capacity_memory_byte_seconds": pc.multiply(capacity, 3600.0),
                "node_role": pa.array([node.role for node in nodes]).take(rows["node"]),
                "pod_labels": self._labels.take(rows["labels"]),
                "pod_effective_usage_cpu_core_seconds": pc.max_element_wise(cpu[0], cpu[1]),
                "pod_effective_usage_memory_byte_seconds": pc.max_element_wise(
                    memory[0], memory[1]
                ),
            }
        )

    def _present(self, day: Day, hour: int, lines: pa.Table) -> pa.ChunkedArray[Any]:
        moment = 24 * day.number + hour
        present: pa.ChunkedArray[Any] = pc.and_(
            pc.and_(
                pc.less_equal(lines["from_hour"], moment), pc.greater(lines["to_hour"], moment)
            ),
            pc.and_(pc.less_equal(lines["first"], hour), pc.greater_equal(lines["last"], hour)),
        )
        if day.number == self.cluster.change_day and 3 <= hour <= 6:
            # one node's hours are missing while the others report
            present = pc.and_(present, pc.not_equal(lines["node"], self.cluster.node("infra-0")))
        return present

    def _measured(
        self,
        rows: pa.Table,
        seconds: pa.Array[Any],
        unit: str,
        digits: int,
        name: tuple[object, ...],
    ) -> tuple[pa.Array[Any], pa.Array[Any], pa.Array[Any]]:
        """Usage, request and limit; units: `unit` times seconds."""
        request = pc.multiply(rows[f"request_{unit}"], seconds)
        limit = pc.multiply(rows[f"limit_{unit}"], seconds)
        chance = uniform(rows.num_rows, self.shape.seed, *name)
        wanted = pc.multiply(pc.multiply(request, rows["load"]), pc.multiply(chance, 2.0))
        usage = pc.round(pc.min_element_wise(wanted, limit), digits)
        return usage, pc.round(request, digits), pc.round(limit, digits)

    def _capacities(
        self, day: Day, rows: pa.Table, hour: pa.Array[Any], line: pa.Array[Any]
    ) -> tuple[pa.Array[Any], pa.Array[Any]]:
        """Cores and bytes of each row's node; one node doubles at noon of one day.

        In the hour of that change half of its pods still report the old size.
        """
        nodes = self.cluster.nodes
        cores = pa.array([node.cores for node in nodes]).take(rows["node"])
        memory = pa.array([node.memory_bytes for node in nodes]).take(rows["node"])
        if day.number < self.cluster.change_day:
            return cores, memory
        grown = pc.equal(rows["node"], self.cluster.node("worker-4"))
        if day.number == self.cluster.change_day:
            old = pc.and_(pc.equal(hour, 12), pc.equal(pc.bit_wise_and(line, 1), 0))
            grown = pc.and_(grown, pc.and_(pc.greater_equal(hour, 12), pc.invert(old)))
        factor = pc.if_else(grown, 2.0, 1.0)
        return pc.multiply(cores, factor), pc.multiply(memory, factor)

    def _roll_up(self, day: Day, lines: pa.Table, rows: pa.Table) -> pa.Table:
        totals = (
            rows.group_by("line", use_threads=False)
            .aggregate(
                [
                    *((name, "sum") for name in _MEASURES),
                    *((name, "max") for name in _GREATEST),
                    *((name, "max") for name in ("resource_id", "node_role")),
                ]
            )
            .sort_by("line")
        )
        pods = lines.take(totals["line"])
        return pa.table(
            {
                "namespace": pa.array(self.cluster.namespaces).take(pods["namespace"]),
                "node": pa.array([n.name for n in self.cluster.nodes]).take(pods["node"]),
                "pod": pods["pod"],
                "pod_labels": self._labels.take(pods["labels"]),
                "interval_start": at_midnight(day.date, totals.num_rows),
                **report_period(self.shape, totals.num_rows),
                "resource_id": totals["resource_id_max"],
                **{name: totals[f"{name}_sum"] for name in _MEASURES},
                **{name: totals[f"{name}_max"] for name in _GREATEST},
                "node_role": totals["node_role_max"],
            }
        )
