"""Generated months: in the form of the lake, consistent in themselves, and rich in cases."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from shadowagg.errors import UserError
from shadowagg.scenario import load_scenario
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.generate import generate
from shadowagg_ocp.provider import OCP

ARROW = {"text": pa.string(), "double": pa.float64(), "time": pa.timestamp("ms")}
SIDE = {"text": pa.string(), "uuid": pa.string(), "integer": pa.int32(), "boolean": pa.bool_()}
LAKE = tuple(table for table in tables.INPUTS if table.home == "lake")


@dataclass(frozen=True)
class Month:
    """A generated month, read whole."""

    folder: Path
    files: dict[str, list[pa.Table]]

    def rows(self, table) -> list[dict]:
        """All rows of a table; a column that a file lacks is None."""
        names = {name for file in self.files[table.name] for name in file.column_names}
        blank = dict.fromkeys(names)
        return [blank | row for file in self.files[table.name] for row in file.to_pylist()]

    def side(self, table) -> list[dict]:
        return pq.read_table(self.folder / "inputs_postgres" / f"{table.name}.parquet").to_pylist()


def read_month(folder: Path) -> Month:
    files = {
        table.name: [
            pq.ParquetFile(path).read()
            for path in sorted((folder / "inputs" / table.name).rglob("*.parquet"))
        ]
        for table in LAKE
    }
    return Month(folder, files)


@pytest.fixture(scope="module")
def february(tmp_path_factory) -> Month:
    folder = tmp_path_factory.mktemp("generated") / "february"
    generate(folder, seed=7, rows=5_000, days=28)
    return read_month(folder)


@pytest.fixture(scope="module")
def one_day(tmp_path_factory) -> Month:
    folder = tmp_path_factory.mktemp("generated") / "day"
    generate(folder, seed=3, rows=200, days=1)
    return read_month(folder)


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def labels(text: str | None) -> dict | None:
    return None if text is None else json.loads(text)


# --- the same again ----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_in_another_process(one_day, tmp_path):
    program = (
        "import pathlib, sys; from shadowagg_ocp.generate import generate;"
        "generate(pathlib.Path(sys.argv[1]), seed=3, rows=200, days=1)"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "again")],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )

    assert fingerprint(one_day.folder) == fingerprint(tmp_path / "again")


def test_another_seed_gives_other_bytes(one_day, tmp_path):
    generate(tmp_path / "other", seed=4, rows=200, days=1)

    assert fingerprint(one_day.folder) != fingerprint(tmp_path / "other")


@pytest.mark.parametrize(("rows", "days"), [(0, 3), (100, 0), (100, 32)])
def test_a_size_that_makes_no_month_is_refused(tmp_path, rows, days):
    with pytest.raises(UserError, match="1 to 31 days"):
        generate(tmp_path / "none", seed=1, rows=rows, days=days)


# --- form --------------------------------------------------------------------------------------


def test_the_scenario_can_be_loaded_and_concerns_the_provider(february):
    scenario = load_scenario(february.folder)
    (window,) = OCP.windows(scenario)

    assert scenario.provider in OCP.aliases
    assert (scenario.start, scenario.end) == (window.start, window.end)
    assert ((window.end - window.start).days + 1, window.days_in_month) == (28, 28)
    for table in tables.INPUTS:
        assert scenario.inputs().exists(table, window), table.name
        if table.home == "lake":
            assert scenario.inputs().files(table, window, window.source_uuid), table.name


@pytest.mark.parametrize("table", LAKE, ids=lambda table: table.name)
def test_every_lake_file_has_the_types_of_the_contract(february, table):
    allowed = {column.name: {ARROW[column.type]} for column in table.columns}
    allowed["node_role"] = {pa.string(), pa.large_string()}
    for file in february.files[table.name]:
        for field in file.schema:
            expected = allowed.get(field.name) or {pa.string(), pa.float64(), pa.timestamp("ms")}
            assert field.type in expected, field
            assert not {"source", "year", "month"} & set(file.column_names)


@pytest.mark.parametrize("table", LAKE, ids=lambda table: table.name)
def test_every_column_that_is_read_is_in_the_first_file(february, table):
    assert {column.name for column in table.columns} <= set(
        february.files[table.name][0].column_names
    )


@pytest.mark.parametrize(
    "table", [t for t in tables.INPUTS if t.home == "postgres"], ids=lambda table: table.name
)
def test_side_tables_have_the_columns_that_are_read(february, table):
    schema = pq.read_schema(february.folder / "inputs_postgres" / f"{table.name}.parquet")

    assert {c.name: SIDE[c.type] for c in table.columns} == {
        c.name: schema.field(c.name).type for c in table.columns
    }


def test_files_are_snappy_and_lie_in_the_partition_of_the_month(february):
    scenario = load_scenario(february.folder)
    place = (
        f"source={scenario.clusters[0].source_uuid}/year={scenario.start:%Y}"
        f"/month={scenario.start:%m}"
    )
    for path in (february.folder / "inputs").rglob("*.parquet"):
        assert place in path.as_posix()
        assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "SNAPPY"


def test_daily_rows_lie_at_midnight_and_hourly_ones_at_the_hour(february):
    for table in LAKE:
        for row in february.rows(table):
            moment = row["interval_start"]
            hour = moment.hour if table is tables.POD_HOURS else 0
            assert moment == dt.datetime.combine(moment.date(), dt.time(hour))


def test_numbers_are_finite_and_not_negative(february):
    for table in (tables.PODS, tables.POD_HOURS, tables.STORAGE):
        for file in february.files[table.name]:
            for name in file.column_names:
                if pa.types.is_floating(file.schema.field(name).type):
                    column = file.column(name)
                    assert column.null_count == 0
                    assert pc.all(pc.is_finite(column)).as_py()
                    assert pc.min(column).as_py() >= 0


def test_labels_are_objects_of_texts_in_the_style_of_python(february):
    columns = {
        tables.PODS: ["pod_labels"],
        tables.POD_HOURS: ["pod_labels"],
        tables.STORAGE: ["persistentvolume_labels", "persistentvolumeclaim_labels"],
        tables.NODE_LABELS: ["node_labels"],
        tables.NAMESPACE_LABELS: ["namespace_labels"],
    }
    for table, names in columns.items():
        for row in february.rows(table):
            for name in names:
                found = labels(row[name])
                assert found is None or all(isinstance(v, str) for v in found.values())
                assert row[name] is None or row[name] == json.dumps(found)


@pytest.mark.parametrize("rows", [2_000, 20_000])
def test_about_the_rows_asked_for_come_out(tmp_path, rows):
    generate(tmp_path / "month", seed=11, rows=rows, days=10)
    month = read_month(tmp_path / "month")
    pods, hours, storage = (
        sum(file.num_rows for file in month.files[table.name])
        for table in (tables.PODS, tables.POD_HOURS, tables.STORAGE)
    )

    assert 0.9 * rows <= pods <= 1.15 * rows
    assert 4 * pods <= hours <= 7 * pods
    assert 0.05 * pods <= storage <= 0.6 * pods


# --- consistency -------------------------------------------------------------------------------


def test_the_daily_table_is_the_roll_up_of_the_hourly_one(february):
    key = ("namespace", "node", "pod", "pod_labels")
    measures = [
        column.name
        for column in tables.PODS.columns
        if column.unit in {"core·s", "byte·s"} and "effective" not in column.name
    ]

    def totals(table):
        found = defaultdict(lambda: dict.fromkeys(measures, 0.0))
        for row in february.rows(table):
            total = found[(row["interval_start"].date(), *(row[name] for name in key))]
            for name in measures:
                total[name] += row[name]
        return found

    hourly, daily = totals(tables.POD_HOURS), totals(tables.PODS)
    assert hourly.keys() == daily.keys()
    for place, expected in hourly.items():
        assert expected == pytest.approx(daily[place], rel=1e-12), place


def test_effective_usage_is_summed_from_the_greater_of_usage_and_request_of_each_hour(february):
    rows = [row for row in february.rows(tables.PODS) if row[EFFECTIVE] is not None]

    assert all(
        row[EFFECTIVE]
        >= max(row["pod_usage_cpu_core_seconds"], row["pod_request_cpu_core_seconds"]) * (1 - 1e-12)
        for row in rows
    )
    assert any(
        row[EFFECTIVE]
        > max(row["pod_usage_cpu_core_seconds"], row["pod_request_cpu_core_seconds"]) * (1 + 1e-9)
        for row in rows
    )


EFFECTIVE = "pod_effective_usage_cpu_core_seconds"


# --- shapes ------------------------------------------------------------------------------------


def in_window(month: Month, table) -> list[dict]:
    scenario = load_scenario(month.folder)
    return [
        row
        for row in month.rows(table)
        if scenario.start <= row["interval_start"].date() <= scenario.end
    ]


def test_labels_of_one_key_conflict_on_several_levels(february):
    enabled = {
        row["key"]
        for row in february.side(tables.ENABLED_TAG_KEYS)
        if row["enabled"] and row["provider_type"] == "OCP"
    }
    node = {row["node"]: labels(row["node_labels"]) for row in february.rows(tables.NODE_LABELS)}
    namespace = {
        row["namespace"]: labels(row["namespace_labels"]) or {}
        for row in february.rows(tables.NAMESPACE_LABELS)
    }
    conflicts = set()
    for row in in_window(february, tables.PODS):
        own = labels(row["pod_labels"]) or {}
        of_node, of_namespace = node.get(row["node"], {}), namespace[row["namespace"]]
        conflicts |= {
            key
            for key in enabled & own.keys() & of_node.keys() & of_namespace.keys()
            if len({own[key], of_node[key], of_namespace[key]}) == 3
        }

    assert conflicts >= {"env"}


def test_pod_labels_have_every_odd_form(february):
    texts = {row["pod_labels"] for row in in_window(february, tables.PODS)}
    maps = [labels(text) for text in texts if text is not None]
    by_content = Counter(json.dumps(found, sort_keys=True) for found in maps)

    assert None in texts
    assert "{}" in texts
    assert max(by_content.values()) > 1, "equal content, other order of keys"
    assert any("" in found.values() for found in maps)
    assert any("secret" in found for found in maps), "a key that is disabled"
    assert any("cost_center" in found for found in maps), "a key of another provider"
    assert any("vm_kubevirt_io_name" in found for found in maps)
    assert any({"application", "app"} <= found.keys() for found in maps), "child beside parent"
    assert any({"application", "service"} <= found.keys() for found in maps), "two children"
    assert any(not value.isascii() for found in maps for value in found.values())


def test_a_node_and_a_namespace_have_two_label_sets_on_one_day(february):
    for table, name, text in (
        (tables.NODE_LABELS, "node", "node_labels"),
        (tables.NAMESPACE_LABELS, "namespace", "namespace_labels"),
    ):
        sets = defaultdict(set)
        for row in in_window(february, table):
            sets[row["interval_start"], row[name]].add(row[text])
        assert {2} == {len(found) for found in sets.values() if len(found) > 1}


def test_a_node_has_no_label_rows_and_is_not_in_the_inventory(february):
    nodes = {row["node"] for row in in_window(february, tables.PODS)} - {""}
    labelled = {row["node"] for row in in_window(february, tables.NODE_LABELS)}

    assert {"worker-3"} == nodes - labelled
    assert {"worker-3"} == nodes - {row["node"] for row in february.side(tables.NODES)}


def test_days_and_hours_are_missing_and_data_lies_outside_the_window(tmp_path):
    generate(tmp_path / "month", seed=5, rows=1_000, days=9)
    month = read_month(tmp_path / "month")
    scenario = load_scenario(month.folder)
    hours = defaultdict(set)
    for row in month.rows(tables.POD_HOURS):
        hours[row["interval_start"].date()].add(row["interval_start"].hour)
    window = {scenario.start + dt.timedelta(days=n) for n in range(9)}

    assert len(window - hours.keys()) == 1, "a day without data"
    assert {scenario.start - dt.timedelta(days=1), scenario.end + dt.timedelta(days=1)} == (
        hours.keys() - window
    )
    assert {22, 24} == {len(found) for found in hours.values()}


def test_a_node_leaves_one_joins_and_one_misses_hours(february):
    scenario = load_scenario(february.folder)
    moments = defaultdict(set)
    for row in in_window(february, tables.POD_HOURS):
        moments[row["node"]].add(row["interval_start"])
    all_moments = moments["master-0"]
    begin = dt.datetime.combine(scenario.start, dt.time.min)
    middle = begin + dt.timedelta(days=14)

    assert begin in moments["worker-1"]
    assert max(moments["worker-1"]) > middle
    assert max(moments["worker-1"]) < max(all_moments)
    assert begin < min(moments["worker-2"]) < middle
    assert max(moments["worker-2"]) == max(all_moments)
    assert len(all_moments - moments["infra-0"]) == 4


def test_an_hour_is_reported_with_two_capacities(february):
    values = defaultdict(set)
    for row in in_window(february, tables.POD_HOURS):
        values[row["interval_start"], row["node"]].add(row["node_capacity_cpu_core_seconds"])

    assert [node for (_, node), found in values.items() if len(found) > 1] == ["worker-4"]


def test_pods_wait_for_a_node(february):
    nodes = defaultdict(set)
    for row in in_window(february, tables.PODS):
        nodes[row["interval_start"], row["namespace"], row["pod"]].add(row["node"])

    assert {""} in nodes.values()
    assert any("" in found and len(found) > 1 for found in nodes.values())


def test_a_machine_is_replaced_within_a_day(february):
    machines = defaultdict(set)
    for row in in_window(february, tables.PODS):
        machines[row["interval_start"], row["node"]].add(row["resource_id"])

    assert [node for (_, node), found in machines.items() if len(found) > 1] == ["worker-0"]
    assert {""} in machines.values()


def test_a_pod_name_occurs_in_two_namespaces_and_a_namespace_has_a_reserved_name(february):
    namespaces = defaultdict(set)
    for row in in_window(february, tables.PODS):
        namespaces[row["pod"]].add(row["namespace"])

    assert {"my-ns", "shop-dev"} == namespaces["same-name"]
    assert {"Worker unallocated"} == namespaces["real"]


def test_a_node_is_asked_for_more_than_it_has(february):
    asked, has = defaultdict(float), defaultdict(dict)
    for row in in_window(february, tables.POD_HOURS):
        asked[row["node"]] += row["pod_request_cpu_core_seconds"]
        hour = has[row["node"]]
        hour[row["interval_start"]] = row["node_capacity_cpu_core_seconds"]
    left = {node: sum(has[node].values()) - asked[node] for node in asked if node}

    assert left["worker-5"] < 0
    assert max(left.values()) > 0


def test_an_idle_pod_has_rows_of_zeros(february):
    idle = [row for row in in_window(february, tables.PODS) if row["pod"] == "idle"]

    assert idle
    assert {0.0} == {
        row[name]
        for row in idle
        for name in row
        if name.startswith("pod_")
        if name != "pod_labels" and row[name] is not None
    }


def test_patterns_overlap_and_one_matches_an_unallocated_namespace(february):
    patterns = {row["namespace"] for row in february.side(tables.COST_CATEGORY_NAMESPACES)}

    assert patterns >= {"openshift-%", "kube-%", "Platform unallocated", "openshift"}
    assert patterns >= {"openshift-mon%", "my_ns", "Worker unallocated"}
    assert "openshift-monitoring" in {r["namespace"] for r in in_window(february, tables.PODS)}


def test_tag_mapping_points_to_enabled_keys(february):
    keys = {row["uuid"]: row for row in february.side(tables.ENABLED_TAG_KEYS)}
    pairs = [
        (keys[row["child_id"]], keys[row["parent_id"]]) for row in february.side(tables.TAG_MAPPING)
    ]

    assert {("application", "app"), ("service", "app"), ("owner", "team")} == {
        (child["key"], parent["key"]) for child, parent in pairs
    }
    assert all(row["enabled"] for pair in pairs for row in pair)
    assert {"OCP", "AWS", "Azure", "GCP"} == {row["provider_type"] for row in keys.values()}


def test_the_inventory_knows_a_machine_by_two_roles(february):
    roles = defaultdict(set)
    for row in february.side(tables.NODES):
        roles[row["node"], row["resource_id"]].add(row["node_role"])

    assert {"infra", "control-plane"} in roles.values()
    assert {"master"} in roles.values()
    assert {"worker"} in roles.values()


def test_volumes_are_shared_pending_claimless_growing_and_unknown(february):
    rows = in_window(february, tables.STORAGE)
    pods = {
        (r["interval_start"], r["namespace"], r["pod"]) for r in in_window(february, tables.PODS)
    }
    sharers, volumes, handles, sizes = (defaultdict(set) for _ in range(4))
    for row in rows:
        sharers[row["persistentvolume"]].add((row["pod"], row["node"]))
        volumes[row["namespace"], row["pod"], row["persistentvolumeclaim"]].add(
            row["persistentvolume"]
        )
        handles[row["persistentvolume"]].add(row["csi_volume_handle"])
        sizes[row["persistentvolume"]].add(row["persistentvolumeclaim_capacity_bytes"])
    claimed = {name: found for name, found in sharers.items() if name}
    shared = [found for found in claimed.values() if len(found) > 1]
    waiting = [row for row in rows if row["persistentvolume"] == ""]

    assert 0.05 < len(shared) / len(claimed) < 0.4
    assert any(len({node for _, node in found}) == 1 for found in shared), "on one node"
    assert any(len({node for _, node in found}) > 1 for found in shared), "on several nodes"
    assert {0.0} == {row["persistentvolumeclaim_capacity_byte_seconds"] for row in waiting}
    assert len({row["namespace"] for row in waiting}) > 1
    assert any(row["pod"] == "" and row["persistentvolume"] for row in rows), "no claim"
    assert any(
        row["pod"] and (row["interval_start"], row["namespace"], row["pod"]) not in pods
        for row in rows
    ), "no pod row"
    assert any(len(found) == 2 for found in volumes.values()), "two volumes for one claim"
    assert any(len(found - {None}) == 2 for found in handles.values()), "two handles"
    assert any(len(found) == 2 for found in sizes.values()), "a claim that grows"
    assert any(row["csi_volume_handle"] == "" for row in rows)
    assert any(row["persistentvolume_labels"] is None for row in rows)


def test_days_come_in_several_files_some_without_optional_columns_or_in_another_order(february):
    pods = february.files[tables.PODS.name]
    days = Counter(file["interval_start"][0].as_py() for file in pods)

    assert {1, 4, 5, 6} == set(days.values())
    assert len({tuple(file.column_names) for file in pods}) > 3
    assert any(EFFECTIVE not in file.column_names for file in pods)
    assert any(file["node_role"].null_count == file.num_rows for file in pods)
    assert any(
        "csi_volume_handle" not in file.column_names for file in february.files[tables.STORAGE.name]
    )


def test_a_single_day_has_the_shapes_that_a_day_can_have(one_day):
    scenario = load_scenario(one_day.folder)
    pods = in_window(one_day, tables.PODS)

    assert scenario.start == scenario.end
    assert {""} < {row["node"] for row in pods}
    assert {True, False} == {row[EFFECTIVE] is None for row in pods}
    assert any(len(files) > 1 for files in one_day.files.values())
    assert any(row["persistentvolume"] == "" for row in in_window(one_day, tables.STORAGE))


@pytest.mark.parametrize("days", [28, 29, 30, 31])
def test_a_whole_month_is_one_of_the_calendar(tmp_path, days):
    generate(tmp_path / "month", seed=2, rows=1, days=days)
    scenario = load_scenario(tmp_path / "month")

    assert scenario.start.day == 1
    assert (scenario.end + dt.timedelta(days=1)).day == 1
    assert days == scenario.end.day
