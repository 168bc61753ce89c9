"""The row sets of the OpenShift provider: the staging table, the daily summary, and their parts.

Source: `ocp.md` 4 (columns, natural keys, deletes), 4.5 (staging).
"""

from __future__ import annotations

from dataclasses import replace

from shadowagg.condition import Condition, where
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    INTEGER,
    JSON,
    JSON_TEXT,
    STORED_DECIMAL,
    TEXT,
    UUID,
    WORKING_DOUBLE,
    Column,
    ColumnType,
    Role,
    RowKind,
    RowSetSpec,
    Tolerance,
    numeric,
    varchar,
)

__all__ = ["DAILY_SUMMARY", "MEASURES", "PODS", "STAGING", "STORAGE", "UNALLOCATED"]

_AMOUNT = numeric(33, 15)

_CPU = "node_capacity_cpu_core_hours"
_MEMORY = "node_capacity_memory_gigabyte_hours"

_LEFT_OVER_OF = {
    "pod_usage_cpu_core_hours": _CPU,
    "pod_request_cpu_core_hours": _CPU,
    "pod_effective_usage_cpu_core_hours": _CPU,
    "pod_usage_memory_gigabyte_hours": _MEMORY,
    "pod_request_memory_gigabyte_hours": _MEMORY,
    "pod_effective_usage_memory_gigabyte_hours": _MEMORY,
}
"""Measure -> the capacity that it is subtracted from in unallocated rows (`ocp.md` 3.7)."""

_POD_MEASURES = (
    "pod_usage_cpu_core_hours",
    "pod_request_cpu_core_hours",
    "pod_effective_usage_cpu_core_hours",
    "pod_limit_cpu_core_hours",
    "pod_usage_memory_gigabyte_hours",
    "pod_request_memory_gigabyte_hours",
    "pod_effective_usage_memory_gigabyte_hours",
    "pod_limit_memory_gigabyte_hours",
    "node_capacity_cpu_cores",
    "node_capacity_cpu_core_hours",
    "node_capacity_memory_gigabytes",
    "node_capacity_memory_gigabyte_hours",
    "cluster_capacity_cpu_core_hours",
    "cluster_capacity_memory_gigabyte_hours",
)
_VOLUME_MEASURES = (
    "persistentvolumeclaim_capacity_gigabyte",
    "persistentvolumeclaim_capacity_gigabyte_months",
    "volume_request_storage_gigabyte_months",
    "persistentvolumeclaim_usage_gigabyte_months",
)

MEASURES = (*_POD_MEASURES, *_VOLUME_MEASURES)
"""Every measure of both tables, in their order."""


def _measure(name: str, type_: ColumnType, tolerance: Tolerance, *, nan: bool = False) -> Column:
    by_kind = {}
    if name in _LEFT_OVER_OF:
        by_kind["unallocated"] = replace(
            tolerance,
            scale_column=_LEFT_OVER_OF[name],
            reason="capacity less a sum: the noise is that of the larger operand",
        )
    return Column(name, type_, Role.MEASURE, tolerance, by_kind, nan=nan)


def _kinds(*volume_key: str) -> tuple[RowKind, ...]:
    """The natural keys of `ocp.md` 4.2; unallocated rows are recognised before pod rows."""
    return (
        RowKind(
            "unallocated",
            ("source_uuid", "usage_start", "data_source", "node", "cost_category_id"),
            where(("data_source", "=", "Pod"), ("infrastructure_usage_cost", "is null")),
        ),
        RowKind(
            "pod",
            ("source_uuid", "usage_start", "data_source", "namespace", "node", "pod_labels"),
            where(("data_source", "=", "Pod")),
        ),
        RowKind(
            "storage",
            (
                *("source_uuid", "usage_start", "data_source", "namespace", "node", "resource_id"),
                *("persistentvolumeclaim", "persistentvolume", "storageclass"),
                *volume_key,
                "volume_labels",
            ),
            where(("data_source", "=", "Storage")),
        ),
    )


def _working(name: str) -> Column:
    return _measure(name, DOUBLE, WORKING_DOUBLE, nan=True)


