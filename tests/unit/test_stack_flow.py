"""Up, down and release, with small processes in the servers' place."""

import os
import signal
import sys

import pytest

from shadowagg.errors import UserError
from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.ports import answers, free_ports, is_free
from shadowagg.testing.stack.process import Identity, end, start
from shadowagg.testing.stack.stack import Stack

# Processes and files: no package.
pytestmark = pytest.mark.once

LISTEN = (
    "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
    "time.sleep(600)"
)
FAIL = "import sys; print('FATAL:  could not do it', flush=True); sys.exit(1)"


class Fake:
    """A service that only listens."""

    stop_signal = signal.SIGTERM

    def __init__(self, name, needs=(), code=LISTEN):
        self.name = name
        self.needs = needs
        self.code = code
        self.kind = f"fake {name}"
        self.launched = 0
        self.missing = None

    def install(self, home, say):
        if self.missing:
            raise self.missing

    def launch(self, state):
        self.launched += 1
        command = (sys.executable, "-c", self.code, str(state.ports[self.name]))
        return start(command, log=state.run.log(self.name), folder=state.folder)

    def problem(self, state):
        return "" if answers(state.ports[self.name]) else "nothing listens"


@pytest.fixture
def fakes():
    return {
        "trino": Fake("trino", needs=("postgres",)),
        "postgres": Fake("postgres"),
        "s3": Fake("s3"),
    }


@pytest.fixture
def said():
    return []


@pytest.fixture
def stack(tmp_path, fakes, said):
    made = Stack(Home(tmp_path / "stack"), say=said.append, services=list(fakes.values()))
    yield made
    made.down(force=True)


@pytest.fixture
def other(tmp_path):
    """A process that uses the stack."""
    identity = start(
        (sys.executable, "-c", "import time; time.sleep(600)"),
        log=tmp_path / "other.log",
        folder=tmp_path,
    )
    yield identity
    end(identity, how=signal.SIGKILL, patience=10)


def words(stack):
    return {one.name: one.state for one in stack.status()}


def test_up_starts_what_is_asked_for_and_what_that_needs(stack):
    stack.up(["trino"])

    assert {"trino": "running", "postgres": "running", "s3": "not started"} == words(stack)


def test_a_second_up_uses_what_runs(stack, fakes):
    first = stack.up()
    second = stack.up()

    assert first == second
    assert [1, 1, 1] == [fake.launched for fake in fakes.values()]


def test_a_service_that_comes_later_has_the_port_that_was_kept_for_it(stack):
    first = stack.up(["trino"])
    second = stack.up(["s3"])

    assert first.ports == second.ports
    assert first.services["trino"] == second.services["trino"]


def test_down_ends_everything_and_removes_the_data(stack):
    state = stack.up()
    ended = stack.down()

    assert ["trino", "postgres", "s3"] == ended
    assert not any(identity.alive for identity in state.services.values())
    assert not state.folder.exists()
    assert [] == stack.status()
    assert [] == stack.down()


def test_a_service_that_dies_is_one_line_with_its_last_words(stack, fakes):
    fakes["s3"].code = FAIL
    with pytest.raises(UserError) as caught:
        stack.up()

    kept = stack.home.logs / "s3-failed.log"
    assert f"s3: died while it started. Hint: FATAL:  could not do it (all of it: {kept})" == str(
        caught.value
    )
    assert "FATAL:  could not do it\n" == kept.read_text()


def test_an_up_that_fails_leaves_nothing_behind(stack, fakes):
    fakes["s3"].code = FAIL
    with pytest.raises(UserError):
        stack.up()

    assert stack.state() is None
    assert 1 == fakes["trino"].launched


def test_an_up_that_fails_leaves_what_ran_before(stack, fakes):
    before = stack.up(["postgres"])
    fakes["s3"].code = FAIL
    with pytest.raises(UserError):
        stack.up()

    assert {"trino": "not started", "postgres": "running", "s3": "not started"} == words(stack)
    assert before.services == stack.state().services


