"""Rules of `ocp.md` 3.3 to 3.7 and 6.1 that no tricky case covers: the rows of each kind."""

from __future__ import annotations

import pytest

from .casebook.outcome import expect, the
from .casebook.situation import (
    DAY,
    DEFAULT_PATTERNS,
    GIB,
    Situation,
    hours,
    namespace_labels,
    node_labels,
    pod,
    volume,
)

BEFORE = DAY.replace(day=4)


# --- 3.2 and 3.3, label sets and capacities -------------------------------------------------------


def test_equal_label_sets_in_several_rows_are_one(run):
    outcome = run(
        Situation(
            node_labels=[node_labels({"app": "n"})] * 2,
            namespace_labels=[namespace_labels({"env": "e"})] * 2,
        )
    )

    the(outcome.pods, pod_labels={"app": "n", "env": "e"}, pod_usage_cpu_core_hours=1)


def test_labels_of_other_nodes_and_namespaces_do_not_count(run):
    outcome = run(
        Situation(
            node_labels=[node_labels({"app": "n"}, "N1"), node_labels({"app": "n"}, None)],
            namespace_labels=[namespace_labels({"env": "e"}, "ns1 ")],
        )
    )

    the(outcome.pods, pod_labels={}, pod_usage_cpu_core_hours=1)


def test_hours_whose_capacity_is_null_add_nothing(run):
    known = hours(count=2)
    unknown = hours(count=24, cores=None, gib=None)[2:]
    some = run(Situation(hours=[*known, *unknown]))
    none = run(Situation(hours=unknown))

    the(some.pods, node_capacity_cpu_core_hours=8, cluster_capacity_memory_gigabyte_hours=32)
    the(none.pods, node_capacity_cpu_core_hours=None, cluster_capacity_memory_gigabyte_hours=None)


def test_days_have_their_own_capacity(run):
    outcome = run(
        Situation(
            start=BEFORE,
            pods=[pod(day=BEFORE), pod()],
            hours=[*hours(day=BEFORE, count=1), *hours(count=2)],
        )
    )

    expect(
        outcome.pods,
        {
            "usage_start": BEFORE,
            "node_capacity_cpu_core_hours": 4,
            "cluster_capacity_cpu_core_hours": 4,
        },
        {
            "usage_start": DAY,
            "node_capacity_cpu_core_hours": 8,
            "cluster_capacity_cpu_core_hours": 8,
        },
    )


# --- 3.5, pod rows --------------------------------------------------------------------------------


def test_a_pod_row_takes_the_largest_id_cores_and_memory_of_its_group(run):
    outcome = run(
        Situation(
            pods=[
                pod(resource_id="i-2", node_capacity_cpu_cores=2.0),
                pod(pod="p2", resource_id="i-10", node_capacity_memory_bytes=8.0 * GIB),
                pod(pod="p3", resource_id=None, node_capacity_cpu_cores=None),
            ]
        )
    )

    the(
        outcome.pods,
        resource_id="i-2",
        node_capacity_cpu_cores=4,
        node_capacity_memory_gigabytes=16,
        pod_usage_cpu_core_hours=3,
    )


def test_the_largest_text_is_that_of_the_highest_code_points(run):
    outcome = run(
        Situation(pods=[pod(pod=text, resource_id=text) for text in ("B", "a", "", "～", "😀")])
    )

    the(outcome.pods, resource_id="😀")


def test_sums_pass_over_null_and_are_null_of_nulls_only(run):
    nothing = dict.fromkeys(
        (
            "pod_usage_cpu_core_seconds",
            "pod_limit_cpu_core_seconds",
            "pod_request_memory_byte_seconds",
            "node_capacity_cpu_cores",
        )
    )
    outcome = run(
        Situation(
            pods=[
                pod(namespace="some", pod="a"),
                pod(namespace="some", pod="b", **nothing),
                pod(namespace="none", **nothing),
            ]
        )
    )

    expect(
        outcome.pods,
        {
            "namespace": "some",
            "pod_usage_cpu_core_hours": 1,
            "pod_limit_cpu_core_hours": 3,
            "pod_request_memory_gigabyte_hours": 2,
            "node_capacity_cpu_cores": 4,
        },
        {
            "namespace": "none",
            "pod_usage_cpu_core_hours": None,
            "pod_limit_cpu_core_hours": None,
            "pod_request_memory_gigabyte_hours": None,
            "node_capacity_cpu_cores": None,
        },
    )
    the(outcome.unallocated, pod_usage_cpu_core_hours=95, pod_request_memory_gigabyte_hours=382)


