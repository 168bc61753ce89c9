"""What production deletes before it writes a window, as one statement per table."""

from __future__ import annotations

from shadowagg.candidate.writer.owner import owned_values
from shadowagg.condition import Condition, Test
from shadowagg.condition_sql import POSTGRES, SqlCondition, condition_sql
from shadowagg.plan import Plan
from shadowagg.rowset import Level, RowSetSpec

__all__ = ["plan_delete"]


def plan_delete(spec: RowSetSpec, plan: Plan, level: Level) -> SqlCondition:
    """Rows of the plan's days that belong to the window and are not kept by `RowSetSpec.deletes`.

    Production deletes per sub-window; these follow each other without a gap, so it is one range. Days
    before the first one with data are not in the plan, and stay as they are.

    Returns:
        The whole statement, and the values that are bound to it.
    """
    tests = [
        Test(spec.day_column, ">=", plan.start),
        Test(spec.day_column, "<=", plan.subwindows[-1].end),
        *(
            Test(column, "=", values[0]) if len(values) == 1 else Test(column, "in", values)
            for column, values in owned_values(spec, plan.window, level).items()
        ),
        *spec.deletes.tests,
    ]
    condition = condition_sql(Condition(tuple(tests)))
    table = POSTGRES.identifier(plan.window.schema, spec.table)
    # Quoted identifiers and placeholders, no values.
    return SqlCondition(f"DELETE FROM {table} WHERE {condition.text}", condition.values)  # noqa: S608
