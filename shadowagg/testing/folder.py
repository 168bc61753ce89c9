"""Write a scenario folder from Arrow tables: what generators and tests share."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shadowagg.window import Cluster

__all__ = ["Partition", "write_scenario"]


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a lake file lies: `source=<uuid>/year=<YYYY>/month=<MM>`."""

    source_uuid: str
    year: int
    month: int

    @property
    def path(self) -> str:
        """The folder below the table's."""
        return f"source={self.source_uuid}/year={self.year:04d}/month={self.month:02d}"


def write_scenario(
    folder: Path,
    *,
    name: str,
    provider: str,
    schema: str,
    start: dt.date,
    end: dt.date,
    clusters: Sequence[Cluster],
    lake: Mapping[str, Iterable[tuple[Partition, pa.Table]]],
    side: Mapping[str, pa.Table],
    document: Mapping[str, Any] | None = None,
) -> Path:
    """Write `scenario.json`, the lake tables and the side tables.

    Args:
        folder: made if missing; must be empty.
        name: of the scenario.
        provider: an alias of the provider.
        schema: the tenant's schema.
        start: first day of its window.
        end: last day, included.
        clusters: in order.
        lake: table name -> its files, each with the partition it belongs to; taken one by one, so a
            generator may make them lazily. A table named with no file gets an empty folder: for
            readers it does not exist.
        side: table name -> its rows.
        document: further fields of `scenario.json`.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for table, files in lake.items():
        (folder / "inputs" / table).mkdir(parents=True, exist_ok=True)
        for number, (partition, rows) in enumerate(files):
            place = folder / "inputs" / table / partition.path
            place.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, place / f"part-{number:05d}.parquet", compression="snappy")
    (folder / "inputs_postgres").mkdir(exist_ok=True)
    for table, rows in side.items():
        pq.write_table(rows, folder / "inputs_postgres" / f"{table}.parquet")
    text = json.dumps(
        {
            "name": name,
            "provider": provider,
            "schema": schema,
            "window": {"start": start.isoformat(), "end": end.isoformat()},
            "clusters": [
                {
                    "source_uuid": cluster.source_uuid,
                    "cluster_id": cluster.cluster_id,
                    "cluster_alias": cluster.cluster_alias,
                    "report_period_id": cluster.report_period_id,
                }
                for cluster in clusters
            ],
            **(document or {}),
        },
        indent=1,
    )
    (folder / "scenario.json").write_text(text + "\n", encoding="utf-8")
    return folder
