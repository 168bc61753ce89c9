"""Statements on a Trino server, one after the other: counted, limited, cancelled when we are interrupted.

Only what cannot do anything twice is tried again: making a connection, and asking for the next page
of an answer. A statement that was handed over is never sent a second time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from shadowagg.errors import ServerFailed, ShadowaggError, UserError
from shadowagg.servers import TrinoServer

__all__ = ["QueryFailed", "QueryStats", "TrinoSession", "require_trino"]

_ATTEMPTS = 3
_REQUEST_SECONDS = 30.0
_CANCEL_SECONDS = 3.0
_BATCH_ROWS = 10_000
_NOT_ADMITTED = ("error 401", "error 403")


def require_trino() -> None:
    """Say now, not at the first window, that the client is missing.

    Raises:
        ModuleNotFoundError: naming the package; `paths.open_path` says what to install.
    """
    if importlib.util.find_spec("trino") is None:
        raise ModuleNotFoundError("No module named 'trino'", name="trino")


@dataclass(frozen=True, slots=True)
class QueryStats:
    """What one statement cost the server.

    Args:
        query: its id there.
        purpose: what it was for: a stage, `scratch`.
        cpu_seconds: over all nodes.
        peak_memory_bytes: of the query.
        scanned_bytes: read from storage.
        seconds: from its arrival to its end, by the server's clock.
    """

    query: str
    purpose: str
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    scanned_bytes: int = 0
    seconds: float = 0.0

    @classmethod
    def from_server(cls, stats: Mapping[str, Any], purpose: str) -> QueryStats:
        """From the statistics that come with each page of an answer."""
        return cls(
            query=str(stats.get("queryId", "")),
            purpose=purpose,
            cpu_seconds=float(stats.get("cpuTimeMillis", 0)) / 1000,
            peak_memory_bytes=int(stats.get("peakMemoryBytes", 0)),
            scanned_bytes=int(stats.get("physicalInputBytes", 0)),
            seconds=float(stats.get("elapsedTimeMillis", 0)) / 1000,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class QueryFailed(ShadowaggError):
    """Trino says that a statement failed, for a reason that lies in the statement or its data.

    Its message quotes values of rows: whoever catches it says what it means (`trino_refusal`).

    Args:
        name: Trino's name of the error, such as `COLUMN_NOT_FOUND`.
        kind: `USER_ERROR`, `EXTERNAL`, `INTERNAL_ERROR`, `INSUFFICIENT_RESOURCES`.
        message: Trino's, for whoever interprets it; never to be shown.
        query: id of the query.
    """

    def __init__(self, name: str, kind: str, message: str, query: str) -> None:
        super().__init__(f"the statement failed: {name}", on=f"Trino, query {query}")
        self.name = name
        self.kind = kind
        self.message = message
        self.query = query


class TrinoSession:
    """A connection to one server.

    Args:
        server: which.
        source: names this run among the server's queries.
        seconds: how long all statements together may take; 0 for no limit of ours.
    """

    def __init__(self, server: TrinoServer, *, source: str, seconds: float = 0.0) -> None:
        self.server = server
        self.source = source
        self.purpose = "scratch"
        self.queries: list[QueryStats] = []
        self.version = ""
        self._ends = time.monotonic() + seconds if seconds else None
        self._running: Any = None
        self._http = _http_session(server)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what runs, and let go of the connection."""
        self.cancel()
        self._http.close()

    @property
    def where(self) -> str:
        """The server, for messages."""
        return f"Trino at {self.server.host}:{self.server.port}"

    def lift_limit(self) -> None:
        """From now on no statement is limited in time: clearing up goes on after the time is over."""
        self._ends = None

    # --- statements --------------------------------------------------------------------------

    def _secret_in_the_open(self) -> UserError:
        return UserError(
            "a password or a token goes over https only",
            on=self.where,
            hint="set TRINO_SCHEME=https, or leave it out",
        )

    def connect(self) -> str:
        """Ask the server for its version; anything that is wrong with the connection shows here.

        Raises:
            ServerFailed: if it cannot be reached.
            UserError: if it does not admit us.
        """
        ((version,),) = self.rows("SELECT node_version FROM system.runtime.nodes WHERE coordinator")
        self.version = str(version)
        return self.version

    def run(self, statement: str) -> None:
        """A statement whose rows do not matter, to its end."""
        self.rows(statement)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[list[Any]]:
        """All rows of a small answer, as the client maps them to Python.

        Args:
            statement: with a `?` per value.
            values: that the client binds.
        """
        with self._statement(statement, values) as cursor:
            return list(cursor.fetchall())

    def describe(self, statement: str) -> list[tuple[str, str]]:
        """Names and types of a SELECT's columns; no row is computed."""
        with self._statement(f"SELECT * FROM ({statement}) LIMIT 0") as cursor:  # noqa: S608 - parsed
            cursor.fetchall()
            return [(str(column[0]), str(column[1])) for column in cursor.description or ()]

    def batches(self, statement: str, *, size: int = _BATCH_ROWS) -> Iterator[list[list[Any]]]:
        """The rows of an answer, at most `size` at a time.

        Raises:
            QueryFailed: as Trino says, for what lies in the statement or the data.
            ServerFailed: if the server cannot be reached, is lost, or stops at a limit.
        """
        with self._statement(statement) as cursor:
            while batch := cursor.fetchmany(size):
                yield batch

    @contextlib.contextmanager
    def _statement(self, statement: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        import trino.exceptions  # the extra `trino`

        connection = self._connection()
        cursor = connection.cursor()
        self._running = cursor
        try:
            # Without values the text goes as it is; with them it is prepared on the server.
            cursor.execute(statement, list(values) or None)
            yield cursor
        except trino.exceptions.TrinoQueryError as error:
            self._running = None
            self._note({"queryId": error.query_id, **(cursor.stats or {})})
            raise self._said(error) from None
        except trino.exceptions.HttpError as error:
            raise self._turned_away(str(error)) from None
        except (trino.exceptions.Error, OSError) as error:
            raise self._lost(error) from None
        except BaseException:
            self.cancel()
            raise
        else:
            self._running = None
            self._note(cursor.stats or {})
            # Rows that nobody fetched: the query must not wait for whoever would.
            if not cursor._query.finished:  # noqa: SLF001 - the client has no other word for it
                cursor.cancel()

    def cancel(self) -> None:
        """Cancel the statement that runs, if one does; never raises."""
        cursor, self._running = self._running, None
        if cursor is not None:
            self._note(cursor.stats or {})
            with contextlib.suppress(Exception):  # what cannot be cancelled is swept later
                # Whoever ends us does not wait as long as a request may take.
                cursor._request._request_timeout = _CANCEL_SECONDS  # noqa: SLF001 - no other way
                cursor.cancel()

    # --- inside ------------------------------------------------------------------------------

    def _connection(self) -> Any:
        import trino.auth
        import trino.dbapi
        import trino.exceptions

        server = self.server
        auth: Any = None
        if server.jwt:
            auth = trino.auth.JWTAuthentication(server.jwt)
        elif server.password:
            auth = trino.auth.BasicAuthentication(server.user, server.password)
        properties = {}
        if self._ends is not None:
            left = self._ends - time.monotonic()
            if left <= 0:
                raise ServerFailed("the time is over", on=self.where, cause="timeout")
            properties["query_max_run_time"] = f"{max(left, 1.0):.2f}s"
        if server.scheme == "http" and (server.password or server.jwt):
            # Clients before 0.340 would send them.
            raise self._secret_in_the_open()
        try:
            return trino.dbapi.connect(  # type: ignore[no-untyped-call]
                host=server.host,
                port=server.port,
                user=server.user,
                source=self.source,
                http_scheme=server.scheme,
                auth=auth,
                http_session=self._http,
                max_attempts=1,
                request_timeout=_REQUEST_SECONDS,
                session_properties=properties,
                timezone="UTC",
            )
        except (ValueError, trino.exceptions.TrinoAuthError):
            raise self._secret_in_the_open() from None

    def _note(self, stats: Mapping[str, Any]) -> None:
        if stats.get("queryId"):
            self.queries.append(QueryStats.from_server(stats, self.purpose))

    def _said(self, error: Any) -> ShadowaggError:
        name, kind, query = str(error.error_name), str(error.error_type), str(error.query_id)
        if name in _LIMITS:
            what, hint, cause = _LIMITS[name]
            return ServerFailed(what, on=f"Trino, query {query}", hint=hint, cause=cause)
        if name in _OPERATIONS:
            return ServerFailed(
                _OPERATIONS[name], on=f"Trino, query {query}", hint="look at the server, run again"
            )
        return QueryFailed(name, kind, str(error.message), query)

    def _turned_away(self, said: str) -> ShadowaggError:
        if said.startswith(_NOT_ADMITTED):
            return UserError(
                f"user {self.server.user!r} is not admitted",
                on=self.where,
                hint="check TRINO_USER and TRINO_PASSWORD, or TRINO_JWT",
            )
        return ServerFailed(
            f"no answer of a Trino server: HTTP {said[:9]}",
            on=self.where,
            hint="check TRINO_HOST, TRINO_PORT and TRINO_SCHEME",
        )

    def _lost(self, error: BaseException) -> ServerFailed:
        text = str(error)
        reason = next((meant for said, meant in _NETWORK if said in text), type(error).__name__)
        at = f", query {self._running.query_id}" if self._running and self._running.query_id else ""
        self.cancel()
        return ServerFailed(
            f"cannot be reached: {reason}",
            on=f"{self.where}{at}",
            hint="check TRINO_HOST, TRINO_PORT and TRINO_SCHEME, and whether the server runs",
        )


_LIMITS: Mapping[str, tuple[str, str, str]] = {
    "EXCEEDED_TIME_LIMIT": ("the query ran past its time", "raise the time limit", "timeout"),
    "EXCEEDED_CPU_LIMIT": ("the query ran past its CPU time", "ask the server's owner", "timeout"),
    "EXCEEDED_LOCAL_MEMORY_LIMIT": (
        "the query grew past a node's memory",
        "raise query.max-memory-per-node",
        "memory",
    ),
    "EXCEEDED_GLOBAL_MEMORY_LIMIT": (
        "the query grew past the cluster's memory",
        "raise query.max-memory",
        "memory",
    ),
    "CLUSTER_OUT_OF_MEMORY": ("the cluster is out of memory", "run again later", "memory"),
}
"""Trino's name -> what it means, what to do, the cause of the fault."""

_OPERATIONS: Mapping[str, str] = {
    "ADMINISTRATIVELY_KILLED": "somebody killed the query",
    "ADMINISTRATIVELY_PREEMPTED": "somebody preempted the query",
    "USER_CANCELED": "somebody cancelled the query",
    "ABANDONED_QUERY": "the query was abandoned: its answer was not fetched in time",
    "NO_NODES_AVAILABLE": "no node is available",
    "SERVER_SHUTTING_DOWN": "the server shuts down",
    "SERVER_STARTING_UP": "the server is still starting",
    "REMOTE_HOST_GONE": "a node of the cluster is gone",
    "REMOTE_TASK_ERROR": "a node of the cluster lost its task",
    "QUERY_QUEUE_FULL": "the server's queue is full",
    "JDBC_ERROR": "PostgreSQL does not do what Trino asks of it",
}

_NETWORK: Sequence[tuple[str, str]] = (
    ("Name or service not known", "no such host"),
    ("Temporary failure in name resolution", "no such host"),
    ("nodename nor servname", "no such host"),
    ("Connection refused", "connection refused"),
    ("Connection reset", "connection lost"),
    ("Connection aborted", "connection lost"),
    ("RemoteDisconnected", "connection lost"),
    ("IncompleteRead", "connection lost"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted (TRINO_VERIFY)"),
    ("SSL", "no TLS there"),
    ("timed out", "no answer in time"),
    ("Max retries exceeded", "connection lost"),
)


def _http_session(server: TrinoServer) -> Any:
    """Retries where nothing can happen twice: before a request is sent, and for reading pages."""
    import requests  # comes with the extra `trino`
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    retry = Retry(
        total=None,
        connect=_ATTEMPTS - 1,
        read=_ATTEMPTS - 1,
        status=_ATTEMPTS - 1,
        other=0,
        allowed_methods=frozenset({"GET"}),
        status_forcelist=(502, 503, 504),
        backoff_factor=0.2,
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    if server.verify:
        session.verify = server.verify
    return session
