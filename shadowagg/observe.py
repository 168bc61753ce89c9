"""Run one path inside the fence and make an observation of it.

`observe` is the caller's side; `run_path` is what the fenced process executes.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.arrow_alone import keep_pandas_out, prefer_cheap_allocator
from shadowagg.errors import ShadowaggError
from shadowagg.fence import Limits, run_fenced
from shadowagg.inputs import Inputs
from shadowagg.observation import Cause, Fault, Observation, Side, StageRows
from shadowagg.paths import KeepsSome, Mode, PathRequest, ReadsKeptRows, StageTable, open_path
from shadowagg.paths import mode as path_mode
from shadowagg.plan import Plan
from shadowagg.provider import Provider

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["observe", "run_path"]

_STAGES = "stages.jsonl"
"""One line per finished stage, so that a path that dies keeps what it had."""

_ENGINE = "engine.json"
"""What a path says of its engine: of one that fails it matters most."""

_ENDED_BY_OTHERS = frozenset({Cause.TIMEOUT, Cause.MEMORY, Cause.DISK, Cause.DIED})
_SWEEP_SECONDS = 60.0
_INTERPRETER_MEMORY = 128 << 20
_LEAST_ENGINE_MEMORY = 64 << 20


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
        "options": {"memory_limit": _engine_memory(limits), **options},
        "threads": limits.threads,
        "seconds": limits.seconds,
    }
    known = path_mode(mode)
    patient = replace(limits, grace_seconds=max(limits.grace_seconds, known.grace_seconds))
    outcome = run_fenced("shadowagg.observe:run_path", request, folder=folder, limits=patient)
    left_behind = (*outcome.left_behind, *_sweep(known, outcome.fault, folder, limits))
    return Observation(
        side=side,
        mode=mode,
        stages=_finished(folder),
        fault=outcome.fault,
        wall_seconds=outcome.wall_seconds,
        cpu_seconds=outcome.cpu_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
        engine=(outcome.value or {}).get("engine") or _engine(folder),
        left_behind=left_behind,
        older_than=tuple((outcome.value or {}).get("older_than", ())),
        not_kept=tuple((outcome.value or {}).get("not_kept", ())),
    )


def _sweep(mode: Mode, fault: Fault | None, folder: Path, limits: Limits) -> tuple[str, ...]:
    """What a run that was ended, or died, left on servers: removed now, and named."""
    if not mode.sweep or fault is None or fault.cause not in _ENDED_BY_OTHERS:
        return ()
    place = folder / "sweep"
    place.mkdir(mode=0o700)
    shortly = replace(limits, seconds=min(limits.seconds, _SWEEP_SECONDS))
    outcome = run_fenced(mode.sweep, {}, folder=place, limits=shortly)
    if outcome.fault is not None:
        return (f"perhaps a scratch schema: {outcome.fault.message}",)
    return tuple((outcome.value or {}).get("removed", ()))


def _engine(folder: Path) -> Mapping[str, Any]:
    """What the path said of its engine before it failed; nothing if it did not come to that."""
    try:
        document: dict[str, Any] = json.loads((folder / _ENGINE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document


def _engine_memory(limits: Limits) -> int:
    """Bytes that an engine inside the fence may hold before it spills.

    The rest of the limit is the interpreter's and the row sets' that a stage hands over.
    """
    return max(_LEAST_ENGINE_MEMORY, (limits.memory_bytes - _INTERPRETER_MEMORY) * 6 // 10)


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
    keep_pandas_out()
    # Imported here: the caller's process needs none of it.
    from shadowagg.discovery import registry

    plan = Plan.from_json(request["plan"])
    provider = registry().provider(plan.window.provider)
    path = open_path(request["mode"])
    asked = PathRequest(
        provider=provider,
        plan=plan,
        inputs=Inputs.from_json(request["inputs"]),
        threads=request["threads"],
        # Inside the fence: its temporary folder is watched, and goes with it.
        options={"temp_directory": tempfile.gettempdir(), **request["options"]},
        seconds=request["seconds"],
    )
    try:
        # Closed in any case: a path clears up when its iterator ends.
        with closing(path.run(asked)) as stages:  # type: ignore[type-var]  # a generator
            _keep(stages, provider, request["mode"], folder)
    finally:
        with suppress(Exception):  # what it says of itself must not hide why it failed
            engine = json.dumps(dict(path.engine()))
            (folder / _ENGINE).write_text(engine, encoding="utf-8")
    older_than = path.older_than() if isinstance(path, ReadsKeptRows) else ()
    not_kept = path.not_kept() if isinstance(path, KeepsSome) else ()
    return {
        "engine": dict(path.engine()),
        "older_than": list(older_than),
        "not_kept": list(not_kept),
    }


def _keep(stages: Iterator[StageTable], provider: Provider, mode: str, folder: Path) -> None:
    """Check each stage's rows and leave them in the folder."""
    import pyarrow as pa

    from shadowagg.rowset import RowSet

    specs = {stage.name: stage.spec for stage in provider.stages}
    for made in stages:
        if made.stage not in specs:
            raise ShadowaggError(
                f"gave rows for {made.stage!r}, which is no stage",
                on=f"mode {mode}",
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
