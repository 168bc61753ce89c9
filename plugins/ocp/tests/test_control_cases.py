"""Tricky cases of `ocp.md` 7 (the numbers in the ids), computed by hand, on the embedded control."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowagg.control.embedded import Embedded
from shadowagg.errors import InputRefused
from shadowagg.inputs import Inputs
from shadowagg.paths import PathRequest
from shadowagg.plan import make_plan
from shadowagg.provider import InputTable
from shadowagg.window import Cluster, Window
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.provider import OCP

SOURCE = "00000000-0000-0000-0000-000000000001"
DAY = dt.date(2025, 8, 5)
DAY_BEFORE = dt.datetime(2025, 8, 4)  # noqa: DTZ001 - the lake's times have no zone
GIB = 2.0**30
UUIDS = [f"00000000-0000-0000-0000-00000000{number:04x}" for number in range(1, 10)]

ARROW = {
    "text": pa.string(),
    "double": pa.float64(),
    "time": pa.timestamp("ms"),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "uuid": pa.string(),
}


def pod(**columns):
    """Case 0 of section 7: 3600 core-seconds of one pod."""
    return {
        "namespace": "ns1",
        "node": "n1",
        "pod": "p1",
        "resource_id": "i-1",
        "pod_labels": "{}",
        "pod_usage_cpu_core_seconds": 3600.0,
        "pod_request_cpu_core_seconds": 0.0,
        "pod_effective_usage_cpu_core_seconds": 3600.0,
        **columns,
    }


def volume(**columns):
    """10 GiB, claimed and mounted for one day."""
    return {
        "namespace": "ns1",
        "pod": "p1",
        "persistentvolumeclaim": "c1",
        "persistentvolume": "v1",
        "storageclass": "gp3",
        "csi_volume_handle": "h1",
        "persistentvolume_labels": "{}",
        "persistentvolumeclaim_labels": "{}",
        "persistentvolumeclaim_capacity_bytes": 10 * GIB,
        "persistentvolumeclaim_capacity_byte_seconds": 10 * GIB * 86400,
        "volume_request_storage_byte_seconds": 10 * GIB * 86400,
        "persistentvolumeclaim_usage_byte_seconds": 10 * GIB * 86400,
        **columns,
    }


def hours(node: str = "n1", count: int = 24, cores: float = 4.0):
    return [
        {
            "interval_start": dt.datetime(2025, 8, 5, hour),  # noqa: DTZ001 - no zone in the lake
            "node": node,
            "node_capacity_cpu_core_seconds": cores * 3600,
            "node_capacity_memory_byte_seconds": 16 * GIB * 3600,
        }
        for hour in range(count)
    ]


def keys(*enabled: str):
    return [
        {"uuid": uuid, "key": key, "enabled": True, "provider_type": "OCP"}
        for uuid, key in zip(UUIDS, enabled, strict=False)
    ]


class Cluster1:
    """One cluster's lake and side tables, in a folder of the test; a run gives rows by stage."""

    def __init__(self, folder: Path, **rows: list[dict]):
        self.folder = folder
        given = {
            "pods": [pod()],
            "hours": hours(),
            "volumes": None,
            "node_labels": [{"node": "n1", "node_labels": "{}"}],
            "namespace_labels": [{"namespace": "ns1", "namespace_labels": "{}"}],
            "keys": keys("app", "env"),
            "mapping": [],
            "patterns": [],
            "nodes": [{"node": "n1", "resource_id": "i-1", "node_role": "worker"}],
            **rows,
        }
        names = {
            "pods": tables.PODS,
            "hours": tables.POD_HOURS,
            "volumes": tables.STORAGE,
            "node_labels": tables.NODE_LABELS,
            "namespace_labels": tables.NAMESPACE_LABELS,
            "keys": tables.ENABLED_TAG_KEYS,
            "mapping": tables.TAG_MAPPING,
            "patterns": tables.COST_CATEGORY_NAMESPACES,
            "nodes": tables.NODES,
        }
        for name, table in names.items():
            if given[name] is not None:
                self.write(table, given[name])

    def write(self, table: InputTable, rows: list[dict]) -> None:
        columns = {}
        for column in table.columns:
            default = dt.datetime.combine(DAY, dt.time()) if column.type == "time" else None
            values = [row.get(column.name, default) for row in rows]
            columns[column.name] = pa.array(values, ARROW[column.type])
        if table.home == "postgres":
            path = self.folder / "side" / f"{table.name}.parquet"
        else:
            partition = f"source={SOURCE}/year={DAY:%Y}/month={DAY:%m}"
            path = self.folder / "lake" / table.name / partition / "a.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)

    def run(self, *stages: str, day: dt.date = DAY) -> list[dict]:
        """The rows of the last stage named."""
        window = Window(
            schema="org1",
            provider="ocp",
            source_uuid=SOURCE,
            clusters=(Cluster(SOURCE, "id", "alias", 7),),
            start=day,
            end=day,
        )
        provider = dataclasses.replace(
            OCP, stages=tuple(stage for stage in OCP.stages if stage.name in stages)
        )
        inputs = Inputs(lake=str(self.folder / "lake"), side=str(self.folder / "side"))
        *_, last = Embedded().run(PathRequest(provider, make_plan(window), inputs, threads=1))
        return last.table.to_pylist()


