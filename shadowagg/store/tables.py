"""The tables as they are after the newest step, and a record as a row of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shadowagg.store.digest import digest_of

__all__ = ["FIRST_VERSION", "METADATA", "NEWEST", "RECORDS", "STEP", "columns_of"]

NEWEST = "0003"
"""The newest step of `versions/`."""

METADATA = sa.MetaData()

RECORDS = sa.Table(
    "shadowagg_record",
    METADATA,
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
    sa.Column("document", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, server_default=""),
    sa.Index("shadowagg_record_by_schema", "schema_name", "provider", "started"),
)

FIRST_VERSION = sa.Table(
    "shadowagg_store",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
)
"""All that version 0.1 knew of steps; kept, so that it refuses what it does not know."""

STEP = sa.table("shadowagg_step", sa.column("version_num"))
"""Alembic's: the step that the store is at."""


def columns_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The columns beside a record's document, all of them taken from it.

    Texts are cut to the column's length: the document has them whole.

    Raises:
        KeyError, TypeError, ValueError: if it is no record's document.
    """
    window = document["plan"]["window"]
    columns = {
        "id": document["id"],
        "started": dt.datetime.fromisoformat(document["started"]).astimezone(dt.UTC),
        "schema_name": window["schema"],
        "provider": window["provider"],
        "source_uuid": window["source_uuid"],
        "first_day": dt.date.fromisoformat(window["start"]),
        "last_day": dt.date.fromisoformat(window["end"]),
        "control_mode": document["control"]["mode"],
        "candidate_mode": document["candidate"]["mode"],
        "verdict": document["verdict"],
        "cause": document["cause"],
        "rows_compared": document["rows_compared"],
        "rules_version": str(document["makers"].get("rules", "")),
        "tracing_id": document["tracing_id"],
        "digest": digest_of(document),
    }
    for name, value in columns.items():
        if isinstance(value, str):
            columns[name] = value[: getattr(RECORDS.c[name].type, "length", None)]
    return columns
