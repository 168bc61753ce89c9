"""The records, as version 0.1 kept them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of version 0.1."""
    op.create_table(
        "shadowagg_record",
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
    )
    op.create_index(
        "shadowagg_record_by_schema", "shadowagg_record", ["schema_name", "provider", "started"]
    )
    version = op.create_table(
        "shadowagg_store", sa.Column("version", sa.Integer, primary_key=True, autoincrement=False)
    )
    op.bulk_insert(version, [{"version": 1}])
