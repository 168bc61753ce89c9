"""Compare the stages that two paths left in their folders, inside the fence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.arrow_alone import prefer_cheap_allocator
from shadowagg.fence import Limits, run_fenced
from shadowagg.observation import Fault
from shadowagg.paths import mode

if TYPE_CHECKING:
    from shadowagg.diff import StageDiff
    from shadowagg.runner import Seen
    from shadowagg.settings import Settings

__all__ = ["compare_stages"]


def compare_stages(
    seen: Seen,
    stages: Sequence[str],
    settings: Settings,
    limits: Limits,
    folder: Path,
    *,
    control: Path | None = None,
    candidate: Path | None = None,
) -> tuple[tuple[StageDiff, ...], Fault | None]:
    """The diffs of the stages that both paths finished, and why the comparison ended early.

    Args:
        seen: both observations.
        stages: names of the stages to compare.
        settings: how many rows datacompy looks at, samples, ignore rules.
        limits: of the fenced process.
        folder: private; differing rows are left in its `difference`.
        control: folder of the control's row sets, if it is not `seen.folder / "control"`.
        candidate: the same for the candidate.
    """
    # The diff package is imported where a diff is made, not where a run is asked for.
    from shadowagg.diff import StageDiff

    leaves_last = any(mode(side.mode).leaves_last for side in (seen.control, seen.candidate))
    control = control or seen.folder / "control"
    candidate = candidate or seen.folder / "candidate"
    pairs = []
    for name in stages:
        left, right = seen.control.stage(name), seen.candidate.stage(name)
        if left is not None and right is not None:
            pairs.append(
                {
                    "spec": f"{seen.plan.window.provider}:{name}",
                    "control": str(control / left.file),
                    "candidate": str(candidate / right.file),
                    "ignore": str(settings.ignore_file) if settings.ignore_file else "",
                    "last_from": seen.plan.last.start.isoformat() if leaves_last else "",
                    "today": dt.datetime.now(dt.UTC).date().isoformat(),
                    "rows_for_datacompy": settings.datacompy_rows,
                    "samples": settings.samples,
                    "sample_rows": settings.sample_rows,
                }
            )
    if not pairs:
        return (), None
    outcome = run_fenced(
        "shadowagg.comparison:_compare", {"pairs": pairs}, folder=folder, limits=limits
    )
    if outcome.value is None:
        return (), outcome.fault
    return tuple(StageDiff.from_json(diff) for diff in outcome.value["diffs"]), None


def _compare(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    prefer_cheap_allocator()
    from shadowagg.diff import observe

    return {"diffs": [observe(pair, folder) for pair in request["pairs"]]}
