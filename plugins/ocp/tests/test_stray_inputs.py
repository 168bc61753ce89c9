"""Rules of `ocp.md` 1, 2 and 3.0 that no tricky case covers: files, columns, partitions, days."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pytest

from shadowagg_ocp.provider import OCP

from .casebook.outcome import expect, the
from .casebook.situation import (
    CLUSTER,
    DAY,
    NL,
    NSL,
    OTHER_SOURCE,
    SOURCE,
    H,
    P,
    S,
    Situation,
    hours,
    namespace_labels,
    node_labels,
    pod,
    volume,
)

BEFORE = DAY.replace(day=4)
AFTER = DAY.replace(day=6)


# --- 1, inputs: files, columns, partitions --------------------------------------------------------


def test_columns_are_found_by_name_in_any_order_and_others_are_ignored(run):
    def shuffled(table: pa.Table) -> list[pa.Table]:
        backwards = table.select(table.column_names[::-1])
        return [backwards.append_column("surprise", pa.array(["x"] * table.num_rows))]

    names = (P, H, S, NL, NSL)
    plain = Situation(storage=[volume()])
    expected = run(plain).stages["staging"]
    outcome = run(replace(plain, reshape=dict.fromkeys(names, shuffled)))

    expect(outcome.stages["staging"], *expected)


def test_rows_of_several_files_are_one_table(run):
    def one_by_one(table: pa.Table) -> list[pa.Table]:
        return [table.slice(n, 1) for n in range(table.num_rows)]

    outcome = run(
        Situation(
            pods=[pod(), pod(pod="p2"), pod()],
            storage=[volume(), volume(pod="p2")],
            reshape=dict.fromkeys((P, H, S), one_by_one),
        )
    )

    the(outcome.pods, pod_usage_cpu_core_hours=3, node_capacity_cpu_core_hours=96)
    the(outcome.volumes, persistentvolumeclaim_capacity_gigabyte_months="0.645161290322581")


def test_a_column_that_one_file_lacks_is_null_there(run):
    def without_effective(table: pa.Table) -> list[pa.Table]:
        names = ["pod_effective_usage_cpu_core_seconds", "resource_id"]
        return [table.slice(0, 1), table.slice(1).drop_columns(names)]

    outcome = run(
        Situation(pods=[pod(namespace="new"), pod(namespace="old")], reshape={P: without_effective})
    )

    expect(
        outcome.pods,
        {"namespace": "new", "resource_id": "i-1", "pod_effective_usage_cpu_core_hours": "2.5"},
        {"namespace": "old", "resource_id": None, "pod_effective_usage_cpu_core_hours": 2},
    )


def test_a_column_that_the_month_lacks_but_the_table_has_is_null(run):
    july = dt.date(2025, 7, 31)

    def only_july(table: pa.Table) -> list[pa.Table]:
        if table["interval_start"][0].as_py().month == july.month:
            return [table]
        return [table.drop_columns(["pod_effective_usage_cpu_core_seconds"])]

    outcome = run(Situation(pods=[pod(), pod(day=july)], reshape={P: only_july}))

    the(outcome.pods, pod_effective_usage_cpu_core_hours=2)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (P, "pod_effective_usage_cpu_core_seconds"),
        (P, "node_capacity_memory_bytes"),
        (H, "node_capacity_cpu_core_seconds"),
        (S, "csi_volume_handle"),
        (NL, "node_labels"),
        (NSL, "namespace_labels"),
    ],
)
def test_a_column_that_no_file_of_the_table_has_is_refused(run, table, column):
    run.refused(
        Situation(storage=[volume()], reshape={table: lambda rows: [rows.drop_columns([column])]})
    )


@pytest.mark.parametrize("table", [P, H, NL, NSL])
def test_a_required_table_that_does_not_exist_is_refused(run, table):
    run.refused(Situation(without=frozenset([table])))


def test_a_column_of_nulls_without_a_type_is_all_null(run):
    def untyped(table: pa.Table) -> list[pa.Table]:
        at = table.column_names.index("resource_id")
        return [table.set_column(at, "resource_id", pa.nulls(table.num_rows))]

    outcome = run(Situation(reshape={P: untyped}))

    the(outcome.pods, resource_id=None, pod_usage_cpu_core_hours=1)
    the(outcome.unallocated, resource_id=None, namespace=None)


def test_texts_may_be_stored_as_large_strings(run):
    def large(table: pa.Table) -> list[pa.Table]:
        fields = [
            field.with_type(pa.large_string()) if field.type == pa.string() else field
            for field in table.schema
        ]
        return [table.slice(0, 1), table.slice(1).cast(pa.schema(fields))]

    outcome = run(
        Situation(
            pods=[pod(pod_labels={"app": "a"}), pod(pod="p2", pod_labels={"app": "a"})],
            storage=[volume(), volume(pod="p2")],
            reshape=dict.fromkeys((P, S), large),
        )
    )

    the(outcome.pods, namespace="ns1", pod_labels={"app": "a"}, pod_usage_cpu_core_hours=2)
    the(outcome.volumes, node="n1")


def test_rows_of_other_sources_and_partitions_are_not_read(run):
    elsewhere = ({"source": OTHER_SOURCE}, {"partition": (2025, 7)}, {"partition": (2024, 8)})
    outcome = run(
        Situation(
            pods=[pod(), *(pod(namespace="other", **place) for place in elsewhere)],
            hours=[*hours(), *(row for place in elsewhere for row in hours("n2", **place))],
            storage=[volume(), *(volume(persistentvolume="x", **place) for place in elsewhere)],
            node_labels=[
                node_labels({}),
                *(node_labels({"app": "n"}, **place) for place in elsewhere),
            ],
            namespace_labels=[
                namespace_labels({}),
                *(namespace_labels({"app": "s"}, **place) for place in elsewhere),
            ],
        )
    )

    the(
        outcome.pods,
        namespace="ns1",
        pod_labels={},
        source_uuid=SOURCE,
        cluster_capacity_cpu_core_hours=96,
    )
    the(outcome.volumes, persistentvolume="pv-1")


def test_rows_of_another_month_in_this_partition_are_not_read(run):
    september = dt.date(2025, 9, 5)
    outcome = run(
        Situation(
            start=DAY.replace(day=1),
            end=DAY.replace(day=31),
            pods=[pod(), pod(day=september, partition=(2025, 8))],
            hours=[*hours(), *hours(day=september, partition=(2025, 8))],
        )
    )

    the(outcome.pods, usage_start=DAY, node_capacity_cpu_core_hours=96)


def test_a_month_partition_without_leading_zero_is_not_read(run):
    class Unpadded(Situation):
        def write(self, folder):
            scenario = super().write(folder)
            for month in folder.glob(f"inputs/{P}/source=*/year=2025/month=07"):
                month.rename(month.with_name("month=8"))
            return scenario

    july = (2025, 7)
    outcome = run(Unpadded(pods=[pod(), pod(namespace="unpadded", partition=july)]))

    the(outcome.pods, namespace="ns1")


def test_a_window_without_any_row_gives_no_rows(run):
    outcome = run(Situation(start=AFTER, end=AFTER, storage=[volume()]))

    expect(outcome.summary)
    expect(outcome.stages["staging"])


def test_a_storage_table_of_other_sources_only_gives_no_storage_rows(run):
    outcome = run(Situation(storage=[volume(source=OTHER_SOURCE)]))

    expect(outcome.volumes)
    the(outcome.pods, pod_usage_cpu_core_hours=1)


# --- 2 and 3.0, window and parameters -------------------------------------------------------------


def test_the_parameters_stand_on_every_row(run):
    cluster = replace(CLUSTER, cluster_alias=None, report_period_id=4711)
    outcome = run(Situation(storage=[volume()], cluster=cluster))

    expected = {
        "source_uuid": SOURCE,
        "report_period_id": 4711,
        "cluster_id": "cluster-1",
        "cluster_alias": None,
        "usage_start": DAY,
        "usage_end": DAY,
    }
    expect(outcome.summary, *[expected] * 3)
    partition = {"source": SOURCE, "year": "2025", "month": "8", "day": "5"}
    expect(outcome.stages["staging"], *[{**expected, **partition}] * 3)


def test_every_day_of_every_sub_window_is_computed_once(run):
    days = [DAY.replace(day=n) for n in range(1, 13)]
    outcome = run(
        Situation(
            start=days[0],
            end=days[-1],
            pods=[pod(day=day) for day in days],
            hours=[row for day in days for row in hours(day=day)],
            storage=[volume(day=day) for day in days],
            node_labels=[node_labels({"app": str(day.day)}, day=day) for day in days],
        )
    )

    each = [{"usage_start": day, "usage_end": day} for day in days]
    expect(
        outcome.pods,
        *({**row, "pod_labels": {"app": str(row["usage_start"].day)}} for row in each),
    )
    expect(outcome.volumes, *({**row, "node": "n1"} for row in each))
    expect(outcome.unallocated, *({**row, "pod_usage_cpu_core_hours": 95} for row in each))
    expect(
        outcome.stages["staging"],
        *({"day": str(day.day), "month": "8"} for day in days for _ in range(3)),
    )


def test_the_start_moves_to_the_first_day_with_pods(tmp_path):
    situation = Situation(
        start=DAY.replace(day=1),
        end=DAY.replace(day=12),
        pods=[
            pod(day=BEFORE, source=OTHER_SOURCE),
            pod(day=DAY.replace(day=3), partition=(2025, 7)),
            pod(),
            pod(day=AFTER),
        ],
    )
    scenario = situation.write(tmp_path / "scenario")
    (window,) = OCP.windows(scenario)
    plan = OCP.plan(window, scenario.inputs())

    assert [(5, 10), (11, 12)] == [(s.start.day, s.end.day) for s in plan.subwindows]


def test_the_start_stays_where_there_are_no_pods(tmp_path):
    situation = Situation(start=DAY.replace(day=7), end=DAY.replace(day=9))
    scenario = situation.write(tmp_path / "scenario")
    (window,) = OCP.windows(scenario)
    plan = OCP.plan(window, scenario.inputs())

    assert [(7, 9)] == [(s.start.day, s.end.day) for s in plan.subwindows]


def test_storage_before_the_first_day_with_pods_is_left_out(run):
    outcome = run(Situation(start=BEFORE, storage=[volume(day=BEFORE), volume()]))

    the(outcome.volumes, usage_start=DAY)
