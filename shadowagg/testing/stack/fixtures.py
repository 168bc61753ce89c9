"""A pytest plugin: session fixtures `postgres`, `trino`, `s3` and `lake`, all of one stack.

Named in a project's settings as `-p shadowagg.testing.stack.fixtures`, or in a `conftest.py` as
`pytest_plugins`. Nothing starts before a test asks for it. A stack that runs already (`shadowagg-stack
up`) is used and left; one that a session started ends with the last session that uses it. All
workers of pytest-xdist are one session.

What is missing is installed, if we are root. If we are not, the test is skipped with a line that
names the packages; where the variable `CI` is set it fails instead.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shadowagg.errors import UserError
from shadowagg.testing.stack import environment
from shadowagg.testing.stack import postgres as postgres_service
from shadowagg.testing.stack import s3 as s3_service
from shadowagg.testing.stack import trino as trino_service
from shadowagg.testing.stack.layout import BUCKET, Home
from shadowagg.testing.stack.ports import HOST
from shadowagg.testing.stack.process import Identity
from shadowagg.testing.stack.stack import Stack
from shadowagg.testing.stack.state import State
from shadowagg.testing.stack.steps import Missing

if TYPE_CHECKING:  # heavy, and not needed until a test uses it
    import psycopg2.extensions
    import pyarrow.fs

__all__ = ["LakeFolder", "PostgresServer", "S3Server", "TrinoServer"]

_HOLDER = "shadowagg_stack_holder"
_HOME = pytest.StashKey[Home]()


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL on loopback, for throw-away data; its user may do everything.

    Args:
        host: of the server.
        port: of the server.
        user: superuser.
        password: of the user.
        database: Trino's catalog `postgres`.
        pid: of its process.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    pid: int

    @property
    def url(self) -> str:
        """For SQLAlchemy, and for libpq."""
        where = f"{self.host}:{self.port}/{self.database}"
        return f"postgresql://{self.user}:{self.password}@{where}"

    def connect(self) -> psycopg2.extensions.connection:
        """A new connection."""
        import psycopg2

        return psycopg2.connect(self.url)


@dataclass(frozen=True, slots=True)
class TrinoServer:
    """A Trino on loopback with the catalogs `hive` (the lake) and `postgres`.

    Args:
        host: of the server.
        port: of the server.
        user: any; there are no passwords.
        pid: of its process.
    """

    host: str
    port: int
    user: str
    pid: int

    def connect(self, **options: Any) -> Any:
        """A new DB-API connection of the `trino` package, in UTC.

        Args:
            options: of `trino.dbapi.connect`, such as `catalog` and `schema`.
        """
        import trino.dbapi

        wanted = {"host": self.host, "port": self.port, "user": self.user, "timezone": "UTC"}
        return trino.dbapi.connect(**wanted | options)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class S3Server:
    """An S3 server on loopback.

    Args:
        endpoint: its address, with the scheme.
        region: that it says it is in.
        access_key: of its account.
        secret_key: of its account.
        bucket: that exists.
        kind: `versitygw` (its buckets are the lake's folders) or `seaweedfs` (they are not).
        access_log: a line per request, where it is versitygw: field 8 the operation, 9 the key.
        folder: the bucket on this machine, where it is versitygw.
        pid: of its process.
    """

    endpoint: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str
    kind: str
    access_log: Path
    folder: Path
    pid: int

    def filesystem(self) -> pyarrow.fs.S3FileSystem:
        """Arrow's view of it; paths begin with the bucket."""
        import pyarrow.fs

        scheme, _, address = self.endpoint.partition("://")
        return pyarrow.fs.S3FileSystem(
            access_key=self.access_key,
            secret_key=self.secret_key,
            endpoint_override=address,
            scheme=scheme,
            region=self.region,
        )


@dataclass(frozen=True, slots=True)
class LakeFolder:
    """A folder, and Trino's name for it: `<folder>/t` is `<uri>/t`.

    Args:
        folder: on this machine; also the bucket of the S3 server, where that is versitygw.
        uri: for `external_location`.
    """

    folder: Path
    uri: str


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> PostgresServer:
    """A PostgreSQL."""
    state = _up(pytestconfig, "postgres")
    return PostgresServer(
        host=HOST,
        port=state.ports["postgres"],
        user=postgres_service.USER,
        password=state.credentials.postgres_password,
        database=postgres_service.DATABASE,
        pid=state.services["postgres"].pid,
    )


@pytest.fixture(scope="session")
def trino(pytestconfig: pytest.Config) -> TrinoServer:
    """A Trino, and the PostgreSQL behind its catalog `postgres`."""
    state = _up(pytestconfig, "trino")
    return TrinoServer(
        host=HOST,
        port=state.ports["trino"],
        user=trino_service.USER,
        pid=state.services["trino"].pid,
    )


@pytest.fixture(scope="session")
def s3(pytestconfig: pytest.Config) -> S3Server:
    """An S3 server with a bucket."""
    state = _up(pytestconfig, "s3")
    return S3Server(
        endpoint=f"http://{HOST}:{state.ports['s3']}",
        region=s3_service.REGION,
        access_key=state.credentials.s3_access_key,
        secret_key=state.credentials.s3_secret_key,
        bucket=BUCKET,
        kind=state.s3_server,
        access_log=state.run.access_log,
        folder=state.run.bucket,
        pid=state.services["s3"].pid,
    )


@pytest.fixture(scope="session")
def lake(trino: TrinoServer, pytestconfig: pytest.Config) -> LakeFolder:  # noqa: ARG001 - its lake
    """The folder that Trino's catalog `hive` reads."""
    state = _up(pytestconfig, "trino")
    return LakeFolder(state.run.bucket, environment.lake_uri())


def pytest_configure(config: pytest.Config) -> None:
    """Remember whose stack it is: tests may change the environment."""
    config.stash[_HOME] = Home.default()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist in whose name to hold the stack: workers come and go."""
    node.workerinput[_HOLDER] = Identity.of(os.getpid()).to_json()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let go of the stack when the session is over, all workers included."""
    if hasattr(config, "workerinput"):
        return
    stack = _stack(config)
    holder = _holder(config)
    try:
        state = stack.state()
        if state is not None and holder in state.holders:
            stack.release(holder)
    except UserError as error:
        print(f"shadowagg-stack: {error}", file=sys.stderr)  # noqa: T201 - the session is over


def _up(config: pytest.Config, name: str) -> State:
    """The stack with a service ready, held for this session."""
    try:
        return _stack(config).up([name], holder=_holder(config))
    except Missing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    except UserError as error:
        pytest.fail(str(error), pytrace=False)


def _stack(config: pytest.Config) -> Stack:
    def say(line: str) -> None:
        capture = config.pluginmanager.getplugin("capturemanager")
        shown = capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
        with shown:
            print(f"\nstack: {line}", end="", file=sys.stderr, flush=True)  # noqa: T201 - progress

    return Stack(config.stash[_HOME], say=say)


def _holder(config: pytest.Config) -> Identity:
    """The session's process: that of the controller, where there are workers."""
    worker = getattr(config, "workerinput", {})
    return Identity.from_json(worker[_HOLDER]) if _HOLDER in worker else Identity.of(os.getpid())
