"""A condition as SQL: what `Condition.mask` says of Arrow rows, said to a database.

Identifiers are quoted, values are never in the text: they are bound by whoever executes it. One form
serves PostgreSQL (psycopg2, `%s`) and Trino (`?`).

What the text says of a row is true, false or unknown; the mask's "true" is SQL's "true", so it belongs
into a WHERE. To name the *other* rows write `(…) IS NOT TRUE`. NaN is the one value about which the two
disagree: to PostgreSQL it equals itself and is the greatest number.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shadowagg.condition import Condition, Test

if TYPE_CHECKING:
    from psycopg2 import sql

__all__ = ["POSTGRES", "TRINO", "Dialect", "SqlCondition", "condition_sql"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database's client writes a bound value.

    Args:
        placeholder: what stands for one.
        doubled: the character that must be doubled elsewhere, as it begins a placeholder; or none.
    """

    placeholder: str
    doubled: str = ""

    def identifier(self, *names: str) -> str:
        """A name, or a path of names, quoted.

        >>> POSTGRES.identifier("acct1", 'a "b" 10%')
        '"acct1"."a ""b"" 10%%"'
        """
        quoted = ".".join('"' + name.replace('"', '""') + '"' for name in names)
        return quoted.replace(self.doubled, self.doubled * 2) if self.doubled else quoted


POSTGRES = Dialect("%s", "%")
"""psycopg2's, and Django's connections to PostgreSQL. Always execute with a sequence of values, be it an
empty one: only then `%%` becomes `%`."""
TRINO = Dialect("?")
"""The client `trino`'s."""


@dataclass(frozen=True, slots=True)
class SqlCondition:
    """SQL that stands behind WHERE, and the values to bind to it, in their order."""

    text: str
    values: tuple[Any, ...] = ()

    @property
    def composable(self) -> sql.SQL:
        """The text for psycopg2's `SQL.format`."""
        from psycopg2 import sql  # a shared library: loaded where a connection is at hand

        return sql.SQL(self.text)

    def __and__(self, other: SqlCondition) -> SqlCondition:
        """Both must hold."""
        return SqlCondition(f"{self.text} AND {other.text}", (*self.values, *other.values))


def condition_sql(condition: Condition, dialect: Dialect = POSTGRES) -> SqlCondition:
    """A condition as SQL; each of its tests stands in parentheses.

    Args:
        condition: which rows.
        dialect: of the client that executes it.

    Raises:
        ValueError: for a test against NULL, which `is null` and `is not null` express.

    >>> from shadowagg.condition import where
    >>> condition_sql(where(("kind", "in", ("a", "b")), ("cost", "null or =", 0)))
    SqlCondition(text='("kind" IN (%s, %s)) AND ("cost" IS NULL OR "cost" = %s)', values=('a', 'b', 0))
    """
    result = SqlCondition("(TRUE)")
    for number, test in enumerate(condition.tests):
        translated = _test_sql(test, dialect)
        result = translated if number == 0 else result & translated
    return result


def _test_sql(test: Test, dialect: Dialect) -> SqlCondition:
    column, placeholder = dialect.identifier(test.column), dialect.placeholder
    if test.operator == "is null":
        return SqlCondition(f"({column} IS NULL)")
    if test.operator == "is not null":
        return SqlCondition(f"({column} IS NOT NULL)")
    if test.operator == "in":
        return _in_sql(column, [_bound(value, test) for value in test.value], placeholder)
    value = _bound(test.value, test)
    if test.operator == "null or =":
        return SqlCondition(f"({column} IS NULL OR {column} = {placeholder})", (value,))
    comparison = "<>" if test.operator == "!=" else test.operator
    return SqlCondition(f"({column} {comparison} {placeholder})", (value,))


def _in_sql(column: str, values: Sequence[Any], placeholder: str) -> SqlCondition:
    if not values:  # an empty list is no SQL
        return SqlCondition("(FALSE)")
    # One placeholder per value: an array would have to be of the column's own type.
    return SqlCondition(f"({column} IN ({', '.join([placeholder] * len(values))}))", tuple(values))


def _bound(value: Any, test: Test) -> Any:
    if value is None:
        raise ValueError(f"{test.column} {test.operator} NULL: write `is null` or `is not null`")
    return str(value) if isinstance(value, uuid.UUID) else value
