"""One writer per schema, provider, source and month, in one database."""

from __future__ import annotations

import hashlib
import json

from psycopg2 import errors

from shadowagg.candidate.writer.options import WriteOptions
from shadowagg.candidate.writer.transaction import Transaction
from shadowagg.errors import WindowBusy
from shadowagg.window import Window

__all__ = ["lock_key", "take_lock"]


def lock_key(window: Window) -> int:
    """The same 64-bit number for every run of the window's month, whatever days it asks for.

    >>> import datetime as dt
    >>> day = dt.date(2025, 8, 5)
    >>> lock_key(Window("org1", "p", "00000000-0000-0000-0000-000000000001", day, day))
    529769897870126025
    """
    names = [window.schema, window.provider, window.source_uuid, f"{window.start:%Y-%m}"]
    digest = hashlib.sha256(json.dumps(["shadowagg", *names]).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def take_lock(transaction: Transaction, window: Window, options: WriteOptions) -> None:
    """Hold the window's lock until the transaction ends, or is rolled back to before.

    Raises:
        WindowBusy: if another run holds it, and longer than we wait.
    """
    key = lock_key(window)
    if options.when_busy == "refuse":
        if not transaction.value("SELECT pg_try_advisory_xact_lock(%s)", [key]):
            raise WindowBusy(
                "another run is writing it", on=str(window), hint="try again when it has ended"
            )
        return
    before = transaction.value("SELECT current_setting('lock_timeout')")
    milliseconds = max(1, round(options.patience * 1000))
    _limit(transaction, f"{milliseconds}ms")
    try:
        transaction.rows("SELECT pg_advisory_xact_lock(%s)", [key])
    except errors.LockNotAvailable:
        raise WindowBusy(
            f"another run has been writing it for more than {options.patience:g} s",
            on=str(window),
            hint="see pg_locks for who holds the advisory lock",
        ) from None
    _limit(transaction, before)


def _limit(transaction: Transaction, value: str) -> None:
    transaction.rows("SELECT set_config('lock_timeout', %s, true)", [value])
