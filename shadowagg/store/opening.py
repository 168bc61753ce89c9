"""Open a store: made where there is none, refused where it is at another step than this version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from shadowagg.errors import UserError
from shadowagg.store.address import Address
from shadowagg.store.records import Store
from shadowagg.store.tables import FIRST_VERSION, NEWEST, STEP

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

__all__ = ["DEFAULT_SCHEMA", "open_store", "upgrade_store"]

DEFAULT_SCHEMA = "shadowagg"

_FIRST = "0001"
_MAKING = 5_742_091_846_203_551_177
"""The advisory lock of whoever makes or upgrades a store on PostgreSQL."""


def open_store(url: str, *, schema: str = DEFAULT_SCHEMA) -> Store:
    """The store at a SQLAlchemy URL; an empty database becomes one.

    Args:
        url: SQLite or PostgreSQL.
        schema: of PostgreSQL, if the URL names none; made if it is missing.

    Raises:
        UserError: if the database cannot be used, or its store is older or newer than this version.
    """
    address = Address.parse(url, schema)
    with _usable(address):
        engine = address.engine()
        with engine.begin() as connection:
            step = _step(connection)
        if step is None:
            _refuse_store_elsewhere(engine, address)
            step = _bring_up(engine, address, only_empty=True)
    _refuse_newer(step, address)
    if step != NEWEST:
        raise UserError(
            f"is at step {step}, this version works with step {NEWEST}",
            on=f"store {address.shown}",
            hint="back it up, then `shadowagg store upgrade`",
        )
    return Store(engine, address)


def upgrade_store(url: str, *, schema: str = DEFAULT_SCHEMA) -> tuple[str, str]:
    """Bring a store to the newest step, in one transaction; an empty database becomes a store.

    Returns:
        The step it was at, empty for none, and the one it is at.

    Raises:
        UserError: if the database cannot be used, or its store is newer than this version.
    """
    address = Address.parse(url, schema)
    with _usable(address):
        engine = address.engine()
        with engine.begin() as connection:
            before = _step(connection)
        if before is None:
            _refuse_store_elsewhere(engine, address)
        else:
            _refuse_newer(before, address)
        after = _bring_up(engine, address)
        engine.dispose()
    _refuse_newer(after, address)
    return before or "", after


@contextmanager
def _usable(address: Address) -> Iterator[None]:
    try:
        yield
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise address.unusable(error) from error


def _step(connection: sa.Connection) -> str | None:
    """The step that the store is at; None if there is no store."""
    there = sa.inspect(connection)
    if there.has_table(STEP.name):
        step = connection.execute(sa.select(STEP.c.version_num)).scalar_one_or_none()
        if step is not None:
            return str(step)
    if there.has_table(FIRST_VERSION.name):
        version = connection.execute(sa.select(FIRST_VERSION.c.version)).scalar_one_or_none()
        if version is not None:
            return f"{version:04d}"
    return None


def _refuse_newer(step: str, address: Address) -> None:
    if step > NEWEST:
        raise UserError(
            f"written by a newer version (step {step}, this one knows {NEWEST})",
            on=f"store {address.shown}",
            hint="upgrade shadowagg",
        )


def _refuse_store_elsewhere(engine: sa.Engine, address: Address) -> None:
    """Version 0.1 had no schema of its own: its records shall not be lost sight of."""
    if not address.on_postgres or address.schema == "public":
        return
    tables = (f"public.{FIRST_VERSION.name}", f"public.{STEP.name}")
    found = sa.select(*(sa.func.to_regclass(table) for table in tables))
    with engine.begin() as connection:
        first, step = connection.execute(found).one()
    if first is not None and step is None:
        raise UserError(
            "the records of version 0.1 lie in schema public",
            on=f"store {address.shown}",
            hint="set SHADOWAGG_STORE_SCHEMA=public and run `shadowagg store upgrade`",
        )


def _bring_up(engine: sa.Engine, address: Address, *, only_empty: bool = False) -> str:
    """Run the steps that are missing, all or none, while others wait; the step reached."""
    if address.file is not None:
        _let_readers_through(engine)
    with engine.execution_options(shadowagg_writes=True).begin() as connection:
        if address.on_postgres:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING)))
            if address.schema not in sa.inspect(connection).get_schema_names():
                connection.execute(sa.schema.CreateSchema(address.schema))
        step = _step(connection)  # another process may have been faster
        if step is None or (step < NEWEST and not only_empty):
            _run_steps(connection, step)
            step = NEWEST
        return step


def _let_readers_through(engine: sa.Engine) -> None:
    """SQLite's write-ahead log: readers do not wait for a writer, nor it for them."""
    connection = engine.raw_connection()
    try:
        # Where somebody else writes just now, or the file system has no shared memory: it works
        # without, others only wait longer.
        with suppress(Exception):
            connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _run_steps(connection: sa.Connection, start: str | None) -> None:
    # Only a store that is made or upgraded needs it.
    from pathlib import Path

    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(Path(__file__).parent))

    def run(steps: Callable[[Any, MigrationContext], Any]) -> None:
        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection, version_table=STEP.name)
            environment.run_migrations()

    if start == _FIRST and not sa.inspect(connection).has_table(STEP.name):
        run(lambda at, _: script._stamp_revs(_FIRST, at))  # noqa: SLF001 - as `alembic stamp`
    run(lambda at, _: script._upgrade_revs(NEWEST, at))  # noqa: SLF001 - as `alembic upgrade`
