"""Stage `storage`: volumes per day, namespace, machine, claim and label set (`ocp.md` 3.6)."""

from __future__ import annotations

import calendar

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import group, single_chunk, take_codes
from shadowagg_ocp.candidate.cost_categories import categories
from shadowagg_ocp.candidate.labels import label_sets, with_namespace_labels, with_node_labels
from shadowagg_ocp.candidate.placement import placement
from shadowagg_ocp.candidate.pod_rows import pod_rows
from shadowagg_ocp.candidate.row_layout import BYTES_TO_GIBIBYTES, staging_layout
from shadowagg_ocp.candidate.volume_rows import CAPACITY, VOLUME_SUMS, volume_rows

__all__ = ["storage"]

_SECONDS_PER_DAY = 86_400

_KEYS = (
    "namespace",
    "node",
    "resource_id",
    "persistentvolumeclaim",
    "persistentvolume",
    "storageclass",
    "csi_volume_handle",
    "day",
    "volume_labels",
)
_LAYERS = ("node_labels", "namespace_labels", "volume_labels", "claim_labels")
"""Lowest precedence first (`ocp.md` 3.6)."""

_GIGABYTE_MONTHS = {
    "persistentvolumeclaim_capacity_gigabyte_months": "persistentvolumeclaim_capacity_byte_seconds",
    "volume_request_storage_gigabyte_months": "volume_request_storage_byte_seconds",
    "persistentvolumeclaim_usage_gigabyte_months": "persistentvolumeclaim_usage_byte_seconds",
}
_NOT_DIVIDED = "persistentvolumeclaim_capacity_gigabyte_months"


def storage(context: Context) -> pa.Table:
    """Storage rows in the staging layout.

    As with pods, the rows are summed before anything is joined; joins that repeat a row multiply.
    """
    volumes = volume_rows(context).rows
    places = pod_rows(context).placements
    placed = placement(volumes, places)
    rows = placed.matches.spread_table(volumes.append_column("node_count", placed.node_count))
    rows = rows.append_column("times", placed.times)
    for name in ("node", "resource_id"):
        column = take_codes(single_chunk(places.column(name)), placed.matches.right)
        rows = rows.append_column(name, column)
    rows = with_namespace_labels(context, with_node_labels(context, rows))
    rows = _multiplied(context, rows)
    merged = label_sets(context).merge([single_chunk(rows.column(name)) for name in _LAYERS])
    at = rows.column_names.index("volume_labels")
    grouped = group(
        rows.set_column(at, "volume_labels", merged),
        _KEYS,
        {CAPACITY: "max", **dict.fromkeys(VOLUME_SUMS, "sum"), "node_count": "max"},
    )
    return staging_layout(
        context, _measures(context, grouped), data_source="Storage", zero_cost=True
    )


def _multiplied(context: Context, rows: pa.Table) -> pa.Table:
    """Repetitions by placements and by category patterns, as factors of the sums."""
    repeated, _ = categories(context).of(single_chunk(rows.column("namespace")))
    factor = pc.multiply(single_chunk(rows.column("times")), repeated)
    if (pc.max(factor).as_py() or 1) == 1:
        return rows
    for name in VOLUME_SUMS:
        at = rows.column_names.index(name)
        product = pc.multiply(rows.column(name), factor.cast(pa.float64()))
        rows = rows.set_column(at, name, product)
    return rows


def _measures(context: Context, rows: pa.Table) -> dict[str, pa.Array]:
    column = {name: single_chunk(rows.column(name)) for name in rows.column_names}
    node_count = column["node_count"].cast(pa.float64())
    # All days lie in the window's month (ocp.md 2), so one divisor serves.
    days = calendar.monthrange(context.start.year, context.start.month)[1]
    seconds = float(_SECONDS_PER_DAY * days)
    months = {}
    for name, byte_seconds in _GIGABYTE_MONTHS.items():
        total = column[byte_seconds]
        if name != _NOT_DIVIDED:
            total = pc.divide(total, node_count)  # NULL by NULL, infinite by 0 (ocp.md 8.1-9)
        months[name] = pc.multiply(pc.divide(total, seconds), BYTES_TO_GIBIBYTES)
    return {
        "usage_start": column["day"],
        **{name: column[name] for name in _KEYS if name != "day"},
        "persistentvolumeclaim_capacity_gigabyte": pc.multiply(
            column[CAPACITY], BYTES_TO_GIBIBYTES
        ),
        **months,
        "cost_category_id": categories(context).of(column["namespace"])[1],
    }
