"""Processes that the stack starts, tells apart and ends."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shadowagg.errors import UserError
from shadowagg.fence.processes import descendants
from shadowagg.testing.stack.process import Identity, end, last_lines, start

# Processes: no package.
pytestmark = pytest.mark.once

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print('up', flush=True); time.sleep(9)",
)


@pytest.fixture
def started(tmp_path):
    """Starts processes, and ends those that a test has left."""
    all_of_them = []

    def run(command, name="service"):
        log = tmp_path / f"{name}.log"
        identity = start(command, log=log, folder=tmp_path)
        all_of_them.append(identity)
        limit = time.monotonic() + 30
        while "up" not in log.read_text() and identity.alive and time.monotonic() < limit:
            time.sleep(0.02)
        return identity

    yield run
    for identity in all_of_them:
        end(identity, how=signal.SIGKILL, patience=10)


def test_a_started_process_leads_a_session_of_its_own(started):
    identity = started(SLEEP)

    assert identity.alive
    assert identity.pid == os.getsid(identity.pid)
    assert Identity.of(identity.pid) == identity
    assert Identity.from_json(identity.to_json()) == identity


def test_a_process_that_is_asked_ends(started):
    identity = started(SLEEP)

    assert end(identity, how=signal.SIGTERM, patience=30)
    assert not identity.alive


def test_a_process_that_does_not_listen_is_killed(started):
    identity = started(STUBBORN)

    assert not end(identity, how=signal.SIGTERM, patience=0.2)
    assert not identity.alive


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_a_later_process_with_the_same_number_is_left_alone(started, change):
    identity = started(SLEEP)
    earlier = dataclasses.replace(identity, **change)

    assert not earlier.alive
    assert end(earlier, how=signal.SIGKILL, patience=1)
    assert identity.alive


def test_ending_what_is_gone_is_no_error(started):
    identity = started(SLEEP)
    end(identity, how=signal.SIGKILL, patience=10)

    assert end(identity, how=signal.SIGTERM, patience=1)


def test_a_started_process_is_no_child_of_ours(started):
    identity = started(SLEEP)

    assert identity.pid not in descendants(os.getpid())


def test_a_dead_process_that_nobody_has_reaped_is_not_alive():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        identity = Identity.of(process.pid)
        assert identity.alive
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert Path(f"/proc/{process.pid}").exists()
        assert not identity.alive
        assert end(identity, how=signal.SIGKILL, patience=1)


def test_a_program_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError) as caught:
        start(("/no/such/program",), log=tmp_path / "log", folder=tmp_path)
    assert "/no/such/program: cannot be started: No such file or directory" == str(caught.value)


def test_servers_do_not_see_the_callers_postgresql_variables(started, tmp_path, monkeypatch):
    monkeypatch.setenv("PGDATA", "/somebody/elses")
    identity = started((sys.executable, "-c", "import os; print('up', os.environ.get('PGDATA'))"))
    limit = time.monotonic() + 30
    while identity.alive and time.monotonic() < limit:
        time.sleep(0.02)

    assert "up None" == (tmp_path / "service.log").read_text().strip()


def test_the_last_lines_of_a_log_are_those_that_say_something(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\nError: two\n\tat some.Class\n\t... 3 more\n\nthree\n")

    assert "Error: two | three" == last_lines(log, 2)
    assert "(no output)" == last_lines(tmp_path / "none")
