"""What `ocp.md` 8.1 says looks wrong but defines equality, on both paths.

Each test names its number; the others are cases of `ocp.md` 7, see `tricky_cases.toml`.
"""

from __future__ import annotations

import math

from .casebook.outcome import expect, the
from .casebook.situation import Situation, TagKey, namespace_labels, node_labels, pod, volume

CAPACITY = "persistentvolumeclaim_capacity_gigabyte"
CAPACITY_MONTHS = "persistentvolumeclaim_capacity_gigabyte_months"
REQUEST = "volume_request_storage_gigabyte_months"
USAGE = "persistentvolumeclaim_usage_gigabyte_months"
ONCE = "0.322580645161290"
TWICE = "0.645161290322581"


def test_8_1_1_label_sets_of_a_namespace_multiply_storage(run):
    outcome = run(
        Situation(
            storage=[volume(persistentvolume_labels={"app": "v"})],
            node_labels=[node_labels({"app": "1"}), node_labels({"app": "2"})],
            namespace_labels=[namespace_labels({"app": "1"}), namespace_labels({"app": "2"})],
        )
    )

    the(
        outcome.volumes,
        volume_labels={"app": "v"},
        **{CAPACITY: 10, CAPACITY_MONTHS: "1.290322580645161", REQUEST: "1.290322580645161"},
    )


def test_8_1_2_patterns_that_overlap_multiply_storage(run):
    outcome = run(Situation(storage=[volume()], patterns=[("ns%", 1), ("%1", 3), ("n_1", 2)]))

    the(
        outcome.volumes,
        cost_category_id=3,
        **{CAPACITY: 10, CAPACITY_MONTHS: "0.967741935483871", REQUEST: "0.967741935483871"},
    )


def test_8_1_3_claim_labels_that_are_null_wipe_all_labels(run):
    outcome = run(
        Situation(
            storage=[
                volume(persistentvolume_labels={"app": "v"}, persistentvolumeclaim_labels=None)
            ],
            node_labels=[node_labels({"env": "n"})],
        )
    )

    the(outcome.volumes, volume_labels=None, all_labels={}, node="n1")


def test_8_1_4_the_key_of_virtual_machines_is_dropped_from_volumes_too(run):
    outcome = run(
        Situation(storage=[volume(persistentvolume_labels={"vm_kubevirt_io_name": "v"})], keys=[])
    )

    the(outcome.volumes, volume_labels={})


def test_8_1_7_a_node_without_name_is_counted_as_one(run):
    outcome = run(
        Situation(
            pods=[pod(), pod(pod="p2", node="", resource_id="")],
            storage=[volume(), volume(pod="p2")],
        )
    )

    half = {CAPACITY_MONTHS: ONCE, REQUEST: "0.161290322580645"}
    expect(outcome.volumes, {"node": "n1", **half}, {"node": "", **half})


def test_8_1_8_nodes_of_a_volume_are_counted_over_namespaces_and_claims(run):
    outcome = run(
        Situation(
            pods=[pod(), pod(namespace="ns2", pod="p2", node="n2")],
            storage=[volume(), volume(namespace="ns2", pod="p2", persistentvolumeclaim="other")],
        )
    )

    half = {CAPACITY_MONTHS: ONCE, REQUEST: "0.161290322580645"}
    expect(outcome.volumes, {"namespace": "ns1", **half}, {"namespace": "ns2", **half})


def test_8_1_9_a_volume_whose_placements_have_no_node_is_infinite_and_refused_by_postgres(run):
    situation = Situation(
        pods=[pod(), pod(pod="p2", node=None)],
        storage=[volume(pod="p2", persistentvolumeclaim_usage_byte_seconds=0.0)],
    )
    run.refused(situation)

    row = the(
        run.lake(situation).staged("Storage"),
        node=None,
        resource_id="i-1",
        **{CAPACITY: 10.0, REQUEST: math.inf},
    )
    assert math.isnan(row[USAGE])


def test_8_1_11_an_unknown_role_counts_only_where_no_known_one_is_there(run):
    for roles, namespace in {
        ("control-plane", "infra"): "Platform unallocated",
        ("infra", "master"): "Platform unallocated",
        ("master", "worker", "infra", "control-plane"): "Worker unallocated",
        ("worker", "zzz"): None,
        ("", "control-plane"): None,
    }.items():
        outcome = run(Situation(inventory=[("n1", "i-1", role) for role in roles]))

        the(outcome.unallocated, namespace=namespace)


def test_8_1_20_tag_mapping_drops_children_of_other_mappings(run):
    keys = {name: TagKey(name) for name in ("c1", "p1", "c2", "p2", "app")}
    outcome = run(
        Situation(
            storage=[
                volume(
                    persistentvolume_labels={"c1": "1", "p1": "2"},
                    persistentvolumeclaim_labels={"c2": "3", "app": "a"},
                )
            ],
            keys=list(keys.values()),
            mapping=[(keys["c1"], keys["p1"]), (keys["c2"], keys["p2"])],
        )
    )

    expected = {"p1": "2", "app": "a"}
    the(outcome.volumes, volume_labels=expected, all_labels=expected)
