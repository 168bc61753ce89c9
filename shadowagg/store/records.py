"""The records of one database: added and read."""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from shadowagg.store.address import Address
from shadowagg.store.tables import RECORDS, columns_of

if TYPE_CHECKING:  # it brings the comparison along; whoever adds one has it
    from shadowagg.record import Record

__all__ = ["Store", "storable"]

_PAUSES = (0.5, 2.0)
"""Seconds before an insert is tried again, where the server could not be reached."""

_PAGE = 200
"""Documents that are in memory at once."""


class Store:
    """The records of one database. Safe in threads, and in processes forked from this one."""

    def __init__(self, engine: sa.Engine, address: Address) -> None:
        self._engine = engine
        self._address = address

    @property
    def url(self) -> str:
        """Its address, without the password."""
        return self._address.shown

    def add(self, record: Record) -> None:
        """Keep a record, in a transaction of its own.

        A connection that breaks is tried again; a record is never kept twice.

        Raises:
            UserError: if the database cannot be written.
        """
        document = storable(record.to_json())
        statement = sa.insert(RECORDS).values(**columns_of(document), document=document)
        with self.usable():
            for number, pause in enumerate((*_PAUSES, None)):
                try:
                    with self.writing() as connection:
                        connection.execute(statement)
                except sa.exc.IntegrityError:
                    # The answer to an earlier try may have been lost on the way.
                    if not number or self.get(record.id) != document:
                        raise
                    return
                except sa.exc.DBAPIError as error:
                    if pause is None or not _is_lost_connection(error):
                        raise
                    time.sleep(pause)
                else:
                    return

    def get(self, record_id: str) -> Mapping[str, Any] | None:
        """A record's document; None if there is none.

        Raises:
            UserError: if the database cannot be read.
        """
        query = sa.select(RECORDS.c.document).where(RECORDS.c.id == record_id)
        with self.usable(), self.reading() as connection:
            document: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
            return document

    def since(self, moment: dt.datetime) -> list[Mapping[str, Any]]:
        """The documents of all records started at or after a moment, oldest first.

        Raises:
            UserError: if the database cannot be read.
        """
        return list(self.documents(since=moment))

    def documents(self, *, since: dt.datetime | None = None) -> Iterator[Mapping[str, Any]]:
        """The documents, oldest first, some at a time; all of them without a moment.

        Raises:
            UserError: if the database cannot be read.
        """
        place = sa.tuple_(RECORDS.c.started, RECORDS.c.id)
        query = sa.select(RECORDS.c.started, RECORDS.c.id, RECORDS.c.document)
        query = query.order_by(RECORDS.c.started, RECORDS.c.id).limit(_PAGE)
        if since is not None:
            query = query.where(RECORDS.c.started >= since.astimezone(dt.UTC))
        page = query
        while True:
            with self.usable(), self.reading() as connection:
                rows = connection.execute(page).all()
            for row in rows:
                yield row.document
            if len(rows) < _PAGE:
                return
            page = query.where(place > sa.tuple_(*rows[-1][:2]))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that reads."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes: it waits for other writers at its begin."""
        with self._engine.execution_options(shadowagg_writes=True).begin() as connection:
            yield connection

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Turns what the database raises into one line.

        Raises:
            UserError: naming the store.
        """
        try:
            yield
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise self._address.unusable(error) from error


def storable(document: dict[str, Any]) -> dict[str, Any]:
    """The document as both databases, and every reader of JSON, can hold it.

    NUL and halves of characters become U+FFFD, numbers that are none become texts. Documents without
    them stay as they are.
    """
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError:
        text = "\\u0000"
    if "\\u0000" not in text and "\\ud" not in text:
        return document
    changed: dict[str, Any] = _storable(document)
    return changed


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\x00", "\ufffd")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(inner) for inner in value]
    return value


def _is_lost_connection(error: sa.exc.DBAPIError) -> bool:
    """Whether a server was not reached, or went away; SQLite has none."""
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return error.connection_invalidated
    code = getattr(error.orig, "pgcode", "")
    return code is None or str(code).startswith(("08", "57P"))
