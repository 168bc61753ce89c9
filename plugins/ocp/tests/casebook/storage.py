"""Cases 47 to 61: volumes, and the nodes they are placed on."""

from __future__ import annotations

import datetime as dt
from typing import Any

from .case import case
from .outcome import Runner, expect, hold, the
from .situation import (
    DAY,
    Situation,
    hours,
    namespace_labels,
    node_labels,
    pod,
    volume,
)

_CAPACITY = "persistentvolumeclaim_capacity_gigabyte"
_CAPACITY_MONTHS = "persistentvolumeclaim_capacity_gigabyte_months"
_REQUEST = "volume_request_storage_gigabyte_months"
_USAGE = "persistentvolumeclaim_usage_gigabyte_months"

_ONCE = "0.322580645161290"
"""10 GiB for one day of a month of 31 days, in GiB months."""
_TWICE = "0.645161290322581"
_HALF = "0.161290322580645"

_TWO_NODES = (pod(), pod(pod="p2", node="n2", resource_id="i-2"))
"""p1 on n1, p2 on n2."""


def _months(capacity: str | None, request: str | None, usage: str | None) -> dict[str, str | None]:
    return {_CAPACITY_MONTHS: capacity, _REQUEST: request, _USAGE: usage}


@case(47)
def a_claim_of_one_pod_counts_once(run: Runner) -> None:
    outcome = run(Situation(storage=[volume(persistentvolumeclaim_usage_byte_seconds=0.0)]))

    row = the(
        outcome.volumes,
        namespace="ns1",
        node="n1",
        resource_id="i-1",
        persistentvolumeclaim="claim",
        persistentvolume="pv-1",
        storageclass="gp3-csi",
        cost_category_id=None,
        pod_labels=None,
        volume_labels={},
        all_labels={},
        infrastructure_usage_cost={"cpu": 0, "memory": 0, "storage": 0},
        **{_CAPACITY: 10},
        **_months(_ONCE, _ONCE, "0"),
    )
    hold(
        all(
            row[name] is None
            for name in row
            if name.startswith(("pod_", "node_capacity_", "cluster_capacity_"))
        ),
        f"a storage row has no amounts of pods: {row}",
    )
    the([row], usage_start=DAY, usage_end=DAY, report_period_id=7, cluster_id="cluster-1")


@case(48)
def the_length_of_the_month_divides(run: Runner) -> None:
    for day, months in {
        dt.date(2024, 2, 5): "0.344827586206897",
        dt.date(2025, 2, 5): "0.357142857142857",
        dt.date(2025, 9, 5): "0.333333333333333",
    }.items():
        outcome = run(
            Situation(
                start=day,
                end=day,
                pods=[pod(day=day)],
                hours=hours(day=day),
                storage=[volume(day=day)],
                node_labels=[node_labels({}, day=day)],
                namespace_labels=[namespace_labels({}, day=day)],
            )
        )

        the(outcome.volumes, usage_start=day, **{_CAPACITY: 10}, **_months(months, months, months))


@case(49)
def a_volume_on_two_nodes_halves_request_and_usage_but_not_capacity(run: Runner) -> None:
    outcome = run(Situation(pods=_TWO_NODES, storage=[volume(), volume(pod="p2")]))

    expected = {_CAPACITY: 10, **_months(_ONCE, _HALF, _HALF)}
    expect(outcome.volumes, {"node": "n1", **expected}, {"node": "n2", **expected})


@case(50)
def two_pods_on_one_node_double_a_volume(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(), pod(pod="p2")], storage=[volume(), volume(pod="p2")]))

    the(outcome.volumes, node="n1", **{_CAPACITY: 10}, **_months(_TWICE, _TWICE, _TWICE))


@case(51)
def a_volume_of_unknown_pods_has_neither_node_nor_request_nor_usage(run: Runner) -> None:
    outcome = run(
        Situation(
            storage=[volume(pod="unknown")], namespace_labels=[namespace_labels({"app": "s"})]
        )
    )

    the(
        outcome.volumes,
        node=None,
        resource_id=None,
        volume_labels={"app": "s"},
        **{_CAPACITY: 10},
        **_months(_ONCE, None, None),
    )


@case(52)
def a_volume_of_an_unknown_and_a_known_pod_is_divided_by_the_nodes_of_the_known(
    run: Runner,
) -> None:
    outcome = run(Situation(storage=[volume(), volume(pod="unknown")]))

    expected = {_CAPACITY: 10, **_months(_ONCE, _ONCE, _ONCE)}
    expect(
        outcome.volumes,
        {"node": "n1", "resource_id": "i-1", **expected},
        {"node": None, "resource_id": None, **expected},
    )


@case(53)
def hours_in_which_the_pod_had_no_node_count_as_a_node(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(), pod(node="", resource_id="")], storage=[volume()]))

    expected = {_CAPACITY: 10, **_months(_ONCE, _HALF, _HALF)}
    expect(
        outcome.volumes,
        {"node": "n1", "resource_id": "i-1", **expected},
        {"node": "", "resource_id": "", **expected},
    )


