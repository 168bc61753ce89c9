"""A condition as SQL names the rows that its mask names."""

import datetime as dt
import json
import sqlite3
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest

from shadowagg.condition import ALWAYS, Condition, where
from shadowagg.condition_sql import POSTGRES, TRINO, SqlCondition, condition_sql

ROWS = pa.table(
    {
        "text": pa.array(["a", "b", None, "", "it's %s"]),
        "number": pa.array([0, 5, None, -1, 0], pa.int64()),
        'odd "name" 100%': pa.array(["x", None, "", "x", "y"]),
    }
)

CONDITIONS = [
    ALWAYS,
    where(("text", "=", "a")),
    where(("text", "=", "it's %s")),
    where(("text", "!=", "a")),
    where(("text", "in", ("a", ""))),
    where(("text", "in", ())),
    where(("text", "is null")),
    where(("text", "is not null")),
    where(("number", "null or =", 0)),
    where(("number", ">=", 0)),
    where(("number", "<=", 0)),
    where(('odd "name" 100%', "=", "x"), ("number", "null or =", 0)),
    where(("text", "is not null"), ("number", "null or =", 0), ("text", "in", ("a", "b", ""))),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_a_database_finds_the_rows_of_the_mask(condition):
    """SQLite is a database that every Python has, with Trino's placeholder."""
    database = sqlite3.connect(":memory:")
    names = ROWS.column_names
    columns = ", ".join(TRINO.identifier(name) for name in names)
    database.execute(f"CREATE TABLE t ({columns})")
    database.executemany(
        "INSERT INTO t VALUES (?, ?, ?)", [tuple(r.values()) for r in ROWS.to_pylist()]
    )
    found = condition_sql(condition, TRINO)

    expected = [i for i, holds in enumerate(condition.mask(ROWS).to_pylist(), 1) if holds]
    query = f"SELECT rowid FROM t WHERE {found.text} ORDER BY rowid"  # noqa: S608 - under test
    assert expected == [row for (row,) in database.execute(query, found.values)]
    others = f"SELECT count(*) FROM t WHERE ({found.text}) IS NOT TRUE"  # noqa: S608 - under test
    assert [(ROWS.num_rows - len(expected),)] == list(database.execute(others, found.values))


@pytest.mark.parametrize("dialect", [POSTGRES, TRINO])
def test_no_value_is_ever_in_the_text(dialect):
    value = "'; DROP TABLE t; --"
    for operator in ("=", "!=", "null or =", ">=", "<="):
        found = condition_sql(where(("c", operator, value)), dialect)
        assert "DROP" not in found.text
        assert (value,) == found.values
    found = condition_sql(where(("c", "in", (value, "x"))), dialect)
    assert "DROP" not in found.text
    assert (value, "x") == found.values


def test_an_identifier_cannot_end_itself():
    assert '("a"" OR 1=1 --" IS NULL)' == condition_sql(where(('a" OR 1=1 --', "is null"))).text


def test_a_percent_sign_in_a_name_is_no_placeholder_of_psycopg2():
    name = "100%s"
    assert '("100%%s" = %s)' == condition_sql(where((name, "=", 1)), POSTGRES).text
    assert '("100%s" = ?)' == condition_sql(where((name, "=", 1)), TRINO).text


def test_values_keep_their_types():
    day, amount = dt.date(2025, 1, 2), Decimal("0.1")
    found = condition_sql(where(("day", ">=", day), ("amount", "=", amount)))
    assert (day, amount) == found.values


def test_a_uuid_is_bound_as_text():
    one = uuid.UUID(int=1)
    found = condition_sql(where(("id", "=", one), ("id", "in", [one])))
    assert (str(one), str(one)) == found.values


def test_a_condition_from_json_gives_the_same_text():
    condition = where(("day", ">=", dt.date(2025, 1, 2)), ("kind", "in", ("a", "b")))
    again = Condition.from_json(json.loads(json.dumps(condition.to_json())))
    assert condition_sql(condition).text == condition_sql(again).text
    assert ("2025-01-02", "a", "b") == condition_sql(again).values


def test_a_test_against_null_is_refused():
    for test in (("c", "=", None), ("c", "in", ("a", None))):
        with pytest.raises(ValueError, match="is null"):
            condition_sql(where(test))


def test_conditions_can_be_joined():
    both = condition_sql(where(("a", "=", 1))) & condition_sql(where(("b", "=", 2)))
    assert SqlCondition('("a" = %s) AND ("b" = %s)', (1, 2)) == both


def test_psycopg2_can_compose_it():
    from psycopg2 import sql

    found = condition_sql(where(("a", "=", 1))).composable
    assert isinstance(found, sql.SQL)
    assert '("a" = %s)' == found.string
