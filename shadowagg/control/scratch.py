"""The scratch schema of one run: one name in the catalogs `hive` and `postgres`, always removed.

::

    with open_scratch(session) as scratch:
        scratch.name                                  the schema, in both catalogs
        scratch.hive("t"), scratch.postgres("t")      qualified, quoted names for Trino
        scratch.database                              a psycopg2 connection, autocommit, whose
                                                      search_path is the schema, then public
        scratch.folder(), scratch.lake                a folder below SHADOWAGG_LAKE_DIR, for files
        scratch_inputs.provide(scratch, tables, inputs, window)     inputs, in both catalogs

What a run makes, it makes there. At the end, also after an error, SystemExit or KeyboardInterrupt, the
running query is cancelled, both schemas are dropped with all that is in them, and the folder is
removed; tables over files outside of it are external, so their files stay.

A run holds PostgreSQL's advisory lock of its schema's name for as long as it lives (`hold`). Whoever gets
the lock knows that the owner is dead, on whatever machine it was: `scratch_prune` relies on that.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.control.trino_session import QueryFailed, TrinoSession
from shadowagg.errors import ServerFailed, ShadowaggError, UserError
from shadowagg.servers import Lake, PostgresServer

if TYPE_CHECKING:
    import psycopg2.extensions

__all__ = [
    "CATALOGS",
    "PREFIX",
    "Scratch",
    "connect_postgres",
    "drop",
    "failing",
    "hold",
    "made_at",
    "new_name",
    "open_scratch",
    "quoted",
]

_LOG = logging.getLogger("shadowagg")

PREFIX = "shadowagg_scratch_"
CATALOGS = ("hive", "postgres")

_NAME = re.compile(rf"{PREFIX}(\d{{8}}t\d{{6}})_[0-9a-f]{{12}}")
_MADE_AT = "%Y%m%dt%H%M%S"


def new_name() -> str:
    """A name that nobody has, for templates that splice it unquoted: lower case, with its time (UTC)."""
    return f"{PREFIX}{dt.datetime.now(dt.UTC).strftime(_MADE_AT)}_{secrets.token_hex(6)}"


def made_at(name: str) -> dt.datetime | None:
    """When a scratch schema was made; None for a name that `new_name` did not give.

    >>> made_at("shadowagg_scratch_20250301t101500_0123456789ab").isoformat()
    '2025-03-01T10:15:00+00:00'
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    with contextlib.suppress(ValueError):
        return dt.datetime.strptime(found[1], _MADE_AT).replace(tzinfo=dt.UTC)
    return None


