"""Stage `unallocated`: what each node offered and no pod used (`ocp.md` 3.7)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import group, lookup, recode, single_chunk
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.candidate.cost_categories import categories
from shadowagg_ocp.candidate.row_layout import staging_layout

__all__ = ["unallocated"]

_NOT_USAGE = (
    "Platform unallocated",
    "Worker unallocated",
    "Network unattributed",
    "Storage unattributed",
)
_NAMESPACES = {
    "master": "Platform unallocated",
    "infra": "Platform unallocated",
    "worker": "Worker unallocated",
}
_LEFT_OVER = {
    "pod_usage_cpu_core_hours": "node_capacity_cpu_core_hours",
    "pod_request_cpu_core_hours": "node_capacity_cpu_core_hours",
    "pod_effective_usage_cpu_core_hours": "node_capacity_cpu_core_hours",
    "pod_usage_memory_gigabyte_hours": "node_capacity_memory_gigabyte_hours",
    "pod_request_memory_gigabyte_hours": "node_capacity_memory_gigabyte_hours",
    "pod_effective_usage_memory_gigabyte_hours": "node_capacity_memory_gigabyte_hours",
}
_LARGEST = (
    "node_capacity_cpu_cores",
    "node_capacity_cpu_core_hours",
    "node_capacity_memory_gigabytes",
    "node_capacity_memory_gigabyte_hours",
    "cluster_capacity_cpu_core_hours",
    "cluster_capacity_memory_gigabyte_hours",
)


def unallocated(context: Context) -> pa.Table:
    """Unallocated rows in the staging layout, from the pod rows of the same days."""
    pods = context.stages["pods"]
    names = ("usage_start", "namespace", "node", "resource_id", *_LEFT_OVER, *_LARGEST)
    namespace: pa.DictionaryArray = single_chunk(pods.column("namespace"))
    # A NULL namespace fails the test too (ocp.md 6.1-1).
    counted = pc.invert(pc.is_in(namespace.dictionary, value_set=pa.array(_NOT_USAGE)))
    used = pods.select(names).filter(pc.fill_null(counted.take(namespace.indices), False))
    used = pa.table({name: single_chunk(used.column(name)) for name in names})
    rows = group(
        used.append_column("role", _roles(context, used)),
        ("node", "usage_start"),
        {
            **dict.fromkeys(_LEFT_OVER, "sum"),
            **dict.fromkeys(_LARGEST, "max"),
            "resource_id": "max",
            "role": "max",
        },
    )
    column = {name: single_chunk(rows.column(name)) for name in rows.column_names}
    computed = {
        "usage_start": column["usage_start"],
        "node": column["node"],
        "resource_id": column["resource_id"],
        **{name: column[name] for name in _LARGEST},
        **{
            name: pc.subtract(column[capacity], column[name])
            for name, capacity in _LEFT_OVER.items()
        },
    }
    return _with_categories(context, computed, column["role"])


def _roles(context: Context, used: pa.Table) -> pa.DictionaryArray:
    """ROLE: the alphabetically last role of the inventory's rows of a node and resource id."""
    inventory = context.whole.memo("ocp roles", lambda: _inventory(context))
    node: pa.DictionaryArray = single_chunk(inventory.column("node"))
    resource: pa.DictionaryArray = single_chunk(inventory.column("resource_id"))
    role: pa.DictionaryArray = single_chunk(inventory.column("node_role"))
    rows = lookup(
        [
            recode(single_chunk(used.column("node")), node.dictionary),
            recode(single_chunk(used.column("resource_id")), resource.dictionary),
        ],
        [node.indices, resource.indices],
    )
    return pa.DictionaryArray.from_arrays(role.indices.take(rows), role.dictionary)


def _inventory(context: Context) -> pa.Table:
    nodes = context.source.side(tables.NODES)
    coded = pa.table(
        {name: single_chunk(nodes.column(name)).dictionary_encode() for name in nodes.column_names}
    )
    return group(coded, ("node", "resource_id"), {"node_role": "max"})


def _with_categories(
    context: Context, computed: dict[str, pa.Array], role: pa.DictionaryArray
) -> pa.Table:
    """`LEFT JOIN` of the patterns without grouping: k matching patterns give k rows."""
    names = pa.array([_NAMESPACES.get(text) for text in role.dictionary.to_pylist()], pa.string())
    namespace = names.take(role.indices)
    rows = pa.table({**computed, "namespace": namespace.dictionary_encode()})
    pieces = []
    for text in sorted({*names.to_pylist(), None}, key=str):
        mask = pc.is_null(namespace) if text is None else pc.equal(namespace, text)
        piece = rows.filter(pc.fill_null(mask, False))
        for category in categories(context).matching(text) or [None]:
            ids = pa.repeat(pa.scalar(category, pa.int32()), piece.num_rows)
            pieces.append(piece.append_column("cost_category_id", ids))
    table = pa.concat_tables(pieces)
    return staging_layout(
        context,
        {name: single_chunk(table.column(name)) for name in table.column_names},
        data_source="Pod",
        zero_cost=False,
    )
