"""What the caller tells the fence: limits, and the order that crosses the life line.

This module and its neighbours `fence_*` are loaded by every fenced run before its task: they use
the standard library alone, and little of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shadowagg.errors import UserError

__all__ = ["MARKER", "Limits", "Order"]

MARKER = "SHADOWAGG_FENCE"
"""Environment variable that every process of a fenced run carries; its value names the run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fenced task may use.

    Args:
        seconds: wall time of the task's process.
        memory_bytes: resident memory, anonymous and shared, summed over the whole process tree.
            Pages that two of its processes share count twice; pages of mapped files do not count.
        disk_bytes: disk space of the run's folder and of the task's temporary directory.
        threads: of the numeric libraries, by their environment variables.
        grace_seconds: between SIGTERM and SIGKILL, and for exit hooks after the task has returned.

    Raises:
        UserError: for a limit that leaves nothing.
    """

    seconds: float = 900.0
    memory_bytes: int = 4 * 2**30
    disk_bytes: int = 20 * 2**30
    threads: int = 2
    grace_seconds: float = 2.0

    def __post_init__(self) -> None:
        for name in ("seconds", "memory_bytes", "disk_bytes", "threads"):
            if not getattr(self, name) > 0:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}", on="limits", hint="give more than zero"
                )
        if not self.grace_seconds >= 0:
            raise UserError(
                f"grace_seconds is {self.grace_seconds!r}", on="limits", hint="give zero or more"
            )


@dataclass(frozen=True, slots=True)
class Order:
    """One fenced run, as the supervisor is told.

    Args:
        task: `package.module:function`.
        request: the function's first argument.
        folder: the function's second: where it leaves its files.
        scratch: private folder of the fence itself: result, output, the task's temporary directory.
        limits: what the task may use.
        caller: process id of the caller.
        import_path: the caller's `sys.path`; the task is looked up as the caller would.
        python_path: the caller's `PYTHONPATH`, which the fence may have had to extend.
        abandoned: folders to remove if the caller dies.
    """

    task: str
    request: Mapping[str, Any]
    folder: Path
    scratch: Path
    limits: Limits
    caller: int
    import_path: tuple[str, ...]
    python_path: str | None
    abandoned: tuple[Path, ...]

    @property
    def temporary(self) -> Path:
        """The task's `TMPDIR`."""
        return self.scratch / "tmp"

    @property
    def result(self) -> Path:
        """Where the worker leaves `{"value": …}` or `{"fault": …}`, whole or not at all."""
        return self.scratch / "result.json"

    @property
    def output(self) -> Path:
        """What the task printed, or the last part of it."""
        return self.scratch / "output.txt"

    def to_line(self) -> bytes:
        """One line of JSON, its end included.

        Raises:
            TypeError: if the request is not JSON-able.
        """
        document = {
            "task": self.task,
            "request": dict(self.request),
            "folder": str(self.folder),
            "scratch": str(self.scratch),
            "limits": asdict(self.limits),
            "caller": self.caller,
            "import_path": list(self.import_path),
            "python_path": self.python_path,
            "abandoned": [str(folder) for folder in self.abandoned],
        }
        return json.dumps(document).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """The order that `to_line` wrote."""
        document = json.loads(line)
        return cls(
            task=document["task"],
            request=document["request"],
            folder=Path(document["folder"]),
            scratch=Path(document["scratch"]),
            limits=Limits(**document["limits"]),
            caller=document["caller"],
            import_path=tuple(document["import_path"]),
            python_path=document["python_path"],
            abandoned=tuple(Path(folder) for folder in document["abandoned"]),
        )
