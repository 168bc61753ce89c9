"""Cases 62 to 64, 72 and 74: the days of a window, tag mapping, reserved namespaces."""

from __future__ import annotations

import datetime as dt

from .case import case
from .outcome import Runner, expect, hold, the
from .situation import (
    DAY,
    SOURCE,
    Situation,
    TagKey,
    hours,
    moment,
    namespace_labels,
    node_labels,
    pod,
    volume,
)


def _pieces(start: int, end: int) -> list[tuple[int, int]]:
    # Imported now: a test may have changed the modules.
    from shadowagg.plan import make_plan
    from shadowagg.window import Window

    first, last = DAY.replace(day=start), DAY.replace(day=end)
    plan = make_plan(Window("org1234567", "ocp", SOURCE, first, last))
    return [(piece.start.day, piece.end.day) for piece in plan.subwindows]


@case(62, paths=("plan",))
def a_range_is_cut_into_five_days_and_the_first_piece_is_a_day_longer(run: Runner) -> None:
    expected = {
        (1, 31): [(1, 6), (7, 11), (12, 16), (17, 21), (22, 26), (27, 31)],
        (1, 12): [(1, 6), (7, 11), (12, 12)],
        (1, 5): [(1, 5)],
        (1, 7): [(1, 6), (7, 7)],
    }
    got = {days: _pieces(*days) for days in expected}

    hold(got == expected, f"expected {expected}, got {got}")


@case(63, paths=("plan",))
def a_range_over_two_months_is_refused(run: Runner) -> None:
    from shadowagg.errors import UserError
    from shadowagg.window import Window

    try:
        Window("org1234567", "ocp", SOURCE, dt.date(2025, 8, 30), dt.date(2025, 9, 2))
    except UserError:
        return
    raise AssertionError("a window over two months was taken: it would delete days for good")


@case(64)
def the_window_ends_before_midnight_of_the_next_day(run: Runner) -> None:
    last = moment(DAY, 23)
    after = moment(DAY.replace(day=6))
    inside = run(
        Situation(
            pods=[pod(interval_start=last)],
            hours=[{**row, "interval_start": last} for row in hours(count=1)],
            storage=[volume(interval_start=last)],
            node_labels=[node_labels({"app": "n"}, interval_start=last)],
            namespace_labels=[namespace_labels({"env": "e"}, interval_start=last)],
        )
    )
    outside = run(
        Situation(
            pods=[pod(), pod(interval_start=after, namespace="late")],
            hours=[*hours(), *({**row, "interval_start": after} for row in hours(count=1))],
            storage=[volume(interval_start=after)],
            node_labels=[node_labels({"app": "n"}, interval_start=after)],
            namespace_labels=[namespace_labels({"env": "e"}, interval_start=after)],
        )
    )

    the(
        inside.pods,
        usage_start=DAY,
        usage_end=DAY,
        pod_labels={"app": "n", "env": "e"},
        node_capacity_cpu_core_hours=4,
        cluster_capacity_cpu_core_hours=4,
    )
    the(inside.volumes, usage_start=DAY, node="n1", volume_labels={"app": "n", "env": "e"})
    the(
        outside.pods,
        usage_start=DAY,
        namespace="ns1",
        pod_labels={},
        node_capacity_cpu_core_hours=96,
        cluster_capacity_cpu_core_hours=96,
    )
    expect(outside.volumes)


@case(72)
def tag_mapping_drops_children_beside_a_parent_and_renames_them_elsewhere(run: Runner) -> None:
    keys = {name: TagKey(name) for name in ("c1", "p1", "c2", "p2")}
    outcome = run(
        Situation(
            pods=[
                pod(namespace="both", pod_labels={"c1": "1", "p1": "2", "c2": "3"}),
                pod(namespace="child", pod_labels={"c2": "3"}),
                pod(namespace="parent", pod_labels={"p1": "2"}),
            ],
            keys=list(keys.values()),
            mapping=[(keys["c1"], keys["p1"]), (keys["c2"], keys["p2"])],
        )
    )

    expect(
        outcome.pods,
        {"namespace": "both", "pod_labels": {"p1": "2"}, "all_labels": {"p1": "2"}},
        {"namespace": "child", "pod_labels": {"p2": "3"}, "all_labels": {"p2": "3"}},
        {"namespace": "parent", "pod_labels": {"p1": "2"}, "all_labels": {"p1": "2"}},
    )
    expect(
        outcome.staged(),
        {"namespace": "both", "pod_labels": {"c1": "1", "p1": "2", "c2": "3"}},
        {"namespace": "child", "pod_labels": {"c2": "3"}},
        {"namespace": "parent", "pod_labels": {"p1": "2"}},
    )


@case(74)
def a_real_namespace_with_a_reserved_name_does_not_reduce_what_is_unallocated(run: Runner) -> None:
    reserved = (
        "Platform unallocated",
        "Worker unallocated",
        "Network unattributed",
        "Storage unattributed",
    )
    outcome = run(Situation(pods=[pod(), *(pod(namespace=name) for name in reserved)]))
    alone = run(Situation(pods=[pod(namespace="Worker unallocated")]))

    expect(
        outcome.pods,
        *({"namespace": name, "pod_usage_cpu_core_hours": 1} for name in ("ns1", *reserved)),
    )
    the(outcome.unallocated, namespace="Worker unallocated", pod_usage_cpu_core_hours=95)
    the(alone.pods, namespace="Worker unallocated", pod_usage_cpu_core_hours=1)
    expect(alone.unallocated)
