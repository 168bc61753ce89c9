"""Storage rows (`ocp.md` 3.4, 3.6); the number in a test's name is that of the tricky case (`ocp.md` 7)."""

import datetime as dt

import pytest

from shadowagg.errors import InputRefused

CAPACITY = "persistentvolumeclaim_capacity_gigabyte"
CAPACITY_MONTHS = "persistentvolumeclaim_capacity_gigabyte_months"
REQUEST = "volume_request_storage_gigabyte_months"
USAGE = "persistentvolumeclaim_usage_gigabyte_months"
MONTH = 10 / 31


def test_case_47_a_claim_of_one_pod(case, make_volume, decimal):
    case.volumes = [make_volume()]

    made = case.run()

    row = made.one("storage")
    assert (10.0, MONTH, MONTH, MONTH / 2) == (
        row[CAPACITY],
        row[CAPACITY_MONTHS],
        row[REQUEST],
        row[USAGE],
    )
    assert ("n1", "i-1", None) == (row["node"], row["resource_id"], row["pod_labels"])
    stored = [r[REQUEST] for r in made.rows("daily_summary") if r["data_source"] == "Storage"]
    assert [decimal("0.322580645161290")] == stored


@pytest.mark.parametrize(
    ("day", "stored"),
    [
        (dt.date(2024, 2, 5), "0.344827586206897"),
        (dt.date(2025, 2, 5), "0.357142857142857"),
        (dt.date(2025, 9, 5), "0.333333333333333"),
    ],
)
def test_case_48_the_divisor_is_the_month(
    case, make_pod, make_volume, midnight, decimal, day, stored
):
    case.start = case.end = day
    case.pods = [make_pod(interval_start=midnight(day))]
    case.volumes = [make_volume(interval_start=midnight(day))]

    made = case.run()

    assert (decimal(stored),) in made.rows("daily_summary", CAPACITY_MONTHS)


def test_case_49_a_volume_on_two_nodes_halves_request_and_usage_only(case, make_pod, make_volume):
    case.pods = [make_pod(), make_pod(pod="p2", node="n2", resource_id="i-2")]
    case.volumes = [make_volume(), make_volume(pod="p2")]

    made = case.run()

    assert made.rows("storage", "node", CAPACITY_MONTHS, REQUEST, USAGE) == [
        ("n1", MONTH, MONTH / 2, MONTH / 4),
        ("n2", MONTH, MONTH / 2, MONTH / 4),
    ]


def test_case_50_two_pods_on_one_node_double_the_sums(case, make_pod, make_volume):
    case.pods = [make_pod(), make_pod(pod="p2")]
    case.volumes = [make_volume(), make_volume(pod="p2")]

    row = case.run().one("storage")

    assert (10.0, 2 * MONTH, 2 * MONTH) == (row[CAPACITY], row[CAPACITY_MONTHS], row[REQUEST])


@pytest.mark.parametrize("pods_day", [pytest.param(4, id="case-61"), pytest.param(None, id="51")])
def test_cases_51_and_61_an_unknown_pod_has_no_node_and_neither_request_nor_usage(
    case, make_pod, make_volume, midnight, pods_day
):
    case.start = dt.date(2025, 8, 4)
    when = midnight(dt.date(2025, 8, pods_day)) if pods_day else midnight()
    case.pods = [make_pod(interval_start=when, pod="p1" if pods_day else "other")]
    case.volumes = [make_volume()]

    made = case.run()

    columns = ("node", "resource_id", CAPACITY_MONTHS, REQUEST, USAGE)
    assert made.rows("storage", *columns) == [(None, None, MONTH, None, None)]


def test_case_52_an_unknown_pod_is_divided_by_the_count_of_its_volume(case, make_volume):
    case.volumes = [make_volume(), make_volume(pod="unknown")]

    made = case.run()

    assert made.rows("storage", "node", REQUEST) == [("n1", MONTH), (None, MONTH)]


def test_case_53_the_empty_node_counts(case, make_pod, make_volume):
    case.pods = [make_pod(), make_pod(node="")]
    case.volumes = [make_volume()]

    made = case.run()

    assert made.rows("storage", "node", CAPACITY_MONTHS, REQUEST) == [
        ("", MONTH, MONTH / 2),
        ("n1", MONTH, MONTH / 2),
    ]


