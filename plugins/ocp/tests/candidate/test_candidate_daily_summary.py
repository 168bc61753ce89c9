"""The copy to PostgreSQL and the tag mapping (`ocp.md` 3.8, 5.9, 6.3)."""

import pytest

from shadowagg.errors import InputRefused

C1, C2, P1, P2 = (("c1", "OCP"), ("c2", "OCP"), ("p1", "OCP"), ("p2", "OCP"))
KEYS = tuple((name, True, "OCP") for name in ("c1", "c2", "p1", "p2", "app"))


@pytest.mark.parametrize(
    ("labels", "renamed"),
    [
        pytest.param(
            '{"c1":"1","p1":"2","c2":"3"}', '{"p1":"2"}', id="case-72-child-beside-parent"
        ),
        pytest.param('{"c2":"3"}', '{"p2":"3"}', id="case-72-renamed"),
        ('{"app":"a","c1":"1"}', '{"app":"a","p1":"1"}'),
        ('{"app":"a"}', '{"app":"a"}'),
        ('{"c1":null}', '{"p1":null}'),
        ("{}", "{}"),
    ],
)
def test_child_keys_are_renamed_in_both_columns(case, make_pod, labels, renamed):
    case.keys, case.mapping = KEYS, ((C1, P1), (C2, P2))
    case.pods = [make_pod(pod_labels=labels)]

    made = case.run()

    assert (renamed, renamed) in made.rows("daily_summary", "pod_labels", "all_labels")
    assert made.one("pods")["pod_labels"] == labels.replace(" ", "").replace(
        '"c1":"1","p1":"2","c2":"3"', '"c1":"1","c2":"3","p1":"2"'
    )


def test_of_two_children_of_one_parent_the_later_in_jsonb_order_wins(case, make_pod):
    case.keys = tuple((name, True, "OCP") for name in ("zz", "aaa", "bbb", "p"))
    parent = ("p", "OCP")
    case.mapping = tuple(((name, "OCP"), parent) for name in ("zz", "aaa", "bbb"))
    case.pods = [make_pod(pod_labels='{"bbb":"3","aaa":"2","zz":"1"}')]

    assert ('{"p":"3"}',) in case.run().rows("daily_summary", "pod_labels")


def test_nothing_left_is_null_in_both_columns_and_renaming_is_not_repeated(case, make_pod):
    case.keys = (
        *(("team", True, "OCP"), ("owner", True, "AWS")),
        *(("owner", True, "OCP"), ("boss", True, "OCP")),
    )
    case.mapping = (
        (("team", "OCP"), ("owner", "AWS")),
        (("owner", "OCP"), ("boss", "OCP")),
    )
    case.pods = [
        make_pod(pod_labels='{"team":"t","owner":"o"}'),
        make_pod(namespace="ns2", pod_labels='{"team":"t"}'),
    ]

    made = case.run()

    assert made.rows("daily_summary", "namespace", "pod_labels", "all_labels") == [
        ("Worker unallocated", None, "{}"),
        ("ns1", None, None),
        ("ns2", '{"owner":"t"}', '{"owner":"t"}'),
    ]


@pytest.mark.parametrize("child", [("c1", True, "AWS"), ("c1", False, "OCP")])
def test_a_child_that_is_no_enabled_openshift_key_is_not_renamed(case, make_pod, child):
    case.keys = (child, ("p1", True, "OCP"), ("c9", True, "OCP"))
    case.mapping = (((child[0], child[2]), P1),)
    case.pods = [make_pod(pod_labels='{"p1":"x"}')]

    assert ('{"p1":"x"}',) in case.run().rows("daily_summary", "pod_labels")


def test_volume_labels_are_mapped_too(case, make_volume):
    case.keys, case.mapping = KEYS, ((C1, P1),)
    case.volumes = [make_volume(persistentvolume_labels='{"c1":"v"}')]

    made = case.run()

    assert ('{"p1":"v"}', '{"p1":"v"}') in made.rows("daily_summary", "volume_labels", "all_labels")


@pytest.mark.parametrize(
    ("namespace", "stored"),
    [("n" * 253, "n" * 253), ("n" * 253 + "  ", "n" * 253), ("ä" * 253, "ä" * 253)],
)
def test_text_fits_its_column_and_blanks_beyond_it_are_cut(case, make_pod, namespace, stored):
    case.pods = [make_pod(namespace=namespace)]

    assert (stored,) in case.run().rows("daily_summary", "namespace")


def test_longer_text_is_refused(case, make_pod):
    case.pods = [make_pod(namespace="n" * 254)]

    with pytest.raises(InputRefused, match="more than 253 characters") as caught:
        case.run()

    assert caught.value.on == "column namespace"


def test_a_label_with_the_character_nul_is_refused(case, make_pod):
    case.pods = [make_pod(pod_labels=r'{"app": "a\u0000b"}')]

    with pytest.raises(InputRefused, match="NUL"):
        case.run()


def test_a_label_that_only_looks_like_nul_is_stored(case, make_pod):
    case.pods = [make_pod(pod_labels=r'{"app": "a\\u0000b"}')]

    assert (r'{"app":"a\\u0000b"}',) in case.run().rows("daily_summary", "pod_labels")


def test_the_zero_cost_is_stored_as_a_value_and_unallocated_rows_have_none(case):
    made = case.run()

    assert made.rows("daily_summary", "namespace", "infrastructure_usage_cost") == [
        ("Worker unallocated", None),
        ("ns1", '{"cpu":0.0,"memory":0.0,"storage":0.0}'),
    ]


def test_an_amount_of_19_digits_is_refused(case, make_pod):
    case.pods = [make_pod(pod_usage_cpu_core_seconds=3.6e21)]

    with pytest.raises(InputRefused, match="more than 18 digits"):
        case.run()
