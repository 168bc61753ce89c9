"""The caller's side: start a supervisor, give it the order, wait for its report."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.fence.folder import owned_folders, private_folder
from shadowagg.fence.order import MARKER, Limits, Order
from shadowagg.fence.processes import end_marked
from shadowagg.fence.supervisor import CLEARING_SECONDS, last_output
from shadowagg.observation import Cause, Fault

if TYPE_CHECKING:
    import socket
    import subprocess

__all__ = ["Limits", "Outcome", "private_folder", "run_fenced"]

_DEFAULT_LIMITS = Limits()
_STARTING_SECONDS = 15.0  # of the supervisor, on a machine that has other things to do
_LISTENING_SECONDS = 0.5  # between two looks whether the supervisor still lives


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of a fenced run.

    Args:
        value: what the task returned, after a trip through JSON; None with a fault.
        fault: why there is no value; None with one.
        wall_seconds: of the worker, from its start until it returned or ended.
        cpu_seconds: user and system time of the worker and of all that it started.
        peak_memory_bytes: the largest resident memory seen, anonymous and shared, of the whole
            tree. Mapped files are not in it, and a peak shorter than the polling may be missed.
        left_behind: processes, threads, exit hooks and temporary files that the task had not
            cleaned up, and the fence did.
    """

    value: dict[str, Any] | None
    fault: Fault | None
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    left_behind: tuple[str, ...]


def run_fenced(
    task: str, request: Mapping[str, Any], *, folder: Path, limits: Limits = _DEFAULT_LIMITS
) -> Outcome:
    """Run `function(request, folder)` in a process of its own.

    Safe in threads, several at once, in daemonic processes, and whatever the caller does about
    SIGCHLD. An exception that arrives in the caller meanwhile (KeyboardInterrupt, a task's time
    limit) ends the run first and goes on then.

    Args:
        task: `package.module:function`, found as the caller would find it; it returns a JSON-able
            mapping.
        request: the function's first argument, JSON-able; may hold secrets.
        folder: the function's second argument: an existing private folder for its files.
        limits: what it may use.

    Returns:
        Always, for whatever the task does.

    Raises:
        TypeError: if the request is not JSON-able.
    """
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            order = Order(
                task=task,
                request=request,
                folder=folder.absolute(),
                scratch=_scratch(stack),
                limits=limits,
                caller=os.getpid(),
                import_path=tuple(place for place in sys.path if isinstance(place, str)),
                python_path=os.environ.get("PYTHONPATH"),
                abandoned=owned_folders(),
            )
            report = _supervised(order)
            if report is None:
                report = _silent(order, time.monotonic() - started)
            return _outcome(order, report)
    except _CannotStart as error:
        fault = Fault(Cause.ERROR, f"the fence cannot start: {error}")
        return Outcome(None, fault, time.monotonic() - started, 0.0, 0, ())


class _CannotStart(Exception):  # noqa: N818 - never leaves this module
    """No process, no descriptor, no disk space to be had."""


def _scratch(stack: ExitStack) -> Path:
    try:
        return stack.enter_context(private_folder())
    except OSError as error:
        raise _CannotStart(error) from error


def _supervised(order: Order) -> dict[str, Any] | None:
    """Run the supervisor to its end; its report, or None if it gave none."""
    import secrets  # here: a supervisor starts from this module, and has no use for them
    import socket

    line = order.to_line()
    mark = secrets.token_hex(8)
    limits = order.limits
    patience = limits.seconds + limits.grace_seconds + CLEARING_SECONDS + _STARTING_SECONDS
    deadline = time.monotonic() + patience
    report: dict[str, Any] | None = None
    process: subprocess.Popen[bytes] | None = None
    try:
        near, far = socket.socketpair()
    except OSError as error:
        raise _CannotStart(error) from error
    try:
        with far:
            process = _start(far, order.scratch / "fence.txt", mark)
        near.setblocking(False)
        if _send(near, line, process, deadline):
            report = _receive(near, process, deadline)
    finally:
        try:
            if process is not None and report is None:
                _end(process, limits.grace_seconds, mark)
        finally:
            near.close()
            if process is not None:
                _reap(process)
    return report


def _start(line: socket.socket, errors: Path, mark: str) -> subprocess.Popen[bytes]:
    import subprocess  # here: the supervisor has no use for it

    try:
        with errors.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "shadowagg.fence"],
                stdin=line.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=file,
                env=_environment(mark),
                start_new_session=True,
            )
    except OSError as error:
        raise _CannotStart(error) from error


