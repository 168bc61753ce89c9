"""A transaction of our own, or a savepoint in the caller's, which is never committed here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg2
from psycopg2 import extensions, sql

from shadowagg.errors import UserError, WriteFailed

__all__ = ["Connection", "Transaction", "begin", "raw_connection"]

_SAVEPOINT = "shadowagg_write"


class Connection(Protocol):
    """A connection of psycopg2, or a Django connection to PostgreSQL over it."""

    def cursor(self) -> Any:
        """A new cursor."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction.

    Statements are executed with their values, be there none: a percent sign in them is doubled.

    Args:
        raw: the connection of psycopg2.
        owned: whether it is ours; otherwise it is the caller's, and we work in a savepoint.
    """

    raw: Any
    owned: bool

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute a statement; how many rows it touched."""
        with self._cursor() as cursor:
            cursor.execute(statement, list(values))
            return int(cursor.rowcount)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self._cursor() as cursor:
            cursor.execute(statement, list(values))
            return list(cursor.fetchall())

    def value(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """The one value of a query."""
        return self.rows(statement, values)[0][0]

    def copy(self, statement: sql.Composable, stream: Any, *, size: int) -> int:
        """Execute a `COPY … FROM STDIN`; how many rows went in."""
        with self._cursor() as cursor:
            cursor.copy_expert(statement, stream, size)
            return int(cursor.rowcount)

    def _cursor(self) -> Any:
        # Plain tuples, whatever the caller's connection makes by default.
        return self.raw.cursor(cursor_factory=extensions.cursor)


def raw_connection(connection: Connection) -> tuple[Any, bool]:
    """The connection of psycopg2 below, and whether the caller has a transaction open.

    Raises:
        UserError: if it is none of psycopg2, closed, busy, or in a transaction that failed.
    """
    raw: Any = connection
    if not isinstance(raw, extensions.connection):
        with connection.cursor() as cursor:
            raw = getattr(cursor, "connection", None)
    if not isinstance(raw, extensions.connection):
        raise UserError(
            "no connection of psycopg2",
            on=type(connection).__name__,
            hint="pass psycopg2.connect(…), or a Django connection to PostgreSQL",
        )
    status = raw.info.transaction_status
    if raw.closed or status == extensions.TRANSACTION_STATUS_UNKNOWN:
        raise UserError("the connection is closed", on="PostgreSQL", hint="open a new one")
    if status == extensions.TRANSACTION_STATUS_INERROR:
        raise UserError(
            "the caller's transaction has failed", on="PostgreSQL", hint="roll it back first"
        )
    if status == extensions.TRANSACTION_STATUS_ACTIVE:
        raise UserError("the connection is busy", on="PostgreSQL", hint="pass one of its own")
    # Inside Django's `atomic` the transaction is the caller's before its first statement has begun it.
    atomic = bool(getattr(connection, "in_atomic_block", False))
    return raw, atomic or status == extensions.TRANSACTION_STATUS_INTRANS


@contextlib.contextmanager
def begin(connection: Connection, *, keep: bool = True) -> Iterator[Transaction]:
    """A transaction that ends with the block: kept if the block succeeds, undone if it raises.

    Args:
        connection: free, or with the caller's transaction open.
        keep: False to undo it in any case: what was locked in a savepoint is let go by that alone.

    Raises:
        UserError: for a connection that cannot be used, or a transaction of the caller's that would not see
            what other writers have committed.
        WriteFailed: if the connection was lost at the commit, so that nobody here knows how it ended.
    """
    raw, inside = raw_connection(connection)
    if inside:
        with _savepoint(raw, keep=keep) as transaction:
            yield transaction
    else:
        with _own(raw, keep=keep) as transaction:
            yield transaction


@contextlib.contextmanager
def _savepoint(raw: Any, *, keep: bool) -> Iterator[Transaction]:
    transaction = Transaction(raw, owned=False)
    isolation = transaction.value("SHOW transaction_isolation")
    if isolation != "read committed":
        # Its snapshot is older than the lock: rows of the writer before us would be neither seen nor deleted.
        raise UserError(
            f"the caller's transaction is {isolation}",
            on="PostgreSQL",
            hint="open it as READ COMMITTED",
        )
    transaction.run(f"SAVEPOINT {_SAVEPOINT}")
    try:
        yield transaction
    except BaseException:
        if not raw.closed:
            with contextlib.suppress(psycopg2.Error):  # the error that led here says more
                _undo(transaction)
        raise
    if keep:
        transaction.run(f"RELEASE SAVEPOINT {_SAVEPOINT}")
    else:
        _undo(transaction)


def _undo(transaction: Transaction) -> None:
    transaction.run(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
    transaction.run(f"RELEASE SAVEPOINT {_SAVEPOINT}")


@contextlib.contextmanager
def _own(raw: Any, *, keep: bool) -> Iterator[Transaction]:
    transaction = Transaction(raw, owned=True)
    # psycopg2 begins by itself unless the connection is in autocommit; that setting stays the caller's.
    if raw.autocommit:
        transaction.run("BEGIN")
    try:
        transaction.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
        yield transaction
    except BaseException:
        if not raw.closed:
            with contextlib.suppress(psycopg2.Error):  # the error that led here says more
                _end(transaction, "rollback")
        raise
    if not keep:
        _end(transaction, "rollback")
        return
    try:
        _end(transaction, "commit")
    except psycopg2.Error as error:
        if error.pgcode is None or raw.closed:
            raise WriteFailed(
                "the connection was lost at the commit: whether it was stored is not known",
                on="PostgreSQL",
                hint="write the window again, which settles it",
            ) from None
        raise


def _end(transaction: Transaction, how: str) -> None:
    if transaction.raw.autocommit:
        transaction.run(how.upper())
    else:
        getattr(transaction.raw, how)()
