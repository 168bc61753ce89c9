"""Documents as JSONB on PostgreSQL; and version 0.1 is told to keep away."""

from __future__ import annotations

from alembic import op

__all__ = ["upgrade"]

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the type where there is one to change, and the number that version 0.1 looks at."""
    if op.get_bind().dialect.name == "postgresql":
        # JSONB holds no NUL, which JSON let through.
        op.execute(
            "ALTER TABLE shadowagg_record ALTER COLUMN document TYPE JSONB"
            r" USING replace(document::text, '\u0000', '\ufffd')::jsonb"
        )
    # Later steps need not count on: version 0.1 refuses any number above 1.
    op.execute("UPDATE shadowagg_store SET version = 2")
