"""The daily pod rows, read once per sub-window: usage per label set, and where pods with volumes ran."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import (
    Aggregates,
    append,
    constant,
    group,
    lookup,
    recode,
    single_chunk,
)
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.candidate.cost_categories import categories
from shadowagg_ocp.candidate.labels import label_sets, with_namespace_labels, with_node_labels
from shadowagg_ocp.candidate.volume_rows import volume_rows

__all__ = ["LARGEST", "SUMS", "PodRows", "pod_rows"]

_USAGE = (
    "pod_usage_cpu_core_seconds",
    "pod_request_cpu_core_seconds",
    "pod_effective_usage_cpu_core_seconds",
    "pod_limit_cpu_core_seconds",
    "pod_usage_memory_byte_seconds",
    "pod_request_memory_byte_seconds",
    "pod_effective_usage_memory_byte_seconds",
    "pod_limit_memory_byte_seconds",
)
_EFFECTIVE = {
    "pod_effective_usage_cpu_core_seconds": (
        "pod_usage_cpu_core_seconds",
        "pod_request_cpu_core_seconds",
    ),
    "pod_effective_usage_memory_byte_seconds": (
        "pod_usage_memory_byte_seconds",
        "pod_request_memory_byte_seconds",
    ),
}

SUMS: Aggregates = dict.fromkeys(_USAGE, "sum")
LARGEST: Aggregates = dict.fromkeys(
    ("resource_id", "node_capacity_cpu_cores", "node_capacity_memory_bytes"), "max"
)

_KEYS = ("day", "namespace", "node", "pod_labels")
_LAYERS = ("node_labels", "namespace_labels", "labels")
"""Lowest precedence first (`ocp.md` 3.5)."""

_PLACE = ("day", "namespace", "pod", "node", "resource_id")


@dataclass(frozen=True, slots=True)
class PodRows:
    """What both kinds of rows need of P.

    Args:
        usage: per `day`, `namespace`, `node` (named ones only) and `pod_labels` (merged): `SUMS` and
            `LARGEST`.
        placements: distinct `day`, `namespace`, `pod`, `node`, `resource_id` of pods that volumes name.
    """

    usage: pa.Table
    placements: pa.Table


def pod_rows(context: Context) -> PodRows:
    """P of the sub-window's days, reduced batch by batch before anything is joined to it."""
    return context.memo("ocp pod rows", lambda: _read(context))


def _read(context: Context) -> PodRows:
    with_volumes = context.source.exists(tables.STORAGE)
    names = ["interval_start", "namespace", "node", "resource_id", "pod_labels", *_USAGE]
    names += ["node_capacity_cpu_cores", "node_capacity_memory_bytes"]
    if with_volumes:
        names.append("pod")
    usage, placements = [], []
    for batch in context.source.scan(tables.PODS, names, context.start, context.day_after):
        day = single_chunk(batch.column("interval_start")).cast(pa.date32(), safe=False)
        rows = batch.set_column(0, "day", day)
        usage.append(_usage(context, rows))
        if with_volumes:
            placements.append(_placements(context, rows))
    aggregates: Aggregates = {**SUMS, **LARGEST}
    return PodRows(
        group(append(usage), _KEYS, aggregates) if len(usage) > 1 else (usage or [_no_usage()])[0],
        group(append(placements), _PLACE, {}) if placements else _no_placements(),
    )


def _usage(context: Context, rows: pa.Table) -> pa.Table:
    """3.5: node neither NULL nor '', effective usage filled, sums per pod label set."""
    node: pa.DictionaryArray = rows.column("node").chunk(0)
    named = pc.not_equal(node.dictionary, "").take(node.indices)
    if named.null_count or not pc.all(named, min_count=0).as_py():
        rows = pa.table(
            {name: single_chunk(rows.column(name).filter(named)) for name in rows.column_names}
        )
    for effective, (used, requested) in _EFFECTIVE.items():
        column = rows.column(effective)
        if column.null_count:
            # greatest() is NULL if either is NULL, and passes over NaN (6.1-3, engine facts).
            either = pc.max_element_wise(
                rows.column(used), rows.column(requested), skip_nulls=False
            )
            at = rows.column_names.index(effective)
            rows = rows.set_column(at, effective, pc.coalesce(column, either))
    labels = label_sets(context).codes(single_chunk(rows.column("pod_labels")))
    rows = rows.drop_columns("pod_labels").append_column("labels", labels)
    rows = with_namespace_labels(context, with_node_labels(context, rows))
    rows = _times_categories(context, rows)
    merged = label_sets(context).merge([single_chunk(rows.column(name)) for name in _LAYERS])
    return group(rows.append_column("pod_labels", merged), _KEYS, {**SUMS, **LARGEST})


def _times_categories(context: Context, rows: pa.Table) -> pa.Table:
    """`LEFT JOIN` of the category patterns: k matches repeat a row k times (`ocp.md` 8.1-2).

    They change no key, so the sums are multiplied instead.
    """
    times, _ = categories(context).of(single_chunk(rows.column("namespace")))
    if (pc.max(times).as_py() or 1) == 1:
        return rows
    factor = times.cast(pa.float64())
    for name in SUMS:
        at = rows.column_names.index(name)
        rows = rows.set_column(at, name, pc.multiply(rows.column(name), factor))
    return rows


def _placements(context: Context, rows: pa.Table) -> pa.Table:
    """3.4: the pods that a volume names, with their machines; nodes without a name take part."""
    mounted = volume_rows(context).mounts
    namespace: pa.DictionaryArray = rows.column("namespace").chunk(0)
    pod: pa.DictionaryArray = rows.column("pod").chunk(0)
    mounted_namespace: pa.DictionaryArray = single_chunk(mounted.column("namespace"))
    mounted_pod: pa.DictionaryArray = single_chunk(mounted.column("pod"))
    first = lookup(
        [
            recode(namespace, mounted_namespace.dictionary),
            recode(pod, mounted_pod.dictionary),
        ],
        [mounted_namespace.indices, mounted_pod.indices],
    )
    named = pc.is_valid(first)
    kept = pa.table({name: single_chunk(rows.column(name).filter(named)) for name in _PLACE})
    return group(kept, _PLACE, {})


def _no_usage() -> pa.Table:
    doubles = pa.array([], pa.float64())
    return pa.table(
        {
            "day": pa.array([], pa.date32()),
            "namespace": constant(None, 0),
            "node": constant(None, 0),
            "pod_labels": constant(None, 0),
            **dict.fromkeys(SUMS, doubles),
            **dict.fromkeys(LARGEST, doubles),
            "resource_id": constant(None, 0),
        }
    )


def _no_placements() -> pa.Table:
    return pa.table(
        {"day": pa.array([], pa.date32()), **{name: constant(None, 0) for name in _PLACE[1:]}}
    )