def test_pod_rows_have_usage_costs_of_zero_and_nothing_of_volumes(run):
    row = the(run(Situation()).pods, data_source="Pod", volume_labels=None)
    staged = the(run(Situation()).staged())

    assert {"cpu": 0, "memory": 0, "storage": 0} == row["infrastructure_usage_cost"]
    assert all(row[name] is None for name in row if name.startswith(("persistent", "storage")))
    assert staged["csi_volume_handle"] is None


def test_rows_are_separate_by_namespace_node_and_day(run):
    rows = [
        {"namespace": namespace, "node": node, "day": day}
        for namespace in ("ns1", "ns2", "")
        for node in ("n1", "n2")
        for day in (BEFORE, DAY)
    ]
    outcome = run(Situation(start=BEFORE, pods=[pod(**row) for row in rows]))

    expect(
        outcome.pods,
        *(
            {
                "namespace": row["namespace"],
                "node": row["node"],
                "usage_start": row["day"],
                "pod_usage_cpu_core_hours": 1,
            }
            for row in rows
        ),
    )


# --- 3.6, storage rows ----------------------------------------------------------------------------

CAPACITY = "persistentvolumeclaim_capacity_gigabyte"
CAPACITY_MONTHS = "persistentvolumeclaim_capacity_gigabyte_months"
REQUEST = "volume_request_storage_gigabyte_months"
USAGE = "persistentvolumeclaim_usage_gigabyte_months"


def test_capacity_is_the_largest_and_capacity_months_the_sum_of_a_volumes_rows(run):
    outcome = run(Situation(storage=[volume(), volume(gib=20.0)]))

    the(
        outcome.volumes,
        **{CAPACITY: 20, CAPACITY_MONTHS: "0.967741935483871", REQUEST: "0.967741935483871"},
    )


def test_two_label_sets_of_a_node_make_two_storage_rows(run):
    two = [node_labels({"app": "a"}), node_labels({"app": "b"})]
    apart = run(Situation(storage=[volume()], node_labels=two))
    overridden = run(
        Situation(storage=[volume(persistentvolumeclaim_labels={"app": "c"})], node_labels=two)
    )

    full = {CAPACITY: 10, CAPACITY_MONTHS: "0.322580645161290", REQUEST: "0.322580645161290"}
    double = {CAPACITY: 10, CAPACITY_MONTHS: "0.645161290322581", REQUEST: "0.645161290322581"}
    expect(
        apart.volumes,
        {"volume_labels": {"app": "a"}, **full},
        {"volume_labels": {"app": "b"}, **full},
    )
    the(overridden.volumes, volume_labels={"app": "c"}, **double)


def test_a_volume_without_claim_has_neither_node_nor_amounts_but_capacity(run):
    outcome = run(
        Situation(
            storage=[
                volume(
                    namespace="",
                    node="",
                    pod="",
                    persistentvolumeclaim="",
                    volume_request_storage_byte_seconds=0.0,
                    persistentvolumeclaim_usage_byte_seconds=0.0,
                )
            ]
        )
    )

    the(
        outcome.volumes,
        namespace="",
        node=None,
        persistentvolumeclaim="",
        **{CAPACITY: 10, CAPACITY_MONTHS: "0.322580645161290", REQUEST: None, USAGE: None},
    )


def test_null_places_no_volume(run):
    null_volume = run(Situation(storage=[volume(persistentvolume=None)]))
    null_claim = run(Situation(storage=[volume(persistentvolumeclaim=None)]))

    # A volume that is NULL is placed by its claim, but has no count of nodes.
    the(null_volume.volumes, persistentvolume=None, node="n1", **{CAPACITY: 10, REQUEST: None})
    # A claim that is NULL is not placed, but its volume's count is there.
    the(
        null_claim.volumes,
        persistentvolumeclaim=None,
        node=None,
        **{CAPACITY: 10, REQUEST: "0.322580645161290"},
    )


def test_pods_of_the_same_name_in_other_namespaces_place_no_volume(run):
    outcome = run(Situation(pods=[pod(namespace="ns2")], storage=[volume()]))

    the(outcome.volumes, namespace="ns1", node=None)


def test_storage_rows_are_separate_by_class_claim_and_volume(run):
    kinds = [
        {"storageclass": "a"},
        {"storageclass": "b"},
        {"storageclass": None},
        {"persistentvolumeclaim": "c2"},
        {"persistentvolume": "pv-2", "persistentvolumeclaim": "c3"},
    ]
    outcome = run(Situation(storage=[volume(**kind) for kind in kinds]))

    base = {"storageclass": "gp3-csi", "persistentvolumeclaim": "claim", "persistentvolume": "pv-1"}
    expect(outcome.volumes, *({**base, **kind, CAPACITY: 10} for kind in kinds))


