"""The label reports of nodes and namespaces, as files of their daily tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from shadowagg_ocp.generate.cluster import ClusterModel
from shadowagg_ocp.generate.columns import at_midnight, report_period
from shadowagg_ocp.generate.shape import Day, Shape

__all__ = ["namespace_labels", "node_labels"]


def node_labels(shape: Shape, cluster: ClusterModel) -> Iterator[pa.Table]:
    """One table per upload; on the day of change two nodes have two label sets."""
    changing = {cluster.node("worker-0"), cluster.node("worker-4")}
    for day in shape.days:
        for upload, hours in enumerate(day.uploads):
            begin, end = 24 * day.number + hours[0], 24 * day.number + hours[-1]
            rows = [
                (node.name, text)
                for index, node in enumerate(cluster.nodes)
                if node.labelled and node.from_hour <= end and node.to_hour > begin
                for text in (
                    node.label_texts
                    if index in changing and _both(cluster, day, upload)
                    else node.label_texts[:1]
                )
            ]
            yield _table(shape, day, "node", "node_labels", rows)


def namespace_labels(shape: Shape, cluster: ClusterModel) -> Iterator[pa.Table]:
    """One table per upload; on the day of change both label sets of the namespaces that have two."""
    for day in shape.days:
        for upload in range(len(day.uploads)):
            rows = [
                (name, text)
                for name, texts in zip(
                    cluster.namespaces, cluster.namespace_label_texts, strict=True
                )
                for text in (texts if _both(cluster, day, upload) else texts[:1])
            ]
            yield _table(shape, day, "namespace", "namespace_labels", rows)


def _both(cluster: ClusterModel, day: Day, upload: int) -> bool:
    return day.number == cluster.change_day and upload == len(day.uploads) // 2


def _table(
    shape: Shape, day: Day, name: str, labels: str, rows: Sequence[tuple[str, str | None]]
) -> pa.Table:
    return pa.table(
        {
            name: pa.array([value for value, _ in rows], pa.string()),
            labels: pa.array([text for _, text in rows], pa.string()),
            "interval_start": at_midnight(day.date, len(rows)),
            **report_period(shape, len(rows)),
        }
    )
