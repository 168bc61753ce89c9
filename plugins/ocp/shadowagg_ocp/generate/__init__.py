"""OpenShift months of any size, made from a seed: the same seed gives the same bytes.

The shapes are those of `inputs.md` 7: labels that conflict on every level, pods without a node,
volumes shared and pending, hours and a day without data, machines that are replaced. The lake tables
are in the exact form of `inputs.md` 1 and 2; of the hourly tables the one that is read is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pyarrow as pa

from shadowagg.testing import Partition, write_scenario
from shadowagg.window import Cluster
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.generate.cluster import make_cluster
from shadowagg_ocp.generate.draw import stream, uuid_text
from shadowagg_ocp.generate.label_reports import namespace_labels, node_labels
from shadowagg_ocp.generate.pod_report import EFFECTIVE, PodReport
from shadowagg_ocp.generate.pods import make_pods
from shadowagg_ocp.generate.shape import Shape, make_shape
from shadowagg_ocp.generate.side import side_tables
from shadowagg_ocp.generate.storage import StorageReport, make_mounts

__all__ = ["generate"]


def generate(folder: Path, *, seed: int, rows: int, days: int) -> None:
    """Write a scenario folder with one OpenShift cluster.

    Memory is bounded by one day; a million rows take about ten seconds.

    Args:
        folder: made if missing; must be empty.
        seed: picks month, names, numbers; the same seed, rows and days give the same bytes.
        rows: wanted rows of the daily pod table, met within some per cent; never fewer than about
            140 a day, which show every shape.
        days: days of the window, 1 to 31; 28 and 29 give a whole February.

    Raises:
        UserError: for a size that makes no month.
    """
    shape = make_shape(seed=seed, rows=rows, days=days)
    model = make_cluster(shape)
    pods = make_pods(shape, model)
    report = PodReport(shape, model, pods)
    address = _address(seed)
    partition = Partition(address.source_uuid, shape.start.year, shape.start.month)

    def files(name: str, made: Iterable[pa.Table]) -> Iterator[tuple[Partition, pa.Table]]:
        return ((partition, table) for table in _as_uploaded(shape, name, made))

    write_scenario(
        folder,
        name=f"ocp-generated-{seed}-{rows}-{days}",
        provider="OCP",
        schema=f"org{1_000_000 + seed % 9_000_000}",
        start=shape.start,
        end=shape.end,
        clusters=[address],
        lake={
            tables.PODS.name: files("pods daily", report.daily()),
            tables.POD_HOURS.name: files("pods hourly", report.hourly()),
            tables.STORAGE.name: files(
                "storage", StorageReport(shape, make_mounts(shape, model, pods)).daily()
            ),
            tables.NODE_LABELS.name: files("node labels", node_labels(shape, model)),
            tables.NAMESPACE_LABELS.name: files("namespace labels", namespace_labels(shape, model)),
        },
        side=side_tables(shape, model, address),
        document={
            "description": f"Generated: seed {seed}, about {rows} rows over {days} days",
            "seed": seed,
            "ocp_source_uuid": address.source_uuid,
            "cloud_source_uuid": None,
            "cluster_id": address.cluster_id,
            "cluster_alias": address.cluster_alias,
            "report_period_id": address.report_period_id,
        },
    )


def _address(seed: int) -> Cluster:
    draw = stream(seed, "address")
    return Cluster(
        source_uuid=uuid_text(draw),
        cluster_id=uuid_text(draw),
        cluster_alias=f"generated cluster {seed}",
        report_period_id=draw.randrange(1, 1000),
    )


def _as_uploaded(shape: Shape, name: str, made: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Files as operators of several ages send them: columns missing, and in another order."""
    draw = stream(shape.seed, "columns", name)
    for number, table in enumerate(made):
        yield _shuffled(_of_older_operator(table, number, name), draw)


def _of_older_operator(table: pa.Table, number: int, name: str) -> pa.Table:
    # never the first file: a column that no file has is refused by production
    if name.startswith("pods") and number % 7 == 3:
        return table.drop_columns(list(EFFECTIVE))
    if name == "pods hourly" and number % 7 == 5:
        return table.drop_columns(["node_role"])
    if name == "pods daily" and number % 7 == 5:
        # what the ingestion adds in its place has another text type (`inputs.md` 1.2)
        place = table.column_names.index("node_role")
        return table.set_column(place, "node_role", pa.nulls(table.num_rows, pa.large_string()))
    if name == "storage" and number % 6 == 2:
        return table.drop_columns(["csi_driver", "csi_volume_handle"])
    return table


def _shuffled(table: pa.Table, draw: Random) -> pa.Table:
    names = list(table.column_names)
    if draw.random() < 0.4:
        draw.shuffle(names)
    return table.select(names)