def test_request_and_usage_are_divided_by_nodes_first_and_then_by_the_month(run):
    amount = 800876.0 * GIB
    pods = [pod(pod=f"p{n}", node=f"n{n}") for n in (1, 2, 3)]
    outcome = run(
        Situation(
            pods=pods,
            storage=[volume(volume_request_storage_byte_seconds=amount)]
            + [volume(pod=f"p{n}") for n in (2, 3)],
        )
    )

    # The other orders of the two divisions give …998.
    staged = {row["node"]: row[REQUEST] for row in outcome.staged("Storage")}
    assert 0.09967094782955 == staged["n1"]


# --- 3.7, unallocated -----------------------------------------------------------------------------


def test_unallocated_is_made_of_doubles_not_of_stored_decimals(run):
    outcome = run(
        Situation(
            pods=[pod(namespace=f"ns{n}", pod_usage_cpu_core_seconds=100.0) for n in range(3)]
        )
    )

    # Three times the stored 0.027777777777778 from 96 would be …666.
    the(outcome.unallocated, pod_usage_cpu_core_hours="95.916666666666670")


def test_each_node_and_day_has_one_unallocated_row(run):
    pods = [
        pod(node=node, day=day, namespace=namespace)
        for node in ("n1", "n2")
        for day in (BEFORE, DAY)
        for namespace in ("ns1", "ns2")
    ]
    capacity = [
        row for node in ("n1", "n2") for day in (BEFORE, DAY) for row in hours(node, day=day)
    ]
    outcome = run(Situation(start=BEFORE, pods=pods, hours=capacity))

    expect(
        outcome.unallocated,
        *(
            {"node": node, "usage_start": day, "usage_end": day, "pod_usage_cpu_core_hours": 94}
            for node in ("n1", "n2")
            for day in (BEFORE, DAY)
        ),
    )


def test_the_role_is_that_of_node_and_resource_id_together(run):
    outcome = run(
        Situation(
            pods=[pod(), pod(namespace="ns2", resource_id=None)],
            inventory=[
                ("n1", "i-1", "infra"),
                ("n1", "i-9", "worker"),
                ("n9", "i-1", "worker"),
                (None, "i-1", "worker"),
            ],
        )
    )

    the(outcome.unallocated, namespace="Platform unallocated", resource_id="i-1")


# --- 6.1, patterns --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a\\_b", ("a\\xb", "a\\_b"), ("a_b", "axb")),
        ("a\\%", ("a\\", "a\\b"), ("a%", "ab")),
        ("ns", ("ns",), ("ns1", "xns", "NS", "")),
        ("NS%", ("NS", "NSx"), ("ns", "nsx")),
        ("ns.1", ("ns.1",), ("nsx1",)),
        ("a*", ("a*",), ("a", "aa")),
        ("[ab]", ("[ab]",), ("a", "b")),
        ("_", ("é", "😀", "\n"), ("", "ab")),
        ("a%b", ("ab", "axyb", "a\nb"), ("a", "abx")),
        ("%", ("", "ns"), ()),
        ("", ("",), ("ns",)),
        ("ns ", ("ns ",), ("ns",)),
    ],
)
def test_a_pattern_matches_whole_namespaces(run, pattern, matching, other):
    outcome = run(
        Situation(
            pods=[pod(namespace=namespace) for namespace in (*matching, *other)],
            patterns=[(pattern, 2)],
        )
    )

    expect(
        outcome.pods,
        *({"namespace": namespace, "cost_category_id": 2} for namespace in matching),
        *({"namespace": namespace, "cost_category_id": None} for namespace in other),
    )


def test_a_namespace_that_is_null_matches_no_pattern(run):
    outcome = run(
        Situation(
            pods=[pod(namespace=None)],
            storage=[volume(namespace=None)],
            patterns=[*DEFAULT_PATTERNS, ("%", 2)],
        )
    )

    the(outcome.pods, namespace=None, cost_category_id=None)
    the(outcome.volumes, namespace=None, cost_category_id=None, node=None)


def test_without_any_pattern_there_is_no_category(run):
    outcome = run(Situation(storage=[volume()], patterns=[]))

    expect(outcome.summary, *[{"cost_category_id": None}] * 3)