def test_an_interrupted_up_leaves_nothing_behind(stack, fakes, monkeypatch):
    def interrupt(state):
        raise KeyboardInterrupt

    monkeypatch.setattr(fakes["s3"], "problem", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stack.up()
    assert stack.state() is None


def test_a_service_that_is_never_ready_is_named_with_its_problem(stack, fakes):
    fakes["s3"].problem = lambda state: "still thinking"
    with pytest.raises(UserError, match=r"s3: is not ready after 0.1 s: still thinking\. Hint:"):
        stack.up(["s3"], patience=0.1)


def test_nothing_is_started_when_something_is_missing(stack, fakes):
    fakes["s3"].missing = UserError("is not installed", on="S3")
    with pytest.raises(UserError, match="S3: is not installed"):
        stack.up()

    assert [0, 0, 0] == [fake.launched for fake in fakes.values()]


def test_an_unknown_service_is_named_with_those_that_there_are(stack):
    with pytest.raises(UserError, match=r"kafka: is no service\. Hint: there are trino, postgres"):
        stack.up(["kafka"])


def test_a_port_of_ones_choice_is_used(stack):
    (port,) = free_ports(["s3"]).values()
    state = stack.up(["s3"], ports={"s3": port})

    assert port == state.ports["s3"]
    assert not is_free(port)


def test_another_port_or_heap_than_the_running_ones_is_refused(stack):
    state = stack.up(["trino"])
    with pytest.raises(UserError, match=f"s3: has port {state.ports['s3']} in the stack"):
        stack.up(["s3"], ports={"s3": 1})
    with pytest.raises(UserError, match="trino: runs with a heap of 1500 MB, not 4096"):
        stack.up(["trino"], heap=4096)


def test_ports_that_are_snatched_away_are_replaced_by_others(stack, fakes, said):
    """The first server finds its port taken, as if somebody had been faster."""
    fakes["s3"].code = "print('bind: address already in use'); raise SystemExit(1)"

    def problem(state):
        fakes["s3"].code = LISTEN
        return "" if answers(state.ports["s3"]) else "nothing listens"

    fakes["s3"].problem = problem
    launch = fakes["s3"].launch

    def launch_better_the_second_time(state):
        if fakes["s3"].launched:
            fakes["s3"].code = LISTEN
        return launch(state)

    fakes["s3"].launch = launch_better_the_second_time
    stack.up(["s3"])

    assert 2 == fakes["s3"].launched
    assert [line for line in said if line.endswith("trying again with others")]


def test_a_stack_whose_services_have_all_died_is_replaced(stack):
    state = stack.up(["s3"])
    end(state.services["s3"], how=signal.SIGKILL, patience=10)
    assert "died" == words(stack)["s3"]
    again = stack.up(["s3"])

    assert state.folder != again.folder
    assert not state.folder.exists()
    assert "running" == words(stack)["s3"]


def test_the_last_holder_out_ends_the_stack(stack, other):
    us = Identity.of(os.getpid())
    stack.up(["s3"], holder=us)
    stack.up(["s3"], holder=other)
    stack.release(us)
    assert "running" == words(stack)["s3"]
    stack.release(other)
    assert [] == stack.status()


def test_a_holder_that_has_died_holds_nothing(stack, other):
    us = Identity.of(os.getpid())
    stack.up(["s3"], holder=other)
    stack.up(["s3"], holder=us)
    end(other, how=signal.SIGKILL, patience=10)
    stack.release(us)

    assert [] == stack.status()


def test_a_stack_that_was_up_before_a_session_is_up_after_it(stack):
    us = Identity.of(os.getpid())
    stack.up(["postgres"])
    stack.up(["s3"], holder=us)
    stack.release(us)

    assert {"trino": "not started", "postgres": "running", "s3": "running"} == words(stack)


def test_down_does_not_pull_the_stack_from_under_a_session(stack, other):
    stack.up(["s3"], holder=other)
    with pytest.raises(UserError, match=f"the stack: is in use by process {other.pid}. Hint:"):
        stack.down()
    assert ["s3"] == stack.down(force=True)
