"""What a PostgreSQL table must be like to take a row set."""

import datetime as dt

import pytest

from shadowagg.candidate.writer.table import days_without_partition, holds

AUGUST = "FOR VALUES FROM ('2025-08-01') TO ('2025-09-01')"
DAYS = [dt.date(2025, 7, 31), dt.date(2025, 8, 1), dt.date(2025, 8, 31), dt.date(2025, 9, 1)]


@pytest.mark.parametrize(
    ("actual", "specified"),
    [
        ("character varying(253)", "varchar(253)"),
        ("character varying(300)", "varchar(253)"),
        ("character varying", "varchar(253)"),
        ("text", "varchar(253)"),
        ("text", "text"),
        ("character varying", "text"),
        ("numeric(33,15)", "numeric(33,15)"),
        ("numeric(38,20)", "numeric(33,15)"),
        ("numeric", "numeric(33,15)"),
        ("jsonb", "jsonb"),
        ("uuid", "uuid"),
        ("bigint", "integer"),
        ("double precision", "double precision"),
    ],
)
def test_a_column_that_keeps_every_value_is_accepted(actual, specified):
    assert holds(actual, specified)


@pytest.mark.parametrize(
    ("actual", "specified"),
    [
        ("character varying(252)", "varchar(253)"),
        ("character varying(253)", "text"),
        ("character(253)", "varchar(253)"),
        ("numeric(33,14)", "numeric(33,15)"),
        ("numeric(32,15)", "numeric(33,15)"),
        ("numeric(33,16)", "numeric(33,15)"),
        ("double precision", "numeric(33,15)"),
        ("real", "double precision"),
        ("text", "jsonb"),
        ("json", "jsonb"),
        ("smallint", "integer"),
        ("timestamp without time zone", "date"),
        ("jsonb", "varchar(253)"),
    ],
)
def test_a_column_that_would_change_a_value_is_not(actual, specified):
    assert not holds(actual, specified)


def test_the_first_day_of_a_partition_is_in_it_and_its_upper_bound_is_not():
    assert [DAYS[0], DAYS[3]] == days_without_partition([AUGUST], DAYS)


def test_without_partitions_no_day_has_one():
    assert DAYS == days_without_partition([], DAYS)


def test_open_ends_and_several_partitions_cover_what_they_say():
    below = "FOR VALUES FROM (MINVALUE) TO ('2025-08-01')"
    above = "FOR VALUES FROM ('2025-09-01 00:00:00') TO (MAXVALUE)"
    assert [] == days_without_partition([below, AUGUST, above], DAYS)
    assert DAYS[1:3] == days_without_partition([below, above], DAYS)


@pytest.mark.parametrize("bound", ["DEFAULT", "FOR VALUES IN ('x')", "FOR VALUES FROM (1) TO (2)"])
def test_where_a_bound_takes_everything_or_is_not_understood_postgres_decides(bound):
    assert [] == days_without_partition([AUGUST, bound], DAYS)
