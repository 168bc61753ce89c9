"""Whatever a path does becomes a verdict and a record; nothing remains, and the next window runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shadowagg.scenario import load_scenario
from shadowagg.scenario_run import run_scenario
from shadowagg.settings import Settings
from shadowagg.store import open_store

# What the fence and the runner do about it: no package decides that.
pytestmark = pytest.mark.once


@pytest.fixture
def scenario(third_party, tmp_path):
    """A factory: the toy's data, with a candidate that misbehaves as named."""

    def make(candidate, **document):
        toy = third_party("toy", "faulty").provider("toy")
        parameters = {"candidate": candidate}
        folder = toy.generate(
            tmp_path / "data", seed=1, rows=50, days=3, parameters=parameters, **document
        )
        return load_scenario(folder)

    return make


@pytest.fixture
def nothing_remains(tmp_path_factory, monkeypatch):
    """Fails if a process or a temporary file of the test is left at its end."""
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    mark = f"SHADOWAGG_TEST_MARK={os.getpid()}-{time.time_ns()}"
    monkeypatch.setenv(*mark.split("="))
    yield
    deadline = time.monotonic() + 5
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [] == left
    assert [] == sorted(folder.rglob("*"))


def marked(mark):
    """Pids of processes other than this one that have the mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def run(scenario, *, control="embedded", provider="faulty", **settings):
    made = Settings(time_limit=settings.pop("time_limit", 60), **settings)
    store = open_store(made.store)
    result = run_scenario(scenario, made, provider=provider, control=control, store=store)
    (record,) = result.records
    assert record.to_json() == store.get(record.id)
    return result, record


@pytest.mark.usefixtures("nothing_remains")
@pytest.mark.parametrize(
    ("candidate", "settings", "code", "cause"),
    [
        ("behaves", {}, 0, "agreed"),
        ("raises", {}, 3, "error"),
        ("sleeps_for_ever", {"time_limit": 6}, 3, "timeout"),
        ("ignores_sigterm", {"time_limit": 6}, 3, "timeout"),
        ("grows_in_python", {"memory_limit": 0.5}, 3, "memory"),
        ("grows_in_arrow", {"memory_limit": 0.5}, 3, "memory"),
        ("gives_wrong_types", {}, 3, "nonconforming"),
        ("gives_no_table", {}, 3, "error"),
        ("dies", {}, 3, "died"),
        ("exits", {}, 3, "died"),
        ("loses_a_row", {}, 1, "differs"),
        ("doubles_a_row", {}, 1, "differs"),
        ("leaves_a_grandchild", {}, 0, "agreed"),
        ("leaves_a_temporary_file", {}, 0, "agreed"),
    ],
)
def test_a_candidate_that_misbehaves(scenario, candidate, settings, code, cause):
    made = scenario(candidate)
    result, record = run(made, **settings)
    assert (code, cause) == (result.exit_code, record.judgement.cause)
    if candidate.startswith("leaves"):
        assert record.candidate.left_behind
    # The next window runs.
    again, _ = run(made, provider="toy")
    assert 0 == again.exit_code


@pytest.mark.usefixtures("nothing_remains")
def test_a_control_that_raises_is_inconclusive(scenario):
    made = scenario("behaves")
    for file in (made.folder / "inputs").rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:40])
    result, record = run(made)
    assert 4 == result.exit_code
    assert record.control.fault is not None
    assert record.control.fault.cause == "unreadable"


@pytest.mark.usefixtures("nothing_remains")
def test_a_control_that_differs_from_itself_is_inconclusive_and_its_columns_are_named(scenario):
    made = scenario("differs_from_itself")
    result, record = run(made, control="pyarrow")
    assert (4, "control unstable") == (result.exit_code, record.judgement.cause)
    assert "turnover.amount" in record.judgement.reason
    result, record = run(made, control="pyarrow", control_repeats=0)
    assert (1, "differs") == (result.exit_code, record.judgement.cause)


@pytest.mark.usefixtures("nothing_remains")
def test_a_plugin_that_raises_at_import_is_listed_and_stops_nobody(third_party):
    found = third_party("toy", "faulty")
    assert {"toy", "faulty"} <= set(found.registered)
    (failure,) = found.failures
    assert "raises-at-import" == failure.entry_point
    assert "this plugin raises at import" in failure.reason


@pytest.mark.usefixtures("nothing_remains")
def test_a_parent_that_is_killed_leaves_nothing_behind(scenario):
    made = scenario("sleeps_for_ever")
    command = [sys.executable, "-m", "shadowagg", "run", "--scenario", str(made.folder)]
    parent = subprocess.Popen(
        [*command, "--provider", "faulty"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    for line in parent.stderr:
        if b"candidate (pyarrow)" in line:
            break
    time.sleep(1.0)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stderr.close()
