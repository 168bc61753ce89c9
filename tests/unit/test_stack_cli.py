"""`shadowagg-stack`: one line where something is wrong, and what it prints."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from shadowagg.testing.stack.cli import main
from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.process import Identity
from shadowagg.testing.stack.state import Credentials, State, save


@pytest.fixture
def stack_home(tmp_path, monkeypatch):
    monkeypatch.setenv("SHADOWAGG_STACK_HOME", str(tmp_path / "stack"))
    return Home(tmp_path / "stack")


@pytest.fixture
def command(stack_home):
    return lambda *arguments: CliRunner().invoke(main, arguments)


@pytest.fixture
def state(stack_home, tmp_path):
    """On record as if we ourselves were PostgreSQL."""
    us = Identity.of(os.getpid())
    made = State(
        folder=tmp_path / "run",
        ports={"trino": 1, "postgres": 2, "s3": 3},
        credentials=Credentials("word", "KEY", "secret"),
        heap=1500,
        services={"postgres": us, "s3": Identity(us.pid, 1, us.boot)},
    )
    save(stack_home, made)
    return made


def test_without_a_stack_status_says_so(command):
    done = command("status")
    assert (1, "no stack is running\n") == (done.exit_code, done.stdout)


def test_without_a_stack_env_is_one_line(command):
    done = command("env")
    assert (2, "shadowagg-stack: no stack is running. Hint: shadowagg-stack up\n") == (
        done.exit_code,
        done.stderr,
    )


def test_without_a_stack_down_has_nothing_to_do(command):
    done = command("down")
    assert (0, "nothing was running\n") == (done.exit_code, done.stderr)


def test_status_tells_what_is_silent_and_what_has_died(command, state):
    done = command("status", "--json")

    assert 1 == done.exit_code
    found = {name: (one["state"], one["pid"]) for name, one in json.loads(done.stdout).items()}
    us = os.getpid()
    assert {
        "trino": ("not started", None),
        "postgres": ("silent", us),
        "s3": ("died", us),
    } == found


def test_env_prints_exports_or_json(command, state):
    exports = command("env").stdout.splitlines()
    values = json.loads(command("env", "--json").stdout)

    assert "export PGPASSWORD=word" in exports
    assert "word" == values["PGPASSWORD"]
    assert len(exports) == len(values)


@pytest.mark.parametrize("port", ["postgres", "kafka=1", "s3=0", "s3=65536", "s3=x"])
def test_a_port_that_is_none_is_refused(command, port):
    done = command("up", "--port", port)

    assert 2 == done.exit_code
    assert f"{port!r} is not SERVICE=NUMBER" in done.stderr


def test_a_heap_that_is_none_is_one_line(command):
    done = command("up", "--heap", "much")

    expected = (
        "shadowagg-stack: heap: 'much' is no size of at least 1000M. Hint: such as 1500M or 4G\n"
    )
    assert (2, expected) == (done.exit_code, done.stderr)


def test_help_loads_nothing_heavy():
    code = (
        "from shadowagg.testing.stack.cli import main; main(['--help'], standalone_mode=False); "
        "import sys; print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set() == {"pyarrow", "psycopg2", "pandas", "pytest"} & set(done.stderr.split())
