"""The process around the fence: it starts the worker, watches it, and clears up after it.

It lives as long as one fenced run, uses the standard library alone, and talks to its caller over
one socket, the life line: an order comes in, a report goes out, and its end means that the caller
is gone. It adopts every process that the task leaves, so nothing escapes it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from shadowagg.fence.folder import disk_usage, remove_tree
from shadowagg.fence.order import Order
from shadowagg.fence.processes import (
    adopt_orphans,
    descendants,
    end_with_parent,
    is_ended,
    name_of,
    resident_bytes,
)
from shadowagg.fence.worker import DETAIL_CHARACTERS, fault_of, shortened, work
from shadowagg.observation import Cause, Fault
from shadowagg.redaction import redact, secrets_in

__all__ = ["CLEARING_SECONDS", "Supervisor", "last_output", "main"]

CLEARING_SECONDS = 5.0
"""How long killed processes may take to disappear; one that hangs in the kernel does not."""

_LIFE_LINE = 0
_POLL_SECONDS = 0.04
_SETTLING_SECONDS = 0.15  # for helpers that end when they see their owner gone
_ENDING_SECONDS = 0.5  # that a killed caller of many threads may take to be gone
_DISK_SECONDS = 0.25  # between two looks at the folder, or ten times as long as a look takes
_OUTPUT_BYTES = 2**20
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_MEBIBYTE = 2**20


def last_output(order: Order) -> str:
    """What the task printed last, as a fault's detail."""
    try:
        with order.output.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - DETAIL_CHARACTERS))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return shortened(redact(text, secrets_in(os.environ, order.request)), DETAIL_CHARACTERS)


