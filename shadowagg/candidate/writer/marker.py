"""The row that is committed with a window, by which a later run knows that it was.

It says which write of a month was the last to be committed. A row of a table, not a transaction's
status asked from PostgreSQL: numbers of transactions are given again after a crash.
"""

from __future__ import annotations

from typing import Literal

from psycopg2 import errors

from shadowagg.candidate.writer.transaction import Transaction
from shadowagg.condition_sql import POSTGRES
from shadowagg.errors import WriteFailed
from shadowagg.window import Window

__all__ = ["CREATE", "TABLE", "leave_marker", "marked"]

TABLE = "written_window"

CREATE = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.{table} (
    schema_name text NOT NULL,
    provider text NOT NULL,
    source_uuid uuid NOT NULL,
    month text NOT NULL,
    token uuid NOT NULL,
    transaction_number bigint NOT NULL,
    written timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schema_name, provider, source_uuid, month)
)
"""

_MAKING = 0x5348_4144_4F57
"""Lock of whoever makes the table: two at once would collide in the catalog."""

_LEAVE = """
INSERT INTO {schema}.{table} AS kept
    (schema_name, provider, source_uuid, month, token, transaction_number)
VALUES (%s, %s, %s, %s, %s, txid_current())
ON CONFLICT (schema_name, provider, source_uuid, month) DO UPDATE
SET token = excluded.token, transaction_number = excluded.transaction_number, written = now()
"""

_FIND = """
SELECT transaction_number IS NOT DISTINCT FROM txid_current_if_assigned()
FROM {schema}.{table}
WHERE schema_name = %s AND provider = %s AND source_uuid = %s AND month = %s AND token = %s
"""


def leave_marker(transaction: Transaction, window: Window, token: str, schema: str) -> None:
    """Say that the write `token` of the window's month is committed, if it will be.

    Raises:
        WriteFailed: if the table is missing and may not be made.
    """
    _make_table(transaction, schema)
    transaction.run(_statement(_LEAVE, schema), [*_key(window), token])


def marked(
    transaction: Transaction, window: Window, token: str, schema: str
) -> Literal["committed", "open", ""]:
    """Whether the write `token` was committed, is part of the very transaction that asks, or neither.

    Asked under the window's lock, so no other transaction can be about to commit it.
    """
    if not _exists(transaction, schema):
        return ""
    found = transaction.rows(_statement(_FIND, schema), [*_key(window), token])
    if not found:
        return ""
    return "open" if found[0][0] else "committed"


def _key(window: Window) -> list[str]:
    return [window.schema, window.provider, window.source_uuid, f"{window.start:%Y-%m}"]


def _statement(text: str, schema: str) -> str:
    return text.format(schema=POSTGRES.identifier(schema), table=POSTGRES.identifier(TABLE))


def _exists(transaction: Transaction, schema: str) -> bool:
    return bool(
        transaction.value(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = %s)",
            [schema, TABLE],
        )
    )


def _make_table(transaction: Transaction, schema: str) -> None:
    if _exists(transaction, schema):
        return
    transaction.rows("SELECT pg_advisory_xact_lock(%s)", [_MAKING])
    try:
        transaction.run(_statement(CREATE, schema))
    except errors.InsufficientPrivilege:
        raise WriteFailed(
            "the table of committed writes is missing and may not be made",
            on=f"{schema}.{TABLE}",
            hint="let somebody who may make it, as docs/writer.md shows",
        ) from None
