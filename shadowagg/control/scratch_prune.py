"""Leftovers of runs that could not clear up: scratch schemas and folders whose owner is dead.

A run holds PostgreSQL's advisory lock of its schema's name (`scratch.hold`). Here a leftover is removed only
with its lock in hand, so a run that lives, on whatever machine, is never disturbed; and only what is
called as scratch schemas are called is looked at.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlglot import exp  # imported with the control that needs it, never with the package

from shadowagg.control.scratch import (
    PREFIX,
    connect_postgres,
    drop,
    hold,
    made_at,
    quoted,
)
from shadowagg.control.trino_session import QueryFailed, TrinoSession
from shadowagg.errors import ShadowaggError, UserError
from shadowagg.servers import Lake, TrinoServer

__all__ = ["leftovers", "prune", "sweep"]

_LOG = logging.getLogger("shadowagg")

_ENDED = ("FINISHED", "FAILED")


def sweep(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG001 - a fenced task
    """Remove all leftovers: after a run that was ended, in a fenced process of its own."""
    with TrinoSession(TrinoServer.from_environment(), source="shadowagg") as session:
        return {"removed": [f"scratch schema {name}" for name in prune(session)]}


def prune(session: TrinoSession, *, older_than: dt.timedelta = dt.timedelta(0)) -> list[str]:
    """Remove scratch schemas, in both catalogs and the lake, of runs that are dead.

    Args:
        session: on Trino.
        older_than: what was made more recently stays; so does, for any age but 0, what does not say
            when it was made.

    Returns:
        The names of those that were removed.

    Raises:
        ServerFailed: if a server cannot be reached.
        UserError: if the environment names none, or one that does not admit us.
    """
    lake = None
    with contextlib.suppress(UserError):
        lake = Lake.from_environment()
    limit = dt.datetime.now(dt.UTC) - older_than
    removed = []
    for name in leftovers(session, lake):
        made = made_at(name)
        if older_than and (made is None or made > limit):
            continue
        # A connection each: the lock goes with it.
        with contextlib.closing(connect_postgres()) as database:
            if not hold(database, name):
                continue
            _end_queries(session, name)
            if not drop(name, session, database, lake):
                removed.append(name)
    return removed


def leftovers(session: TrinoSession, lake: Lake | None) -> list[str]:
    """The names of all scratch schemas and folders that there are, also of runs that live."""
    pattern = PREFIX.replace("_", "\\_") + "%"
    found: set[str] = set()
    try:
        rows = session.rows(f"SHOW SCHEMAS FROM {quoted('hive')} LIKE '{pattern}' ESCAPE '\\'")
    except QueryFailed as error:
        raise UserError(
            f"cannot list the schemas of catalog hive: {error.name}",
            on=session.where,
            hint="the server needs the catalogs hive and postgres",
        ) from None
    found.update(str(name) for (name,) in rows)
    with contextlib.closing(connect_postgres()) as database, database.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", (PREFIX,))
        found.update(name for (name,) in cursor.fetchall())
    if lake is not None:
        with contextlib.suppress(OSError):
            found.update(p.name for p in Path(lake.folder).glob(f"{PREFIX}*") if p.is_dir())
    return sorted(found)


def _end_queries(session: TrinoSession, source: str) -> None:
    """Kill what a dead run left running; a server may forbid that, and gives it up by itself later."""
    ended = ", ".join(f"'{state}'" for state in _ENDED)
    try:
        text = exp.Literal.string(source).sql(dialect="trino")
        rows = session.rows(
            "SELECT query_id FROM system.runtime.queries"  # noqa: S608 - a literal
            f" WHERE source = {text} AND state NOT IN ({ended})"
        )
        for (query,) in rows:
            session.run(f"CALL system.runtime.kill_query('{query}', 'its owner is gone')")
    except ShadowaggError as error:
        _LOG.warning("queries not ended", extra={"source": source, "reason": str(error)})
