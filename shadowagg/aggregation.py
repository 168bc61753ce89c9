"""The candidate alone, in this process: scenario in, one Parquet file per stage out."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from shadowagg.discovery import registry
from shadowagg.errors import UserError
from shadowagg.paths import CANDIDATE, PathRequest, open_path
from shadowagg.rowset import RowSet
from shadowagg.scenario import Scenario

__all__ = ["Written", "aggregate"]


@dataclass(frozen=True, slots=True)
class Written:
    """One file.

    Args:
        stage: `provider:stage`.
        source_uuid: the window's source.
        rows: how many.
        seconds: wall time of the stage, without writing.
        file: its path.
    """

    stage: str
    source_uuid: str
    rows: int
    seconds: float
    file: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def aggregate(
    scenario: Scenario,
    out: Path,
    *,
    provider: str | None = None,
    threads: int | None = None,
    all_stages: bool = False,
) -> list[Written]:
    """Run the candidate on every window of a scenario.

    Args:
        scenario: whose windows.
        out: folder for the files; made if missing.
        provider: only this one.
        threads: how many; one per core by default.
        all_stages: write inner stages too.

    Raises:
        ShadowaggError: as the candidate raises it.
    """
    chosen = (registry().provider(provider),) if provider is not None else registry().providers
    written = []
    for one in chosen:
        windows = one.windows(scenario)
        for window in windows:
            plan = one.plan(window, scenario.inputs())
            request = PathRequest(one, plan, scenario.inputs(), threads or os.cpu_count() or 1)
            folder = out / one.name / (window.source_uuid if len(windows) > 1 else "")
            folder.mkdir(parents=True, exist_ok=True)
            stages = {stage.name: stage for stage in one.stages}
            for made in open_path(CANDIDATE).run(request):
                stage = stages[made.stage]
                if not (stage.final or all_stages):
                    continue
                rows = RowSet.conform(stage.spec, made.table)
                file = folder / f"{stage.name}.parquet"
                pq.write_table(rows.table, file, compression="snappy")
                written.append(
                    Written(
                        stage.spec.name, window.source_uuid, rows.num_rows, made.seconds, str(file)
                    )
                )
    if not written:
        raise UserError(
            "no provider computes anything there",
            on=f"scenario {scenario.name}",
            hint="see `shadowagg providers`",
        )
    return written