def quoted(*names: str) -> str:
    """A qualified name, quoted as both engines quote.

    >>> quoted("hive", 'a"b', "t")
    '"hive"."a""b"."t"'
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


@dataclass
class Scratch:
    """One run's scratch schema.

    Args:
        name: of the schema, in both catalogs.
        session: on Trino.
        database: on PostgreSQL; it holds the lock, so it stays open as long as the run.
        lake: the folder that Trino reads; None where the environment names none.
    """

    name: str
    session: TrinoSession
    database: psycopg2.extensions.connection
    lake: Lake | None

    def hive(self, table: str) -> str:
        """The qualified name of a table in the catalog `hive`."""
        return quoted("hive", self.name, table)

    def postgres(self, table: str) -> str:
        """The qualified name of a table in the catalog `postgres`, as Trino calls it."""
        return quoted("postgres", self.name, table)

    def folder(self, *parts: str) -> Path:
        """A folder below the lake that is removed with the scratch; made now.

        Raises:
            UserError: where the environment names no lake, or one that cannot be written.
        """
        lake = self.lake or Lake.from_environment()
        place = Path(lake.folder, self.name, *parts)
        try:
            # Who may write the lake may write here: Trino may run as another user.
            permissions = Path(lake.folder).stat().st_mode & 0o7777
            for folder in reversed((place, *place.parents)):
                if folder.is_relative_to(Path(lake.folder, self.name)) and not folder.is_dir():
                    folder.mkdir()
                    folder.chmod(permissions)
        except OSError as error:
            raise UserError(
                f"cannot make a folder: {error.strerror}",
                on=str(place),
                hint="SHADOWAGG_LAKE_DIR must be writable",
            ) from None
        return place

    def address(self, place: Path) -> str:
        """Trino's name for a place that `folder` gave."""
        return (self.lake or Lake.from_environment()).address(str(place))

    def sql(self, statement: str, values: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
        """A statement on PostgreSQL, and its rows, if it has any."""
        with failing("PostgreSQL"), self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []


@contextlib.contextmanager
def open_scratch(session: TrinoSession, *, lake: Lake | None = None) -> Iterator[Scratch]:
    """A new scratch schema in both catalogs; removed at the end, whatever happens.

    Args:
        session: on Trino; it is left open.
        lake: the folder that Trino reads; from the environment if None, none if that names none.

    Raises:
        UserError: if the environment names no PostgreSQL, or one that is not Trino's catalog.
        ServerFailed: if a server cannot be reached.
    """
    if lake is None:
        with contextlib.suppress(UserError):
            lake = Lake.from_environment()
    database = connect_postgres()
    name = new_name()
    scratch = Scratch(name, session, database, lake)
    try:
        hold(database, name)
        _create(scratch)
        yield scratch
    finally:
        session.cancel()
        drop(name, session, database, lake)
        with contextlib.suppress(Exception):
            database.close()  # and with it goes the lock


def _create(scratch: Scratch) -> None:
    owner = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
    schema = quoted(scratch.name)
    # S608: the name is quoted
    scratch.sql(f"CREATE SCHEMA {schema}")
    scratch.sql(f"COMMENT ON SCHEMA {schema} IS %s", (f"scratch of shadowagg {owner}",))
    scratch.sql(f"SET search_path TO {schema}, public")
    try:
        scratch.session.run(f"CREATE SCHEMA {quoted('hive', scratch.name)}")
        known = scratch.session.rows(
            f"SHOW SCHEMAS FROM {quoted('postgres')} LIKE '{scratch.name}'"
        )
    except QueryFailed as error:
        raise UserError(
            f"cannot make a scratch schema: {error.name}",
            on=scratch.session.where,
            hint="it needs catalogs hive and postgres, and the right to create schemas in hive",
        ) from None
    if known != [[scratch.name]]:
        raise UserError(
            "Trino's catalog postgres is another database than PGHOST and PGDATABASE name",
            on=scratch.session.where,
            hint="point both at the same database",
        )


def drop(
    name: str,
    session: TrinoSession,
    database: psycopg2.extensions.connection | None,
    lake: Lake | None,
) -> list[str]:
    """Remove a scratch schema from both catalogs and the lake; what fails is logged, never raised.

    Args:
        name: of the schema; of nobody else's, the caller sees to that.
        session: on Trino.
        database: on PostgreSQL; a new connection is made if it is gone.
        lake: the folder that Trino reads.

    Returns:
        What could not be removed.
    """
    if not name.startswith(PREFIX):
        raise ValueError(f"{name} is no scratch schema")

    def in_hive() -> None:
        session.run(f"DROP SCHEMA IF EXISTS {quoted('hive', name)} CASCADE")

    def in_postgres() -> None:
        connection = connect_postgres() if database is None or database.closed else database
        with failing("PostgreSQL"), connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {quoted(name)} CASCADE")

    def in_lake() -> None:
        if lake is not None and Path(lake.folder, name).is_dir():
            shutil.rmtree(Path(lake.folder, name))

    steps: dict[str, Callable[[], None]] = {
        f"hive.{name}": in_hive,
        f"postgres.{name}": in_postgres,
        f"lake/{name}": in_lake,
    }
    session.purpose = "scratch"
    session.lift_limit()
    left = []
    for what, step in steps.items():
        try:
            step()
        except (ShadowaggError, OSError) as error:
            left.append(what)
            _LOG.warning("scratch not removed", extra={"scratch": what, "reason": str(error)})
    return left


# --- PostgreSQL ------------------------------------------------------------------------------


def connect_postgres() -> psycopg2.extensions.connection:
    """A connection to the server that the environment names, in autocommit.

    Raises:
        UserError: if it names none, or the server does not admit us.
        ServerFailed: if it cannot be reached.
    """
    import psycopg2  # used by modes that need servers, not by every run

    server = PostgresServer.from_environment()
    try:
        connection = psycopg2.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            dbname=server.database,
            password=server.password or None,
            connect_timeout=10,
            keepalives_idle=30,
            application_name="shadowagg",
            options="-c TimeZone=UTC",
        )
    except psycopg2.OperationalError as error:
        said = " ".join(str(error).split())
        where = f"PostgreSQL at {server.host}:{server.port}"
        if "authentication failed" in said or "no password supplied" in said:
            raise UserError(
                f"user {server.user!r} is not admitted",
                on=where,
                hint="check PGUSER, PGPASSWORD and PGDATABASE",
            ) from None
        reason = said.rpartition("FATAL: ")[2] if "FATAL: " in said else "cannot be reached"
        raise ServerFailed(
            reason.strip(), on=where, hint="check PGHOST, PGPORT and PGDATABASE"
        ) from None
    connection.autocommit = True
    return connection


def hold(database: psycopg2.extensions.connection, name: str) -> bool:
    """Take the lock of a scratch schema, if its owner does not live; kept until the connection ends."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with failing("PostgreSQL"), database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (number,))
        ((held,),) = cursor.fetchall()
    return bool(held)


@contextlib.contextmanager
def failing(where: str) -> Iterator[None]:
    """A server's error as one line without values of rows."""
    import psycopg2

    try:
        yield
    except psycopg2.Error as error:
        code = error.diag.sqlstate or ""
        lost = not code or isinstance(error, psycopg2.InterfaceError)
        raise ServerFailed(
            "the connection was lost" if lost else f"the statement failed: SQLSTATE {code}",
            on=where,
            hint="look at the server, run again",
        ) from None
