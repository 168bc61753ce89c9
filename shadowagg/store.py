"""Where records are kept: an SQLite file by default.

A record is one JSON document, with the columns beside it by which people look for it. Records are
added and read, never changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shadowagg.errors import UserError
from shadowagg.record import Record

__all__ = ["STORE_VERSION", "Store", "open_store"]

STORE_VERSION = 1

_METADATA = sa.MetaData()

_RECORDS = sa.Table(
    "shadowagg_record",
    _METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("started", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("schema_name", sa.String(63), nullable=False),
    sa.Column("provider", sa.String(64), nullable=False),
    sa.Column("source_uuid", sa.String(36), nullable=False),
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("last_day", sa.Date, nullable=False),
    sa.Column("control_mode", sa.String(32), nullable=False),
    sa.Column("candidate_mode", sa.String(32), nullable=False),
    sa.Column("verdict", sa.String(32), nullable=False),
    sa.Column("cause", sa.String(64), nullable=False),
    sa.Column("rows_compared", sa.BigInteger, nullable=False),
    sa.Column("rules_version", sa.String(64), nullable=False),
    sa.Column("tracing_id", sa.String(128), nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Index("shadowagg_record_by_schema", "schema_name", "provider", "started"),
)

_VERSION = sa.Table(
    "shadowagg_store", _METADATA, sa.Column("version", sa.Integer, primary_key=True)
)


class Store:
    """The records of one database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @property
    def url(self) -> str:
        """Its address, without the password."""
        return self._engine.url.render_as_string(hide_password=True)

    def add(self, record: Record) -> None:
        """Keep a record, in a transaction of its own.

        Raises:
            UserError: if the database cannot be written.
        """
        window = record.plan.window
        row = {
            "id": record.id,
            "started": record.started,
            "schema_name": window.schema,
            "provider": window.provider,
            "source_uuid": window.source_uuid,
            "first_day": window.start,
            "last_day": window.end,
            "control_mode": record.control.mode,
            "candidate_mode": record.candidate.mode,
            "verdict": str(record.judgement.verdict),
            "cause": record.judgement.cause,
            "rows_compared": record.judgement.rows_compared,
            "rules_version": str(record.makers.get("rules", "")),
            "tracing_id": record.tracing_id,
            "document": record.to_json(),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(_RECORDS).values(**row))
        except sa.exc.SQLAlchemyError as error:
            raise _unusable(self.url, error) from error

    def get(self, record_id: str) -> Mapping[str, Any] | None:
        """A record's document; None if there is none."""
        query = sa.select(_RECORDS.c.document).where(_RECORDS.c.id == record_id)
        with self._engine.connect() as connection:
            document: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
            return document

    def since(self, moment: dt.datetime) -> list[Mapping[str, Any]]:
        """The documents of all records started at or after a moment, oldest first."""
        query = (
            sa.select(_RECORDS.c.document)
            .where(_RECORDS.c.started >= moment)
            .order_by(_RECORDS.c.started, _RECORDS.c.id)
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def open_store(url: str) -> Store:
    """The store at a SQLAlchemy URL; tables are made where they are missing.

    Raises:
        UserError: if the database cannot be reached, or was written by a newer version.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed)
        _METADATA.create_all(engine)
        with engine.begin() as connection:
            found = connection.execute(sa.select(_VERSION.c.version)).scalar_one_or_none()
            if found is None:
                connection.execute(sa.insert(_VERSION).values(version=STORE_VERSION))
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise _unusable(url.rpartition("@")[2], error) from error
    if found is not None and found > STORE_VERSION:
        raise UserError(
            f"written by a newer version ({found}, this is {STORE_VERSION})",
            on="store",
            hint="upgrade shadowagg",
        )
    return Store(engine)


def _unusable(where: str, error: Exception) -> UserError:
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    return UserError(
        f"cannot be used: {reason}", on=f"store {where}", hint="see SHADOWAGG_STORE_URL"
    )
