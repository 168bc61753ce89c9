"""Processes that outlive us: started apart, known by pid and start time, ended without mistakes."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shadowagg.errors import UserError

__all__ = ["Identity", "Owner", "as_owner", "end", "last_lines", "require_linux", "start"]

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, not mistaken for a later one with its number.

    Args:
        pid: its number.
        started: clock ticks from boot to its start (`/proc/<pid>/stat`, field 22).
        boot: the kernel's id of this boot.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The identity of a process that runs now.

        Raises:
            ProcessLookupError: if there is none.
        """
        started = _started(pid)
        if started is None:
            raise ProcessLookupError(pid)
        return cls(pid, started, _boot())

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Identity:
        """What `to_json` gave."""
        return cls(int(document["pid"]), int(document["started"]), str(document["boot"]))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @property
    def alive(self) -> bool:
        """Whether it still runs; a dead one that nobody has reaped does not."""
        return self.boot == _boot() and _started(self.pid) == self.started


@dataclass(frozen=True, slots=True)
class Owner:
    """A user to run a process as."""

    name: str
    user: int
    group: int

    @classmethod
    def unprivileged(cls) -> Owner | None:
        """`postgres`, else `nobody`, if we are root; None (ourselves) otherwise."""
        if os.getuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(name, entry.pw_uid, entry.pw_gid)
        raise UserError("root has no user to run it as", on="postgres", hint="add a user postgres")


def require_linux() -> None:
    """Processes are told apart by `/proc`.

    Raises:
        UserError: elsewhere.
    """
    if not sys.platform.startswith("linux"):
        raise UserError("needs Linux", on="the stack", hint="docker-compose.yml has its services")


def start(
    command: Sequence[str],
    *,
    log: Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    owner: Owner | None = None,
) -> Identity:
    """Start a process in a session of its own, with its output appended to a file.

    It is no child of ours: the system's first process is its parent, and reaps it.

    Args:
        command: program and arguments.
        log: its output and errors.
        folder: it works in.
        environment: added to ours.
        owner: whom to run it as; None: ourselves.

    Raises:
        UserError: if the program cannot be started.
    """
    # Variables such as PGDATA or TRINO_… of whoever calls are no settings of these servers.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    user_group = ("", "") if owner is None else (str(owner.user), str(owner.group))
    with log.open("ab") as output:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_LAUNCHER), *user_group, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=folder,
            env={**inherited, **(environment or {})},
            check=False,
        )
    if done.returncode != 0:
        raise UserError("cannot be started", on=str(command[0]), hint=last_lines(log))
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise UserError(f"cannot be started: {answer['error']}", on=str(command[0]))
    return Identity(answer["pid"], _fields(answer["stat"])[1], _boot())


def as_owner(owner: Owner | None) -> dict[str, Any]:
    """The keywords of `subprocess` that make a child run as an owner."""
    if owner is None:
        return {}
    return {"user": owner.user, "group": owner.group, "extra_groups": []}


def end(identity: Identity, *, how: signal.Signals = signal.SIGTERM, patience: float) -> bool:
    """End a process, and no other: the signal goes to a handle, not to a number.

    Args:
        identity: of the process.
        how: the signal that asks it.
        patience: seconds until it and its process group are killed.

    Returns:
        Whether it went when asked; also True if it was gone.
    """
    went = True
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(identity.pid)
        try:
            # The handle means one process for good: if that is the right one now, it stays so.
            if identity.alive:
                signal.pidfd_send_signal(handle, how)
                went = _gone(handle, patience)
                if not went:
                    os.killpg(identity.pid, signal.SIGKILL)
                    _gone(handle, 10)
        finally:
            os.close(handle)
    return went


def _gone(handle: int, patience: float) -> bool:
    """Whether the process behind a handle ends in time: its handle becomes readable."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(patience * 1000))


def last_lines(log: Path, count: int = 3) -> str:
    """The last lines of a log that say something, on one line; stack traces are passed over."""
    try:
        with log.open("rb") as source:
            source.seek(max(0, log.stat().st_size - 65536))
            text = source.read().decode("utf-8", "replace")
    except OSError:
        return "(no output)"
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith(("at ", "... "))]
    return " | ".join(line[:300] for line in said[-count:]) or "(no output)"


def _started(pid: int) -> int | None:
    try:
        state, started = _stat(pid)
    except OSError:
        return None
    return None if state in {"Z", "X"} else started


def _stat(pid: int) -> tuple[str, int]:
    """State and start time of a process."""
    return _fields(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))


def _fields(text: str) -> tuple[str, int]:
    # The name, in parentheses, may contain anything: what follows its last one are fields 3 to 52.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