@pytest.fixture
def cluster(tmp_path):
    return lambda **rows: Cluster1(tmp_path, **rows)


ALL = ("pods", "storage", "unallocated", "staging", "daily_summary")


def usage_by_labels(rows: list[dict]) -> dict[str | None, float]:
    assert len({row["pod_labels"] for row in rows}) == len(rows)
    return {row["pod_labels"]: row["pod_usage_cpu_core_hours"] for row in rows}


# --- pod rows --------------------------------------------------------------------------------------

N_A, N_B = '{"app":"a"}', '{"app":"b"}'


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        pytest.param({N_A: 1.0}, {"pods": [pod(pod_labels='{"zzz": "1", "app": "a"}')]}, id="7-11"),
        pytest.param(
            {N_A: 2.0},
            {
                "pods": [
                    pod(pod_labels='{"app":"a","zzz":"1"}'),
                    pod(pod_labels='{"app":"a","zzz":"2"}', pod="p2"),
                ]
            },
            id="7-12",
        ),
        pytest.param(
            {'{"app":"p","env":"e"}': 1.0},
            {
                "node_labels": [{"node": "n1", "node_labels": '{"app":"n"}'}],
                "namespace_labels": [
                    {"namespace": "ns1", "namespace_labels": '{"app":"s","env":"e"}'}
                ],
                "pods": [pod(pod_labels='{"app":"p"}')],
            },
            id="7-13",
        ),
        pytest.param(
            {'{"app":""}': 1.0},
            {
                "namespace_labels": [{"namespace": "ns1", "namespace_labels": '{"app":"s"}'}],
                "pods": [pod(pod_labels='{"app":""}')],
            },
            id="7-14",
        ),
        pytest.param(
            {"{}": 2.0},
            {
                "keys": [],
                "pods": [
                    pod(pod_labels='{"vm_kubevirt_io_name":"v","app":"a"}'),
                    pod(pod_labels='{"app":"b"}', pod="p2"),
                ],
            },
            id="7-15",
        ),
        pytest.param(
            {'{"app":"a","vm_kubevirt_io_name":"v"}': 1.0},
            {
                "keys": keys("app"),
                "pods": [pod(pod_labels='{"vm_kubevirt_io_name":"v","app":"a","env":"e"}')],
            },
            id="7-16",
        ),
        pytest.param(
            {N_A: 1.0},
            {
                "keys": [
                    *keys("app"),
                    {"uuid": UUIDS[7], "key": "aws", "enabled": True, "provider_type": "AWS"},
                    {"uuid": UUIDS[8], "key": "off", "enabled": False, "provider_type": "OCP"},
                ],
                "pods": [pod(pod_labels='{"app":"a","aws":"1","off":"1"}')],
            },
            id="7-17",
        ),
        pytest.param(
            {"{}": 1.0},
            {"keys": keys("App"), "pods": [pod(pod_labels='{"app":"a"}')]},
            id="7-18",
        ),
        pytest.param(
            {None: 1.0},
            {
                "namespace_labels": [{"namespace": "ns1", "namespace_labels": '{"env":"e"}'}],
                "pods": [pod(pod_labels=None)],
            },
            id="7-19",
        ),
        pytest.param(
            {None: 2.0, "{}": 1.0},
            {"pods": [pod(pod_labels=None), pod(), pod(pod_labels="null", pod="p2")]},
            id="7-20",
        ),
        pytest.param(
            {'{"app":null}': 1.0, "{}": 1.0},
            {"pods": [pod(pod_labels='{"app":null}'), pod()]},
            id="7-22",
        ),
        pytest.param(
            {N_A: 1.0, N_B: 1.0},
            {
                "node_labels": [
                    {"node": "n1", "node_labels": N_A},
                    {"node": "n1", "node_labels": N_B},
                ]
            },
            id="7-23",
        ),
        pytest.param(
            {'{"app":"c"}': 2.0},
            {
                "node_labels": [
                    {"node": "n1", "node_labels": N_A},
                    {"node": "n1", "node_labels": N_B},
                ],
                "pods": [pod(pod_labels='{"app":"c"}')],
            },
            id="7-24",
        ),
        pytest.param(
            {"{}": 1.0},
            {
                "node_labels": [
                    {"node": "n1", "node_labels": '{"zzz":"1"}'},
                    {"node": "n1", "node_labels": '{"zzz":"2"}'},
                ]
            },
            id="7-25",
        ),
        pytest.param(
            {"{}": 2.0},
            {
                "node_labels": [
                    {"node": "n1", "node_labels": None},
                    {"node": "n1", "node_labels": "{}"},
                ]
            },
            id="7-26",
        ),
        pytest.param(
            {'{"app":"c","env":"c"}': 4.0},
            {
                "node_labels": [
                    {"node": "n1", "node_labels": N_A},
                    {"node": "n1", "node_labels": N_B},
                ],
                "namespace_labels": [
                    {"namespace": "ns1", "namespace_labels": '{"env":"a"}'},
                    {"namespace": "ns1", "namespace_labels": '{"env":"b"}'},
                ],
                "pods": [pod(pod_labels='{"env":"c","app":"c"}')],
            },
            id="7-27",
        ),
        pytest.param(
            {"{}": 1.0},
            {"node_labels": [{"node": "n1", "node_labels": N_A, "interval_start": DAY_BEFORE}]},
            id="7-28",
        ),
        pytest.param({}, {"pods": [pod(node=""), pod(node=None)]}, id="7-29"),
        pytest.param({"{}": 1.0}, {"pods": [pod(namespace=None)]}, id="7-41"),
    ],
)
def test_labels_decide_which_pod_rows_there_are(cluster, expected, given):
    assert expected == usage_by_labels(cluster(**given).run("pods"))


