"""Rules of `ocp.md` 3.1, 3.2, 5.9 and 6.2 that no tricky case covers: labels and tag mapping."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .casebook.outcome import expect, the
from .casebook.situation import (
    Situation,
    TagKey,
    namespace_labels,
    node_labels,
    pod,
    volume,
)

# --- 3.1 and 6.2, labels --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("json", "text"),
    [
        ("1", "1"),
        ("-7", "-7"),
        ("12345678901234567890", "12345678901234567890"),
        ("true", "true"),
        ("false", "false"),
        ("1.5", "1.5E0"),
        ("1.50", "1.5E0"),
        ("1e2", "1.0E2"),
        ("0.001", "1.0E-3"),
        ("123456.789", "1.23456789E5"),
        ("null", None),
        ('"\\u00e9\\ud83d\\ude00"', "é😀"),
        ('"a\\"\\\\/\\n"', 'a"\\/\n'),
    ],
)
def test_a_label_value_becomes_text(run, json, text):
    outcome = run(Situation(pods=[pod(pod_labels=f'{{"app": {json}}}')]))

    the(outcome.pods, pod_labels={"app": text})


def test_the_json_text_null_is_a_null_label_set(run):
    on_pod = run(Situation(pods=[pod(pod_labels="null"), pod(pod="p2", pod_labels=None)]))
    same_on_node = run(Situation(node_labels=[node_labels("null"), node_labels(None)]))
    beside_empty = run(Situation(node_labels=[node_labels("null"), node_labels({})]))

    the(on_pod.pods, pod_labels=None, pod_usage_cpu_core_hours=2)
    the(same_on_node.pods, pod_labels={}, pod_usage_cpu_core_hours=1)
    the(beside_empty.pods, pod_labels={}, pod_usage_cpu_core_hours=2)


def test_order_of_keys_and_blanks_do_not_tell_labels_apart(run):
    texts = ['{"app": "a", "env": "e"}', '{"env":"e","app":"a"}', ' { "app" : "\\u0061","env":"e"}']
    outcome = run(
        Situation(
            pods=[pod(pod_labels=text, pod=text) for text in texts],
            node_labels=[node_labels(text) for text in texts],
            namespace_labels=[namespace_labels(text) for text in texts],
        )
    )

    the(outcome.pods, pod_labels={"app": "a", "env": "e"}, pod_usage_cpu_core_hours=3)


def test_values_that_are_null_empty_or_missing_are_three_labels(run):
    outcome = run(
        Situation(
            pods=[
                pod(pod=str(n), pod_labels=labels)
                for n, labels in enumerate([{"app": None}, {"app": ""}, {}, {"app": None}])
            ]
        )
    )

    expect(
        outcome.pods,
        {"pod_labels": {"app": None}, "pod_usage_cpu_core_hours": 2},
        {"pod_labels": {"app": ""}, "pod_usage_cpu_core_hours": 1},
        {"pod_labels": {}, "pod_usage_cpu_core_hours": 1},
    )


def test_a_null_value_of_the_pod_overrides(run):
    outcome = run(
        Situation(pods=[pod(pod_labels={"app": None})], node_labels=[node_labels({"app": "n"})])
    )

    the(outcome.pods, pod_labels={"app": None})


def test_the_empty_key_survives_only_if_it_is_enabled(run):
    labelled = [pod(pod_labels={"": "x", "app": "a"})]

    the(run(Situation(pods=labelled)).pods, pod_labels={"app": "a"})
    the(run(Situation(pods=labelled, keys=[TagKey("")])).pods, pod_labels={"": "x"})


def test_the_key_of_virtual_machines_may_be_enabled_as_well(run):
    outcome = run(
        Situation(
            pods=[pod(pod_labels={"vm_kubevirt_io_name": "v"})],
            keys=[TagKey("vm_kubevirt_io_name"), TagKey("vm_kubevirt_io_name", enabled=False)],
        )
    )

    the(outcome.pods, pod_labels={"vm_kubevirt_io_name": "v"}, pod_usage_cpu_core_hours=1)


def test_staging_has_labels_as_sorted_text_without_blanks(run):
    keys = ["app", "B", "a", "", "～", "😀"]
    labels = '{"app": "a\\"b", "B": "\\n\\u001f", "a": null, "": "é/", "～": "1", "😀": "😀"}'
    outcome = run(Situation(pods=[pod(pod_labels=labels)], keys=[TagKey(key) for key in keys]))

    expected = (
        r'{"":"é/","B":"\n\u001F","a":null,"app":"a\"b","\uD83D\uDE00":"\uD83D\uDE00","～":"1"}'
    )
    texts = [row["pod_labels"] for row in outcome.texts["staging"] if row["pod_labels"]]
    assert [expected] == texts


# --- 5.9, tag mapping -----------------------------------------------------------------------------


def _mapped(labels, *pairs: tuple[TagKey, TagKey]) -> Situation:
    keys = {key for pair in pairs for key in pair} | {TagKey("app")}
    return Situation(
        pods=[pod(pod_labels=labels)],
        storage=[volume(persistentvolume_labels=labels)],
        keys=sorted(keys, key=lambda key: (key.key, key.provider_type)),
        mapping=pairs,
    )


def test_tag_mapping_sets_all_labels_of_pods_and_volumes(run):
    situation = _mapped({"child": "1", "app": "a"}, (TagKey("child"), TagKey("parent")))
    outcome = run(situation)

    expected = {"parent": "1", "app": "a"}
    the(outcome.pods, pod_labels=expected, volume_labels=None, all_labels=expected)
    the(outcome.volumes, volume_labels=expected, pod_labels=None, all_labels=expected)
    the(outcome.unallocated, pod_labels=None, all_labels={})
    the(outcome.staged("Storage"), volume_labels={"child": "1", "app": "a"})


def test_of_two_children_the_longer_key_wins_and_then_the_higher_one(run):
    parent = TagKey("parent")
    longer = _mapped({"zz": "1", "aaa": "2"}, (TagKey("zz"), parent), (TagKey("aaa"), parent))
    higher = _mapped({"ab": "1", "aa": "2"}, (TagKey("ab"), parent), (TagKey("aa"), parent))

    the(run(longer).pods, pod_labels={"parent": "2"})
    the(run(higher).pods, pod_labels={"parent": "1"})


def test_children_of_two_parents_are_both_renamed(run):
    situation = _mapped(
        {"c1": "1", "c2": "2", "app": "a"},
        (TagKey("c1"), TagKey("p1")),
        (TagKey("c2"), TagKey("p2")),
    )

    the(run(situation).pods, pod_labels={"p1": "1", "p2": "2", "app": "a"})


def test_a_parent_that_is_a_child_itself_leaves_nothing(run):
    pairs = (
        (TagKey("team"), TagKey("owner", provider_type="AWS")),
        (TagKey("owner"), TagKey("boss")),
    )
    both = run(_mapped({"team": "1", "owner": "2"}, *pairs))
    child = run(_mapped({"team": "1"}, *pairs))

    the(both.pods, pod_labels=None, all_labels=None)
    the(both.volumes, volume_labels=None, all_labels=None)
    the(child.pods, pod_labels={"owner": "1"}, all_labels={"owner": "1"})


def test_only_children_that_are_enabled_openshift_keys_are_mapped(run):
    for child in (TagKey("app", provider_type="AWS"), TagKey("app", enabled=False)):
        situation = replace(
            _mapped({"app": "1"}, (TagKey("env"), TagKey("parent"))),
            keys=[TagKey("app"), child, TagKey("env"), TagKey("parent")],
            mapping=[(child, TagKey("parent"))],
        )
        if not child.enabled:
            situation = replace(situation, keys=[child, TagKey("env"), TagKey("parent")])

        kept = {"app": "1"} if child.enabled else {}
        the(run(situation).pods, pod_labels=kept, all_labels=kept)


def test_labels_without_a_child_key_stay_and_null_labels_stay_null(run):
    pair = (TagKey("child"), TagKey("parent"))

    the(run(_mapped({"app": "a"}, pair)).pods, pod_labels={"app": "a"}, all_labels={"app": "a"})
    the(run(_mapped({}, pair)).pods, pod_labels={}, all_labels={})
    the(run(_mapped(None, pair)).pods, pod_labels=None, all_labels={})


def test_without_the_mapping_table_nothing_is_mapped(run):
    situation = _mapped({"child": "1"}, (TagKey("child"), TagKey("parent")))
    outcome = run(replace(situation, without=frozenset(["reporting_tagmapping"])))

    the(outcome.pods, pod_labels={"child": "1"})
