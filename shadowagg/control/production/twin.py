"""Statements in the scratch schema that stands in for the tenant's, each held to it by the guard."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp  # imported with the control that needs it, never with the package

from shadowagg.control.production.guard import Guard
from shadowagg.control.scratch import Scratch
from shadowagg.control.scratch_inputs import Provided
from shadowagg.control.trino_refusal import meaning
from shadowagg.control.trino_session import QueryFailed
from shadowagg.errors import InputRefused, ServerFailed, ShadowaggError, UserError
from shadowagg.provider import InputTable
from shadowagg.window import Window

__all__ = ["ScratchTwin", "Swallowed"]

_CODE = "code of the provider"
_DATA = ("22", "23")
"""Classes of SQLSTATE that speak of values: data exceptions, violated constraints."""
_STATEMENT = "42"
"""The class that speaks of the statement."""


class Swallowed(Exception):
    """A statement failed in a way that production passes over."""


@dataclass
class ScratchTwin:
    """The twin of one run (`production.Twin`).

    Args:
        scratch: its schema, and the connections.
        guard: that every statement passes.
        provided: the input tables.
        tables: the lake's input tables.
        window: for errors.
    """

    scratch: Scratch
    guard: Guard
    provided: Provided
    tables: tuple[InputTable, ...]
    window: Window

    @property
    def schema(self) -> str:
        """The scratch schema's name."""
        return self.scratch.name

    def has_lake_table(self, name: str) -> bool:
        """Whether there is such a table: an input by its files, any other by the catalog.

        The scratch schema has an empty view of an input that does not exist.
        """
        if name in {table.name for table in self.tables}:
            return name in self.provided.existing
        statement = f"SHOW TABLES FROM hive.{self.schema}"
        return name in {row[0] for row in self.scratch.session.rows(statement)}

    def trino(
        self,
        statement: str,
        values: Sequence[Any] = (),
        *,
        on: str = _CODE,
        swallows: Sequence[str] = (),
    ) -> list[tuple[Any, ...]]:
        """One statement on Trino, fetched to its end: before, it is not finished.

        Args:
            statement: with a `?` per value.
            values: that the client binds.
            on: what it is, for errors.
            swallows: names of errors that are raised as `Swallowed`.
        """
        (parsed,) = self.guard.check(statement, "trino", on=on)
        try:
            return [tuple(row) for row in self.scratch.session.rows(statement, values)]
        except QueryFailed as error:
            if error.name in swallows:
                raise Swallowed(error.name) from None
            raise self._meaning(error, parsed, on) from None

    def _meaning(self, error: QueryFailed, statement: exp.Expression, on: str) -> ShadowaggError:
        """What a failed statement says: of the input, of its files, or of the templates."""
        on = f"{self.window}, {on}"
        absent = sorted(name for names in self.provided.absent.values() for name in names)
        if error.name == "COLUMN_NOT_FOUND" and any(name in error.message for name in absent):
            return InputRefused(
                f"no file of a table has columns that the statement reads, of {absent}",
                on=on,
                hint="a column may be missing in some files, where it is NULL, not in all",
            )
        said = meaning(error, statement, on=on)
        if not isinstance(said, InputRefused) and error.kind == "USER_ERROR":
            return UserError(
                f"Trino does not take the statement: {error.name}, query {error.query}",
                on=on,
                hint="are these production's templates, of the revision that we know?",
            )
        if not isinstance(said, InputRefused):
            # Either a file is broken, and then it is named, or Trino is.
            self.provided.check_readable(self.tables)
        return said

    def postgres(
        self,
        statement: str,
        values: Sequence[Any] | Mapping[str, Any] = (),
        *,
        on: str = _CODE,
    ) -> list[tuple[Any, ...]]:
        """One message to PostgreSQL, and the rows of its last statement; one transaction.

        The client puts the values in, and the guard sees the very text that the server gets.
        """
        import psycopg2
        import psycopg2.extensions
        import psycopg2.extras

        database = self.scratch.database
        psycopg2.extras.register_uuid(conn_or_curs=database)
        with database.cursor() as cursor:
            try:
                # With values even if there are none: a literal percent sign is doubled in any case.
                message = cursor.mogrify(statement, values)
            except (psycopg2.Error, LookupError, TypeError, ValueError) as error:
                raise UserError(
                    f"its values cannot be put in: {type(error).__name__}",
                    on=on,
                    hint="are these production's templates, of the revision that we know?",
                ) from None
            encoding = psycopg2.extensions.encodings[database.encoding]
            self.guard.check(message.decode(encoding), "postgres", on=on)
            with _failing(f"{self.window}, {on}"):
                cursor.execute(message)
                return list(cursor.fetchall()) if cursor.description else []


@contextlib.contextmanager
def _failing(on: str) -> Iterator[None]:
    """A server's error as one line, without the values of rows that its message quotes."""
    import psycopg2

    try:
        yield
    except psycopg2.Error as error:
        code = error.diag.sqlstate or ""
        if code.startswith(_DATA):
            raise InputRefused(
                f"the statement failed on the data: SQLSTATE {code}",
                on=on,
                hint="production's statement fails on such rows too",
            ) from None
        if code.startswith(_STATEMENT):
            raise UserError(
                f"PostgreSQL does not take the statement: SQLSTATE {code}",
                on=on,
                hint="are these production's templates, of the revision that we know?",
            ) from None
        raise ServerFailed(
            f"the statement failed: SQLSTATE {code}" if code else "the connection was lost",
            on=on,
            hint="look at the server, run again",
        ) from None
