"""Documents as JSONB on PostgreSQL; and version 0.1 is told to keep away."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from shadowagg.store.records import storable

__all__ = ["upgrade"]

revision = "0002"
down_revision = "0001"

_UNFIT = (
    "SELECT id, document::text FROM shadowagg_record"
    r" WHERE strpos(document::text, '\u0000') > 0 OR strpos(lower(document::text), '\ud') > 0"
)
"""JSONB holds no NUL and no half of a character, which JSON let through."""


def upgrade() -> None:
    """Change the type where there is one to change, and the number that version 0.1 looks at."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        mend = sa.text("UPDATE shadowagg_record SET document = cast(:text AS JSON) WHERE id = :id")
        for record, text in connection.exec_driver_sql(_UNFIT).all():
            fit = json.dumps(storable(json.loads(text)))
            connection.execute(mend, {"id": record, "text": fit})
        op.execute(
            "ALTER TABLE shadowagg_record ALTER COLUMN document TYPE JSONB USING document::jsonb"
        )
    # Later steps need not count on: version 0.1 refuses any number above 1.
    op.execute("UPDATE shadowagg_store SET version = 2")
