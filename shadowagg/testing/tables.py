"""PostgreSQL tables of row sets, made from their specifications: for tests of what writes or reads them."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable
from typing import Any

from shadowagg.rowset import RowSetSpec

__all__ = ["create_table"]


def create_table(
    connection: Any, schema: str, spec: RowSetSpec, months: Iterable[dt.date] = ()
) -> None:
    """Make the table of a row set, and its schema where that is missing; the caller commits.

    Args:
        connection: of psycopg2.
        schema: may have any name.
        spec: of the row set.
        months: a day of each month that gets a partition; without one the table is not partitioned.
    """
    from psycopg2 import sql

    months = list(months)
    ids = [column.name for column in spec.columns if column.random_id]
    parts = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(column.name),
            sql.SQL(column.type.postgres),
            sql.SQL("" if column.nullable and not column.random_id else " NOT NULL"),
        )
        for column in spec.columns
    ]
    if ids:
        key = sql.SQL(", ").join(map(sql.Identifier, [spec.day_column, *ids]))
        parts.append(sql.SQL("PRIMARY KEY ({})").format(key))
    cut = sql.SQL(" PARTITION BY RANGE ({})").format(sql.Identifier(spec.day_column))
    table = sql.Identifier(schema, spec.table)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        cursor.execute(
            sql.SQL("CREATE TABLE {} ({}){}").format(
                table, sql.SQL(", ").join(parts), cut if months else sql.SQL("")
            )
        )
        for month in months:
            first = month.replace(day=1)
            days = calendar.monthrange(first.year, first.month)[1]
            cursor.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(schema, f"{spec.table}_{first:%Y_%m}"),
                    table,
                    sql.Literal(first),
                    sql.Literal(first + dt.timedelta(days=days)),
                )
            )
