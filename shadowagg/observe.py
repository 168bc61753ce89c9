"""Run one path inside the fence and make an observation of it.

`observe` is the caller's side; `run_path` is what the fenced process executes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.arrow_alone import keep_pandas_out, prefer_cheap_allocator
from shadowagg.errors import ShadowaggError
from shadowagg.fence import Limits, run_fenced
from shadowagg.inputs import Inputs
from shadowagg.observation import Observation, Side, StageRows
from shadowagg.plan import Plan

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["observe", "run_path"]

_STAGES = "stages.jsonl"
"""One line per finished stage, so that a path that dies keeps what it had."""


def observe(
    side: Side,
    mode: str,
    *,
    plan: Plan,
    inputs: Inputs,
    options: Mapping[str, Any],
    folder: Path,
    limits: Limits,
) -> Observation:
    """One path's run on one window; never raises for what the path does.

    Args:
        side: in whose place it runs.
        mode: which path.
        plan: of the window.
        inputs: where they lie.
        options: of the mode, plain values without secrets.
        folder: private and empty; the row sets stay there as Arrow IPC files.
        limits: of the fenced process.
    """
    request = {
        "mode": mode,
        "plan": plan.to_json(),
        "inputs": inputs.to_json(),
        "options": dict(options),
        "threads": limits.threads,
    }
    outcome = run_fenced("shadowagg.observe:run_path", request, folder=folder, limits=limits)
    return Observation(
        side=side,
        mode=mode,
        stages=_finished(folder),
        fault=outcome.fault,
        wall_seconds=outcome.wall_seconds,
        cpu_seconds=outcome.cpu_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
        engine=(outcome.value or {}).get("engine", {}),
        left_behind=outcome.left_behind,
        older_than=tuple((outcome.value or {}).get("older_than", ())),
    )


def _finished(folder: Path) -> tuple[StageRows, ...]:
    try:
        lines = (folder / _STAGES).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    stages = []
    for line in lines:
        try:
            stages.append(StageRows(**json.loads(line)))
        except ValueError:  # the process died while it wrote the line
            break
    return tuple(stages)


def run_path(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Inside the fence: run the path, check each stage's rows, leave them in `folder`.

    Returns:
        `{"engine": …, "older_than": …}`; the stages are in the folder.

    Raises:
        ShadowaggError: as the path raises it; `RowSetInvalid` for rows that do not conform.
    """
    prefer_cheap_allocator()
    # Imported here: the caller's process needs none of it.
    import pyarrow as pa

    keep_pandas_out()
    from shadowagg.discovery import registry
    from shadowagg.paths import PathRequest, ReadsKeptRows, open_path
    from shadowagg.rowset import RowSet

    plan = Plan.from_json(request["plan"])
    provider = registry().provider(plan.window.provider)
    path = open_path(request["mode"])
    asked = PathRequest(
        provider=provider,
        plan=plan,
        inputs=Inputs.from_json(request["inputs"]),
        threads=request["threads"],
        options=request["options"],
    )
    specs = {stage.name: stage.spec for stage in provider.stages}
    for made in path.run(asked):
        if made.stage not in specs:
            raise ShadowaggError(
                f"gave rows for {made.stage!r}, which is no stage",
                on=f"mode {request['mode']}",
                hint=f"stages are {', '.join(specs)}",
            )
        rows = RowSet.conform(specs[made.stage], made.table)
        file = folder / f"{made.stage}.arrow"
        begin = time.perf_counter()
        table = _one_dictionary(rows.table)
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        line = StageRows(
            made.stage, rows.num_rows, made.seconds + time.perf_counter() - begin, file.name
        )
        with (folder / _STAGES).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line.to_json()) + "\n")
    older_than = path.older_than() if isinstance(path, ReadsKeptRows) else ()
    return {"engine": dict(path.engine()), "older_than": list(older_than)}


def _one_dictionary(table: pa.Table) -> pa.Table:
    """The file format takes one dictionary per column, not one per chunk.

    `Table.unify_dictionaries` would say so in one word; it crashed (pyarrow 26.0.1) on a dictionary that
    has a validity bitmap without a NULL in it.
    """
    import pyarrow as pa

    for index, name in enumerate(table.column_names):
        column = table.column(index)
        if pa.types.is_dictionary(column.type) and column.num_chunks > 1:
            table = table.set_column(index, name, column.combine_chunks())
    return table
