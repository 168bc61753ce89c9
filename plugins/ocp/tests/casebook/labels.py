"""Cases 11 to 28: labels of Pod rows, and what several label sets of one object do to the sums."""

from __future__ import annotations

from typing import Any

from .case import case
from .outcome import Runner, expect, the
from .situation import (
    DAY,
    Situation,
    TagKey,
    hours,
    namespace_labels,
    node_labels,
    pod,
    volume,
)

_EIGHT: dict[str, Any] = {
    "pod_usage_cpu_core_hours": 1,
    "pod_request_cpu_core_hours": 2,
    "pod_effective_usage_cpu_core_hours": "2.5",
    "pod_limit_cpu_core_hours": 3,
    "pod_usage_memory_gigabyte_hours": 1,
    "pod_request_memory_gigabyte_hours": 2,
    "pod_effective_usage_memory_gigabyte_hours": "2.5",
    "pod_limit_memory_gigabyte_hours": 3,
}
"""The amounts of the base situation's pod."""
_CAPACITY = {
    "node_capacity_cpu_cores": 4,
    "node_capacity_cpu_core_hours": 96,
    "node_capacity_memory_gigabytes": 16,
    "node_capacity_memory_gigabyte_hours": 384,
    "cluster_capacity_cpu_core_hours": 96,
    "cluster_capacity_memory_gigabyte_hours": 384,
}


def _times(factor: int) -> dict[str, str]:
    return {name: str(factor * float(value)) for name, value in _EIGHT.items()}


@case(11)
def labels_whose_key_is_not_enabled_are_dropped(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(pod_labels={"app": "a", "zzz": "1"})]))

    the(outcome.pods, pod_labels={"app": "a"}, all_labels={"app": "a"})


@case(12)
def pods_that_differ_in_a_dropped_label_only_are_one_row(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[
                pod(pod="a", pod_labels={"app": "a", "zzz": "1"}),
                pod(pod="b", pod_labels={"app": "a", "zzz": "2"}),
            ]
        )
    )

    the(outcome.pods, pod_labels={"app": "a"}, **_times(2))


@case(13)
def pod_labels_win_over_namespace_labels_and_these_over_node_labels(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(pod_labels={"app": "p"})],
            node_labels=[node_labels({"app": "n"})],
            namespace_labels=[namespace_labels({"app": "s", "env": "e"})],
        )
    )
    without_pod = run(
        Situation(
            node_labels=[node_labels({"app": "n"})],
            namespace_labels=[namespace_labels({"app": "s", "env": "e"})],
        )
    )

    the(outcome.pods, pod_labels={"app": "p", "env": "e"})
    the(without_pod.pods, pod_labels={"app": "s", "env": "e"})


@case(14)
def an_empty_label_value_overrides(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(pod_labels={"app": ""})],
            namespace_labels=[namespace_labels({"app": "s"})],
        )
    )

    the(outcome.pods, pod_labels={"app": ""})


_MACHINE = {"vm_kubevirt_io_name": "v", "app": "a"}


@case(15)
def without_any_enabled_key_no_label_is_kept_not_even_that_of_virtual_machines(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(pod_labels=_MACHINE), pod(pod="p2", pod_labels={"app": "b"})],
            keys=[],
        )
    )

    the(outcome.pods, pod_labels={}, all_labels={}, **_times(2))


@case(16)
def with_one_enabled_key_the_label_of_virtual_machines_is_kept_too(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(pod_labels=_MACHINE)], keys=[TagKey("app")]))

    the(outcome.pods, pod_labels={"app": "a", "vm_kubevirt_io_name": "v"})


@case(17)
def keys_that_are_disabled_or_of_another_provider_are_not_kept(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(pod_labels={"app": "a", "env": "e", "team": "t"})],
            keys=[TagKey("app", provider_type="AWS"), TagKey("env", enabled=False), TagKey("team")],
        )
    )
    none_left = run(
        Situation(
            pods=[pod(pod_labels=_MACHINE)],
            keys=[TagKey("app", provider_type="AWS"), TagKey("env", enabled=False)],
        )
    )

    the(outcome.pods, pod_labels={"team": "t"})
    the(none_left.pods, pod_labels={})


@case(18)
def keys_are_case_sensitive(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(pod_labels={"app": "a"})], keys=[TagKey("App")]))

    the(outcome.pods, pod_labels={})


@case(19)
def pod_labels_that_are_null_wipe_the_other_labels(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(pod_labels=None)],
            node_labels=[node_labels({"app": "n"})],
            namespace_labels=[namespace_labels({"env": "e"})],
        )
    )

    the(outcome.pods, pod_labels=None, all_labels={})


