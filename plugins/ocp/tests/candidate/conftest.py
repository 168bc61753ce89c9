"""A small cluster that each case changes in one place, and what the candidate makes of it.

Unless a case says otherwise: 2025-08-05, keys `app` and `env` enabled, node `n1` and namespace `ns1` with
one label row `{}` each, one pod row of 3600 core-seconds, 24 hours of a node of 4 cores (`ocp.md` 7).
"""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowagg.candidate.execute import Candidate
from shadowagg.inputs import Inputs
from shadowagg.paths import PathRequest
from shadowagg.rowset import RowSet
from shadowagg.window import Cluster, Window
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.provider import OCP

SOURCE = "1ae15590-741b-4a18-9d5d-6eb182ba1064"
DAY = dt.date(2025, 8, 5)
GIB = 2.0**30
ARROW = {
    "text": pa.string(),
    "uuid": pa.string(),
    "double": pa.float64(),
    "time": pa.timestamp("ms"),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
}


def at(day=DAY, hour=0):
    return dt.datetime(day.year, day.month, day.day) + dt.timedelta(hours=hour)  # noqa: DTZ001 - lake times are naive UTC


def pod(**changes):
    row = {
        "interval_start": at(),
        "namespace": "ns1",
        "node": "n1",
        "pod": "p1",
        "resource_id": "i-1",
        "pod_labels": "{}",
        "pod_usage_cpu_core_seconds": 3600.0,
        "pod_request_cpu_core_seconds": 0.0,
        "pod_effective_usage_cpu_core_seconds": 3600.0,
        "pod_limit_cpu_core_seconds": 0.0,
        "pod_usage_memory_byte_seconds": 0.0,
        "pod_request_memory_byte_seconds": 0.0,
        "pod_effective_usage_memory_byte_seconds": 0.0,
        "pod_limit_memory_byte_seconds": 0.0,
        "node_capacity_cpu_cores": 4.0,
        "node_capacity_memory_bytes": 16 * GIB,
    }
    return row | changes


def hour(hour_of_day, *, day=DAY, **changes):
    row = {
        "interval_start": at(day, hour_of_day),
        "node": "n1",
        "node_capacity_cpu_core_seconds": 14400.0,
        "node_capacity_memory_byte_seconds": 16 * GIB * 3600,
    }
    return row | changes


def volume(**changes):
    size = 10 * GIB
    row = {
        "interval_start": at(),
        "namespace": "ns1",
        "pod": "p1",
        "persistentvolumeclaim": "c1",
        "persistentvolume": "v1",
        "storageclass": "gp3",
        "csi_volume_handle": "vol-1",
        "persistentvolume_labels": "{}",
        "persistentvolumeclaim_labels": "{}",
        "persistentvolumeclaim_capacity_bytes": size,
        "persistentvolumeclaim_capacity_byte_seconds": size * 86400,
        "volume_request_storage_byte_seconds": size * 86400,
        "persistentvolumeclaim_usage_byte_seconds": size * 43200,
    }
    return row | changes


@dataclass
class Made:
    """The rows of every stage."""

    stages: dict[str, pa.Table]

    def rows(self, stage, *columns):
        """A stage's rows as dictionaries; as tuples of the columns, sorted, if some are named."""
        rows = self.stages[stage].to_pylist()
        if not columns:
            return rows
        return sorted((tuple(row[name] for name in columns) for row in rows), key=repr)

    def one(self, stage):
        (row,) = self.rows(stage)
        return row


