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


def recorded_folder(expected: Path, provider: str, spec: RowSetSpec) -> Path:
    """Where a provider's rows of a table lie.

    Later steps change some published tables; `<home>_after_<provider>` holds those as the provider's
    own step left them, where that was kept.

    Args:
        expected: the scenario's `expected` folder.
        provider: name of the provider.
        spec: of the rows.
    """
    after = expected / f"{spec.home}_after_{provider}"
    return after if spec.changed_later and after.is_dir() else expected / spec.home


class Recorded:
    """The recorded rows of a window; option `expected` names the folder.

    No file, no rows: a table without a row was not written.
    """

    def __init__(self) -> None:
        self._left_aside: dict[str, int] = {}
        self._not_kept: tuple[str, ...] = ()

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """The published stages, each cut to the window's source, days and `read_back` rows.

        Stages that the window says nothing was recorded of (parameter `not_recorded`) are left out.
        """
        expected = Path(request.option("expected"))
        if not expected.is_dir():
            raise UserError(
                "no recorded rows there", on=str(expected), hint="use --control embedded"
            )
        published = [stage for stage in request.provider.stages if stage.spec.home != "inner"]
        unknown = request.plan.window.parameters.get("not_recorded", ())
        self._not_kept = tuple(stage.name for stage in published if stage.name in unknown)
        for stage in published:
            if stage.name in unknown:
                continue
            begin = time.perf_counter()
            folder = recorded_folder(expected, request.provider.name, stage.spec)
            table = self._rows(
                folder / f"{stage.spec.table}.parquet", stage.spec, request.plan.window
            )
            yield StageTable(stage.name, table, time.perf_counter() - begin)

    def engine(self) -> Mapping[str, Any]:
        """How many rows of the window's source and days belong to others, by table."""
        return {"pyarrow": pa.__version__, "rows_left_aside": dict(self._left_aside)}

    def not_kept(self) -> tuple[str, ...]:
        """See `paths.KeepsSome`."""
        return self._not_kept

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