@case(54)
def several_resource_ids_of_a_node_make_several_rows_but_one_node(run: Runner) -> None:
    outcome = run(
        Situation(pods=[pod(), pod(resource_id="", pod_labels={"app": "a"})], storage=[volume()])
    )

    expected = {"node": "n1", _CAPACITY: 10, **_months(_ONCE, _ONCE, _ONCE)}
    expect(outcome.volumes, {"resource_id": "i-1", **expected}, {"resource_id": "", **expected})


@case(55)
def pending_claims_share_one_count_of_nodes(run: Runner) -> None:
    pending: dict[str, Any] = {
        "persistentvolume": "",
        "persistentvolumeclaim_capacity_bytes": 0.0,
        "persistentvolumeclaim_capacity_byte_seconds": 0.0,
        "persistentvolumeclaim_usage_byte_seconds": 0.0,
    }
    outcome = run(
        Situation(
            pods=[pod(), pod(namespace="ns2", pod="p2", node="n2", resource_id="i-2")],
            storage=[
                volume(persistentvolumeclaim="a", **pending),
                volume(namespace="ns2", pod="p2", persistentvolumeclaim="b", **pending),
            ],
        )
    )

    expected = {_CAPACITY: 0, **_months("0", _HALF, "0")}
    expect(
        outcome.volumes,
        {"namespace": "ns1", "node": "n1", "persistentvolumeclaim": "a", **expected},
        {"namespace": "ns2", "node": "n2", "persistentvolumeclaim": "b", **expected},
    )


@case(56)
def a_claim_name_with_two_volumes_doubles_both(run: Runner) -> None:
    outcome = run(
        Situation(
            storage=[
                volume(persistentvolume="pv-a", csi_volume_handle="vol-a"),
                volume(persistentvolume="pv-b", csi_volume_handle="vol-b", gib=20.0),
            ]
        )
    )

    expect(
        outcome.volumes,
        {"persistentvolume": "pv-a", _CAPACITY: 10, **_months(_TWICE, _TWICE, _TWICE)},
        {
            "persistentvolume": "pv-b",
            _CAPACITY: 20,
            **_months(*["1.290322580645161"] * 3),
        },
    )


@case(57)
def claim_labels_win_over_volume_labels_and_these_over_namespace_and_node(run: Runner) -> None:
    outcome = run(
        Situation(
            storage=[
                volume(
                    persistentvolume_labels={"app": "pv"},
                    persistentvolumeclaim_labels={"app": "pvc"},
                )
            ],
            node_labels=[node_labels({"env": "n"})],
        )
    )
    without_claim = run(
        Situation(
            storage=[volume(persistentvolume_labels={"app": "pv"})],
            node_labels=[node_labels({"app": "n", "env": "n"})],
            namespace_labels=[namespace_labels({"app": "s", "env": "s"})],
        )
    )

    the(
        outcome.volumes,
        volume_labels={"app": "pvc", "env": "n"},
        all_labels={"app": "pvc", "env": "n"},
        pod_labels=None,
    )
    the(without_claim.volumes, volume_labels={"app": "pv", "env": "s"})


@case(58)
def volume_labels_that_are_null_wipe_the_other_labels(run: Runner) -> None:
    outcome = run(
        Situation(
            storage=[
                volume(persistentvolume_labels=None, persistentvolumeclaim_labels={"app": "x"})
            ],
            namespace_labels=[namespace_labels({"env": "e"})],
        )
    )

    the(outcome.volumes, volume_labels=None, all_labels={}, **{_CAPACITY: 10})


@case(59)
def without_the_storage_table_there_are_pods_and_unallocated_only(run: Runner) -> None:
    outcome = run(Situation())

    hold(not outcome.stages.get("storage"), "storage rows without a storage table")
    hold(len(outcome.stages["staging"]) == 2, "the staging table has a pod and an unallocated row")
    expect(
        outcome.summary,
        {"data_source": "Pod", "namespace": "ns1"},
        {"data_source": "Pod", "namespace": "Worker unallocated"},
    )


@case(60)
def volumes_that_differ_in_their_handle_only_are_two_rows(run: Runner) -> None:
    outcome = run(
        Situation(
            storage=[volume(csi_volume_handle="vol-a"), volume(csi_volume_handle="vol-b", gib=20.0)]
        )
    )

    same = {
        "namespace": "ns1",
        "node": "n1",
        "persistentvolumeclaim": "claim",
        "persistentvolume": "pv-1",
        "volume_labels": {},
    }
    expect(
        outcome.volumes,
        {**same, _CAPACITY: 10, **_months(_ONCE, _ONCE, _ONCE)},
        {**same, _CAPACITY: 20, **_months(_TWICE, _TWICE, _TWICE)},
    )
    expect(
        outcome.staged("Storage"), {"csi_volume_handle": "vol-a"}, {"csi_volume_handle": "vol-b"}
    )


@case(61)
def a_pod_of_another_day_does_not_place_a_volume(run: Runner) -> None:
    before = DAY.replace(day=4)
    for start in (before, DAY):
        outcome = run(
            Situation(
                start=start,
                pods=[pod(), pod(pod="p2", day=before)],
                storage=[volume(pod="p2")],
            )
        )

        the(outcome.volumes, node=None, **{_CAPACITY: 10}, **_months(_ONCE, None, None))
