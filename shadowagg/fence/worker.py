"""The process inside the fence: it runs the task, leaves the result and ends.

Forked from the supervisor, so that it costs no second start of the interpreter.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from shadowagg.errors import (
    InputRefused,
    InputUnreadable,
    RowSetInvalid,
    ServerFailed,
    ShadowaggError,
    UserError,
)
from shadowagg.fence.order import Order
from shadowagg.fence.processes import end_with_parent, resident_bytes
from shadowagg.observation import Cause, Fault
from shadowagg.redaction import redact, secrets_in

__all__ = ["fault_of", "shortened", "work"]

DETAIL_CHARACTERS = 20_000
_MESSAGE_CHARACTERS = 2_000
_EXPLAINED = (InputRefused, InputUnreadable, RowSetInvalid, ServerFailed, UserError)
_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # also the size of Arrow's pool, if set before pyarrow is imported
    "OMP_THREAD_LIMIT",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


def shortened(text: str, characters: int) -> str:
    """The text, or its beginning and its end: a traceback's message is at the end."""
    if len(text) <= characters:
        return text
    gap = "\n…\n"
    half = (characters - len(gap)) // 2
    return text[:half] + gap + text[-half:]


def _cause_of(error: BaseException) -> Cause:
    if isinstance(error, ShadowaggError):
        with suppress(ValueError):
            return Cause(error.cause)
    if isinstance(error, MemoryError):
        return Cause.MEMORY
    if isinstance(error, OSError) and error.errno in _DISK_IS_FULL:
        return Cause.DISK
    return Cause.ERROR


def _message_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - whatever a foreign error's own code raises
        text = "(it cannot say why)"
    if not isinstance(error, ShadowaggError):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return " ".join(text.split())


def fault_of(error: BaseException, secrets: Iterable[str] = ()) -> Fault:
    """How an observation states what a task raised.

    Args:
        error: what it raised. Its attribute `stage`, or else `on`, says where it was.
        secrets: values that must not get into a record.

    Returns:
        One line of message; the traceback as detail, except for faults that explain themselves.
    """
    import traceback  # here: a task that succeeds needs none

    detail = ""
    if not isinstance(error, _EXPLAINED):
        with suppress(Exception):  # an error's own code may raise here, too
            detail = "".join(traceback.format_exception(error))
    secrets = tuple(secrets)
    stage = getattr(error, "stage", "") or getattr(error, "on", "")
    return Fault(
        _cause_of(error),
        # redacted before it is cut: half a secret would not be recognised
        shortened(redact(_message_of(error), secrets), _MESSAGE_CHARACTERS),
        stage if isinstance(stage, str) else "",
        shortened(redact(detail, secrets), DETAIL_CHARACTERS),
    )


def work(order: Order) -> NoReturn:
    """Run the order's task in this freshly forked process, and end it."""
    status = 70
    try:
        supervisor = os.getppid()
        _settle_in(order, supervisor)
        _leave(order, _run(order))
        # From here on the result counts, whatever happens. Exit hooks have the time of grace;
        # threads have none, and destructors of native libraries are not run: both may hang.
        _run_exit_hooks()
        status = 0
    except SystemExit as leaving:
        status = _exit_status(leaving)
    except BaseException as error:  # noqa: BLE001 - nothing may return into the supervisor's code
        with suppress(BaseException):
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _settle_in(order: Order, supervisor: int) -> None:
    os.setpgid(0, 0)
    if not end_with_parent(signal.SIGKILL, supervisor):
        os._exit(1)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # not to be killed at once: a task has the time of grace to cancel what it started elsewhere
    signal.signal(signal.SIGTERM, _end_orderly)
    with suppress(OSError):  # the kernel shall take this process before the caller's
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")
    with suppress(ImportError, OSError, ValueError):
        import resource  # here: POSIX alone has it

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _redirect(order.output)
    _set_environment(order)
    sys.path[:] = dict.fromkeys((*order.import_path, *sys.path))


def _end_orderly(number: int, *_: object) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # the second one is final
    raise SystemExit(-number)


def _exit_status(leaving: SystemExit) -> int:
    if isinstance(leaving.code, int):
        if leaving.code == -signal.SIGTERM:
            os.kill(os.getpid(), signal.SIGTERM)  # so that the wait status says what happened
        return leaving.code & 0xFF
    if leaving.code is None:
        return 0
    with suppress(Exception):
        sys.stderr.write(f"{leaving.code}\n")
    return 1


def _redirect(output: Path) -> None:
    """Printed text into a file, and nothing left of the life line."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    # appended, so that the supervisor can cut it while we write
    text = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (text, 1), (text, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)  # life line and wake-up pipe; the start closed all others
    for stream in (sys.stdout, sys.stderr):
        # one broken character must not end a task; what it printed last must be in the file
        stream.reconfigure(  # type: ignore[union-attr]  # it is a TextIOWrapper at start
            encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
    import faulthandler  # here: the supervisor does without

    faulthandler.enable()
    # at a time limit the record shows where every thread was
    faulthandler.register(signal.SIGTERM, all_threads=True, chain=True)


def _set_environment(order: Order) -> None:
    for name in _THREAD_VARIABLES:
        os.environ[name] = str(order.limits.threads)
    for name in ("TMPDIR", "TEMP", "TMP"):
        os.environ[name] = str(order.temporary)
    if order.python_path is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = order.python_path


def _run(order: Order) -> str:
    """`{"value": …}` or `{"fault": …}` as JSON."""
    import importlib  # here: the supervisor does without

    try:
        module, _, name = order.task.partition(":")
        value = getattr(importlib.import_module(module), name)(order.request, order.folder)
        if isinstance(value, Mapping):
            return json.dumps({"value": dict(value)})
        problem = TypeError(f"{order.task} returned {type(value).__name__}, not a mapping")
        return _as_text(fault_of(problem))
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is an observation
        return _as_text(fault_of(error, secrets_in(os.environ, order.request)))


def _as_text(fault: Fault) -> str:
    return json.dumps({"fault": fault.to_json()})


def _threads_left() -> list[str]:
    import threading  # here: the supervisor does without

    main = threading.main_thread()
    return sorted(
        thread.name
        for thread in threading.enumerate()
        if thread is not main and not thread.daemon and thread.is_alive()
    )


def _leave(order: Order, result: str) -> None:
    """The result's two lines, whole or not at all: what the task gave, and what the fence asks."""
    state = {"threads": _threads_left(), "resident_bytes": resident_bytes(os.getpid())}
    part = order.result.with_suffix(".part")
    with part.open("w", encoding="ascii") as file:  # json.dumps gives nothing else
        file.write(result)
        file.write("\n")
        file.write(json.dumps(state))
    part.replace(order.result)


def _run_exit_hooks() -> None:
    import atexit  # here: the supervisor has no hooks

    atexit._run_exitfuncs()  # noqa: SLF001 - the whole exit would also wait for threads
