"""A small OpenShift situation: the base of `ocp.md` 7, and whatever a case changes in it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from shadowagg.scenario import Scenario, load_scenario
from shadowagg.testing import Partition, write_scenario
from shadowagg.window import Cluster

Row = dict[str, Any]
"""A row by column name; `source` and `partition` say where its file lies and are not written."""

DAY = dt.date(2025, 8, 5)
GIB = 2**30
"""Bytes."""
SOURCE = "7d1f3c52-5f0e-4a5d-9c1b-2f6f5f0c8a01"
OTHER_SOURCE = "7d1f3c52-5f0e-4a5d-9c1b-2f6f5f0c8a02"
CLUSTER = Cluster(SOURCE, "cluster-1", "My cluster", 7)
PLATFORM = 1
"""Id of the cost category `Platform`."""
DEFAULT_PATTERNS = (
    ("openshift-%", PLATFORM),
    ("kube-%", PLATFORM),
    ("Platform unallocated", PLATFORM),
    ("openshift", PLATFORM),
)

P = "openshift_pod_usage_line_items_daily"
H = "openshift_pod_usage_line_items"
S = "openshift_storage_usage_line_items_daily"
NL = "openshift_node_labels_line_items_daily"
NSL = "openshift_namespace_labels_line_items_daily"

_KEYS = uuid.UUID("7d1f3c52-5f0e-4a5d-9c1b-2f6f5f0c8aff")
_MOMENT = pa.timestamp("ms")
_PERIOD = {"report_period_start": _MOMENT, "report_period_end": _MOMENT}
_TEXT = pa.string()
_NUMBER = pa.float64()

_POD_MEASURES = {
    "pod_usage_cpu_core_seconds": 3600.0,
    "pod_request_cpu_core_seconds": 7200.0,
    "pod_effective_usage_cpu_core_seconds": 9000.0,
    "pod_limit_cpu_core_seconds": 10800.0,
    "pod_usage_memory_byte_seconds": 3600.0 * GIB,
    "pod_request_memory_byte_seconds": 7200.0 * GIB,
    "pod_effective_usage_memory_byte_seconds": 9000.0 * GIB,
    "pod_limit_memory_byte_seconds": 10800.0 * GIB,
    "node_capacity_cpu_cores": 4.0,
    "node_capacity_cpu_core_seconds": 4.0 * 86400,
    "node_capacity_memory_bytes": 16.0 * GIB,
    "node_capacity_memory_byte_seconds": 16.0 * GIB * 86400,
}

SCHEMAS: Mapping[str, Mapping[str, pa.DataType]] = {
    P: {
        **dict.fromkeys(("namespace", "node", "pod", "pod_labels"), _TEXT),
        "interval_start": _MOMENT,
        **_PERIOD,
        "resource_id": _TEXT,
        **dict.fromkeys(_POD_MEASURES, _NUMBER),
        "node_role": _TEXT,
    },
    H: {
        **_PERIOD,
        "interval_start": _MOMENT,
        "interval_end": _MOMENT,
        **dict.fromkeys(("pod", "namespace", "node", "resource_id"), _TEXT),
        **dict.fromkeys(_POD_MEASURES, _NUMBER),
        **dict.fromkeys(("pod_labels", "node_role"), _TEXT),
    },
    S: {
        **dict.fromkeys(
            (
                *("namespace", "node", "pod", "persistentvolumeclaim", "persistentvolume"),
                *("storageclass", "csi_driver", "csi_volume_handle"),
                *("persistentvolume_labels", "persistentvolumeclaim_labels"),
            ),
            _TEXT,
        ),
        "interval_start": _MOMENT,
        **_PERIOD,
        **dict.fromkeys(
            (
                "persistentvolumeclaim_capacity_bytes",
                "persistentvolumeclaim_capacity_byte_seconds",
                "volume_request_storage_byte_seconds",
                "persistentvolumeclaim_usage_byte_seconds",
            ),
            _NUMBER,
        ),
    },
    NL: {"node": _TEXT, "node_labels": _TEXT, "interval_start": _MOMENT, **_PERIOD},
    NSL: {"namespace": _TEXT, "namespace_labels": _TEXT, "interval_start": _MOMENT, **_PERIOD},
}
"""Columns and types of the lake files, in the order in which the ingestion writes them."""


# --- rows ------------------------------------------------------------------------------------


def moment(day: dt.date, hour: int = 0) -> dt.datetime:
    """A time of the lake: UTC, written without a zone."""
    return dt.datetime.combine(day, dt.time(hour))


def _row(table: str, defaults: Row, changes: Row) -> Row:
    where: Row = {name: changes.pop(name) for name in ("source", "partition") if name in changes}
    day = changes.pop("day", DAY)
    first = day.replace(day=1)
    row: Row = {
        "interval_start": moment(day),
        "report_period_start": moment(first),
        "report_period_end": moment((first + dt.timedelta(days=31)).replace(day=1)),
        **defaults,
        **changes,
    }
    unknown = set(row) - set(SCHEMAS[table])
    if unknown:
        raise KeyError(f"{table} has no columns {sorted(unknown)}")
    # Labels arrive as JSON in Python's default style (`inputs.md` 1.4).
    plain = {name: json.dumps(v) if isinstance(v, dict) else v for name, v in row.items()}
    return {**dict.fromkeys(SCHEMAS[table]), **plain, **where}


def pod(**changes: Any) -> Row:
    """A row of P: pod p1 of ns1 on n1; usage, request, effective usage, limit are 1, 2, 2.5, 3 h.

    Args:
        changes: columns, and `day`, `source`, `partition`; labels as dict (made JSON), text or None.
    """
    defaults: Row = {
        "namespace": "ns1",
        "node": "n1",
        "pod": "p1",
        "pod_labels": {},
        "resource_id": "i-1",
        "node_role": "worker",
        **_POD_MEASURES,
    }
    return _row(P, defaults, changes)


def volume(*, gib: float = 10.0, **changes: Any) -> Row:
    """A row of S: claim `claim` on volume `pv-1`, mounted by p1 of ns1 for a whole day.

    Args:
        gib: capacity, request and usage, in GiB.
        changes: as for `pod`.
    """
    defaults: Row = {
        "namespace": "ns1",
        "node": "n1",
        "pod": "p1",
        "persistentvolumeclaim": "claim",
        "persistentvolume": "pv-1",
        "storageclass": "gp3-csi",
        "csi_driver": "ebs.csi.aws.com",
        "csi_volume_handle": "vol-1",
        "persistentvolume_labels": {},
        "persistentvolumeclaim_labels": {},
        "persistentvolumeclaim_capacity_bytes": gib * GIB,
        "persistentvolumeclaim_capacity_byte_seconds": gib * GIB * 86400,
        "volume_request_storage_byte_seconds": gib * GIB * 86400,
        "persistentvolumeclaim_usage_byte_seconds": gib * GIB * 86400,
    }
    return _row(S, defaults, changes)


def hours(
    node: str | None = "n1",
    *,
    count: int = 24,
    cores: float | None = 4.0,
    gib: float | None = 16.0,
    day: dt.date = DAY,
    **changes: Any,
) -> tuple[Row, ...]:
    """Rows of H: one for each of the first `count` hours of a day.

    Args:
        node: whose.
        count: how many.
        cores: of the node; None for a capacity that is NULL.
        gib: memory of the node, in GiB; None for NULL.
        day: the day.
        changes: as for `pod`.
    """
    rows = []
    for hour in range(count):
        start = moment(day, hour)
        defaults: Row = {
            "interval_start": start,
            "interval_end": start + dt.timedelta(minutes=59, seconds=59),
            "pod": "p1",
            "namespace": "ns1",
            "node": node,
            "resource_id": "i-1",
            "pod_labels": {},
            "node_role": "worker",
            **dict.fromkeys(_POD_MEASURES, 0.0),
            "node_capacity_cpu_cores": cores,
            "node_capacity_cpu_core_seconds": None if cores is None else cores * 3600,
            "node_capacity_memory_bytes": None if gib is None else gib * GIB,
            "node_capacity_memory_byte_seconds": None if gib is None else gib * GIB * 3600,
        }
        rows.append(_row(H, defaults, {"day": day, **changes}))
    return tuple(rows)


def node_labels(
    labels: dict[str, Any] | str | None, node: str | None = "n1", **changes: Any
) -> Row:
    """A row of NL."""
    return _row(NL, {"node": node, "node_labels": labels}, changes)


def namespace_labels(
    labels: dict[str, Any] | str | None, namespace: str | None = "ns1", **changes: Any
) -> Row:
    """A row of NSL."""
    return _row(NSL, {"namespace": namespace, "namespace_labels": labels}, changes)


def _place(row: Row) -> tuple[str, tuple[int, int]]:
    """Source, and year with month, of the partition in which a row lies."""
    moment = row["interval_start"]
    return row.get("source", SOURCE), row.get("partition", (moment.year, moment.month))


# --- the situation ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TagKey:
    """A row of `reporting_enabledtagkeys`."""

    key: str
    enabled: bool = True
    provider_type: str = "OCP"

    @property
    def uuid(self) -> str:
        """Its id: the same in every run."""
        return str(uuid.uuid5(_KEYS, f"{self.provider_type}/{self.key}"))


Reshape = Callable[[pa.Table], Iterable[pa.Table]]


@dataclass(frozen=True)
class Situation:
    """Inputs of one window. Without arguments it is the base situation of `ocp.md` 7.

    Args:
        start: first day of the window.
        end: last day, included.
        pods: rows of P.
        hours: rows of H.
        storage: rows of S; the table does not exist where there are none (`ocp.md` 2).
        node_labels: rows of NL.
        namespace_labels: rows of NSL.
        keys: tag keys, enabled and not.
        patterns: (LIKE pattern, cost category id).
        inventory: (node, resource id, role) of `reporting_ocp_nodes`.
        mapping: (child, parent) tag keys.
        cluster: what the parameters are taken from.
        reshape: lake table -> what becomes of each of its files before it is written.
        without: tables that do not exist, lake or side.
    """

    start: dt.date = DAY
    end: dt.date = DAY
    pods: Sequence[Row] = field(default_factory=lambda: (pod(),))
    hours: Sequence[Row] = field(default_factory=hours)
    storage: Sequence[Row] = ()
    node_labels: Sequence[Row] = field(default_factory=lambda: (node_labels({}),))
    namespace_labels: Sequence[Row] = field(default_factory=lambda: (namespace_labels({}),))
    keys: Sequence[TagKey] = (TagKey("app"), TagKey("env"))
    patterns: Sequence[tuple[str, int]] = DEFAULT_PATTERNS
    inventory: Sequence[tuple[str | None, str | None, str | None]] = (("n1", "i-1", "worker"),)
    mapping: Sequence[tuple[TagKey, TagKey]] = ()
    cluster: Cluster = CLUSTER
    reshape: Mapping[str, Reshape] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    @property
    def first_day_with_data(self) -> dt.date | None:
        """The day of the earliest row of P in the window (`ocp.md` 3.0-1); None without any."""
        own = (self.cluster.source_uuid, (self.start.year, self.start.month))
        days = [row["interval_start"].date() for row in self.pods if _place(row) == own]
        return min((day for day in days if self.start <= day <= self.end), default=None)

    def write(self, folder: Path) -> Scenario:
        """Write the scenario folder, and read it as a run would."""
        write_scenario(
            folder,
            name=folder.name,
            provider="OCP",
            schema="org1234567",
            start=self.start,
            end=self.end,
            clusters=(self.cluster,),
            lake={name: files for name, files in self._lake().items() if name not in self.without},
            side={name: table for name, table in self._side().items() if name not in self.without},
        )
        return load_scenario(folder)

    def _lake(self) -> dict[str, list[tuple[Partition, pa.Table]]]:
        tables = {
            P: self.pods,
            H: self.hours,
            S: self.storage,
            NL: self.node_labels,
            NSL: self.namespace_labels,
        }
        return {name: list(self._files(name, rows)) for name, rows in tables.items()}

    def _files(self, name: str, rows: Sequence[Row]) -> Iterable[tuple[Partition, pa.Table]]:
        places: dict[Partition, list[Row]] = defaultdict(list)
        for row in rows:
            source, (year, month) = _place(row)
            places[Partition(source, year, month)].append(row)
        reshape = self.reshape.get(name, lambda table: (table,))
        for partition, members in places.items():
            whole = pa.table(
                {
                    column: pa.array([row[column] for row in members], type_)
                    for column, type_ in SCHEMAS[name].items()
                }
            )
            for table in reshape(whole):
                yield partition, table

    def _side(self) -> dict[str, pa.Table]:
        return {
            "reporting_enabledtagkeys": pa.table(
                {
                    "uuid": pa.array([key.uuid for key in self.keys], _TEXT),
                    "key": pa.array([key.key for key in self.keys], _TEXT),
                    "enabled": pa.array([key.enabled for key in self.keys], pa.bool_()),
                    "provider_type": pa.array([key.provider_type for key in self.keys], _TEXT),
                }
            ),
            "reporting_tagmapping": pa.table(
                {
                    "id": pa.array(range(len(self.mapping)), pa.int32()),
                    "child_id": pa.array([child.uuid for child, _ in self.mapping], _TEXT),
                    "parent_id": pa.array([parent.uuid for _, parent in self.mapping], _TEXT),
                }
            ),
            "reporting_ocp_cost_category_namespace": pa.table(
                {
                    "id": pa.array(range(len(self.patterns)), pa.int32()),
                    "namespace": pa.array([pattern for pattern, _ in self.patterns], _TEXT),
                    "system_default": pa.array(
                        [pair in DEFAULT_PATTERNS for pair in self.patterns], pa.bool_()
                    ),
                    "cost_category_id": pa.array([id_ for _, id_ in self.patterns], pa.int32()),
                }
            ),
            "reporting_ocp_nodes": pa.table(
                {
                    "node": pa.array([node for node, _, _ in self.inventory], _TEXT),
                    "resource_id": pa.array([id_ for _, id_, _ in self.inventory], _TEXT),
                    "node_role": pa.array([role for _, _, role in self.inventory], _TEXT),
                    "architecture": pa.array(["amd64"] * len(self.inventory), _TEXT),
                }
            ),
        }
