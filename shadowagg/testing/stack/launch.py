"""Start a program that is nobody's child here: `python launch.py USER GROUP PROGRAM ARGUMENT…`.

A process of its own, so that what it starts belongs to the machine and not to whoever asked: a test
session has no child that it never waits for, and sees no stranger among its own children. It says in
one JSON line how that went, and ends. Its errors are the program's output. Only the standard library:
it runs isolated, in a few milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__: list[str] = []


def _start(user: str, group: str, command: list[str]) -> dict[str, Any]:
    """`pid` and its line of `/proc/<pid>/stat`; or `error`."""
    owner: dict[str, Any] = {}
    if user:
        owner = {"user": int(user), "group": int(group), "extra_groups": []}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
            **owner,
        )
    except OSError as error:
        return {"error": error.strerror}
    # As our child it keeps its number and its entry until we end, even if it is dead by now.
    stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
    return {"pid": process.pid, "stat": stat}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_start(sys.argv[1], sys.argv[2], sys.argv[3:])))
    sys.stdout.flush()
    os._exit(0)  # at once: the interpreter's own end would complain of a child that still runs
