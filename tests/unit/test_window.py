"""`Window`: what is asked for, validated."""

import datetime as dt

import pytest

from shadowagg.errors import UserError
from shadowagg.window import Cluster, Window, parse_day

SOURCE = "00000000-0000-0000-0000-00000000000a"


def window(**changes):
    fields = {
        "schema": "org1",
        "provider": "some",
        "source_uuid": SOURCE,
        "start": dt.date(2025, 8, 5),
        "end": dt.date(2025, 8, 6),
    }
    return Window(**{**fields, **changes})


def test_a_window_over_two_months_is_refused():
    """Case 63 of `ocp.md` 7: production would delete days of September and not refill them."""
    with pytest.raises(UserError, match="crosses a month's end"):
        window(start=dt.date(2025, 8, 30), end=dt.date(2025, 9, 2))


def test_the_same_month_of_another_year_is_another_month():
    with pytest.raises(UserError, match="crosses"):
        window(start=dt.date(2024, 8, 5), end=dt.date(2025, 8, 5))


def test_the_last_day_may_not_lie_before_the_first():
    with pytest.raises(UserError, match="lies before"):
        window(end=dt.date(2025, 8, 4))


@pytest.mark.parametrize("schema", ["", "a\0b", "x" * 64, "ü" * 32])
def test_what_postgresql_would_cut_or_refuse_is_no_schema_name(schema):
    with pytest.raises(UserError, match="not a schema name"):
        window(schema=schema)


@pytest.mark.parametrize("schema", ['o"; drop schema x; --', "o'1", "ORG 1", "x" * 63])
def test_any_other_text_is_a_schema_name(schema):
    assert window(schema=schema).schema == schema


def test_a_source_is_a_uuid_in_lower_case():
    assert window(source_uuid=SOURCE.upper()).source_uuid == SOURCE
    assert Cluster(SOURCE.upper(), "c").source_uuid == SOURCE
    with pytest.raises(UserError, match="is no UUID"):
        window(source_uuid="../../etc")


def test_parse_takes_what_to_json_gives():
    full = window(clusters=(Cluster(SOURCE, "c", None, 7),), parameters={"markup": "0.1"})
    assert full == Window.parse(full.to_json())


def test_parse_takes_task_arguments():
    parsed = Window.parse(
        {
            "schema": "org1",
            "provider": "some",
            "source_uuid": SOURCE,
            "start": "2025-08-05",
            "end": dt.datetime(2025, 8, 6, 23, 59, tzinfo=dt.UTC),
        }
    )
    assert window() == parsed


def test_parse_names_unknown_and_missing_fields():
    with pytest.raises(UserError, match=r"unknown fields \['from'\].*missing fields \['start'\]"):
        Window.parse(
            {"schema": "o", "provider": "p", "source_uuid": SOURCE, "end": "2025-08-05", "from": 1}
        )


def test_partition_values():
    assert ("2025", "08", 31) == (window().year, window().month, window().days_in_month)
    assert dt.date(2025, 8, 7) == window().day_after


@pytest.mark.parametrize("value", ["yesterday", "2025-13-01", None, 5])
def test_what_is_no_day_is_named(value):
    with pytest.raises(UserError, match="not a day"):
        parse_day(value)


def test_a_window_without_its_one_cluster_says_so():
    with pytest.raises(UserError, match="one cluster expected, 0 given"):
        _ = window().cluster
