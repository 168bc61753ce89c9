"""Tasks for the fence's tests, well-behaved and otherwise; found through the import path."""

import atexit
import ctypes
import errno
import faulthandler
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from shadowagg.errors import InputRefused, InputUnreadable, RowSetInvalid, ShadowaggError, UserError


def started(folder):
    (folder / "started").write_text(str(os.getpid()))


# --- that return ---------------------------------------------------------------------------------


def answer(request, folder):
    (folder / "rows.arrow").write_bytes(b"rows")
    return {"asked": request, "folder": str(folder)}


def surroundings(request, folder):
    import pyarrow as pa

    return {
        "arguments": " ".join(sys.argv),
        "command_line": Path("/proc/self/cmdline").read_text(),
        "supervisor": Path(f"/proc/{os.getppid()}/cmdline").read_text(),
        "environment": dict(os.environ),
        "temporary": tempfile.gettempdir(),
        "threads": pa.cpu_count(),
        "descriptors": sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir()),
        "oom_score_adj": int(Path("/proc/self/oom_score_adj").read_text()),
        "group": os.getpgrp() == os.getpid(),
        "session": os.getsid(0) == os.getppid(),
    }


def burn(request, folder):
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    child = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", child], check=True)
    return {}


def hold(request, folder):
    held = bytearray(b"x") * request["bytes"]
    time.sleep(0.15)
    return {"held": len(held)}


def much(request, folder):
    return {"text": "x" * 50_000_000}


def unserialisable(request, folder):
    return {"pid": object()}


def no_mapping(request, folder):
    return [1, 2]


def prints_a_result(request, folder):
    for stream in (sys.stdout, sys.stderr):
        stream.write('{"value": {"forged": true}}\n{"threads": []}\n')
        stream.flush()
    return {"forged": False}


def prints_megabytes(request, folder):
    line = "x" * 1023 + "\n"
    largest = 0
    output = Path("/proc/self/fd/1").readlink()
    for _ in range(40):
        sys.stdout.write(line * 1024)
        sys.stderr.write(line * 1024)
        time.sleep(0.01)
        largest = max(largest, output.stat().st_size)
    return {"largest": largest}


def prints_and_dies(request, folder):
    sys.stdout.write("said on stdout\n")
    sys.stderr.write("said on stderr: \udcff\n")
    os._exit(3)


# --- that raise ----------------------------------------------------------------------------------


class StageError(ShadowaggError):
    stage = "daily"


def raises(request, folder):
    raise {
        "refused": InputRefused("two nodes of one name", on="inputs", hint="mend\nthe source"),
        "unreadable": InputUnreadable("it is cut short", on="a.parquet"),
        "nonconforming": RowSetInvalid("a column is missing", on="daily"),
        "usage": UserError("no such source", on="window"),
        "error": StageError("it broke"),
        "foreign": ZeroDivisionError("division\nby zero"),
        "memory": MemoryError("no more"),
        "disk": OSError(errno.ENOSPC, "No space left on device"),
        "group": BaseExceptionGroup("several", [KeyboardInterrupt()]),
    }[request["error"]]


def tells_secrets(request, folder):
    secrets = (os.environ["STORE_PASSWORD"], request["s3"]["secret_key"])
    raise RuntimeError(f"cannot log in with {secrets} at https://me:opensesame@host/")


def raises_unspeakable(request, folder):
    class UnspeakableError(Exception):
        def __str__(self):
            raise RuntimeError

    raise UnspeakableError


def raises_at_length(request, folder):
    raise ValueError("x" * 1_000_000)


# --- that do not end -----------------------------------------------------------------------------


def sleeps(request, folder):
    started(folder)
    time.sleep(600)


def sleeps_with_child(request, folder):
    subprocess.Popen(["sleep", "600"])
    subprocess.Popen(["env", "-i", "sleep", "601"], start_new_session=True)
    Path(tempfile.mkdtemp(), "left").write_text("left")
    sleeps(request, folder)


def cleans_up_when_ended(request, folder):
    try:
        started(folder)
        time.sleep(600)
    finally:
        (folder / "cancelled").write_text("yes")


def ignores_sigterm(request, folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def ignores_everything(request, folder):
    while True:
        try:
            time.sleep(600)
        except BaseException:  # noqa: BLE001, S112 - the rudest task there is
            continue


def pauses_in_c(request, folder):
    faulthandler.unregister(signal.SIGTERM)
    while True:
        ctypes.CDLL(None).sigsuspend(ctypes.create_string_buffer(b"\xff" * 128, 128))


def matches_for_ever(request, folder):
    re.match("(a*)*b", "a" * 64)


def grows(request, folder):
    held = []
    while True:
        held.append(b"x" * 2**24)


def grows_in_arrow(request, folder):
    import pyarrow as pa

    held = []
    while True:
        buffer = pa.allocate_buffer(2**24)
        ctypes.memset(buffer.address, 1, buffer.size)
        held.append(buffer)


def grows_in_child(request, folder):
    child = "held = []\nwhile True: held.append(b'x' * 2**24)"
    subprocess.run([sys.executable, "-c", child], check=False)
    time.sleep(600)


def fills_the_folder(request, folder):
    while True:
        with (folder / "rows.arrow").open("ab") as file:
            file.write(b"x" * 2**20)


def fills_the_temporary_directory(request, folder):
    with tempfile.NamedTemporaryFile() as file:
        while True:
            file.write(b"x" * 2**20)


# --- that leave something ------------------------------------------------------------------------


def leaves_child(request, folder):
    return {"pids": [subprocess.Popen(["sleep", "600"]).pid]}


def leaves_orphan(request, folder):
    """Double-forked, in a session of its own, deaf, and with nothing in its environment."""
    command = "trap '' TERM HUP; env -i setsid sleep 600 >/dev/null & echo $!"
    orphan = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=True)
    time.sleep(0.05)
    return {"pids": [int(orphan.stdout)]}


def leaves_thread(request, folder):
    threading.Thread(target=time.sleep, args=(600,), name="endless").start()
    threading.Thread(target=time.sleep, args=(600,), name="in the background", daemon=True).start()
    return {}


def leaves_exit_hook(request, folder):
    atexit.register((folder / "said goodbye").write_text, "yes")
    if request["hangs"]:
        atexit.register(time.sleep, 600)
    return {}


def leaves_files(request, folder):
    Path(tempfile.mkdtemp(), "one").write_bytes(b"x" * 4096)
    Path(tempfile.gettempdir(), "two").write_bytes(b"x" * 4096)
    closed = Path(tempfile.mkdtemp())
    (closed / "three").write_bytes(b"x" * 4096)
    return {}


def leaves_short_child(request, folder):
    subprocess.Popen(["sleep", "0.05"])
    return {}


# --- that die ------------------------------------------------------------------------------------


def dies(request, folder):
    match request["how"]:
        case "_exit":
            os._exit(3)
        case "exit":
            sys.exit(4)
        case "exit with text":
            sys.exit("good-bye")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.abort()
        case "segfault":
            ctypes.string_at(0)
        case "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(600)


def kills_supervisor(request, folder):
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def calls_run_fenced(request, folder):
    from shadowagg.fence import run_fenced

    outcome = run_fenced("fence_tasks:answer", {"depth": 2}, folder=folder)
    return {"inner": outcome.value}
