"""The daily storage rows of a sub-window, reduced to what their output needs (`ocp.md` 3.6)."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import (
    Aggregates,
    append,
    constant,
    group,
    single_chunk,
    without_nulls,
)
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.candidate.labels import label_sets

__all__ = ["CAPACITY", "VOLUME_SUMS", "VolumeRows", "volume_rows"]

CAPACITY = "persistentvolumeclaim_capacity_bytes"
VOLUME_SUMS = (
    "persistentvolumeclaim_capacity_byte_seconds",
    "volume_request_storage_byte_seconds",
    "persistentvolumeclaim_usage_byte_seconds",
)
_LABELS = {
    "volume_labels": "persistentvolume_labels",
    "claim_labels": "persistentvolumeclaim_labels",
}
_TEXTS = (
    "namespace",
    "pod",
    "persistentvolumeclaim",
    "persistentvolume",
    "storageclass",
    "csi_volume_handle",
)
_KEYS = ("day", *_TEXTS, *_LABELS)


@dataclass(frozen=True, slots=True)
class VolumeRows:
    """What placements and storage rows need of S.

    Args:
        rows: per day, names and label sets: sums (byte·s) and the largest capacity (byte).
        mounts: distinct `namespace` and `pod`, none NULL, of any day.
    """

    rows: pa.Table
    mounts: pa.Table


def volume_rows(context: Context) -> VolumeRows:
    """S of the sub-window's days, reduced batch by batch."""
    return context.memo("ocp volume rows", lambda: _read(context))


def _read(context: Context) -> VolumeRows:
    names = ("interval_start", *_TEXTS, *_LABELS.values(), CAPACITY, *VOLUME_SUMS)
    sets = label_sets(context)
    measures: Aggregates = {CAPACITY: "max", **dict.fromkeys(VOLUME_SUMS, "sum")}
    batches = []
    for batch in context.source.scan(tables.STORAGE, names, context.start, context.day_after):
        rows = batch.append_column(
            "day", single_chunk(batch.column("interval_start")).cast(pa.date32(), safe=False)
        )
        for name, texts in _LABELS.items():
            rows = rows.append_column(name, sets.codes(single_chunk(batch.column(texts))))
        batches.append(group(rows, _KEYS, measures))
    if not batches:
        rows = pa.table(
            {
                "day": pa.array([], pa.date32()),
                **{name: constant(None, 0) for name in _TEXTS},
                **{name: pa.array([], pa.int32()) for name in _LABELS},
                **{name: pa.array([], pa.float64()) for name in measures},
            }
        )
    else:
        rows = batches[0] if len(batches) == 1 else group(append(batches), _KEYS, measures)
    mounts = group(without_nulls(rows, "namespace", "pod"), ("namespace", "pod"), {})
    return VolumeRows(rows, mounts)
