"""Stage `pods`: usage per day, namespace, node and label set (`ocp.md` 3.5)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import group, match_all, recode, single_chunk
from shadowagg.candidate.label_sets import EMPTY
from shadowagg_ocp.candidate.capacity import capacity
from shadowagg_ocp.candidate.cost_categories import categories
from shadowagg_ocp.candidate.labels import label_sets, namespace_label_sets, node_label_sets
from shadowagg_ocp.candidate.pod_rows import LARGEST, SUMS, pod_rows
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
    """Pod rows in the staging layout.

    The pod rows are summed per label set first; joining label sets and categories to the sums and
    multiplying them is the same as joining to every row, and much less work.
    """
    usage = pod_rows(context).usage
    usage = _with_labels(context, usage, "node", node_label_sets(context))
    usage = _with_labels(context, usage, "namespace", namespace_label_sets(context))
    usage = _times_categories(context, usage)
    merged = label_sets(context).merge(
        [single_chunk(usage.column(name)) for name in ("node_labels", "namespace_labels", "labels")]
    )
    rows = group(
        usage.append_column("pod_labels", merged),
        ("day", "namespace", "node", "pod_labels"),
        {**SUMS, **LARGEST},
    )
    return staging_layout(context, _measures(context, rows), data_source="Pod", zero_cost=True)


def _with_labels(context: Context, usage: pa.Table, name: str, sets: pa.Table) -> pa.Table:
    """`LEFT JOIN` of the label sets of a node or namespace on its day; several repeat the row."""
    del context
    ours: pa.DictionaryArray = single_chunk(usage.column(name))
    theirs: pa.DictionaryArray = single_chunk(sets.column(name))
    matches = match_all(
        [single_chunk(usage.column("day")), recode(ours, theirs.dictionary)],
        [single_chunk(sets.column("day")), theirs.indices],
    )
    # coalesce(labels, {}): no row, and the row of a NULL map, are the empty set.
    labels = pc.fill_null(single_chunk(sets.column("labels")).take(matches.right), EMPTY)
    return matches.spread_table(usage).append_column(f"{name}_labels", labels)


def _times_categories(context: Context, usage: pa.Table) -> pa.Table:
    """`LEFT JOIN` of the category patterns: k matches repeat a row k times (`ocp.md` 8.1-2)."""
    times, _ = categories(context).of(single_chunk(usage.column("namespace")))
    if (pc.max(times).as_py() or 1) == 1:
        return usage
    factor = times.cast(pa.float64())
    for name in SUMS:
        at = usage.column_names.index(name)
        usage = usage.set_column(at, name, pc.multiply(usage.column(name), factor))
    return usage


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