@dataclass
class Case:
    """The inputs of one case; a list that is None stands for a table that does not exist."""

    folder: Path
    pods: list = field(default_factory=lambda: [pod()])
    hours: list = field(default_factory=lambda: [hour(n) for n in range(24)])
    node_labels: list = field(
        default_factory=lambda: [{"interval_start": at(), "node": "n1", "node_labels": "{}"}]
    )
    namespace_labels: list = field(
        default_factory=lambda: [
            {"interval_start": at(), "namespace": "ns1", "namespace_labels": "{}"}
        ]
    )
    volumes: list | None = None
    keys: tuple = (("app", True, "OCP"), ("env", True, "OCP"))
    mapping: tuple = ()
    categories: tuple = (
        ("openshift-%", 1),
        ("kube-%", 1),
        ("Platform unallocated", 1),
        ("openshift", 1),
    )
    inventory: tuple = (("n1", "i-1", "worker"),)
    start: dt.date = DAY
    end: dt.date = DAY
    cluster_alias: str | None = "willow"
    files: int = 1
    """Files that the rows of each lake table are spread over, with columns in turning order."""

    def labelled(self, *texts, node="n1"):
        """Label rows of a node on the day."""
        self.node_labels = [
            {"interval_start": at(), "node": node, "node_labels": text} for text in texts
        ]
        return self

    def namespace_labelled(self, *texts):
        """Label rows of namespace `ns1` on the day."""
        self.namespace_labels = [
            {"interval_start": at(), "namespace": "ns1", "namespace_labels": text} for text in texts
        ]
        return self

    def run(self, *, threads=2):
        """Write the inputs and run all stages; every row set is checked against its specification."""
        self._write(tables.PODS, self.pods)
        self._write(tables.POD_HOURS, self.hours)
        self._write(tables.NODE_LABELS, self.node_labels)
        self._write(tables.NAMESPACE_LABELS, self.namespace_labels)
        if self.volumes is not None:
            self._write(tables.STORAGE, self.volumes)
        numbered = {key: f"00000000-0000-0000-0000-{n:012d}" for n, key in enumerate(self.keys)}
        self._side(
            tables.ENABLED_TAG_KEYS,
            [
                {"uuid": uuid, "key": key[0], "enabled": key[1], "provider_type": key[2]}
                for key, uuid in numbered.items()
            ],
        )
        by_name = {(key[0], key[2]): uuid for key, uuid in numbered.items()}
        self._side(
            tables.TAG_MAPPING,
            [{"child_id": by_name[c], "parent_id": by_name[p]} for c, p in self.mapping],
        )
        self._side(
            tables.COST_CATEGORY_NAMESPACES,
            [{"namespace": pattern, "cost_category_id": n} for pattern, n in self.categories],
        )
        self._side(
            tables.NODES,
            [
                {"node": node, "resource_id": resource, "node_role": role}
                for node, resource, role in self.inventory
            ],
        )
        window = Window(
            schema="org1",
            provider="ocp",
            source_uuid=SOURCE,
            clusters=(Cluster(SOURCE, "cluster-1", self.cluster_alias, 7),),
            start=self.start,
            end=self.end,
        )
        inputs = Inputs(lake=f"{self.folder}/lake", side=f"{self.folder}/side")
        request = PathRequest(OCP, OCP.plan(window, inputs), inputs, threads=threads)
        specifications = {stage.name: stage.spec for stage in OCP.stages}
        return Made(
            {
                made.stage: RowSet.conform(specifications[made.stage], made.table).table
                for made in Candidate().run(request)
            }
        )

    def _write(self, table, rows):
        folder = self.folder / f"lake/{table.name}/source={SOURCE}/year=2025/month=08"
        if self.start.year != 2025 or self.start.month != 8:
            folder = folder.parents[1] / f"year={self.start:%Y}" / f"month={self.start:%m}"
        folder.mkdir(parents=True)
        for n in range(self.files):
            part = _table(table, rows[n :: self.files])
            turned = [*part.column_names[n:], *part.column_names[:n]]
            pq.write_table(part.select(turned), folder / f"{n}.parquet")

    def _side(self, table, rows):
        folder = self.folder / "side"
        folder.mkdir(exist_ok=True)
        pq.write_table(_table(table, rows), folder / f"{table.name}.parquet")


def _table(table, rows):
    return pa.table(
        {
            column.name: pa.array([row[column.name] for row in rows], ARROW[column.type])
            for column in table.columns
        }
    )


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


@pytest.fixture
def make_pod():
    return pod


@pytest.fixture
def make_hour():
    return hour


@pytest.fixture
def make_volume():
    return volume


@pytest.fixture
def midnight():
    return at


@pytest.fixture
def decimal():
    return Decimal
