"""Cases 1 to 10: amounts of Pod rows, from seconds to stored decimals."""

from __future__ import annotations

from .case import case
from .outcome import Runner, expect, hold, the
from .situation import GIB, Row, Situation, pod


@case(1)
def cpu_seconds_become_hours_with_15_decimals(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(pod_usage_cpu_core_seconds=100.0)]))

    the(outcome.pods, pod_usage_cpu_core_hours="0.027777777777778")


@case(2)
def byte_seconds_become_gibibyte_hours(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(pod_usage_memory_byte_seconds=1e12)]))

    the(outcome.pods, pod_usage_memory_gigabyte_hours="0.258700715170966")


@case(3)
def one_gibibyte_for_a_day_is_24_gibibyte_hours(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(pod_usage_memory_byte_seconds=1073741824.0 * 86400)]))

    the(outcome.pods, pod_usage_memory_gigabyte_hours="24.000000000000000")


@case(4)
def a_tie_of_the_shortest_text_rounds_up_though_the_binary_value_lies_below(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(node_capacity_cpu_cores=0.7408655322280855)]))

    the(outcome.pods, node_capacity_cpu_cores="0.740865532228086")
    the(outcome.unallocated, node_capacity_cpu_cores="0.740865532228086")


@case(5)
def half_a_unit_rounds_away_from_zero(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[
                pod(namespace="up", node_capacity_cpu_cores=5e-16),
                pod(namespace="down", node_capacity_cpu_cores=4.9e-16),
                pod(namespace="negative", node_capacity_cpu_cores=-5e-16),
            ]
        )
    )

    expect(
        outcome.pods,
        {"namespace": "up", "node_capacity_cpu_cores": "1e-15"},
        {"namespace": "down", "node_capacity_cpu_cores": "0"},
        {"namespace": "negative", "node_capacity_cpu_cores": "-1e-15"},
    )


def _effective(effective: float | None, usage: float | None, request: float | None) -> Situation:
    """The same numbers for CPU (core·s) and memory (GiB·s)."""
    return Situation(pods=[_pod(effective, usage, request)])


def _pod(effective: float | None, usage: float | None, request: float | None, **more: str) -> Row:
    columns = {"effective_usage": effective, "usage": usage, "request": request}
    return pod(
        **{f"pod_{name}_cpu_core_seconds": value for name, value in columns.items()},
        **{
            f"pod_{name}_memory_byte_seconds": None if value is None else value * GIB
            for name, value in columns.items()
        },
        **more,
    )


@case(6)
def a_missing_effective_usage_is_the_larger_of_usage_and_request(run: Runner) -> None:
    outcome = run(_effective(None, 10.0, 20.0))

    the(
        outcome.pods,
        pod_effective_usage_cpu_core_hours="0.005555555555556",
        pod_effective_usage_memory_gigabyte_hours="0.005555555555556",
    )


@case(7)
def a_missing_effective_usage_stays_null_where_the_request_is_null(run: Runner) -> None:
    outcome = run(_effective(None, 10.0, None))

    the(
        outcome.pods,
        pod_effective_usage_cpu_core_hours=None,
        pod_usage_cpu_core_hours="0.002777777777778",
        pod_request_cpu_core_hours=None,
        pod_effective_usage_memory_gigabyte_hours=None,
        pod_usage_memory_gigabyte_hours="0.002777777777778",
        pod_request_memory_gigabyte_hours=None,
    )
    the(
        outcome.unallocated,
        pod_effective_usage_cpu_core_hours=None,
        pod_request_cpu_core_hours=None,
        pod_effective_usage_memory_gigabyte_hours=None,
    )


@case(8)
def the_effective_column_wins_over_usage_and_request(run: Runner) -> None:
    above = run(_effective(25.0, 10.0, 20.0))
    below = run(_effective(5.0, 10.0, 20.0))

    the(
        above.pods,
        pod_effective_usage_cpu_core_hours="0.006944444444444",
        pod_effective_usage_memory_gigabyte_hours="0.006944444444444",
    )
    the(
        below.pods,
        pod_effective_usage_cpu_core_hours="0.001388888888889",
        pod_effective_usage_memory_gigabyte_hours="0.001388888888889",
    )


@case(9)
def an_effective_usage_of_zero_is_not_missing(run: Runner) -> None:
    outcome = run(_effective(0.0, 10.0, 20.0))

    the(
        outcome.pods,
        pod_effective_usage_cpu_core_hours="0",
        pod_effective_usage_memory_gigabyte_hours="0",
    )


@case(10)
def the_larger_of_usage_and_request_is_taken_per_row_before_summing(run: Runner) -> None:
    outcome = run(Situation(pods=[_pod(None, 10.0, 30.0, pod="a"), _pod(None, 40.0, 5.0, pod="b")]))

    row = the(
        outcome.pods,
        pod_effective_usage_cpu_core_hours="0.019444444444444",
        pod_effective_usage_memory_gigabyte_hours="0.019444444444444",
    )
    hold(
        row["pod_effective_usage_cpu_core_hours"]
        > max(row["pod_usage_cpu_core_hours"], row["pod_request_cpu_core_hours"]),
        "effective usage is the larger of the two sums",
    )
