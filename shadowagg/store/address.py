"""The address of a store: which database, how it is spoken to, and how it is named without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shadowagg.errors import UserError
from shadowagg.redaction import redact, secrets_in

__all__ = ["Address"]

_WAIT_SECONDS = 30
"""How long a writer waits for another one."""

_SQLITE_HINT = "write sqlite:///FILE, or sqlite:////FILE for an absolute path"

_SEARCH_PATH = re.compile(r"search_path\s*=\s*\"?([^\s,\"]+)")

_CONNECTING: Mapping[str, Any] = {
    "application_name": "shadowagg",
    "connect_timeout": 10,
    # A server that is gone without a word is noticed within a minute.
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 50_000,
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is.

    Args:
        url: of the database.
        schema: of PostgreSQL in which the tables lie; empty on SQLite.
    """

    url: sa.URL = field(repr=False)
    schema: str

    @classmethod
    def parse(cls, text: str, schema: str) -> Address:
        """The address that a SQLAlchemy URL means.

        Args:
            text: the URL; `options=-csearch_path=NAME` in it names the schema.
            schema: of PostgreSQL, if the URL names none.

        Raises:
            UserError: for a URL that cannot be read, or another kind of database.
        """
        hint = "see SHADOWAGG_STORE_URL"
        try:
            url = sa.make_url(text)
        except (sa.exc.ArgumentError, ValueError):
            # Not its text: a password may stand anywhere in it.
            raise UserError("its URL cannot be read", on="store", hint=hint) from None
        backend = "postgresql" if url.drivername == "postgres" else url.get_backend_name()
        if backend == "sqlite":
            if any((url.host, url.username, url.password, url.port)):
                # Its driver would say so too, but after the file was made.
                raise UserError("SQLite is on no server", on="store", hint=_SQLITE_HINT)
            return cls(url, "")
        if backend != "postgresql":
            raise UserError(
                f"{backend} is no database that records can be kept in",
                on="store",
                hint="use sqlite:///FILE or postgresql://USER@HOST/DATABASE",
            )
        if "+" not in url.drivername:
            # Its default driver depends on the version of SQLAlchemy; this one we bring along.
            url = url.set(drivername="postgresql+psycopg2")
        options = url.query.get("options", "")
        named = _SEARCH_PATH.search(options if isinstance(options, str) else " ".join(options))
        return cls(url, named.group(1) if named else schema)

    @property
    def on_postgres(self) -> bool:
        """Whether it is a PostgreSQL."""
        return bool(self.schema)

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for a database in memory, or on a server."""
        name = self.url.database
        if self.on_postgres or not name or name == ":memory:" or name.startswith("file:"):
            return None
        return Path(name)

    @property
    def shown(self) -> str:
        """For people: without the password, and without secrets among the options."""
        return self._redacted(self.url.render_as_string(hide_password=True))

    def unusable(self, error: Exception) -> UserError:
        """What a failure of the database means, in one line."""
        reason = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
        return UserError(
            f"cannot be used: {self._redacted(reason.splitlines()[0])}",
            on=f"store {self.shown}",
            hint="see SHADOWAGG_STORE_URL",
        )

    def engine(self) -> sa.Engine:
        """An engine whose transactions are real ones, and in the schema.

        It keeps no connection: a store is asked a few times in a run, from threads, and from
        processes that were forked meanwhile. Options of an execution: `shadowagg_writes`: whether the
        transaction is going to write, so that it waits for other writers at its begin.

        Raises:
            OSError: if SQLite's file cannot be made.
        """
        if self.on_postgres:
            engine = sa.create_engine(
                self.url,
                poolclass=sa.NullPool,
                hide_parameters=True,  # documents have values of rows
                connect_args={k: v for k, v in _CONNECTING.items() if k not in self.url.query},
            )
            sa.event.listen(engine, "begin", self._enter_schema)
            return engine
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            if not self.file.exists():
                # Samples of rows are nobody else's business.
                os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
        engine = sa.create_engine(
            self.url,
            poolclass=sa.NullPool if self.file else sa.StaticPool,
            hide_parameters=True,
            connect_args={"timeout": _WAIT_SECONDS, "check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _leave_transactions_to_us)
        sa.event.listen(engine, "begin", _begin)
        return engine

    def _enter_schema(self, connection: sa.Connection) -> None:
        # For this transaction only: a pooler may give the connection to somebody else afterwards.
        name = connection.dialect.identifier_preparer.quote_identifier(self.schema)
        connection.exec_driver_sql(
            f"SET LOCAL search_path TO {name}; SET LOCAL lock_timeout TO '{_WAIT_SECONDS}s'"
        )

    def _redacted(self, text: str) -> str:
        query = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.url.query.items()
        }
        secrets = set(secrets_in(query))
        if self.url.password:
            secrets.add(str(self.url.password))
        return redact(text, secrets)


def _leave_transactions_to_us(connection: Any, _: Any) -> None:
    """Python's module would begin transactions late, and none before CREATE TABLE."""
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("shadowagg_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