def _environment(mark: str) -> dict[str, str]:
    """The caller's environment, in which the supervisor finds this package."""
    import site  # here: the supervisor has no use for it

    environment = {**os.environ, MARKER: mark}
    root = str(Path(__file__).absolute().parents[2])
    if root not in (*site.getsitepackages(), site.getusersitepackages()):
        # a checkout, perhaps; put in front of the standard library, site-packages would do harm
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{known}" if known else root
    return environment


def _is_ready(
    near: socket.socket, event: int, process: subprocess.Popen[bytes], deadline: float
) -> bool:
    """Wait for the life line; False if nothing more is to be expected of it.

    No timeout of the socket's own: a TimeoutError here is one that the caller's signal handler has
    raised, and goes to the caller.
    """
    import select  # here: next to its use

    life_line = select.poll()
    life_line.register(near, event)
    while True:
        # a process that the caller has forked meanwhile may keep the socket open
        ended = process.poll() is not None
        if life_line.poll(_LISTENING_SECONDS * 1000):
            return True
        if ended or time.monotonic() > deadline:
            return False


def _send(
    near: socket.socket, line: bytes, process: subprocess.Popen[bytes], deadline: float
) -> bool:
    """Send the order; False if nobody takes it."""
    import select  # here: next to its use
    import socket

    # a caller that has SIGPIPE's default back must not die of a supervisor that does not start
    flags = getattr(socket, "MSG_NOSIGNAL", 0)
    waiting = memoryview(line)
    while waiting:
        if not _is_ready(near, select.POLLOUT, process, deadline):
            return False
        try:
            waiting = waiting[near.send(waiting, flags) :]
        except BlockingIOError:
            continue
        except ConnectionError:
            return False
    return True


def _receive(
    near: socket.socket, process: subprocess.Popen[bytes], deadline: float
) -> dict[str, Any] | None:
    """Wait for the report; None if none comes."""
    import select  # here: next to its use

    received = bytearray()
    while not received.endswith(b"\n"):
        if not _is_ready(near, select.POLLIN, process, deadline):
            return None
        try:
            part = near.recv(2**16)
        except BlockingIOError:
            continue
        except ConnectionError:
            return None
        if not part:
            return None
        received += part
    report: dict[str, Any] = json.loads(received)
    return report


def _end(process: subprocess.Popen[bytes], grace: float, mark: str) -> None:
    """End a run whose report will not come: orderly, then surely."""
    import subprocess  # here: the supervisor has no use for it

    try:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace + CLEARING_SECONDS)
    finally:
        process.kill()
        end_marked(process.pid, f"{MARKER}={mark}", seconds=CLEARING_SECONDS)


def _reap(process: subprocess.Popen[bytes]) -> None:
    """No zombie is left of a supervisor that has reported, or was killed."""
    import subprocess  # here: the supervisor has no use for it

    try:
        process.wait(CLEARING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(CLEARING_SECONDS)


def _silent(order: Order, seconds: float) -> dict[str, Any]:
    """The report of a supervisor that gave none."""
    if seconds > order.limits.seconds + order.limits.grace_seconds:
        fault = Fault(Cause.TIMEOUT, "the fence did not answer in time", "", last_output(order))
    else:
        said = ""
        with suppress(OSError):
            said = (order.scratch / "fence.txt").read_text(encoding="utf-8", errors="replace")
        detail = "\n".join(filter(None, (said[-4000:], last_output(order))))
        fault = Fault(Cause.DIED, "the fence's own process was ended", "", detail)
    return {
        "fault": fault.to_json(),
        "wall_seconds": seconds,
        "cpu_seconds": 0.0,
        "peak_memory_bytes": 0,
        "largest_resident_bytes": 0,
        "left_behind": [],
    }


def _outcome(order: Order, report: Mapping[str, Any]) -> Outcome:
    fault = Fault.from_json(report["fault"]) if report["fault"] else None
    value: dict[str, Any] | None = None
    state: dict[str, Any] = {"threads": [], "resident_bytes": 0}
    try:
        if fault is None:
            with order.result.open(encoding="ascii") as file:
                result = json.loads(file.readline())
                state = json.loads(file.readline())
            value = result.get("value")
            fault = Fault.from_json(result["fault"]) if "fault" in result else None
    except (OSError, ValueError) as error:
        fault = Fault(Cause.ERROR, f"the fence cannot read the result: {error}")
    peak = max(report["peak_memory_bytes"], state["resident_bytes"])
    return Outcome(
        value=value,
        fault=fault,
        wall_seconds=report["wall_seconds"],
        cpu_seconds=report["cpu_seconds"],
        peak_memory_bytes=peak or report["largest_resident_bytes"],
        left_behind=(*report["left_behind"], *(f"thread {name}" for name in state["threads"])),
    )
