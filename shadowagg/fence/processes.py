"""The process tree of a fenced run, as the kernel shows it.

Everything here degrades where Linux's `prctl` or `/proc` is missing: then the fence knows its
worker's process group only, and cannot see memory.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = [
    "adopt_orphans",
    "descendants",
    "end_marked",
    "end_with_parent",
    "is_ended",
    "name_of",
    "resident_bytes",
]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_STATE, _PARENT, _SESSION = 0, 1, 3  # fields of /proc/<pid>/stat behind the name


def _prctl(option: int, argument: int) -> bool:
    try:
        import ctypes  # here: the caller's process needs none of it

        return bool(ctypes.CDLL(None).prctl(option, argument, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def adopt_orphans() -> bool:
    """Make this process the parent of every descendant that loses its own.

    Returns:
        Whether the kernel can do that.
    """
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(number: signal.Signals, parent: int) -> bool:
    """Have the kernel send this process a signal when the thread that started it ends.

    Args:
        number: which signal.
        parent: process id that the parent had; it may be gone before we ask.

    Returns:
        Whether the parent was still there.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    return os.getppid() == parent


def _stat(pid: int) -> tuple[str, list[str]] | None:
    """Name and further fields of `/proc/<pid>/stat`; None if there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # the name may hold blanks and brackets
    name, _, fields = text.partition("(")[2].rpartition(")")
    return name, fields.split()


def _processes() -> Iterator[int]:
    with suppress(OSError), os.scandir(_PROC) as entries:
        for entry in entries:
            if entry.name.isdigit():
                yield int(entry.name)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    # threads and processes may end while we look
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_bytes().split())
    return found


def _keeps_lists(pid: int) -> bool:
    return Path(f"/proc/{pid}/task/{pid}/children").exists()


def _children_by_scan() -> dict[int, list[int]]:
    """Children by parent, for a kernel that keeps no list of them."""
    children: dict[int, list[int]] = {}
    for pid in _processes():
        stat = _stat(pid)
        if stat is not None:
            children.setdefault(int(stat[1][_PARENT]), []).append(pid)
    return children


def descendants(root: int) -> list[int]:
    """Every process below that one, parents before children; ended ones included."""
    scan = None if _keeps_lists(root) else _children_by_scan()
    found: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        below = _children(pid) if scan is None else scan.get(pid, [])
        found += below
        waiting += below
    return found


def is_ended(pid: int) -> bool:
    """Whether that process is gone, or a zombie."""
    stat = _stat(pid)
    return stat is None or stat[1][_STATE] in "ZX"


def name_of(pid: int) -> str:
    """The program's name without its arguments, which may hold secrets; empty if it is gone."""
    stat = _stat(pid)
    return stat[0] if stat else ""


def resident_bytes(pid: int) -> int:
    """Anonymous and shared resident memory of a process; 0 if it is gone.

    Pages of mapped files are left out: the kernel can drop them at any time.
    """
    total = 0
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_bytes().splitlines():
            if line.startswith((b"RssAnon:", b"RssShmem:")):
                total += int(line.split()[1]) * 1024
    return total


def _is_marked(pid: int, session: int, mark: bytes) -> bool:
    stat = _stat(pid)
    if stat is None:
        return False
    if int(stat[1][_SESSION]) == session:
        return True
    try:
        return mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def end_marked(session: int, mark: str, *, seconds: float) -> list[str]:
    """Kill what is left of a run whose supervisor is gone, and with it the parent of its orphans.

    Args:
        session: the supervisor's session.
        mark: `NAME=value` that every process of the run has in its environment.
        seconds: when to give up.

    Returns:
        The names of what was killed.
    """
    killed: dict[int, str] = {}
    deadline = time.monotonic() + seconds
    while True:
        alive = False
        for pid in _processes():
            if pid == os.getpid() or not _is_marked(pid, session, mark.encode()):
                continue
            if is_ended(pid):
                # ours to reap where we are the init process of a container
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                continue
            alive = True
            killed.setdefault(pid, name_of(pid))
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not alive or time.monotonic() > deadline:
            return list(killed.values())
        time.sleep(0.01)
