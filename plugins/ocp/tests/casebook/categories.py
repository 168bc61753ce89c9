"""Cases 43 to 46: cost categories by patterns of namespaces."""

from __future__ import annotations

from .case import case
from .outcome import Runner, expect, the
from .situation import DEFAULT_PATTERNS, PLATFORM, Situation, pod


@case(43)
def the_default_patterns_find_the_platform(run: Runner) -> None:
    expected = {
        "openshift-x": PLATFORM,
        "openshift": PLATFORM,
        "kube-system": PLATFORM,
        "openshiftx": None,
        "ns1": None,
    }
    outcome = run(Situation(pods=[pod(namespace=namespace) for namespace in expected]))

    expect(
        outcome.pods,
        *({"namespace": name, "cost_category_id": id_} for name, id_ in expected.items()),
    )


@case(44)
def a_namespace_that_two_patterns_match_has_one_row_with_doubled_sums(run: Runner) -> None:
    for patterns in (
        [("openshift-%", 1), ("openshift-mon%", 2)],
        [("openshift-mon%", 2), ("openshift-%", 1)],
    ):
        outcome = run(Situation(pods=[pod(namespace="openshift-monitoring")], patterns=patterns))

        the(
            outcome.pods,
            cost_category_id=2,
            pod_usage_cpu_core_hours=2,
            pod_request_cpu_core_hours=4,
            pod_effective_usage_cpu_core_hours=5,
            pod_limit_cpu_core_hours=6,
            pod_usage_memory_gigabyte_hours=2,
            pod_limit_memory_gigabyte_hours=6,
            node_capacity_cpu_core_hours=96,
            cluster_capacity_cpu_core_hours=96,
        )
        the(outcome.unallocated, pod_usage_cpu_core_hours=94)


@case(45)
def two_patterns_for_an_unallocated_namespace_make_two_rows(run: Runner) -> None:
    outcome = run(
        Situation(
            inventory=[("n1", "i-1", "master")],
            patterns=[("Platform unallocated", 1), ("Platform%", 2)],
        )
    )

    expected = {"namespace": "Platform unallocated", "node": "n1", "pod_usage_cpu_core_hours": 95}
    expect(
        outcome.unallocated,
        {"cost_category_id": 1, **expected},
        {"cost_category_id": 2, **expected},
    )


@case(46)
def an_underscore_in_a_pattern_is_any_one_character(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(namespace="my-ns"), pod(namespace="my_ns"), pod(namespace="myns")],
            patterns=[*DEFAULT_PATTERNS, ("my_ns", 2)],
        )
    )

    expect(
        outcome.pods,
        {"namespace": "my-ns", "cost_category_id": 2},
        {"namespace": "my_ns", "cost_category_id": 2},
        {"namespace": "myns", "cost_category_id": None},
    )