CPU = "pod_{}_cpu_core_seconds".format


def measured(usage, request, effective):
    return pod(**{CPU("usage"): usage, CPU("request"): request, CPU("effective_usage"): effective})


@pytest.mark.parametrize(
    ("expected", "pods"),
    [
        pytest.param(20 / 3600, [measured(10.0, 20.0, None)], id="7-6"),
        pytest.param(None, [measured(10.0, None, None)], id="7-7"),
        pytest.param(25 / 3600, [measured(10.0, 20.0, 25.0)], id="7-8"),
        pytest.param(5 / 3600, [measured(10.0, 20.0, 5.0)], id="7-8 below both"),
        pytest.param(0.0, [measured(10.0, 20.0, 0.0)], id="7-9"),
        pytest.param(70 / 3600, [measured(10.0, 30.0, None), measured(40.0, 5.0, None)], id="7-10"),
        pytest.param(20 / 3600, [measured(float("nan"), 20.0, None)], id="6.1-3 NaN"),
    ],
)
def test_effective_usage_is_the_column_or_the_greater_of_the_two(cluster, expected, pods):
    (row,) = cluster(pods=pods).run("pods")

    assert expected == row["pod_effective_usage_cpu_core_hours"]


@pytest.mark.parametrize(
    ("node", "whole", "given"),
    [
        pytest.param(96.0, 96.0, hours(), id="24 hours"),
        pytest.param(96.0, 96.0, [*hours(), *hours(cores=3.9)], id="7-30"),
        pytest.param(40.0, 40.0, hours(count=10), id="7-31"),
        pytest.param(96.0, 144.0, [*hours(), *hours("n2", cores=2.0)], id="7-32"),
        pytest.param(96.0, 192.0, [*hours(), *hours("", 12), *hours(None, 12)], id="7-29"),
        pytest.param(None, 48.0, hours("n2", cores=2.0), id="7-33"),
        pytest.param(96.0, 96.0, [*hours(), *hours(cores=float("nan"))], id="NaN is passed over"),
    ],
)
def test_capacity_is_what_the_hours_reported(cluster, node, whole, given):
    (row,) = cluster(hours=given).run("pods")

    assert node == row["node_capacity_cpu_core_hours"]
    assert whole == row["cluster_capacity_cpu_core_hours"]


