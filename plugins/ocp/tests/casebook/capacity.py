"""Cases 29 to 42: capacities of nodes and clusters, and what of them is unallocated."""

from __future__ import annotations

from .case import case
from .outcome import Runner, expect, the
from .situation import (
    DEFAULT_PATTERNS,
    GIB,
    PLATFORM,
    Row,
    Situation,
    hours,
    node_labels,
    pod,
)


@case(29)
def pods_without_a_node_have_no_row_but_their_capacity_counts_for_the_cluster(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(), pod(pod="p2", node=""), pod(pod="p3", node=None)],
            hours=[*hours(), *hours("", cores=2.0, gib=8.0), *hours(None, cores=1.0, gib=4.0)],
        )
    )

    expected = {
        "node": "n1",
        "node_capacity_cpu_core_hours": 96,
        "cluster_capacity_cpu_core_hours": 168,
        "node_capacity_memory_gigabyte_hours": 384,
        "cluster_capacity_memory_gigabyte_hours": 672,
    }
    the(outcome.pods, pod_usage_cpu_core_hours=1, **expected)
    the(outcome.unallocated, pod_usage_cpu_core_hours=95, **expected)


@case(30)
def an_hour_reported_twice_counts_with_the_larger_capacity(run: Runner) -> None:
    smaller = [
        {
            **row,
            "node_capacity_cpu_core_seconds": 14000.0,
            "node_capacity_memory_byte_seconds": 1.0 * GIB,
        }
        for row in hours(count=1, pod="p2")
    ]

    for reported in ([*hours(), *smaller], [*smaller, *hours()]):
        the(
            run(Situation(hours=reported)).pods,
            node_capacity_cpu_core_hours=96,
            node_capacity_memory_gigabyte_hours=384,
            cluster_capacity_cpu_core_hours=96,
            cluster_capacity_memory_gigabyte_hours=384,
        )


@case(31)
def only_hours_that_were_reported_count(run: Runner) -> None:
    outcome = run(Situation(hours=hours(count=10)))

    for rows in (outcome.pods, outcome.unallocated):
        the(
            rows,
            node_capacity_cpu_core_hours=40,
            node_capacity_memory_gigabyte_hours=160,
            cluster_capacity_cpu_core_hours=40,
            cluster_capacity_memory_gigabyte_hours=160,
        )


@case(32)
def the_cluster_capacity_of_all_nodes_stands_on_every_row(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(), pod(pod="p2", node="n2", resource_id="i-2")],
            hours=[*hours(), *hours("n2", cores=2.0, gib=8.0)],
            inventory=[("n1", "i-1", "worker"), ("n2", "i-2", "worker")],
        )
    )

    for rows in (outcome.pods, outcome.unallocated):
        expect(
            rows,
            {
                "node": "n1",
                "node_capacity_cpu_core_hours": 96,
                "cluster_capacity_cpu_core_hours": 144,
                "node_capacity_memory_gigabyte_hours": 384,
                "cluster_capacity_memory_gigabyte_hours": 576,
            },
            {
                "node": "n2",
                "node_capacity_cpu_core_hours": 48,
                "cluster_capacity_cpu_core_hours": 144,
                "node_capacity_memory_gigabyte_hours": 192,
                "cluster_capacity_memory_gigabyte_hours": 576,
            },
        )


@case(33)
def a_node_without_hours_has_no_capacity_and_nothing_unallocated(run: Runner) -> None:
    outcome = run(Situation(hours=hours("n2", cores=2.0, gib=8.0)))

    expected = {
        "node": "n1",
        "node_capacity_cpu_cores": 4,
        "node_capacity_cpu_core_hours": None,
        "node_capacity_memory_gigabyte_hours": None,
        "cluster_capacity_cpu_core_hours": 48,
        "cluster_capacity_memory_gigabyte_hours": 192,
    }
    the(outcome.pods, pod_usage_cpu_core_hours=1, **expected)
    the(
        outcome.unallocated,
        pod_usage_cpu_core_hours=None,
        pod_request_cpu_core_hours=None,
        pod_effective_usage_cpu_core_hours=None,
        pod_usage_memory_gigabyte_hours=None,
        pod_request_memory_gigabyte_hours=None,
        pod_effective_usage_memory_gigabyte_hours=None,
        **expected,
    )


def _hours_of(cpu: tuple[float, float, float], memory: tuple[float, float, float]) -> Row:
    """A pod by usage, request and effective usage, in core·h and GiB·h."""
    names = ("usage", "request", "effective_usage")
    return pod(
        **{f"pod_{n}_cpu_core_seconds": v * 3600 for n, v in zip(names, cpu, strict=True)},
        **{
            f"pod_{n}_memory_byte_seconds": v * 3600 * GIB
            for n, v in zip(names, memory, strict=True)
        },
    )


