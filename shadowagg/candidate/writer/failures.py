"""PostgreSQL's errors as ours: what, on what, a hint; never with a row's values in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg2

from shadowagg.errors import WriteFailed

__all__ = ["postgres_errors"]

_WITH_VALUES = ("22", "23", "P0")
"""Classes of errors whose messages quote data: wrong values, constraints, what triggers say."""

_HINTS = {
    "08": "see PostgreSQL's log, then write the window again",
    "22": "compare the row set's specification with the table",
    "23": "look up the constraint",
    "25": "end or roll back the caller's transaction first",
    "28": "check user and password",
    "40": "write the window again",
    "42": "grant the right, or make what is missing",
    "53": "free space, memory or connections on the server",
    "54": "see PostgreSQL's log",
    "57": "write the window again",
    "58": "see PostgreSQL's log; the disk may be full",
}


@contextlib.contextmanager
def postgres_errors(on: str) -> Iterator[None]:
    """Turn errors of PostgreSQL inside into `WriteFailed`.

    Args:
        on: what was written.
    """
    try:
        yield
    except psycopg2.Error as error:
        # Not chained: the original may quote rows, and tracebacks end in logs.
        raise WriteFailed(_what(error), on=on, hint=_hint(error)) from None


def _what(error: psycopg2.Error) -> str:
    state = error.pgcode
    diagnosis = error.diag
    if state is None:
        lines = str(error).strip().splitlines()
        return f"PostgreSQL: {lines[0] if lines else 'connection lost'}"
    if not state.startswith(_WITH_VALUES):
        return f"PostgreSQL: {diagnosis.message_primary} ({state})"
    names = [
        f"{kind} {name}"
        for kind, name in (
            ("table", diagnosis.table_name),
            ("column", diagnosis.column_name),
            ("constraint", diagnosis.constraint_name),
        )
        if name
    ]
    where = f" at {', '.join(names)}" if names else ""
    return f"PostgreSQL: {type(error).__name__} ({state}){where}"


def _hint(error: psycopg2.Error) -> str:
    return _HINTS.get((error.pgcode or "08")[:2], "see PostgreSQL's log")