@pytest.mark.parametrize(
    ("expected", "namespace", "patterns"),
    [
        ((1, 1.0), "openshift-x", [("openshift-%", 1)]),
        ((None, 1.0), "openshiftx", [("openshift-%", 1), ("openshift", 1)]),
        ((2, 2.0), "openshift-monitoring", [("openshift-%", 1), ("openshift-mon%", 2)]),
        ((3, 1.0), "my-ns", [("my_ns", 3)]),
        ((None, 1.0), "a%b", [(r"a\%b", 3)]),
        ((3, 1.0), r"a\zb", [(r"a\%b", 3)]),
        ((None, 1.0), "My-ns", [("my%", 3)]),
    ],
    ids=["7-43", "7-43 not", "7-44", "7-46", "6.1-5", "6.1-5 literal", "case counts"],
)
def test_patterns_give_categories_and_several_multiply_sums(cluster, expected, namespace, patterns):
    rows = [{"namespace": text, "cost_category_id": number} for text, number in patterns]
    (row,) = cluster(pods=[pod(namespace=namespace)], patterns=rows).run("pods")

    assert expected == (row["cost_category_id"], row["pod_usage_cpu_core_hours"])


@pytest.mark.parametrize(
    "text", ["", "[]", '{"app":{"a":"b"}}', '{"app":"a","app":"b"}', '{"app":NaN}', '{"app":"a"} x']
)
@pytest.mark.parametrize("where", ["pods", "node_labels", "namespace_labels"])
def test_a_label_text_that_production_cannot_read_is_refused_7_21(cluster, text, where):
    rows = {
        "pods": pod(pod_labels=text),
        "node_labels": {"node": "n1", "node_labels": text},
        "namespace_labels": {"namespace": "ns1", "namespace_labels": text},
    }

    with pytest.raises(InputRefused, match="stage pods"):
        cluster(**{where: [rows[where]]}).run("pods")


# --- storage rows ----------------------------------------------------------------------------------


def placed(rows: list[dict]) -> list[tuple]:
    """(node, resource id, capacity, capacity-months, request-months), sorted."""
    return sorted(
        (
            (
                row["node"],
                row["resource_id"],
                row["persistentvolumeclaim_capacity_gigabyte"],
                row["persistentvolumeclaim_capacity_gigabyte_months"],
                row["volume_request_storage_gigabyte_months"],
            )
            for row in rows
        ),
        key=str,
    )


