"""Long steps with programs of others (package managers, tar): progress, one-line errors."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from shadowagg.errors import UserError
from shadowagg.testing.stack.process import last_lines

__all__ = ["Missing", "Say", "built_beside", "find_program", "install_packages", "run_step"]

Say = Callable[[str], None]
"""Takes one line of progress."""

_HEARTBEAT = 15.0
"""Seconds between two words of a long step."""


class Missing(UserError):
    """Something that the stack needs is not here, and we may not install it."""

    cause = "missing"


def find_program(name: str) -> Path | None:
    """A program on the path."""
    found = shutil.which(name)
    return Path(found) if found else None


def run_step(
    what: str,
    command: Sequence[str],
    *,
    say: Say,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run a program to its end, with a sign of life now and then.

    Args:
        what: the step, for people: `downloading Trino 476`.
        command: program and arguments.
        say: progress.
        log: its output; replaced.
        environment: added to ours.
        folder: it works in; ours by default.

    Raises:
        UserError: if it fails; the last lines of its log are the hint.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    say(f"{what} …")
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
        with process:
            try:
                while _still_runs(process):
                    say(f"{what} … {time.monotonic() - began:.0f} s")
            except BaseException:
                process.kill()
                raise
    if process.returncode != 0:
        raise UserError(
            f"{Path(command[0]).name} ended with code {process.returncode}",
            on=what,
            hint=f"{last_lines(log)} (all of it: {log})",
        )


def _still_runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_HEARTBEAT)
    except subprocess.TimeoutExpired:
        return True
    return False


@contextlib.contextmanager
def built_beside(target: Path) -> Iterator[Path]:
    """A folder to fill, which takes its final name only when it is complete.

    A download or an unpacking that was interrupted is thereby never taken for a whole one.
    """
    draft = target.with_name(f"{target.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    yield draft
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def install_packages(packages: Sequence[str], *, purpose: str, say: Say, log: Path) -> None:
    """Install packages of the system, if we are root and it is a Debian.

    Args:
        packages: by name.
        purpose: what they are for.
        say: progress.
        log: output of the package manager.

    Raises:
        Missing: if we may not, or cannot: names the packages.
        UserError: if the package manager fails.
    """
    names = " ".join(packages)
    if os.getuid() != 0 or find_program("apt-get") is None:
        raise Missing(
            "is not installed", on=purpose, hint=f"install the packages {names}, or run as root"
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    wait = ("-o", "DPkg::Lock::Timeout=300")
    run_step(
        f"{purpose}: refreshing the package lists",
        ("apt-get", *wait, "update"),
        say=say,
        log=log,
        environment=quiet,
    )
    run_step(
        f"{purpose}: installing {names}",
        ("apt-get", *wait, "install", "-y", "--no-install-recommends", *packages),
        say=say,
        log=log,
        environment=quiet,
    )
