"""What one path did with one window: its row sets or its fault, and what it cost."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Cause", "Fault", "Observation", "Side", "StageRows"]

Side = Literal["control", "candidate"]


class Cause(enum.StrEnum):
    """Why a path gave no rows."""

    REFUSED = "refused"
    """The input is one that production refuses."""
    UNREADABLE = "unreadable"
    """An input object cannot be read."""
    NONCONFORMING = "nonconforming"
    """It gave rows that do not conform to their specification."""
    USAGE = "usage"
    """It was asked for something that is not there: a setting, a recorded row set."""
    ERROR = "error"
    """It raised something unforeseen."""
    TIMEOUT = "timeout"
    """It ran past its time."""
    MEMORY = "memory"
    """It grew past its memory."""
    DISK = "disk"
    """It wrote past its disk space."""
    DIED = "died"
    """Its process ended without a word."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a path ended early.

    Args:
        cause: the class of fault.
        message: one line for people.
        stage: the stage it was at; empty before the first.
        detail: the traceback, or what the process printed last; empty for faults of the input.
    """

    cause: Cause
    message: str
    stage: str = ""
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "cause": str(self.cause),
            "message": self.message,
            "stage": self.stage,
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fault:
        """The fault that `to_json` wrote."""
        return cls(
            Cause(document["cause"]), document["message"], document["stage"], document["detail"]
        )


@dataclass(frozen=True, slots=True)
class StageRows:
    """One stage's row set, left in the run's private folder.

    Args:
        stage: its name.
        rows: how many.
        seconds: wall time that the stage took.
        file: Arrow IPC file below the run's folder.
    """

    stage: str
    rows: int
    seconds: float
    file: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "stage": self.stage,
            "rows": self.rows,
            "seconds": self.seconds,
            "file": self.file,
        }


@dataclass(frozen=True, slots=True)
class Observation:
    """One path's run on one window; frozen once made.

    Args:
        side: in whose place it ran.
        mode: which engine: `pyarrow`, `embedded`, `recorded`, …
        stages: the row sets that it finished, in order; also those before a fault.
        fault: why it ended early; None if it did not.
        wall_seconds: from the start of its process to the end.
        cpu_seconds: user and system time of its process and of what it started.
        peak_memory_bytes: the largest resident memory seen, of its process and of what it started.
        engine: versions of what computed, and ids of its queries.
        left_behind: what it had not cleaned up, and the fence did: processes, files.
        older_than: inputs that changed after its rows were written, each with both moments; of a
            path that reads rows which somebody else has computed.
        not_kept: published stages of which its place holds nothing, so that it says nothing of them.
    """

    side: Side
    mode: str
    stages: tuple[StageRows, ...] = ()
    fault: Fault | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    engine: Mapping[str, Any] = field(default_factory=dict)
    left_behind: tuple[str, ...] = ()
    older_than: tuple[str, ...] = ()
    not_kept: tuple[str, ...] = ()

    def stage(self, name: str) -> StageRows | None:
        """The finished stage of that name."""
        return next((stage for stage in self.stages if stage.stage == name), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the record."""
        return {
            "side": self.side,
            "mode": self.mode,
            "stages": [
                {"stage": s.stage, "rows": s.rows, "seconds": s.seconds} for s in self.stages
            ],
            "fault": self.fault.to_json() if self.fault else None,
            "wall_seconds": self.wall_seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "engine": dict(self.engine),
            "left_behind": list(self.left_behind),
            "older_than": list(self.older_than),
            "not_kept": list(self.not_kept),
        }
