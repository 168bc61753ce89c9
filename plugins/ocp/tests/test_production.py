"""Production's steps for OpenShift: order, values, and what stands between the templates."""

import datetime as dt
from dataclasses import dataclass, field

import pytest

from shadowagg.control.production.guard import Guard
from shadowagg.errors import InputRefused
from shadowagg.plan import make_plan
from shadowagg.production import CodeStep, TemplateStep, Way
from shadowagg.window import Cluster, Window
from shadowagg_ocp.production import PRODUCTION
from shadowagg_ocp.provider import OCP
from shadowagg_ocp.rowsets import DAILY_SUMMARY, STAGING

SOURCE = "1ae15590-741b-4a18-9d5d-6eb182ba1064"
AGGREGATION = "trino_sql/openshift/reporting_ocpusagelineitem_daily_summary.sql"
MAPPING = "sql/openshift/ocp_tag_mapping_update_daily_summary.sql"


@dataclass
class RecordingTwin:
    """Keeps what it is asked, after the guard has seen it."""

    lake: frozenset[str] = frozenset()
    rows: tuple = ()
    said: list = field(default_factory=list)
    schema: str = "shadowagg_scratch_x"

    def has_lake_table(self, name):
        return name in self.lake

    def trino(self, statement, values=()):
        Guard(self.schema).check(statement, "trino", on="test")
        assert statement.count("?") == len(values)
        self.said.append(("trino", statement, tuple(values)))
        return []

    def postgres(self, statement, values=()):
        Guard(self.schema).check(statement.replace("%s", "NULL"), "postgres", on="test")
        assert statement.count("%s") == len(values)
        self.said.append(("postgres", statement, tuple(values)))
        return list(self.rows)


def plan(first, last, report_period_id=11, alias="willow"):
    cluster = Cluster(SOURCE, "my-cluster", alias, report_period_id)
    return make_plan(
        Window("org1", "ocp", SOURCE, dt.date(2025, 2, first), dt.date(2025, 2, last), (cluster,))
    )


def calls(plan):
    return [
        (step.path if isinstance(step, TemplateStep) else step.name, call)
        for step, call in PRODUCTION.calls(plan)
    ]


def test_deletes_then_aggregation_per_sub_window_then_tag_mapping_once():
    names = [(name, call.start.day, call.end.day) for name, call in calls(plan(1, 7))]

    summary, staging = "O2: rows of the daily summary", "O2: partitions of the staging table"
    assert [
        *[(summary, 1, 6), (staging, 1, 6), (AGGREGATION, 1, 6)],
        *[(summary, 7, 7), (staging, 7, 7), (AGGREGATION, 7, 7)],
        (MAPPING, 1, 7),
    ] == names


def test_every_name_that_a_step_binds_has_a_value_and_the_right_one():
    ((_, call), *_) = PRODUCTION.calls(plan(3, 5, alias=None))
    values = PRODUCTION.values(call, RecordingTwin(lake=frozenset()))

    assert {
        "schema": "shadowagg_scratch_x",
        "start_date": dt.date(2025, 2, 3),
        "end_date": dt.date(2025, 2, 5),
        "year": "2025",
        "month": "02",
        "days": ("3", "4", "5"),
        "source": SOURCE,
        "report_period_id": 11,
        "report_period_ids": [11],
        "cluster_id": "my-cluster",
        "cluster_alias": None,
        "storage_exists": False,
    } == values
    for step in PRODUCTION.templates:
        assert set(step.binds) <= set(values)


def test_the_tenants_schema_is_no_value():
    ((_, call), *_) = PRODUCTION.calls(plan(3, 5))

    assert "org1" not in PRODUCTION.values(call, RecordingTwin()).values()


def test_storage_is_asked_for_by_the_tables_existence():
    ((_, call), *_) = PRODUCTION.calls(plan(3, 5))
    twin = RecordingTwin(lake=frozenset({"openshift_storage_usage_line_items_daily"}))

    assert PRODUCTION.values(call, twin)["storage_exists"] is True


def code(name):
    (step,) = [s for s in PRODUCTION.steps if isinstance(s, CodeStep) and name in s.name]
    return step.run


def test_rows_of_the_days_and_period_are_deleted_in_postgres_but_not_a_clouds():
    twin = RecordingTwin()
    _, call = next(PRODUCTION.calls(plan(1, 7)))
    code("daily summary")(call, twin)

    ((engine, statement, values),) = twin.said
    assert "postgres" == engine
    assert (dt.date(2025, 2, 1), dt.date(2025, 2, 6), 11) == values
    assert "infrastructure_raw_cost IS NULL OR infrastructure_raw_cost = 0" in statement


def test_staging_is_deleted_a_day_at_a_time_with_the_month_padded_or_not():
    twin = RecordingTwin(lake=frozenset({STAGING.table}))
    _, call = next(PRODUCTION.calls(plan(5, 6)))
    code("staging")(call, twin)

    assert [
        (SOURCE, "2025", "02", "2", "5"),
        (SOURCE, "2025", "02", "2", "6"),
    ] == [values for _, _, values in twin.said]


def test_staging_that_does_not_exist_is_not_deleted():
    twin = RecordingTwin()
    _, call = next(PRODUCTION.calls(plan(5, 6)))
    code("staging")(call, twin)

    assert [] == twin.said


@pytest.mark.parametrize(("rows", "runs"), [((), False), (((1,),), True)])
def test_tag_mapping_is_left_out_without_a_child_of_openshift(rows, runs):
    (step,) = [s for s in PRODUCTION.templates if s.path == MAPPING]
    *_, (_, call) = PRODUCTION.calls(plan(5, 6))

    assert runs is step.only_if(call, RecordingTwin(rows=rows))


def test_without_a_report_period_production_stops_before_it_deletes():
    with pytest.raises(InputRefused, match="no report period"):
        PRODUCTION.begin(plan(5, 6, report_period_id=None))


def test_each_published_table_is_written_by_a_step_and_errors_are_passed_over_where_it_does_so():
    written = {table for step in PRODUCTION.templates for table in step.writes}
    final = {f"{s.spec.home}.{s.spec.table}" for s in OCP.stages if s.final}

    assert final <= written
    assert {AGGREGATION: ("ALREADY_EXISTS",), MAPPING: ()} == {
        step.path: step.swallows for step in PRODUCTION.templates
    }
    assert [Way.TRINO_PIECES, Way.POSTGRES_WHOLE] == [step.way for step in PRODUCTION.templates]
    assert DAILY_SUMMARY.home == "postgres"
