"""What production deletes before it writes a window, as one statement per table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from shadowagg.candidate.writer.owner import owned_values
from shadowagg.condition import Condition, Test
from shadowagg.plan import Plan
from shadowagg.rowset import Level, RowSetSpec

__all__ = ["Delete", "plan_delete", "to_sql"]


@dataclass(frozen=True, slots=True)
class Delete:
    """A statement with its values, which are bound, never spliced.

    Args:
        statement: with placeholders.
        values: for them, in order.
    """

    statement: sql.Composed
    values: tuple[Any, ...]


def plan_delete(spec: RowSetSpec, plan: Plan, level: Level) -> Delete:
    """Rows of the plan's days that belong to the window and are not kept by `RowSetSpec.deletes`.

    Production deletes per sub-window; these follow each other without a gap, so it is one range. Days
    before the first one with data are not in the plan, and stay as they are.
    """
    tests = [
        Test(spec.day, ">=", plan.start),
        Test(spec.day, "<=", plan.subwindows[-1].end),
        *(
            Test(column, "=", values[0]) if len(values) == 1 else Test(column, "in", values)
            for column, values in owned_values(spec, plan.window, level).items()
        ),
        *spec.deletes.tests,
    ]
    condition, values = to_sql(Condition(tuple(tests)))
    statement = sql.SQL("DELETE FROM {} WHERE {}").format(
        sql.Identifier(plan.window.schema, spec.table), condition
    )
    return Delete(statement, values)


def to_sql(condition: Condition) -> tuple[sql.Composable, tuple[Any, ...]]:
    """A condition for a WHERE clause, and the values of its placeholders."""
    if not condition.tests:
        return sql.SQL("true"), ()
    parts = [_test(test) for test in condition.tests]
    return (
        sql.SQL(" AND ").join([text for text, _ in parts]),
        tuple(value for _, values in parts for value in values),
    )


def _test(test: Test) -> tuple[sql.Composable, tuple[Any, ...]]:
    column = sql.Identifier(test.column)
    match test.operator:
        case "is null":
            return sql.SQL("{} IS NULL").format(column), ()
        case "is not null":
            return sql.SQL("{} IS NOT NULL").format(column), ()
        case "null or =":
            return sql.SQL("({} IS NULL OR {} = %s)").format(column, column), (test.value,)
        case "in":
            values = tuple(test.value)
            if not values:
                return sql.SQL("false"), ()
            marks = sql.SQL(", ").join(sql.Placeholder() * len(values))
            return sql.SQL("{} IN ({})").format(column, marks), values
        case _:
            operator = {"=": "=", "!=": "<>", ">=": ">=", "<=": "<="}[test.operator]
            return sql.SQL(f"{{}} {operator} %s").format(column), (test.value,)
