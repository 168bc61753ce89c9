"""Small scenarios are what production takes, and come near the edges of its rules."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from shadowagg.scenario import load_scenario
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.provider import OCP
from shadowagg_ocp.testing import OpenShiftScenario, small_scenarios, unplaced_volumes

# What hypothesis draws: no pin concerns it.
pytestmark = pytest.mark.once

quick = settings(
    max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)

LABELS = {
    tables.PODS: ["pod_labels"],
    tables.STORAGE: ["persistentvolume_labels", "persistentvolumeclaim_labels"],
    tables.NODE_LABELS: ["node_labels"],
    tables.NAMESPACE_LABELS: ["namespace_labels"],
}


def day(row) -> dt.date:
    return row["interval_start"].date()


def pods_inside(scenario: OpenShiftScenario) -> list:
    rows = scenario.rows(tables.PODS)
    return [row for row in rows if scenario.start <= day(row) <= scenario.end]


def enabled(scenario: OpenShiftScenario) -> set[str]:
    return {
        row["key"]
        for row in scenario.side[tables.ENABLED_TAG_KEYS.name]
        if row["enabled"] and row["provider_type"] == "OCP"
    }


def nodes_of_volume(scenario: OpenShiftScenario) -> dict:
    """Per day and volume the nodes of its pods: what the node count of `ocp.md` 3.4 counts."""
    nodes: dict = {}
    for volume in scenario.rows(tables.STORAGE):
        for pod in scenario.rows(tables.PODS):
            same = all(pod[name] == volume[name] for name in ("namespace", "pod"))
            if same and day(pod) == day(volume):
                found = nodes.setdefault((day(volume), volume["persistentvolume"]), set())
                found.add(pod["node"])
    return nodes


# --- valid -------------------------------------------------------------------------------------


@quick
@given(small_scenarios())
def test_every_scenario_is_one_that_production_takes(scenario):
    for table, names in LABELS.items():
        for row in scenario.rows(table):
            for name in names:
                found = json.loads(row[name] or "null")
                assert found is None or isinstance(found, dict)
                assert all(
                    value is None or isinstance(value, str | int)
                    for value in (found or {}).values()
                )
    assert all(row["namespace"] is not None for row in scenario.rows(tables.PODS))
    assert all(None not in nodes or len(nodes) > 1 for nodes in nodes_of_volume(scenario).values())
    for table in tables.INPUTS:
        if table.name in scenario.lake:
            assert {c.name for c in table.columns} == set(scenario.lake[table.name][0].columns)


@quick
@given(small_scenarios())
def test_keys_and_patterns_are_unique_and_mappings_point_to_enabled_keys(scenario):
    keys = scenario.side[tables.ENABLED_TAG_KEYS.name]
    of = {row["uuid"]: row for row in keys}
    pairs = scenario.side.get(tables.TAG_MAPPING.name, ())
    children = [row["child_id"] for row in pairs]
    patterns = [row["namespace"] for row in scenario.side[tables.COST_CATEGORY_NAMESPACES.name]]

    assert len({(row["key"], row["provider_type"]) for row in keys}) == len(keys) == len(of)
    assert len(set(patterns)) == len(patterns)
    assert len(set(children)) == len(children)
    assert not set(children) & {row["parent_id"] for row in pairs}
    assert all(of[row[end]]["enabled"] for row in pairs for end in ("parent_id", "child_id"))


@quick
@given(small_scenarios())
def test_numbers_are_not_negative_and_tame(scenario):
    for table in (tables.PODS, tables.POD_HOURS, tables.STORAGE):
        for row in scenario.rows(table):
            for column in table.columns:
                value = row[column.name]
                assert column.type != "double" or value is None or 0.0 <= value <= 1e17


@quick
@given(small_scenarios(whole=True))
def test_whole_scenarios_have_whole_numbers(scenario):
    for table in (tables.PODS, tables.STORAGE):
        for row in scenario.rows(table):
            for column in table.columns:
                if column.unit in {"core·s", "byte·s"}:
                    value = row[column.name]
                    assert value is None or (value.is_integer() and value < 2**41)


@settings(quick, max_examples=10)
@given(small_scenarios())
def test_a_written_scenario_has_the_same_rows(scenario):
    with tempfile.TemporaryDirectory() as folder:
        written = load_scenario(scenario.write(Path(folder) / "scenario"))
        (window,) = OCP.windows(written)
        assert (scenario.start, scenario.end) == (window.start, window.end)
        assert scenario.cluster == window.cluster
        for table in tables.INPUTS:
            if table.home == "postgres":
                path = Path(written.inputs().side_path(table))
                assert path.exists() == (table.name in scenario.side)
                found = pq.read_table(path).to_pylist() if path.exists() else []
                assert [dict(row) for row in scenario.side.get(table.name, ())] == found
                continue
            assert written.inputs().exists(table, window) == (table.name in scenario.lake)
            blank = dict.fromkeys(column.name for column in table.columns)
            found = [
                blank | row
                for file in written.inputs().files(table, window, window.source_uuid)
                for row in pq.ParquetFile(file.path).read().to_pylist()
            ]
            assert list(scenario.rows(table)) == found


@settings(quick, max_examples=15)
@given(unplaced_volumes())
def test_an_unplaced_volume_has_no_node_to_be_divided_by(scenario):
    place = (scenario.start, "v-lost")

    assert {None} == nodes_of_volume(scenario)[place]


# --- edges -------------------------------------------------------------------------------------


def _labelled(scenario: OpenShiftScenario, table, name: str) -> Counter:
    return Counter((day(row), row[name]) for row in scenario.rows(table))


def _fans_out(scenario, table, name):
    rows = _labelled(scenario, table, name)
    return any(rows[day(row), row[name]] > 1 for row in pods_inside(scenario))


def _machines_of_a_node(scenario):
    found = {(row["node"], row["resource_id"]) for row in pods_inside(scenario) if row["node"]}
    return max(Counter(node for node, _ in found).values(), default=0) > 1


def _role_found(scenario):
    known = {(row["node"], row["resource_id"]) for row in scenario.side[tables.NODES.name]}
    return any(
        row["resource_id"] is not None and (row["node"], row["resource_id"]) in known
        for row in pods_inside(scenario)
    )


def _has(table, column, value):
    return lambda scenario: any(row[column] == value for row in scenario.rows(table))


EDGES = {
    "no pod": lambda s: not s.rows(tables.PODS),
    "pods in the window": lambda s: bool(pods_inside(s)),
    "pods outside the window": lambda s: len(pods_inside(s)) < len(s.rows(tables.PODS)),
    "pod without node": lambda s: any(row["node"] == "" for row in pods_inside(s)),
    "node NULL": lambda s: any(row["node"] is None for row in pods_inside(s)),
    "namespace ''": _has(tables.PODS, "namespace", ""),
    "request NULL": _has(tables.PODS, "pod_request_cpu_core_seconds", None),
    "effective NULL": _has(tables.PODS, "pod_effective_usage_cpu_core_seconds", None),
    "effective 0": _has(tables.PODS, "pod_effective_usage_cpu_core_seconds", 0.0),
    "labels NULL": _has(tables.PODS, "pod_labels", None),
    "labels null": _has(tables.PODS, "pod_labels", "null"),
    "value null": lambda s: any("null" in (r["pod_labels"] or "") for r in s.rows(tables.PODS)),
    "escaped": lambda s: any("\\u" in (r["pod_labels"] or "") for r in s.rows(tables.PODS)),
    "node labels fan out": lambda s: _fans_out(s, tables.NODE_LABELS, "node"),
    "namespace labels fan out": lambda s: _fans_out(s, tables.NAMESPACE_LABELS, "namespace"),
    "two machines of a node": _machines_of_a_node,
    "no enabled key": lambda s: not enabled(s),
    "key ''": lambda s: "" in enabled(s),
    "keys and a mapping": lambda s: bool(s.side.get(tables.TAG_MAPPING.name)),
    "no table of mappings": lambda s: tables.TAG_MAPPING.name not in s.side,
    "storage table missing": lambda s: tables.STORAGE.name not in s.lake,
    "storage table empty": lambda s: s.lake.get(tables.STORAGE.name) and not s.rows(tables.STORAGE),
    "volume pending": _has(tables.STORAGE, "persistentvolume", ""),
    "volume placed": lambda s: bool(nodes_of_volume(s)),
    "volume on two nodes": lambda s: any(len(nodes) > 1 for nodes in nodes_of_volume(s).values()),
    "volume of a pending pod": lambda s: any("" in nodes for nodes in nodes_of_volume(s).values()),
    "volume of an unknown pod": _has(tables.STORAGE, "pod", "ghost"),
    "role found": _role_found,
    "role ''": lambda s: any(row["node_role"] == "" for row in s.side[tables.NODES.name]),
    "hour without node": _has(tables.POD_HOURS, "node", None),
    "several files": lambda s: len(s.lake[tables.PODS.name]) > 1,
    "column missing in a file": lambda s: any(
        len(file.columns) < len(tables.PODS.columns) for file in s.lake[tables.PODS.name]
    ),
    "another source or month": lambda s: any(
        file.partition != s.lake[tables.PODS.name][0].partition for file in s.lake[tables.PODS.name]
    ),
    "last day of a month": lambda s: (s.end + dt.timedelta(days=1)).day == 1,
    "alias NULL": lambda s: s.cluster.cluster_alias is None,
}


@pytest.fixture(scope="module")
def drawn() -> list[OpenShiftScenario]:
    found: list[OpenShiftScenario] = []

    @settings(quick, max_examples=250, derandomize=True)
    @given(small_scenarios())
    def collect(scenario):
        found.append(scenario)

    collect()
    return found


@pytest.mark.parametrize("edge", EDGES)
def test_edges_occur_often_enough_to_be_hit_by_chance(drawn, edge):
    """Twice in 250 scenarios at least, so that a run of a few hundred meets each."""
    assert sum(bool(EDGES[edge](scenario)) for scenario in drawn) >= 2