@case(20)
def null_labels_and_empty_labels_are_two_rows(run: Runner) -> None:
    outcome = run(Situation(pods=[pod(pod="a", pod_labels=None), pod(pod="b", pod_labels={})]))

    expect(
        outcome.pods,
        {"pod_labels": None, "all_labels": {}, **_EIGHT},
        {"pod_labels": {}, "all_labels": {}, **_EIGHT},
    )


_REFUSED_TEXTS = (
    "",
    " ",
    '{"app": "a"',
    '{"app": "a"} x',
    "{'app': 'a'}",
    '["app"]',
    '"app"',
    "1",
    "true",
    '{"zzz": {"a": "b"}}',
    '{"zzz": ["a"]}',
    '{"app": NaN}',
    '{"app": "a", "app": "b"}',
)
"""Texts that are no flat JSON object; also where the offending key would be dropped."""


@case(21)
def a_label_text_that_is_no_flat_json_object_is_refused(run: Runner) -> None:
    for text in _REFUSED_TEXTS:
        run.refused(Situation(pods=[pod(pod_labels=text)]))
    run.refused(Situation(node_labels=[node_labels("")]))
    run.refused(Situation(namespace_labels=[namespace_labels("")]))
    run.refused(Situation(storage=[volume(persistentvolume_labels="")]))
    run.refused(Situation(storage=[volume(persistentvolumeclaim_labels="")]))


@case(22)
def a_label_that_is_json_null_is_kept_and_is_not_a_missing_label(run: Runner) -> None:
    outcome = run(
        Situation(pods=[pod(pod="a", pod_labels={"app": None}), pod(pod="b", pod_labels={})])
    )

    expect(
        outcome.pods,
        {"pod_labels": {"app": None}, "all_labels": {"app": None}, **_EIGHT},
        {"pod_labels": {}, "all_labels": {}, **_EIGHT},
    )


_TWO_SETS = (node_labels({"app": "a"}), node_labels({"app": "b"}))


@case(23)
def two_label_sets_of_a_node_make_two_rows_each_with_the_full_usage(run: Runner) -> None:
    outcome = run(Situation(node_labels=_TWO_SETS))

    expect(
        outcome.pods,
        {"pod_labels": {"app": "a"}, **_EIGHT, **_CAPACITY},
        {"pod_labels": {"app": "b"}, **_EIGHT, **_CAPACITY},
    )
    the(outcome.unallocated, pod_usage_cpu_core_hours=94, pod_request_memory_gigabyte_hours=380)


@case(24)
def two_label_sets_that_the_pod_overrides_double_the_usage_but_not_the_capacity(
    run: Runner,
) -> None:
    outcome = run(Situation(pods=[pod(pod_labels={"app": "c"})], node_labels=_TWO_SETS))

    the(outcome.pods, pod_labels={"app": "c"}, **_times(2), **_CAPACITY)


@case(25)
def two_label_sets_that_differ_in_a_dropped_key_are_one(run: Runner) -> None:
    outcome = run(
        Situation(
            node_labels=[
                node_labels({"app": "a", "zzz": "1"}),
                node_labels({"app": "a", "zzz": "2"}),
            ]
        )
    )

    the(outcome.pods, pod_labels={"app": "a"}, **_EIGHT, **_CAPACITY)


@case(26)
def null_and_empty_label_sets_of_a_node_double_the_usage(run: Runner) -> None:
    outcome = run(Situation(node_labels=[node_labels(None), node_labels({})]))

    the(outcome.pods, pod_labels={}, **_times(2), **_CAPACITY)


@case(27)
def two_label_sets_of_node_and_namespace_multiply(run: Runner) -> None:
    outcome = run(
        Situation(
            pods=[pod(pod_labels={"app": "p", "env": "p"})],
            node_labels=_TWO_SETS,
            namespace_labels=[namespace_labels({"env": "1"}), namespace_labels({"env": "2"})],
        )
    )

    the(outcome.pods, pod_labels={"app": "p", "env": "p"}, **_times(4), **_CAPACITY)


@case(28)
def labels_of_another_day_do_not_count(run: Runner) -> None:
    before = DAY.replace(day=4)
    outcome = run(
        Situation(
            start=before,
            pods=[pod(day=before), pod()],
            hours=[*hours(day=before), *hours()],
            node_labels=[node_labels({"app": "n"}, day=before)],
            namespace_labels=[namespace_labels({"env": "e"}, day=before)],
        )
    )

    expect(
        outcome.pods,
        {"usage_start": before, "pod_labels": {"app": "n", "env": "e"}},
        {"usage_start": DAY, "pod_labels": {}},
    )
