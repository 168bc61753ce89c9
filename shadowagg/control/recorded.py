"""Control mode `recorded`: rows that were kept, of a golden scenario or an incident."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.errors import InputUnreadable, UserError
from shadowagg.paths import PathRequest, StageTable
from shadowagg.rowset import RowSetSpec
from shadowagg.window import Window

__all__ = ["Recorded", "recorded_folder"]


def recorded_folder(expected: Path, provider: str, home: str) -> Path:
    """Where a provider's rows of one home lie.

    Later steps change published tables; `<home>_after_<provider>` holds them as the provider's own
    step left them, where that was kept.

    Args:
        expected: the scenario's `expected` folder.
        provider: name of the provider.
        home: `hive` or `postgres`.
    """
    after = expected / f"{home}_after_{provider}"
    return after if after.is_dir() else expected / home


class Recorded:
    """The recorded rows of a window; option `expected` names the folder.

    No file, no rows: a table without a row was not written.
    """

    def __init__(self) -> None:
        self._left_aside: dict[str, int] = {}

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """The final stages, each cut to the window's source, days and `read_back` rows."""
        expected = Path(request.option("expected"))
        if not expected.is_dir():
            raise UserError(
                "no recorded rows there", on=str(expected), hint="use --control embedded"
            )
        for stage in request.provider.stages:
            if stage.spec.home == "inner":
                continue
            begin = time.perf_counter()
            folder = recorded_folder(expected, request.provider.name, stage.spec.home)
            table = self._rows(
                folder / f"{stage.spec.table}.parquet", stage.spec, request.plan.window
            )
            yield StageTable(stage.name, table, time.perf_counter() - begin)

    def engine(self) -> Mapping[str, Any]:
        """How many rows of the window's source and days belong to others, by table."""
        return {"pyarrow": pa.__version__, "rows_left_aside": dict(self._left_aside)}

    def _rows(self, file: Path, spec: RowSetSpec, window: Window) -> pa.Table:
        if not file.exists():
            return spec.empty()
        # Only this mode reads Parquet here; the candidate has a reader of its own.
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(file)
        except (pa.ArrowException, OSError) as error:
            raise InputUnreadable(
                f"cannot read: {error}", on=str(file), hint="restore the recorded rows"
            ) from None
        asked = spec.asked(window)
        table = table.filter(asked.mask(table))
        mask = spec.read_back.mask(table)
        self._left_aside[file.stem] = table.num_rows - (pc.sum(mask).as_py() or 0)
        table = table.filter(mask)
        return table.select([name for name in spec.schema.names if name in table.column_names])
