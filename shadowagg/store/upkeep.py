"""Look after a store: is every record sound, which are too old to keep."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shadowagg.record import RECORD_VERSION
from shadowagg.store.records import Store
from shadowagg.store.tables import RECORDS, columns_of

__all__ = ["Unsound", "Verified", "prune", "verify"]

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Unsound:
    """What is wrong with a record.

    Args:
        record: its id; empty for the database itself.
        what: is wrong, without any value.
    """

    record: str
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at.

    Args:
        records: how many.
        unsound: those with something wrong, and what.
    """

    records: int
    unsound: tuple[Unsound, ...]


def verify(store: Store) -> Verified:
    """Look at every record: its document parses, is as it was kept, and the columns beside it agree.

    Raises:
        UserError: if the database cannot be read.
    """
    unsound: list[Unsound] = []
    records = 0
    with store.usable(), store.reading() as connection:
        unsound += _damage(connection)
        for record, text in _texts(connection):
            records += 1
            unsound += [Unsound(record, what) for what in _wrong(connection, record, text)]
    return Verified(records, tuple(unsound))


def prune(store: Store, before: dt.datetime, *, dry_run: bool = False) -> int:
    """Remove the records that were started before a moment.

    Args:
        store: whose.
        before: the moment.
        dry_run: only count them.

    Returns:
        How many.

    Raises:
        UserError: if the database cannot be written.
    """
    old = RECORDS.c.started < before.astimezone(dt.UTC)
    with store.usable():
        if dry_run:
            with store.reading() as connection:
                count = sa.select(sa.func.count()).select_from(RECORDS).where(old)
                return int(connection.execute(count).scalar_one())
        with store.writing() as connection:
            return int(connection.execute(sa.delete(RECORDS).where(old)).rowcount)


def _damage(connection: sa.Connection) -> Iterator[Unsound]:
    if connection.dialect.name == "sqlite":
        for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if line != "ok":
                yield Unsound("", str(line))


def _texts(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """Id and document of every record, as it lies there."""
    document = (
        sa.cast(RECORDS.c.document, sa.Text)
        if connection.dialect.name == "postgresql"
        else sa.type_coerce(RECORDS.c.document, sa.Text)
    )
    query = sa.select(RECORDS.c.id, document).order_by(RECORDS.c.id).limit(_PAGE)
    page = query
    while True:
        rows = connection.execute(page).all()
        yield from ((record, text) for record, text in rows)
        if len(rows) < _PAGE:
            return
        page = query.where(RECORDS.c.id > rows[-1][0])


def _wrong(connection: sa.Connection, record: str, text: str) -> Iterator[str]:
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, TypeError, RecursionError):
        yield "the document is not JSON"
        return
    try:
        columns = columns_of(document)
        version = int(document["record_version"])
    except (KeyError, TypeError, ValueError, AttributeError):
        yield "the document is not a record"
        return
    if version > RECORD_VERSION:
        yield f"the document has form {version}, this version knows {RECORD_VERSION}"
    differing = _differing(connection, record, columns)
    if beside := [name for name in differing if name != "digest"]:
        yield f"columns differ from the document: {', '.join(beside)}"
    if "digest" in differing:
        yield "the document is not as it was kept: its digest differs"


def _differing(
    connection: sa.Connection, record: str, columns: Mapping[str, Any]
) -> tuple[str, ...]:
    """Asked of the database: what lies there may be nothing that its driver can read."""
    same = [
        RECORDS.c[name].is_not_distinct_from(value).label(name) for name, value in columns.items()
    ]
    row = connection.execute(sa.select(*same).where(RECORDS.c.id == record)).mappings().one()
    return tuple(name for name, agrees in row.items() if not agrees)


def _no_constant(name: str) -> Any:
    raise ValueError(name)
