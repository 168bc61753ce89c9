"""What is kept of a mismatch: a scenario folder that repeats it."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shadowagg.provider import Provider
from shadowagg.settings import Settings

if TYPE_CHECKING:
    from shadowagg.diff import StageDiff
    from shadowagg.runner import RunRequest, Seen

__all__ = ["repeat_command", "save_mismatch"]


def save_mismatch(
    record_id: str,
    *,
    request: RunRequest,
    seen: Seen,
    provider: Provider,
    diffs: Sequence[StageDiff],
    settings: Settings,
) -> Path:
    """Write `mismatches/<record id>/` below the home folder: window, addresses, rows, difference.

    The control's rows become the scenario's recorded rows, so that the run can be repeated when
    nobody can ask the control any more; side tables that were exported for the run are kept as it
    saw them. Without samples no row is kept.

    Returns:
        The scenario's folder.
    """
    # Only a mismatch needs Parquet in the caller's process.
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = settings.home / "mismatches" / record_id
    folder.mkdir(parents=True, mode=0o700)
    window = request.window
    inputs = request.inputs
    if request.side_from and settings.samples:  # the tables may have changed when they are needed
        shutil.copytree(inputs.side, folder / "inputs_postgres")
        inputs = replace(inputs, side=str(folder.absolute() / "inputs_postgres"))
    elif request.side_from:
        inputs = replace(inputs, side=request.side_from)
    document = {
        "name": f"{request.scenario or window.schema}-{record_id[:8]}",
        "provider": provider.aliases[0] if provider.aliases else provider.name,
        "schema": window.schema,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "clusters": window.to_json()["clusters"],
        **dict(window.parameters),
        "inputs_at": inputs.to_json(),
        "mismatch": {
            "record": record_id,
            "control": request.control,
            "candidate": request.candidate,
            "stages": {d.stage: d.changed_rows + d.missing_rows + d.extra_rows for d in diffs},
        },
    }
    (folder / "scenario.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if not settings.samples:
        return folder
    for stage in provider.stages:
        rows = seen.control.stage(stage.name)
        if stage.spec.home == "inner" or rows is None:
            continue
        file = folder / "expected" / stage.spec.home / f"{stage.spec.table}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        with pa.memory_map(str(seen.folder / "control" / rows.file)) as source:
            pq.write_table(pa.ipc.open_file(source).read_all(), file)
    for difference in sorted(seen.folder.glob("comparison*/difference")):
        shutil.copytree(difference, folder / "difference", dirs_exist_ok=True)
    return folder


def repeat_command(saved: Path | None, request: RunRequest) -> str:
    """The one command that repeats a run on its saved scenario."""
    words = ["shadowagg", "run", "--scenario", str(saved), "--provider", request.window.provider]
    words += ["--control", "recorded"]
    if request.candidate != "pyarrow":
        words += ["--candidate", request.candidate]
    if request.candidate == "production":
        words += ["--templates", str(request.options.get("templates", ""))]
    return shlex.join(words)