def test_case_54_resource_ids_of_one_node_repeat_rows_but_not_the_count(
    case, make_pod, make_volume
):
    case.pods = [make_pod(), make_pod(resource_id="")]
    case.volumes = [make_volume()]

    made = case.run()

    assert made.rows("storage", "resource_id", CAPACITY_MONTHS, REQUEST) == [
        ("", MONTH, MONTH),
        ("i-1", MONTH, MONTH),
    ]


def test_case_55_pending_claims_share_one_count(case, make_pod, make_volume):
    case.pods = [make_pod(), make_pod(namespace="ns2", pod="p2", node="n2")]
    case.volumes = [
        make_volume(persistentvolume=""),
        make_volume(persistentvolume="", namespace="ns2", pod="p2"),
    ]

    made = case.run()

    assert made.rows("storage", "namespace", REQUEST) == [("ns1", MONTH / 2), ("ns2", MONTH / 2)]


def test_case_56_a_claim_with_two_volumes_doubles_both(case, make_volume):
    case.volumes = [make_volume(), make_volume(persistentvolume="v2")]

    made = case.run()

    assert made.rows("storage", "persistentvolume", CAPACITY_MONTHS, REQUEST) == [
        ("v1", 2 * MONTH, 2 * MONTH),
        ("v2", 2 * MONTH, 2 * MONTH),
    ]


def test_case_57_claim_labels_win_over_volume_over_node(case, make_volume):
    case.labelled('{"env":"n","app":"n"}')
    case.volumes = [
        make_volume(
            persistentvolume_labels='{"app":"pv"}', persistentvolumeclaim_labels='{"app":"pvc"}'
        )
    ]

    assert case.run().one("storage")["volume_labels"] == '{"app":"pvc","env":"n"}'


def test_case_58_null_volume_labels_wipe_all(case, make_volume):
    case.volumes = [
        make_volume(persistentvolume_labels=None, persistentvolumeclaim_labels='{"app":"x"}')
    ]

    made = case.run()

    assert made.rows("storage", "volume_labels") == [(None,)]
    assert made.rows("daily_summary", "data_source", "all_labels") == [
        ("Pod", "{}"),
        ("Pod", "{}"),
        ("Storage", "{}"),
    ]


def test_case_59_without_the_table_there_are_no_storage_rows(case):
    made = case.run()

    assert made.rows("storage") == []
    assert {"Pod"} == {row["data_source"] for row in made.rows("staging")}


def test_case_60_volumes_that_differ_in_their_handle_are_two_rows(case, make_volume):
    case.volumes = [make_volume(), make_volume(csi_volume_handle="vol-2")]

    made = case.run()

    assert made.rows("staging", "csi_volume_handle") == [("vol-1",), ("vol-2",), (None,), (None,)]
    assert len(made.rows("daily_summary")) == 4


def test_a_volume_whose_placements_all_lack_a_node_is_refused_by_the_copy(
    case, make_pod, make_volume
):
    case.pods = [make_pod(pod="p9"), make_pod(node=None)]
    case.volumes = [make_volume()]

    with pytest.raises(InputRefused, match="NaN or infinite") as caught:
        case.run()

    assert REQUEST in str(caught.value)


def test_names_that_are_null_match_nothing(case, make_pod, make_volume):
    case.pods = [make_pod(), make_pod(namespace=None), make_pod(pod=None)]
    case.volumes = [
        make_volume(namespace=None),
        make_volume(pod=None),
        make_volume(persistentvolumeclaim=None, persistentvolume="v2"),
        make_volume(persistentvolume=None),
    ]

    made = case.run()

    columns = ("namespace", "persistentvolumeclaim", "persistentvolume", "node", REQUEST)
    assert made.rows("storage", *columns) == [
        ("ns1", "c1", "v1", None, None),
        # A volume that is NULL has no count, though its pod's machine is known.
        ("ns1", "c1", None, "n1", None),
        # A claim that is NULL finds no machine, though its volume's count is known.
        ("ns1", None, "v2", None, MONTH),
        (None, "c1", "v1", None, None),
    ]


def test_overlapping_patterns_multiply_storage_too(case, make_volume):
    case.categories = (("ns%", 3), ("ns1", 4), ("%", None))
    case.volumes = [make_volume()]

    row = case.run().one("storage")

    assert (4, 3 * MONTH, 10.0) == (row["cost_category_id"], row[CAPACITY_MONTHS], row[CAPACITY])