STAGING = RowSetSpec(
    name="ocp:staging",
    table="reporting_ocpusagelineitem_daily_summary",
    home="hive",
    day="usage_start",
    group="namespace",
    source="source_uuid",
    deleted_by={"accessor": {"source": "source_uuid"}},
    partitions=("source", "year", "month", "day"),
    kinds=_kinds("csi_volume_handle"),
    columns=(
        Column("uuid", TEXT, Role.LEFT_OUT, reason="always NULL in the lake"),
        Column("report_period_id", INTEGER),
        Column("cluster_id", TEXT),
        Column("cluster_alias", TEXT),
        Column("data_source", TEXT),
        Column("usage_start", DATE),
        Column("usage_end", DATE),
        Column("namespace", TEXT),
        Column("node", TEXT),
        Column("resource_id", TEXT),
        Column("pod_labels", JSON_TEXT, Role.JSON),
        *(_working(name) for name in _POD_MEASURES),
        Column("persistentvolumeclaim", TEXT),
        Column("persistentvolume", TEXT),
        Column("storageclass", TEXT),
        Column("volume_labels", JSON_TEXT, Role.JSON),
        *(_working(name) for name in _VOLUME_MEASURES),
        Column("source_uuid", TEXT),
        Column("infrastructure_usage_cost", JSON_TEXT, Role.JSON),
        Column("csi_volume_handle", TEXT),
        Column("cost_category_id", INTEGER),
        Column("source", TEXT),
        Column("year", TEXT),
        Column("month", TEXT),
        Column("day", TEXT),
    ),
)
"""The lake table that the cloud steps read; partitioned by source, year, month, day (unpadded)."""

PODS = replace(STAGING, name="ocp:pods", table="pods", home="inner")
"""Pod rows before they are written (`ocp.md` 3.5)."""

STORAGE = replace(STAGING, name="ocp:storage", table="storage", home="inner")
"""Storage rows before they are written (`ocp.md` 3.6)."""

UNALLOCATED = replace(STAGING, name="ocp:unallocated", table="unallocated", home="inner")
"""Capacity less usage per node (`ocp.md` 3.7)."""


def _later(name: str, type_: ColumnType = _AMOUNT) -> Column:
    return Column(name, type_, Role.LEFT_OUT, reason="written by later steps, never by this one")


_FRESH: Condition = where(
    ("data_source", "in", ("Pod", "Storage")),
    ("infrastructure_raw_cost", "null or =", 0),
    ("cost_model_rate_type", "is null"),
    ("monthly_cost_type", "is null"),
)

DAILY_SUMMARY = RowSetSpec(
    name="ocp:daily_summary",
    table="reporting_ocpusagelineitem_daily_summary",
    home="postgres",
    day="usage_start",
    group="namespace",
    source="source_uuid",
    kinds=_kinds(),
    changed_later=True,
    # 4.4-1; production names the report period alone, which belongs to one cluster.
    deletes=where(("infrastructure_raw_cost", "null or =", 0)),
    deleted_by={
        "accessor": {
            "report_period_id": "cluster.report_period_id",
            "cluster_id": "cluster.cluster_id",
        }
    },
    read_back=_FRESH,
    columns=(
        Column("uuid", UUID, Role.LEFT_OUT, reason="random in every run", random_id=True),
        Column("cluster_id", varchar(50)),
        Column("cluster_alias", varchar(256)),
        Column("data_source", varchar(64)),
        Column("namespace", varchar(253)),
        Column("node", varchar(253)),
        Column("resource_id", varchar(253)),
        Column("usage_start", DATE, nullable=False),
        Column("usage_end", DATE, nullable=False),
        Column("pod_labels", JSON, Role.JSON),
        *(_measure(name, _AMOUNT, STORED_DECIMAL) for name in _POD_MEASURES),
        Column("persistentvolumeclaim", varchar(253)),
        Column("persistentvolume", varchar(253)),
        Column("storageclass", varchar(253)),
        Column("volume_labels", JSON, Role.JSON),
        *(_measure(name, _AMOUNT, STORED_DECIMAL) for name in _VOLUME_MEASURES),
        _later("infrastructure_raw_cost"),
        _later("infrastructure_project_raw_cost"),
        Column("infrastructure_usage_cost", JSON, Role.JSON),
        _later("infrastructure_markup_cost"),
        _later("infrastructure_project_markup_cost"),
        _later("infrastructure_monthly_cost"),
        _later("infrastructure_monthly_cost_json", JSON),
        _later("supplementary_usage_cost", JSON),
        _later("supplementary_monthly_cost"),
        _later("supplementary_monthly_cost_json", JSON),
        _later("infrastructure_project_monthly_cost", JSON),
        _later("supplementary_project_monthly_cost", JSON),
        _later("cost_model_cpu_cost"),
        _later("cost_model_memory_cost"),
        _later("cost_model_rate_type", TEXT),
        _later("cost_model_volume_cost"),
        _later("monthly_cost_type", TEXT),
        _later("distributed_cost"),
        _later("raw_currency", TEXT),
        Column("source_uuid", UUID),
        Column("report_period_id", INTEGER),
        Column("cost_category_id", INTEGER),
        Column("all_labels", JSON, Role.JSON),
        _later("infrastructure_data_in_gigabytes"),
        _later("infrastructure_data_out_gigabytes"),
        _later("cost_model_gpu_cost"),
    ),
)
"""The PostgreSQL table that the API reads, after tag mapping (`ocp.md` 3.8, 4, 5.9)."""