M = 10 / 31


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        pytest.param([("n1", "i-1", 10.0, M, M)], {}, id="7-47"),
        pytest.param(
            [("n1", "i-1", 10.0, M, M / 2), ("n2", "i-1", 10.0, M, M / 2)],
            {
                "volumes": [volume(), volume(pod="p2")],
                "pods": [pod(), pod(pod="p2", node="n2")],
            },
            id="7-49",
        ),
        pytest.param(
            [("n1", "i-1", 10.0, 2 * M, 2 * M)],
            {"volumes": [volume(), volume(pod="p2")], "pods": [pod(), pod(pod="p2")]},
            id="7-50",
        ),
        pytest.param(
            [(None, None, 10.0, M, None)], {"volumes": [volume(pod="unknown")]}, id="7-51"
        ),
        pytest.param(
            [("n1", "i-1", 10.0, M, M), (None, None, 10.0, M, M)],
            {"volumes": [volume(), volume(pod="unknown")]},
            id="7-52",
        ),
        pytest.param(
            [("", "i-1", 10.0, M, M / 2), ("n1", "i-1", 10.0, M, M / 2)],
            {"pods": [pod(), pod(node="")]},
            id="7-53",
        ),
        pytest.param(
            [("n1", "", 10.0, M, M), ("n1", "i-1", 10.0, M, M)],
            {"pods": [pod(), pod(resource_id="")]},
            id="7-54",
        ),
        pytest.param(
            [("n1", "i-1", 10.0, 2 * M, 2 * M), ("n1", "i-1", 10.0, 2 * M, 2 * M)],
            {"volumes": [volume(), volume(persistentvolume="v2")]},
            id="7-56",
        ),
        pytest.param(
            [("n1", "i-1", 10.0, M, M), ("n1", "i-1", 10.0, M, M)],
            {"volumes": [volume(), volume(csi_volume_handle="h2", persistentvolumeclaim="c2")]},
            id="7-60",
        ),
        pytest.param(
            [(None, None, 10.0, M, None)],
            {"pods": [pod(interval_start=DAY_BEFORE)]},
            id="7-61",
        ),
        pytest.param(
            [(None, "i-1", 10.0, M, float("inf"))], {"pods": [pod(node=None)]}, id="8.1-9"
        ),
    ],
)
def test_volumes_are_placed_by_their_pods(cluster, expected, given):
    assert expected == placed(cluster(**{"volumes": [volume()], **given}).run("storage"))


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        pytest.param(
            '{"app":"pvc","env":"n"}',
            {
                "volumes": [
                    volume(
                        persistentvolume_labels='{"app":"pv"}',
                        persistentvolumeclaim_labels='{"app":"pvc"}',
                    )
                ],
                "node_labels": [{"node": "n1", "node_labels": '{"env":"n"}'}],
            },
            id="7-57",
        ),
        pytest.param(
            None,
            {
                "volumes": [
                    volume(persistentvolume_labels=None, persistentvolumeclaim_labels='{"app":"x"}')
                ]
            },
            id="7-58",
        ),
    ],
)
def test_volume_labels_go_by_node_namespace_volume_claim(cluster, expected, given):
    (row,) = cluster(**given).run("storage")

    assert expected == row["volume_labels"]


def test_without_the_table_of_volumes_there_are_no_storage_rows_7_59(cluster):
    given = cluster()

    assert given.run("storage") == []
    assert {row["data_source"] for row in given.run(*ALL)} == {"Pod"}


# --- unallocated rows ------------------------------------------------------------------------------


def role(text, node="n1", resource_id="i-1"):
    return {"node": node, "resource_id": resource_id, "node_role": text}


