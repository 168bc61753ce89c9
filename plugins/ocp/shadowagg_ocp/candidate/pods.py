"""Stage `pods`: usage per day, namespace, node and label set (`ocp.md` 3.5)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import single_chunk
from shadowagg_ocp.candidate.capacity import capacity
from shadowagg_ocp.candidate.cost_categories import categories
from shadowagg_ocp.candidate.pod_rows import pod_rows
from shadowagg_ocp.candidate.row_layout import BYTES_TO_GIBIBYTES, staging_layout

__all__ = ["pods"]

_SECONDS_PER_HOUR = 3600.0

_HOURS = {
    "pod_usage_cpu_core_hours": "pod_usage_cpu_core_seconds",
    "pod_request_cpu_core_hours": "pod_request_cpu_core_seconds",
    "pod_effective_usage_cpu_core_hours": "pod_effective_usage_cpu_core_seconds",
    "pod_limit_cpu_core_hours": "pod_limit_cpu_core_seconds",
}
_GIGABYTE_HOURS = {
    "pod_usage_memory_gigabyte_hours": "pod_usage_memory_byte_seconds",
    "pod_request_memory_gigabyte_hours": "pod_request_memory_byte_seconds",
    "pod_effective_usage_memory_gigabyte_hours": "pod_effective_usage_memory_byte_seconds",
    "pod_limit_memory_gigabyte_hours": "pod_limit_memory_byte_seconds",
}


def pods(context: Context) -> pa.Table:
    """Pod rows in the staging layout."""
    rows = pod_rows(context).usage
    return staging_layout(context, _measures(context, rows), data_source="Pod", zero_cost=True)


def _measures(context: Context, rows: pa.Table) -> dict[str, pa.Array]:
    column = {name: single_chunk(rows.column(name)) for name in rows.column_names}
    offered = capacity(context)
    node_cpu, node_memory = offered.of_nodes(column["day"], column["node"])
    cluster_cpu, cluster_memory = offered.of_cluster(column["day"])
    return {
        "usage_start": column["day"],
        "namespace": column["namespace"],
        "node": column["node"],
        "resource_id": column["resource_id"],
        "pod_labels": column["pod_labels"],
        **{name: _hours(column[seconds]) for name, seconds in _HOURS.items()},
        **{name: _gigabyte_hours(column[seconds]) for name, seconds in _GIGABYTE_HOURS.items()},
        "node_capacity_cpu_cores": column["node_capacity_cpu_cores"],
        "node_capacity_cpu_core_hours": _hours(node_cpu),
        "node_capacity_memory_gigabytes": pc.multiply(
            column["node_capacity_memory_bytes"], BYTES_TO_GIBIBYTES
        ),
        "node_capacity_memory_gigabyte_hours": _gigabyte_hours(node_memory),
        "cluster_capacity_cpu_core_hours": _hours(cluster_cpu),
        "cluster_capacity_memory_gigabyte_hours": _gigabyte_hours(cluster_memory),
        "cost_category_id": categories(context).of(column["namespace"])[1],
    }


def _hours(seconds: pa.Array) -> pa.Array:
    return pc.divide(seconds, _SECONDS_PER_HOUR)


def _gigabyte_hours(byte_seconds: pa.Array) -> pa.Array:
    # In this order (ocp.md 6.3-2): only the division rounds.
    return pc.multiply(pc.divide(byte_seconds, _SECONDS_PER_HOUR), BYTES_TO_GIBIBYTES)