@case(34)
def unallocated_is_capacity_less_usage_request_and_effective_usage(run: Runner) -> None:
    outcome = run(Situation(pods=[_hours_of((10, 20, 25), (100, 200, 250))]))

    row = the(
        outcome.unallocated,
        namespace="Worker unallocated",
        node="n1",
        resource_id="i-1",
        pod_usage_cpu_core_hours=86,
        pod_request_cpu_core_hours=76,
        pod_effective_usage_cpu_core_hours=71,
        pod_limit_cpu_core_hours=None,
        pod_usage_memory_gigabyte_hours=284,
        pod_request_memory_gigabyte_hours=184,
        pod_effective_usage_memory_gigabyte_hours=134,
        pod_limit_memory_gigabyte_hours=None,
        node_capacity_cpu_cores=4,
        node_capacity_cpu_core_hours=96,
        node_capacity_memory_gigabytes=16,
        node_capacity_memory_gigabyte_hours=384,
        cluster_capacity_cpu_core_hours=96,
        cluster_capacity_memory_gigabyte_hours=384,
        pod_labels=None,
        volume_labels=None,
        all_labels={},
        infrastructure_usage_cost=None,
        persistentvolumeclaim=None,
        persistentvolume=None,
        storageclass=None,
        persistentvolumeclaim_capacity_gigabyte=None,
    )
    the([row], data_source="Pod", report_period_id=7, cluster_id="cluster-1")


@case(35)
def unallocated_may_be_negative(run: Runner) -> None:
    outcome = run(Situation(pods=[_hours_of((0, 120, 120), (0, 500, 500))]))

    the(
        outcome.unallocated,
        pod_usage_cpu_core_hours=96,
        pod_request_cpu_core_hours=-24,
        pod_effective_usage_cpu_core_hours=-24,
        pod_usage_memory_gigabyte_hours=384,
        pod_request_memory_gigabyte_hours=-116,
    )


@case(36)
def nodes_of_role_master_or_infra_are_platform(run: Runner) -> None:
    for role in ("master", "infra"):
        the(
            run(Situation(inventory=[("n1", "i-1", role)])).unallocated,
            namespace="Platform unallocated",
            cost_category_id=PLATFORM,
        )


@case(37)
def worker_nodes_have_a_category_only_if_a_pattern_matches(run: Runner) -> None:
    default = run(Situation())
    named = run(Situation(patterns=[*DEFAULT_PATTERNS, ("Worker unallocated", 2)]))

    the(default.unallocated, namespace="Worker unallocated", cost_category_id=None)
    the(named.unallocated, namespace="Worker unallocated", cost_category_id=2)


@case(38)
def nodes_of_unknown_role_are_unallocated_without_namespace(run: Runner) -> None:
    situations = {
        "not in the inventory": Situation(inventory=[]),
        "another node's entry": Situation(inventory=[("n2", "i-1", "worker")]),
        "another id": Situation(inventory=[("n1", "i-2", "worker")]),
        "resource id NULL": Situation(
            pods=[pod(resource_id=None)], inventory=[("n1", None, "worker")]
        ),
        "role control-plane": Situation(inventory=[("n1", "i-1", "control-plane")]),
        "role empty": Situation(inventory=[("n1", "i-1", "")]),
        "role NULL": Situation(inventory=[("n1", "i-1", None)]),
    }
    for situation in situations.values():
        the(
            run(situation).unallocated,
            namespace=None,
            node="n1",
            cost_category_id=None,
            pod_usage_cpu_core_hours=95,
        )


@case(39)
def of_several_roles_of_a_node_the_last_by_alphabet_counts(run: Runner) -> None:
    for inventory in (
        [("n1", "i-1", "master"), ("n1", "i-1", "worker")],
        [("n1", "i-1", "worker"), ("n1", "i-1", "master")],
    ):
        the(run(Situation(inventory=inventory)).unallocated, namespace="Worker unallocated")


@case(40)
def a_node_with_several_resource_ids_has_the_last_role_and_the_last_id(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(), pod(pod="p2", namespace="ns2", resource_id="i-2")],
            inventory=[("n1", "i-1", "master"), ("n1", "i-2", "infra")],
        )
    )

    the(
        outcome.unallocated,
        namespace="Platform unallocated",
        resource_id="i-2",
        pod_usage_cpu_core_hours=94,
    )


@case(41)
def a_pod_without_namespace_has_a_row_but_does_not_reduce_what_is_unallocated(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(), pod(pod="p2", namespace=None)]))

    expect(
        outcome.pods,
        {"namespace": "ns1", "pod_usage_cpu_core_hours": 1},
        {"namespace": None, "pod_usage_cpu_core_hours": 1},
    )
    the(outcome.unallocated, pod_usage_cpu_core_hours=95)


@case(42)
def usage_that_two_label_sets_multiply_is_subtracted_as_often(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[_hours_of((60, 60, 60), (60, 60, 60))],
            node_labels=[node_labels({"app": "a"}), node_labels({"app": "b"})],
        )
    )

    the(outcome.unallocated, pod_usage_cpu_core_hours=-24, pod_usage_memory_gigabyte_hours=264)
