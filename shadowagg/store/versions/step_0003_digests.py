"""A digest beside each document, so that `verify` sees what was changed from outside."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from shadowagg.store.digest import digest_of

__all__ = ["upgrade"]

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, and take the documents for what they are now."""
    op.add_column(
        "shadowagg_record",
        sa.Column("digest", sa.String(64), nullable=False, server_default=""),
    )
    connection = op.get_bind()
    page = sa.text(
        "SELECT id, CAST(document AS TEXT) FROM shadowagg_record WHERE id > :last"
        " ORDER BY id LIMIT 200"
    )
    fill = sa.text("UPDATE shadowagg_record SET digest = :digest WHERE id = :id")
    last = ""
    while rows := connection.execute(page, {"last": last}).all():
        for record, text in rows:
            try:
                digest = digest_of(json.loads(text))
            except ValueError:  # damaged before: `verify` will say so
                continue
            connection.execute(fill, {"id": record, "digest": digest})
        last = rows[-1][0]
