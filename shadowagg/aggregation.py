"""The candidate alone, in this process: scenario in, one Parquet file per stage out."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shadowagg.arrow_alone import keep_pandas_out
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
    keep_pandas_out()
    chosen = (registry().provider(provider),) if provider is not None else registry().providers
    written = []
    for one in chosen:
        windows = one.windows(scenario)
        for window in windows:
            inputs = scenario.inputs(one.inputs)
            plan = one.plan(window, inputs)
            request = PathRequest(one, plan, inputs, threads or os.cpu_count() or 1)
            folder = out / one.name / (window.source_uuid if len(windows) > 1 else "")
            folder.mkdir(parents=True, exist_ok=True)
            stages = {stage.name: stage for stage in one.stages}
            for made in open_path(CANDIDATE).run(request):
                stage = stages[made.stage]
                if not (stage.final or all_stages):
                    continue
                rows = RowSet.conform(stage.spec, made.table)
                file = folder / f"{stage.name}.parquet"
                _write(rows.table, file)
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


def _write(table: pa.Table, file: Path) -> None:
    """Dictionaries for texts only: measures hardly repeat, and nobody prunes by their statistics."""
    texts = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    pq.write_table(table, file, compression="snappy", use_dictionary=texts, write_statistics=False)