@dataclass
class Supervisor:
    """One fenced run, from inside its first process.

    Args:
        order: what to run.
        line: the life line's descriptor.
    """

    order: Order
    line: int = _LIFE_LINE
    fault: Fault | None = None
    told_to_stop: bool = False
    caller_gone: bool = False
    worker: int = 0
    status: int | None = None
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    largest_resident: int = 0
    left_behind: list[str] = field(default_factory=list)
    started: float = 0.0
    ended: float = 0.0
    _kill_at: float | None = None
    _look_at_disk_at: float = 0.0
    _wake: int = -1
    _adopts: bool = False

    def run(self) -> dict[str, Any]:
        """Start the worker, wait for its end or end it, and clear up.

        Returns:
            The report: fault, times, memory, what was left behind.
        """
        self._prepare()
        self.started = time.monotonic()
        self.worker = os.fork()
        if self.worker == 0:
            work(self.order)
        try:
            self._watch()
        except Exception as error:  # noqa: BLE001 - a fence that fails must not leave its task
            self.fault = fault_of(error)
        self.ended = self.ended or time.monotonic()
        self._clear()
        self._conclude()
        return {
            "fault": self.fault.to_json() if self.fault else None,
            "wall_seconds": self.ended - self.started,
            "cpu_seconds": self.cpu_seconds,
            "peak_memory_bytes": self.peak_memory,
            "largest_resident_bytes": self.largest_resident,
            "left_behind": sorted(self.left_behind),
        }

    def _prepare(self) -> None:
        self._wake, write = os.pipe()
        for end in (self._wake, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        # the caller may ignore or block these, and a started program inherits that
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self.order.temporary.mkdir(mode=0o700)
        self._adopts = adopt_orphans()
        self.caller_gone = not end_with_parent(signal.SIGTERM, self.order.caller)

    def _stop(self, *_: object) -> None:
        self.told_to_stop = True

    # --- while it runs ---------------------------------------------------------------------

    def _watch(self) -> None:
        events = select.poll()
        events.register(self.line, select.POLLIN)
        events.register(self._wake, select.POLLIN)
        returned_at: float | None = None
        while True:
            self._reap()
            now = time.monotonic()
            if self.status is not None:
                self.ended = returned_at or now
                return
            if returned_at is None and self.fault is None:
                if self.order.result.exists():
                    returned_at = now
                else:
                    self._check(now)
            if returned_at is not None and now > returned_at + self.order.limits.grace_seconds:
                self.left_behind.append("an exit hook that did not end")
                self._kill()
                self.ended = returned_at
                return
            if self._kill_at is not None and now >= self._kill_at:
                self._kill()
                return
            self._trim_output()
            self._wait(events)

    def _wait(self, events: select.poll) -> None:
        """Until something happens, or it is time to look again."""
        for descriptor, _ in events.poll(_POLL_SECONDS * 1000):
            try:
                ended = os.read(descriptor, 4096) == b""
            except OSError:
                ended = True
            if descriptor == self.line and ended:
                self.caller_gone = True
                events.unregister(descriptor)

    def _check(self, now: float) -> None:
        """Set the fault, and begin to end the tree, if there is a reason."""
        limits = self.order.limits
        if self._orphaned():
            self.caller_gone = True
        if self.caller_gone or self.told_to_stop:
            reason = "its caller is gone" if self.caller_gone else "the fence was told to stop"
            self._end(Fault(Cause.DIED, reason), now, grace=limits.grace_seconds)
            return
        if now - self.started > limits.seconds:
            message = f"it ran past its limit of {limits.seconds:g} s"
            self._end(Fault(Cause.TIMEOUT, message), now, grace=limits.grace_seconds)
            return
        # what grows has no time of grace: it would grow on
        memory = sum(resident_bytes(pid) for pid in descendants(os.getpid()))
        self.peak_memory = max(self.peak_memory, memory)
        if memory > limits.memory_bytes:
            message = _grown("resident memory", memory, limits.memory_bytes)
            self._end(Fault(Cause.MEMORY, message), now, grace=0.0)
            return
        if now >= self._look_at_disk_at:
            _, size = disk_usage(self.order.folder, self.order.temporary)
            took = time.monotonic() - now
            self._look_at_disk_at = now + max(_DISK_SECONDS, 10 * took)
            if size > limits.disk_bytes:
                self._end(Fault(Cause.DISK, _grown("files", size, limits.disk_bytes)), now, 0.0)

    def _end(self, fault: Fault, now: float, grace: float) -> None:
        self.fault = fault
        self._kill_at = now + grace
        if grace > 0:
            for pid in descendants(os.getpid()) or [self.worker]:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGTERM)

    def _trim_output(self) -> None:
        """Keep the end of what the task printed, and the file small."""
        with suppress(OSError):
            if self.order.output.stat().st_size > _OUTPUT_BYTES:
                with self.order.output.open("r+b") as file:
                    file.seek(-DETAIL_CHARACTERS, os.SEEK_END)
                    end = file.read()
                    file.truncate(0)
                # appended like the task's own text, which may come in between
                with self.order.output.open("ab") as file:
                    file.write(end)

    # --- at the end ------------------------------------------------------------------------

    def _reap(self) -> bool:
        """Take the times of every process that has ended.

        Returns:
            Whether any is left.
        """
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.cpu_seconds += usage.ru_utime + usage.ru_stime
            if pid == self.worker:
                self.status = status
                self.largest_resident = usage.ru_maxrss * _MAXRSS_UNIT

    def _kill(self) -> None:
        """SIGKILL to the worker; what it started is cleared up afterwards."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.worker, signal.SIGKILL)

    def _clear(self) -> None:
        """End, reap and name every process that is left."""
        settling = _SETTLING_SECONDS
        if self.status is None:  # it did not end by itself: no time for the others
            self._kill()
            settling = 0.0
        if not self._adopts:  # the group is all we know
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.worker, signal.SIGKILL)
        seen: dict[int, str] = {}
        begun = time.monotonic()
        while self._reap():
            passed = time.monotonic() - begun
            alive = [pid for pid in descendants(os.getpid()) if not is_ended(pid)]
            if passed >= settling:
                for pid in alive:
                    if pid != self.worker:
                        seen.setdefault(pid, name_of(pid))
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
            if passed > CLEARING_SECONDS:
                self.left_behind += [
                    f"process {name_of(pid)} that cannot be ended" for pid in alive
                ]
                break
            time.sleep(0.002)
        self.left_behind += [f"process {name}" for name in seen.values()]
        files, size = disk_usage(self.order.temporary)
        if files:
            self.left_behind.append(f"{files} temporary files, {size} bytes")

    def _conclude(self) -> None:
        """Name the fault of a worker that ended without a word; add what it printed last."""
        if self.fault is None and not self.order.result.exists():
            self.fault = Fault(Cause.DIED, _way_of_ending(self.status))
        if self.fault is not None and not self.fault.detail:
            self.fault = Fault(
                self.fault.cause, self.fault.message, self.fault.stage, last_output(self.order)
            )
        if self._caller_is_gone():
            for folder in (*self.order.abandoned, self.order.scratch):
                remove_tree(folder)

    def _orphaned(self) -> bool:
        # where there is no /proc, every process looks ended
        return os.getppid() != self.order.caller or (self._adopts and is_ended(self.order.caller))

    def _caller_is_gone(self) -> bool:
        """Whether nobody is left who would clear up.

        The signal that a caller's end sends comes with the end of the thread that called: of several
        threads the last may still be ending, and the caller looks alive.
        """
        patience = time.monotonic() + (_ENDING_SECONDS if self.told_to_stop else 0.0)
        while not (self.caller_gone or self._orphaned()):
            if time.monotonic() >= patience:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def _grown(what: str, size: int, limit: int) -> str:
    return (
        f"{what} grew to {size / _MEBIBYTE:.0f} MiB, past the limit of {limit / _MEBIBYTE:.0f} MiB"
    )


def _way_of_ending(status: int | None) -> str:
    if status is None:
        return "its process cannot be ended: it hangs in the kernel"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:  # a real-time signal
            name = f"signal {number}"
        why = " (the kernel, for want of memory, or somebody)" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{why}"
    return f"its process left with exit code {os.waitstatus_to_exitcode(status)}"


def _read_order(line: int) -> Order | None:
    received = bytearray()
    while not received.endswith(b"\n"):
        part = os.read(line, 2**16)
        if not part:
            return None
        received += part
    return Order.from_line(bytes(received))


def _send(line: int, report: dict[str, Any]) -> None:
    waiting = memoryview(json.dumps(report).encode() + b"\n")
    with suppress(OSError):  # the caller may be gone
        while waiting:
            waiting = waiting[os.write(line, waiting) :]


def main() -> int:
    """What `python -m shadowagg.fence` does.

    Returns:
        Exit code: 2 if nobody orders anything.
    """
    try:
        ordered = stat.S_ISSOCK(os.fstat(_LIFE_LINE).st_mode)
        order = _read_order(_LIFE_LINE) if ordered else None
    except OSError:  # no standard input; or the caller died while it wrote
        order = None
    if order is None:
        sys.stderr.write(
            "shadowagg.fence: no order on standard input. "
            "Hint: shadowagg starts this process itself; use shadowagg.fence.run_fenced\n"
        )
        return 2
    _send(_LIFE_LINE, Supervisor(order).run())
    return 0
