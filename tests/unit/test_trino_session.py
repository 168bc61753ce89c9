"""A session on a server that misbehaves: what is tried again, what never is, and what people read."""

from __future__ import annotations

import http.server
import json
import sys
import threading

import pytest

from shadowagg.control.trino_session import QueryFailed, TrinoSession
from shadowagg.errors import ServerFailed, UserError
from shadowagg.paths import open_path
from shadowagg.servers import TrinoServer

STATS = {
    "cpuTimeMillis": 1500,
    "peakMemoryBytes": 7,
    "physicalInputBytes": 11,
    "elapsedTimeMillis": 20,
}


class FakeTrino:
    """Answers from a script; keeps what it was asked. An answer of None cuts the connection."""

    def __init__(self):
        self.asked = []
        self.script = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length).decode()
                fake.asked.append((self.command, self.path, body, dict(self.headers)))
                if self.command == "DELETE":
                    status, document = 204, None
                else:
                    planned = fake.script.pop(0)
                    if planned is None:
                        self.close_connection = True
                        self.connection.close()
                        return
                    status, document = planned
                content = json.dumps(document).encode() if document is not None else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

            def log_message(self, *_):
                pass

            def handle_error(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def page(self, number, *, rows=None, last=False, error=None):
        document = {"id": "q1", "infoUri": "http://x/", "stats": {"state": "RUNNING", **STATS}}
        if rows is not None:
            signature = {"rawType": "integer", "arguments": []}
            column = {"name": "x", "type": "integer", "typeSignature": signature}
            document |= {"columns": [column], "data": rows}
        if not last:
            document["nextUri"] = f"http://127.0.0.1:{self.port}/v1/statement/q1/{number}"
        if error is not None:
            document["error"] = error
        return 200, document

    def posts(self):
        return [body for command, _, body, _ in self.asked if command == "POST"]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def fake():
    made = FakeTrino()
    yield made
    made.stop()


@pytest.fixture
def session(fake):
    with TrinoSession(
        TrinoServer("127.0.0.1", fake.port), source="scratch_x", seconds=60
    ) as opened:
        yield opened


def failing(name, kind, message):
    return {"errorName": name, "errorType": kind, "message": message, "errorCode": 1}


def test_rows_come_and_the_cost_is_noted(fake, session):
    fake.script = [fake.page(1), fake.page(2, rows=[[1], [2]]), fake.page(3, rows=[[3]], last=True)]
    session.purpose = "pods"

    assert [[1], [2], [3]] == session.rows("SELECT x")

    (cost,) = session.queries
    assert ("q1", "pods", 1.5, 7, 11) == (
        cost.query,
        cost.purpose,
        cost.cpu_seconds,
        cost.peak_memory_bytes,
        cost.scanned_bytes,
    )


def test_a_statement_says_whose_it_is_and_how_long_it_may_run(fake, session):
    fake.script = [fake.page(1, rows=[[1]], last=True)]
    session.rows("SELECT x")

    headers = {name.lower(): value for name, value in fake.asked[0][3].items()}
    assert "scratch_x" == headers["x-trino-source"]
    assert "UTC" == headers["x-trino-time-zone"]
    name, _, seconds = headers["x-trino-session"].partition("=")
    assert "query_max_run_time" == name
    assert 50 < float(seconds.removesuffix("s")) <= 60


def test_after_its_time_nothing_is_asked_unless_to_clear_up(fake):
    server = TrinoServer("127.0.0.1", fake.port)
    with TrinoSession(server, source="x", seconds=1e-9) as session:
        with pytest.raises(ServerFailed, match="the time is over") as raised:
            session.rows("SELECT x")
        assert ("timeout", []) == (raised.value.cause, fake.asked)

        session.lift_limit()
        fake.script = [fake.page(1, rows=[[1]], last=True)]
        assert [[1]] == session.rows("SELECT x")


def test_the_next_page_is_asked_for_again(fake, session):
    fake.script = [fake.page(1), (503, None), None, fake.page(2, rows=[[1]], last=True)]

    assert [[1]] == session.rows("SELECT x")
    assert 1 == len(fake.posts())


def test_the_next_page_is_not_asked_for_without_end(fake, session):
    fake.script = [fake.page(1), *[None] * 20]

    with pytest.raises(ServerFailed, match="query q1: cannot be reached: connection lost"):
        session.rows("SELECT x")
    assert 3 == len([1 for command, *_ in fake.asked if command == "GET"])


@pytest.mark.parametrize("answer", [None, (502, None), (503, None), (504, None)])
def test_a_statement_is_never_sent_twice(fake, session, answer):
    fake.script = [answer] * 5

    with pytest.raises(ServerFailed):
        session.rows("INSERT INTO t SELECT 1")
    assert 1 == len(fake.posts())


def test_an_interrupt_cancels_the_query(fake, session):
    fake.script = [fake.page(number, rows=[[number]]) for number in (1, 2, 3)]

    def interrupted():
        for _ in session.batches("SELECT x", size=1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    command, path, *_ = fake.asked[-1]
    assert ("DELETE", True) == (command, path.startswith("/v1/statement/q1/"))
    assert ["q1"] == [query.query for query in session.queries]


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused_are_a_users_error(fake, session, status):
    fake.script = [(status, {"why": "secret text"})]

    with pytest.raises(UserError, match="user 'shadowagg' is not admitted") as raised:
        session.connect()
    assert "secret" not in str(raised.value)


def test_what_is_no_trino_server_is_said(fake, session):
    fake.script = [(404, {"a": "page"})]

    with pytest.raises(ServerFailed, match="no answer of a Trino server: HTTP error 404"):
        session.connect()


@pytest.mark.parametrize(
    "secret", [{"password": "hidden-password"}, {"jwt": "hidden-token"}], ids=["password", "token"]
)
def test_a_secret_goes_over_https_only_and_into_no_message(fake, secret):
    server = TrinoServer("127.0.0.1", fake.port, scheme="http", **secret)
    with (
        TrinoSession(server, source="x") as session,
        pytest.raises(UserError, match="over https only") as raised,
    ):
        session.connect()

    assert [] == fake.asked
    assert "hidden" not in str(raised.value) + repr(server)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("EXCEEDED_TIME_LIMIT", "timeout"),
        ("EXCEEDED_LOCAL_MEMORY_LIMIT", "memory"),
        ("ADMINISTRATIVELY_KILLED", "error"),
        ("SERVER_STARTING_UP", "error"),
    ],
)
def test_a_server_that_stops_a_query_says_which_and_why(fake, session, name, cause):
    error = failing(name, "INSUFFICIENT_RESOURCES", "a long text\nof the server")
    fake.script = [fake.page(1, last=True, error=error)]

    with pytest.raises(ServerFailed, match="Trino, query q1") as raised:
        session.rows("SELECT x")
    assert cause == raised.value.cause
    assert "long text" not in str(raised.value)


def test_a_failed_statement_does_not_show_what_the_server_quotes(fake, session):
    error = failing("INVALID_CAST_ARGUMENT", "USER_ERROR", "Cannot cast 'secret' to DOUBLE")
    fake.script = [fake.page(1, last=True, error=error)]

    with pytest.raises(QueryFailed) as raised:
        session.rows("SELECT x")
    assert ("INVALID_CAST_ARGUMENT", "USER_ERROR") == (raised.value.name, raised.value.kind)
    assert "secret" not in str(raised.value)


def test_without_the_client_the_mode_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "trino", None)

    with pytest.raises(UserError, match=r"package trino is not installed.*shadowagg\[trino\]"):
        open_path("trino")