@pytest.mark.parametrize(
    ("namespace", "given"),
    [
        pytest.param("Worker unallocated", {}, id="7-37"),
        pytest.param("Platform unallocated", {"nodes": [role("master")]}, id="7-36 master"),
        pytest.param("Platform unallocated", {"nodes": [role("infra")]}, id="7-36 infra"),
        pytest.param(None, {"nodes": []}, id="7-38 unknown"),
        pytest.param(None, {"nodes": [role("control-plane")]}, id="7-38 role"),
        pytest.param(None, {"nodes": [role("")]}, id="7-38 blank"),
        pytest.param(None, {"pods": [pod(resource_id=None)]}, id="7-38 no id"),
        pytest.param("Worker unallocated", {"nodes": [role("master"), role("worker")]}, id="7-39"),
        pytest.param(
            "Platform unallocated",
            {
                "nodes": [role("master"), role("infra", resource_id="i-2")],
                "pods": [
                    pod(pod_usage_cpu_core_seconds=1800.0),
                    pod(namespace="ns2", resource_id="i-2", pod_usage_cpu_core_seconds=1800.0),
                ],
            },
            id="7-40",
        ),
    ],
)
def test_the_role_of_a_node_names_its_unallocated_row(cluster, namespace, given):
    (row,) = cluster(**given).run("pods", "unallocated")

    assert (namespace, 95.0) == (row["namespace"], row["pod_usage_cpu_core_hours"])


@pytest.mark.parametrize(
    ("expected", "pods"),
    [
        pytest.param((-24.0, 96.0), [measured(432000.0, 0.0, 0.0)], id="7-35"),
        pytest.param((96.0 - 1, 96.0), [pod(), pod(namespace=None)], id="7-41"),
        pytest.param((96.0 - 1, 96.0), [pod(), pod(namespace="Worker unallocated")], id="7-74"),
    ],
)
def test_what_is_left_is_capacity_less_the_pods_that_count(cluster, expected, pods):
    (row,) = cluster(pods=pods).run("pods", "unallocated")

    assert expected == (row["pod_usage_cpu_core_hours"], row["pod_request_cpu_core_hours"])
    assert row["pod_limit_cpu_core_hours"] is None
    assert row["infrastructure_usage_cost"] is None


def test_two_patterns_give_two_unallocated_rows_7_45(cluster):
    patterns = [
        {"namespace": "Platform unallocated", "cost_category_id": 1},
        {"namespace": "Platform%", "cost_category_id": 4},
    ]
    rows = cluster(patterns=patterns, nodes=[role("master")]).run(*ALL)

    assert sorted(
        row["cost_category_id"] for row in rows if row["infrastructure_usage_cost"] is None
    ) == [1, 4]


# --- the daily summary -----------------------------------------------------------------------------


def summary(cluster, **given) -> dict:
    rows = cluster(**given).run(*ALL)
    (row,) = [row for row in rows if row["infrastructure_usage_cost"] is not None]
    return row


@pytest.mark.parametrize(
    ("expected", "seconds"),
    [("0.027777777777778", 100.0), ("0.000000000000001", 5e-16 * 3600), ("0", 0.0)],
    ids=["7-1", "7-5", "zero"],
)
def test_doubles_become_decimals_half_up(cluster, expected, seconds):
    row = summary(cluster, pods=[measured(seconds, None, None)])

    assert Decimal(expected) == row["pod_usage_cpu_core_hours"]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 3600e18])
def test_what_is_no_decimal_is_refused_6_3_4(cluster, seconds):
    with pytest.raises(InputRefused, match=r"stage daily_summary, .*DECIMAL\(33,15\)"):
        summary(cluster, pods=[measured(seconds, None, None)])


@pytest.mark.parametrize(
    ("name", "length"), [("namespace", 254), ("node", 254), ("resource_id", 254)]
)
def test_a_text_longer_than_its_column_is_refused_6_3_6(cluster, name, length):
    with pytest.raises(InputRefused, match=r"stage daily_summary, .*longer than its column"):
        summary(cluster, pods=[pod(**{name: "x" * length})])


