"""The pytest plugin: one stack per session however many workers, and the policy for what is missing."""

import os
import subprocess
import sys

import pytest

from shadowagg.testing.stack.process import Identity

# Processes and files: no package but pytest, which no pin concerns.
pytestmark = pytest.mark.once

CONFTEST = """
import pathlib, signal, sys
import pytest
from shadowagg.errors import UserError
from shadowagg.testing.stack import fixtures
from shadowagg.testing.stack.ports import answers
from shadowagg.testing.stack.process import start
from shadowagg.testing.stack.stack import Stack
from shadowagg.testing.stack.steps import Missing

HERE = pathlib.Path(__file__).parent
CODE = ("import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
        "time.sleep(120)")


class Fake:
    needs = ()
    stop_signal = signal.SIGTERM

    def __init__(self, name):
        self.name = self.kind = name

    def install(self, home, say):
        if (HERE / "missing").exists():
            raise Missing("is not installed", on="It", hint="install the packages one two")
        if (HERE / "broken").exists():
            raise UserError("is broken", on="It")

    def launch(self, state):
        identity = start((sys.executable, "-c", CODE, str(state.ports[self.name])),
                         log=state.run.log(self.name), folder=state.folder)
        with (HERE / "launched").open("a") as sink:
            sink.write(f"{self.name} {identity.pid} {identity.started}\\n")
        return identity

    def problem(self, state):
        return "" if answers(state.ports[self.name]) else "not yet"


def stack(config):
    services = [Fake("trino"), Fake("postgres"), Fake("s3")]
    return Stack(config.stash[fixtures._HOME], say=print, services=services)


fixtures._stack = stack
"""

TESTS = """
import os, pathlib
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range(8))
def test_one(postgres, s3, number):
    assert postgres.pid != s3.pid
    with (HERE / "seen").open("a") as sink:
        sink.write(f"{os.getpid()} {postgres.pid} {s3.pid}\\n")
"""


@pytest.fixture
def session(tmp_path, monkeypatch):
    """Runs pytest on a folder of its own, with small processes in the servers' place."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def run(*arguments, **environment):
        inherited = {name: value for name, value in os.environ.items() if name != "CI"}
        return subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "shadowagg.testing.stack.fixtures"),
                *("-p", "no:cacheprovider", "-p", "no:randomly", "-rA", *arguments),
            ],
            cwd=tmp_path,
            env={**inherited, "SHADOWAGG_STACK_HOME": str(tmp_path / "stack"), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def running(tmp_path):
    boot = Identity.of(os.getpid()).boot
    launched = [line.split() for line in (tmp_path / "launched").read_text().splitlines()]
    return [name for name, pid, started in launched if Identity(int(pid), int(started), boot).alive]


def test_all_workers_share_one_stack_which_ends_with_the_session(session, tmp_path):
    done = session("-n", "2")

    assert 0 == done.returncode, done.stdout
    seen = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert 8 == len(seen)
    assert 2 == len({worker for worker, _, _ in seen})
    assert 1 == len({tuple(servers) for _, *servers in seen})
    launched = [line.split()[0] for line in (tmp_path / "launched").read_text().splitlines()]
    assert ["postgres", "s3"] == sorted(launched)
    assert [] == running(tmp_path)
    assert not (tmp_path / "stack" / "state.json").exists()


def test_without_workers_it_ends_with_the_session_too(session, tmp_path):
    assert 0 == session().returncode
    assert [] == running(tmp_path)


def test_nothing_starts_when_no_test_asks(session, tmp_path):
    (tmp_path / "test_it.py").write_text("def test_one(): pass\n")

    assert 0 == session().returncode
    assert not (tmp_path / "launched").exists()


def test_what_is_missing_skips_with_one_line(session, tmp_path):
    (tmp_path / "missing").touch()
    done = session()

    assert 0 == done.returncode
    assert "8 skipped" in done.stdout
    assert "It: is not installed. Hint: install the packages one two" in done.stdout


def test_what_is_missing_fails_where_ci_is_set(session, tmp_path):
    (tmp_path / "missing").touch()
    done = session(CI="true")

    assert 1 == done.returncode
    assert "8 errors" in done.stdout
    assert "It: is not installed. Hint: install the packages one two" in done.stdout
    assert "Traceback" not in done.stdout


def test_what_is_broken_fails_everywhere(session, tmp_path):
    (tmp_path / "broken").touch()
    done = session()

    assert 1 == done.returncode
    assert "It: is broken" in done.stdout
