"""What is refused before anything is touched."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from shadowagg.candidate.writer.deletes import plan_delete
from shadowagg.candidate.writer.lock import lock_key
from shadowagg.candidate.writer.options import WriteOptions
from shadowagg.candidate.writer.targets import choose_targets
from shadowagg.discovery import registry
from shadowagg.errors import RowSetInvalid, UserError
from shadowagg.paths import PathRequest, open_path
from shadowagg.plan import make_plan
from shadowagg.scenario import load_scenario
from shadowagg.window import Cluster, Window

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "ocp-basic"


@pytest.fixture(scope="module")
def made():
    """Provider, plan and row sets of the smallest golden scenario."""
    provider = registry().provider("ocp")
    scenario = load_scenario(GOLDEN)
    (window,) = provider.windows(scenario)
    plan = provider.plan(window, scenario.inputs())
    request = PathRequest(provider, plan, scenario.inputs())
    return provider, plan, {made.stage: made.table for made in open_path("pyarrow").run(request)}


def choose(made, row_sets, level="accessor", *, staging=True):
    provider, plan, _ = made
    return choose_targets(provider, plan, row_sets, level, staging=staging)


def changed(made, stage, column, value):
    """The row sets with one value changed, in the first row of a stage."""
    table = made[2][stage]
    field = table.schema.field(column)
    type_ = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    rest = table.column(column).slice(1)
    rest = rest.cast(type_) if rest.type != type_ else rest
    if isinstance(value, Decimal):  # Arrow refuses what a column of its own may hold by arithmetic
        wide = pa.array([value], pa.decimal128(38, 15))
        first = pa.Array.from_buffers(type_, 1, wide.buffers())
    else:
        first = pa.array([value], type_)
    values = pa.chunked_array([first, *rest.chunks])
    at = table.column_names.index(column)
    return {**made[2], stage: table.set_column(at, column, values)}


def test_final_row_sets_go_home_and_inner_ones_nowhere(made):
    targets = choose(made, made[2])
    assert ["ocp:daily_summary"] == [rows.spec.name for rows in targets.postgres]
    assert ["ocp:staging"] == [rows.spec.name for rows in targets.hive]
    assert () == choose(made, made[2], staging=False).hive


def test_a_final_stage_that_is_missing_is_named(made):
    with pytest.raises(UserError, match=r"missing: \['staging'\]"):
        choose(made, {"daily_summary": made[2]["daily_summary"]})
    assert choose(made, {"daily_summary": made[2]["daily_summary"]}, staging=False).postgres
    with pytest.raises(UserError, match=r"unknown: \['dailysummary'\]"):
        choose(made, {**made[2], "dailysummary": made[2]["daily_summary"]})


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("namespace", "x" * 254, "more than 253 characters"),
        ("namespace", "a\0b", "NUL"),
        ("cluster_alias", "é" * 257, "more than 256 characters"),
        ("pod_labels", '{"a":"b\\u0000"}', "NUL"),
        ("pod_labels", '{"a":"\\\\\\u0000"}', "NUL"),
        ("pod_usage_cpu_core_hours", Decimal(10) ** 18, "overflow"),
        ("pod_usage_cpu_core_hours", -(Decimal(10) ** 18), "overflow"),
        ("usage_start", dt.date(2025, 1, 9), "rows of 2025-01-09"),
        ("usage_start", dt.date(2025, 2, 1), "to 2025-02-01"),
        ("report_period_id", 12, "report_period_id has other values"),
        ("report_period_id", None, "report_period_id has other values"),
        ("cluster_id", "another", "cluster_id has other values"),
    ],
)
def test_what_cannot_be_stored_or_replaced_again_is_refused(made, column, value, said):
    with pytest.raises(RowSetInvalid, match=said):
        choose(made, changed(made, "daily_summary", column, value))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("namespace", "x" * 253),
        ("namespace", "x" * 253 + "   "),
        ("namespace", "😀" * 253),
        ("namespace", ""),
        ("namespace", None),
        ("pod_labels", '{"a":"b\\\\u0000"}'),
        ("pod_usage_cpu_core_hours", Decimal("999999999999999999.999999999999999")),
        ("pod_usage_cpu_core_hours", None),
    ],
)
def test_what_can_be_stored_is_taken(made, column, value):
    assert choose(made, changed(made, "daily_summary", column, value)).postgres


@pytest.mark.parametrize(("column", "value"), [("month", "01"), ("day", "010"), ("year", "25")])
def test_partition_values_are_the_days_parts_without_padding(made, column, value):
    with pytest.raises(RowSetInvalid, match=f"column {column} is not the {column} of usage_start"):
        choose(made, changed(made, "staging", column, value))


def test_rows_of_another_source_are_not_staged(made):
    with pytest.raises(RowSetInvalid, match="column source has other values"):
        choose(made, changed(made, "staging", "source", "00000000-0000-0000-0000-000000000000"))


def test_rows_that_the_next_write_would_leave_are_refused(made):
    table = made[2]["daily_summary"]
    cost = pa.array([Decimal(5)] + [None] * (table.num_rows - 1), pa.decimal128(33, 15))
    table = table.append_column("infrastructure_raw_cost", cost)
    with pytest.raises(RowSetInvalid, match="would not be deleted"):
        choose(made, {**made[2], "daily_summary": table})


def test_doubles_for_postgres_are_finite():
    from dataclasses import replace

    from shadowagg.candidate.writer.targets import _unstorable
    from shadowagg.rowset import DATE, DOUBLE, TEXT, Column, RowKind, RowSet, RowSetSpec

    spec = RowSetSpec(
        name="x:y", table="y", home="postgres", day="day", source="source",
        kinds=(RowKind("row", ("source",)),),
        columns=(Column("day", DATE), Column("source", TEXT), Column("x", DOUBLE, nan=True)),
    )  # fmt: skip
    for bad in (float("nan"), float("inf"), float("-inf")):
        table = pa.table({"day": pa.array([1], pa.date32()), "source": ["s"], "x": [bad]})
        assert ["column x has NaN or infinite values"] == list(_unstorable(RowSet(spec, table)))
        # The lake takes them, as Trino writes them there.
        assert [] == list(_unstorable(RowSet(replace(spec, home="hive"), table)))


# --- what is deleted ---------------------------------------------------------------------------

DAY = dt.date(2025, 8, 5)
SOURCE = "00000000-0000-0000-0000-000000000001"


def window(**changes):
    given = {
        "schema": "org1", "provider": "ocp", "source_uuid": SOURCE, "start": DAY, "end": DAY,
        "clusters": (Cluster(SOURCE, "c1", "alias", 11),),
    }  # fmt: skip
    return Window(**given | changes)


def test_the_accessor_deletes_its_days_report_period_and_cluster():
    spec = registry().provider("ocp").stages[-1].spec
    plan = make_plan(window(end=DAY + dt.timedelta(days=20)))
    delete = plan_delete(spec, plan, "accessor")
    assert (
        'DELETE FROM "org1"."reporting_ocpusagelineitem_daily_summary" WHERE ("usage_start" >= %s)'
        ' AND ("usage_start" <= %s) AND ("report_period_id" = %s) AND ("cluster_id" = %s)'
        ' AND ("infrastructure_raw_cost" IS NULL OR "infrastructure_raw_cost" = %s)'
    ) == delete.text
    assert (DAY, DAY + dt.timedelta(days=20), 11, "c1", 0) == delete.values


def test_days_before_the_first_with_data_are_left_alone():
    spec = registry().provider("ocp").stages[-1].spec
    first = DAY + dt.timedelta(days=2)
    plan = make_plan(window(end=DAY + dt.timedelta(days=9)), first_day_with_data=first)
    assert first == plan_delete(spec, plan, "accessor").values[0]


def test_without_a_report_period_nothing_is_deleted():
    spec = registry().provider("ocp").stages[-1].spec
    plan = make_plan(window(clusters=(Cluster(SOURCE, "c1"),)))
    with pytest.raises(UserError, match=r"no cluster\.report_period_id"):
        plan_delete(spec, plan, "accessor")


def test_a_level_that_nothing_is_specified_for_is_refused():
    spec = registry().provider("ocp").stages[-1].spec
    with pytest.raises(UserError, match="updater"):
        plan_delete(spec, make_plan(window()), "updater")


def test_at_the_updaters_level_all_clusters_values_count():
    from dataclasses import replace

    spec = replace(
        registry().provider("ocp").stages[-1].spec,
        deleted_by={"updater": {"cluster_id": "cluster.cluster_id"}},
    )
    two = window(clusters=(Cluster(SOURCE, "c1"), Cluster(SOURCE, "c2")))
    assert (DAY, DAY, "c1", "c2", 0) == plan_delete(spec, make_plan(two), "updater").values


# --- lock and options --------------------------------------------------------------------------


def test_windows_of_one_month_share_a_lock_and_others_do_not():
    key = lock_key(window())
    assert key == lock_key(window(start=dt.date(2025, 8, 1), end=dt.date(2025, 8, 31)))
    assert -(2**63) <= key < 2**63
    others = [
        window(schema="org2"),
        window(provider="other"),
        window(source_uuid="00000000-0000-0000-0000-000000000002"),
        window(start=dt.date(2025, 9, 5), end=dt.date(2025, 9, 5)),
        window(start=dt.date(2024, 8, 5), end=dt.date(2024, 8, 5)),
    ]
    assert 6 == len({key, *map(lock_key, others)})


@pytest.mark.parametrize(
    "options",
    [{"patience": 0}, {"batch_rows": 0}, {"level": "task"}, {"when_busy": "hope"}],
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        WriteOptions(**options)