def test_a_text_as_long_as_its_column_stays_and_blanks_beyond_are_cut(cluster):
    assert summary(cluster, pods=[pod(namespace="é" * 253 + "  ")])["namespace"] == "é" * 253


@pytest.mark.parametrize(
    ("expected", "labels"),
    [
        (('{"app":"a"}', '{"app":"a"}'), '{"app":"a"}'),
        ((None, "{}"), None),
        (("{}", "{}"), "{}"),
    ],
)
def test_all_labels_are_never_null(cluster, expected, labels):
    row = summary(cluster, pods=[pod(pod_labels=labels)])

    assert expected == (row["pod_labels"], row["all_labels"])


KEYS = [
    *keys("c1", "c2", "c3", "p1", "p2"),
    {"uuid": UUIDS[6], "key": "owner", "enabled": True, "provider_type": "AWS"},
    {"uuid": UUIDS[7], "key": "owner", "enabled": True, "provider_type": "OCP"},
    {"uuid": UUIDS[8], "key": "boss", "enabled": False, "provider_type": "OCP"},
]


def maps(*pairs: tuple[int, int]):
    return [{"child_id": UUIDS[child], "parent_id": UUIDS[parent]} for child, parent in pairs]


@pytest.mark.parametrize(
    ("expected", "labels", "mapping"),
    [
        pytest.param({"p1": "2"}, {"c1": "1", "p1": "2", "c2": "3"}, [(0, 3), (1, 4)], id="7-72"),
        pytest.param({"p2": "3"}, {"c2": "3"}, [(0, 3), (1, 4)], id="7-72 renamed"),
        pytest.param(
            {"p1": "2", "c3": None},
            {"c1": "1", "c2": "2", "c3": None},
            [(0, 3), (1, 3)],
            id="5.9 the later child wins",
        ),
        pytest.param({"owner": "1"}, {"c1": "1"}, [(0, 6), (7, 8)], id="5.9 not repeated"),
        pytest.param(None, {"c1": "1", "owner": "2"}, [(0, 6), (7, 8)], id="5.9 nothing left"),
        pytest.param({"boss": None}, {"owner": None}, [(7, 8)], id="5.9 value NULL"),
        pytest.param({"c1": "1"}, {"c1": "1"}, [(6, 3)], id="5.9 child of another provider"),
    ],
)
def test_tags_are_mapped_in_both_label_columns(cluster, expected, labels, mapping):
    row = summary(
        cluster, keys=KEYS, mapping=maps(*mapping), pods=[pod(pod_labels=json.dumps(labels))]
    )

    assert expected == (row["pod_labels"] and json.loads(row["pod_labels"]))
    assert row["pod_labels"] == row["all_labels"]


def test_of_two_children_the_longer_key_wins_and_bytes_count_5_9(cluster):
    enabled = keys("zz", "é", "aaa", "p")
    row = summary(
        cluster,
        keys=enabled,
        mapping=maps((0, 3), (1, 3)),
        pods=[pod(pod_labels='{"zz":"1","é":"2"}')],
    )

    # Two bytes each: the order is that of the bytes, in which é comes after zz.
    assert json.loads(row["pod_labels"]) == {"p": "2"}


def test_staging_keeps_the_labels_before_mapping_5_9(cluster):
    given = {
        "keys": KEYS,
        "mapping": maps((0, 3)),
        "pods": [pod(pod_labels='{"c1":"1"}')],
    }
    rows = cluster(**given).run(*ALL[:-1])

    assert {'{"c1":"1"}', None} == {row["pod_labels"] for row in rows}


def test_a_run_without_the_optional_mapping_table_maps_nothing(cluster):
    row = summary(cluster, mapping=None, pods=[pod(pod_labels='{"app":"a"}')])

    assert row["pod_labels"] == '{"app":"a"}'
