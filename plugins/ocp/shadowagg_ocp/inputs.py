"""The lake and side tables that the OpenShift provider reads, column by column.

Sources: `ocp.md` 1.1 and 1.2 for what is read, `inputs.md` 1 and 2 for types and units.
"""

from __future__ import annotations

from shadowagg.provider import InputColumn, InputTable

__all__ = [
    "COST_CATEGORY_NAMESPACES",
    "ENABLED_TAG_KEYS",
    "INPUTS",
    "NAMESPACE_LABELS",
    "NODES",
    "NODE_LABELS",
    "PODS",
    "POD_HOURS",
    "STORAGE",
    "TAG_MAPPING",
]


def _text(*names: str) -> tuple[InputColumn, ...]:
    return tuple(InputColumn(name, "text") for name in names)


def _number(unit: str, *names: str) -> tuple[InputColumn, ...]:
    return tuple(InputColumn(name, "double", unit) for name in names)


_TIME = (InputColumn("interval_start", "time"),)

PODS = InputTable(
    name="openshift_pod_usage_line_items_daily",
    home="lake",
    location="data/parquet/daily/{account}/OCP/pod_usage",
    time="interval_start",
    columns=(
        *_TIME,
        *_text("namespace", "node", "pod", "resource_id", "pod_labels"),
        *_number(
            "core·s",
            "pod_usage_cpu_core_seconds",
            "pod_request_cpu_core_seconds",
            "pod_effective_usage_cpu_core_seconds",
            "pod_limit_cpu_core_seconds",
        ),
        *_number(
            "byte·s",
            "pod_usage_memory_byte_seconds",
            "pod_request_memory_byte_seconds",
            "pod_effective_usage_memory_byte_seconds",
            "pod_limit_memory_byte_seconds",
        ),
        *_number("core", "node_capacity_cpu_cores"),
        *_number("byte", "node_capacity_memory_bytes"),
    ),
)
"""P of `ocp.md` 1.1: one row per pod, label text and day, several where it came in several chunks."""

POD_HOURS = InputTable(
    name="openshift_pod_usage_line_items",
    home="lake",
    location="data/parquet/{account}/OCP/pod_usage",
    time="interval_start",
    columns=(
        *_TIME,
        *_text("node"),
        *_number("core·s", "node_capacity_cpu_core_seconds"),
        *_number("byte·s", "node_capacity_memory_byte_seconds"),
    ),
)
"""H of `ocp.md` 1.1: the hourly rows, read for the nodes' capacity only."""

STORAGE = InputTable(
    name="openshift_storage_usage_line_items_daily",
    home="lake",
    location="data/parquet/daily/{account}/OCP/storage_usage",
    required=False,
    time="interval_start",
    columns=(
        *_TIME,
        *_text(
            "namespace",
            "pod",
            "persistentvolumeclaim",
            "persistentvolume",
            "storageclass",
            "csi_volume_handle",
            "persistentvolume_labels",
            "persistentvolumeclaim_labels",
        ),
        *_number("byte", "persistentvolumeclaim_capacity_bytes"),
        *_number(
            "byte·s",
            "persistentvolumeclaim_capacity_byte_seconds",
            "volume_request_storage_byte_seconds",
            "persistentvolumeclaim_usage_byte_seconds",
        ),
    ),
)
"""S of `ocp.md` 1.1; a cluster without volumes has no such table."""

NODE_LABELS = InputTable(
    name="openshift_node_labels_line_items_daily",
    home="lake",
    location="data/parquet/daily/{account}/OCP/node_labels",
    time="interval_start",
    columns=(*_TIME, *_text("node", "node_labels")),
)
"""NL of `ocp.md` 1.1."""

NAMESPACE_LABELS = InputTable(
    name="openshift_namespace_labels_line_items_daily",
    home="lake",
    location="data/parquet/daily/{account}/OCP/namespace_labels",
    time="interval_start",
    columns=(*_TIME, *_text("namespace", "namespace_labels")),
)
"""NSL of `ocp.md` 1.1."""

ENABLED_TAG_KEYS = InputTable(
    name="reporting_enabledtagkeys",
    home="postgres",
    columns=(
        InputColumn("uuid", "uuid"),
        InputColumn("key", "text", stored="varchar(512)"),
        InputColumn("enabled", "boolean"),
        InputColumn("provider_type", "text", stored="varchar(50)"),
    ),
)

TAG_MAPPING = InputTable(
    name="reporting_tagmapping",
    home="postgres",
    columns=(InputColumn("parent_id", "uuid"), InputColumn("child_id", "uuid")),
    required=False,
)

COST_CATEGORY_NAMESPACES = InputTable(
    name="reporting_ocp_cost_category_namespace",
    home="postgres",
    columns=(*_text("namespace"), InputColumn("cost_category_id", "integer")),
)
"""CAT of `ocp.md` 3.5: patterns of LIKE; several may match one namespace."""

NODES = InputTable(
    name="reporting_ocp_nodes",
    home="postgres",
    columns=_text("node", "resource_id", "node_role"),
)
"""The inventory, of all clusters of the tenant (`ocp.md` 8.1-11)."""

INPUTS = (
    PODS,
    POD_HOURS,
    STORAGE,
    NODE_LABELS,
    NAMESPACE_LABELS,
    ENABLED_TAG_KEYS,
    TAG_MAPPING,
    COST_CATEGORY_NAMESPACES,
    NODES,
)
