"""Benchmarks measure whole processes, and print ratios of one run on one machine.

`tox -e bench` runs them all; `-- --rows 10000` sets the size, `-- -k aggregate` chooses.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BASE = "read the needed columns"


def pytest_addoption(parser):
    parser.addoption(
        "--rows",
        action="append",
        type=int,
        help="rows of the main table; may be given several times (default 1000000)",
    )


def pytest_generate_tests(metafunc):
    if "rows" in metafunc.fixturenames:
        metafunc.parametrize("rows", metafunc.config.getoption("rows") or [1_000_000])


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A factory: the folder of a generated scenario of that many rows, made once."""
    made: dict[int, Path] = {}

    def make(rows: int) -> Path:
        if rows not in made:
            folder = tmp_path_factory.mktemp("data") / str(rows)
            command = ["generate", "--provider", "ocp", "--rows", str(rows), "--days", "30"]
            run(["-m", "shadowagg", *command, "--out", str(folder)])
            made[rows] = folder
        return made[rows]

    return make


def run(arguments: list[str]) -> int:
    """Run a Python process to its end; its peak resident memory in bytes."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:
        raise RuntimeError(f"exit code {process.returncode}: {arguments}")
    return usage.ru_maxrss * 1024


@pytest.fixture
def measure(benchmark, request):
    """Time a process over three runs; note what it is, how many rows, and its peak memory."""

    def go(what: str, arguments: list[str], *, rows: int, rounds: int = 3, of: str = "") -> None:
        peaks: list[int] = []
        benchmark.extra_info.update(what=what, rows=rows)
        benchmark.pedantic(lambda: peaks.append(run(arguments)), rounds=rounds, iterations=1)
        benchmark.extra_info["peak_mb"] = round(max(peaks) / 1e6)
        request.config.stash.setdefault(MEASURED, []).append(
            (request.module.__name__ + of, rows, what, min(benchmark.stats.stats.data), max(peaks))
        )

    return go


MEASURED: pytest.StashKey[list[tuple[str, int, str, float, int]]] = pytest.StashKey()


def pytest_terminal_summary(terminalreporter, config):
    """The table of docs/performance.md: seconds, memory, and how many times the base."""
    measured = config.stash.get(MEASURED, [])
    bases = {(module, rows): s for module, rows, what, s, _ in measured if what == BASE}
    terminalreporter.section("ratios, fastest of the rounds, whole processes")
    terminalreporter.write_line("| rows | what | seconds | peak MB | × reading |")
    terminalreporter.write_line("|---:|---|---:|---:|---:|")
    for module, rows, what, seconds, peak in measured:
        base = bases.get((module, rows))
        ratio = f"{seconds / base:.1f}" if base else "-"
        terminalreporter.write_line(
            f"| {rows:,} | {what} | {seconds:.2f} | {peak / 1e6:.0f} | {ratio} |"
        )
