"""Pod rows (`ocp.md` 3.5); the number in a test's name is that of the tricky case (`ocp.md` 7)."""

import datetime as dt

import pytest

from shadowagg.errors import InputRefused

HOURS = "pod_usage_cpu_core_hours"
LABELS = "pod_labels"


def test_case_1_core_seconds_become_hours_with_15_decimals(case, make_pod, decimal):
    case.pods = [make_pod(pod_usage_cpu_core_seconds=100.0)]

    made = case.run()

    assert decimal("0.027777777777778") in {r[HOURS] for r in made.rows("daily_summary")}
    assert made.one("pods")[HOURS] == 100 / 3600


@pytest.mark.parametrize(
    ("byte_seconds", "stored"),
    [
        pytest.param(1e12, "0.258700715170966", id="case-2"),
        pytest.param(1073741824 * 86400.0, "24.000000000000000", id="case-3"),
    ],
)
def test_byte_seconds_become_gibibyte_hours(case, make_pod, decimal, byte_seconds, stored):
    case.pods = [make_pod(pod_usage_memory_byte_seconds=byte_seconds)]

    made = case.run()

    amounts = made.rows("daily_summary", "namespace", "pod_usage_memory_gigabyte_hours")
    assert ("ns1", decimal(stored)) in amounts


@pytest.mark.parametrize(
    ("rows", "effective"),
    [
        pytest.param([(None, 10.0, 20.0)], 20 / 3600, id="case-6-greatest"),
        pytest.param([(None, 10.0, None)], None, id="case-7-null-if-either-is"),
        pytest.param([(25.0, 10.0, 20.0)], 25 / 3600, id="case-8-column-wins"),
        pytest.param([(0.0, 10.0, 20.0)], 0.0, id="case-9-zero-is-not-null"),
        pytest.param(
            [(None, 10.0, 30.0), (None, 40.0, 5.0)], 70 / 3600, id="case-10-per-row-not-per-sum"
        ),
    ],
)
def test_effective_usage_falls_back_row_by_row(case, make_pod, rows, effective):
    case.pods = [
        make_pod(
            pod=f"p{n}",
            pod_effective_usage_cpu_core_seconds=own,
            pod_usage_cpu_core_seconds=used,
            pod_request_cpu_core_seconds=requested,
            pod_effective_usage_memory_byte_seconds=own,
            pod_usage_memory_byte_seconds=used,
            pod_request_memory_byte_seconds=requested,
        )
        for n, (own, used, requested) in enumerate(rows)
    ]

    row = case.run().one("pods")

    assert effective == row["pod_effective_usage_cpu_core_hours"]
    gibibytes = None if effective is None else effective * 2.0**-30
    assert gibibytes == row["pod_effective_usage_memory_gigabyte_hours"]


def test_case_11_a_label_that_is_not_enabled_is_dropped(case, make_pod):
    case.pods = [make_pod(pod_labels='{"app": "a", "zzz": "1"}')]

    made = case.run()

    assert made.rows("daily_summary", LABELS, "all_labels") == [
        ('{"app":"a"}', '{"app":"a"}'),
        (None, "{}"),
    ]


def test_case_12_pods_that_differ_in_a_disabled_label_are_one_row(case, make_pod):
    case.pods = [make_pod(pod="a", pod_labels='{"z":"1"}'), make_pod(pod="b", pod_labels="{}")]

    row = case.run().one("pods")

    assert row[HOURS] == 2.0


def test_case_13_pod_labels_win_over_namespace_over_node(case, make_pod):
    case.labelled('{"app":"n"}').namespace_labelled('{"app":"s","env":"e"}')
    case.pods = [make_pod(pod_labels='{"app":"p"}')]

    assert case.run().one("pods")[LABELS] == '{"app":"p","env":"e"}'


def test_case_14_an_empty_value_overrides(case, make_pod):
    case.namespace_labelled('{"app":"s"}')
    case.pods = [make_pod(pod_labels='{"app":""}')]

    assert case.run().one("pods")[LABELS] == '{"app":""}'


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        pytest.param((), "{}", id="case-15-none-enabled"),
        pytest.param(
            (("app", True, "OCP"),), '{"app":"a","vm_kubevirt_io_name":"v"}', id="case-16"
        ),
        pytest.param(
            (("app", True, "AWS"), ("app", False, "OCP"), ("x", True, "OCP")),
            '{"vm_kubevirt_io_name":"v"}',
            id="case-17-other-provider-or-disabled",
        ),
        pytest.param(
            (("App", True, "OCP"),), '{"vm_kubevirt_io_name":"v"}', id="case-18-other-letter-case"
        ),
    ],
)
def test_keys_that_are_kept(case, make_pod, keys, kept):
    case.keys = keys
    case.pods = [make_pod(pod_labels='{"vm_kubevirt_io_name": "v", "app": "a"}')]

    assert case.run().one("pods")[LABELS] == kept


def test_cases_19_and_20_null_labels_wipe_all_and_are_a_group_of_their_own(case, make_pod):
    case.namespace_labelled('{"env":"e"}')
    case.pods = [make_pod(pod_labels=None), make_pod(pod_labels="{}"), make_pod(pod_labels="null")]

    made = case.run()

    assert made.rows("pods", LABELS, HOURS) == [('{"env":"e"}', 1.0), (None, 2.0)]
    assert made.rows("daily_summary", LABELS, "all_labels") == [
        ('{"env":"e"}', '{"env":"e"}'),
        (None, "{}"),
        (None, "{}"),
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "1", "{", '{"a":{}}', '{"a":[1]}', '{"a":1,"a":2}', '{"a":NaN}', "{} x"]
)
def test_case_21_a_text_that_is_no_flat_object_is_refused_at_its_stage(case, make_pod, text):
    case.pods = [make_pod(pod_labels=text)]

    with pytest.raises(InputRefused, match="no flat JSON object") as caught:
        case.run()

    assert caught.value.on == "stage pods"


def test_a_bad_text_on_a_row_that_is_filtered_out_is_never_read(case, make_pod):
    case.pods = [make_pod(), make_pod(node="", pod_labels="nonsense")]

    assert len(case.run().rows("pods")) == 1


def test_case_22_a_null_value_is_a_label(case, make_pod):
    case.pods = [make_pod(pod_labels='{"app": null}'), make_pod(pod_labels="{}")]

    assert case.run().rows("pods", LABELS) == [('{"app":null}',), ("{}",)]


@pytest.mark.parametrize(
    ("node", "namespace", "own", "expected"),
    [
        pytest.param(
            ['{"app":"a"}', '{"app":"b"}'],
            ["{}"],
            "{}",
            [('{"app":"a"}', 1.0), ('{"app":"b"}', 1.0)],
            id="case-23-two-rows",
        ),
        pytest.param(
            ['{"app":"a"}', '{"app":"b"}'],
            ["{}"],
            '{"app":"c"}',
            [('{"app":"c"}', 2.0)],
            id="case-24-doubled",
        ),
        pytest.param(['{"z":"1"}', '{"z":"2"}'], ["{}"], "{}", [("{}", 1.0)], id="case-25"),
        pytest.param([None, "{}"], ["{}"], "{}", [("{}", 2.0)], id="case-26-null-beside-empty"),
        pytest.param(
            ['{"app":"a"}', '{"app":"b"}'],
            ['{"app":"c"}', '{"app":"d"}'],
            '{"app":"p"}',
            [('{"app":"p"}', 4.0)],
            id="case-27",
        ),
        pytest.param([], [], '{"app":"p"}', [('{"app":"p"}', 1.0)], id="no-label-rows"),
    ],
)
def test_label_sets_repeat_rows(case, make_pod, node, namespace, own, expected):
    case.labelled(*node).namespace_labelled(*namespace)
    case.pods = [make_pod(pod_labels=own)]

    made = case.run()

    assert expected == made.rows("pods", LABELS, HOURS)
    assert {4.0} == {row["node_capacity_cpu_cores"] for row in made.rows("pods")}
    assert {96.0} == {row["node_capacity_cpu_core_hours"] for row in made.rows("pods")}


def test_case_28_label_rows_of_another_day_do_not_match(case, midnight):
    other = midnight(dt.date(2025, 8, 4))
    case.start = dt.date(2025, 8, 4)
    case.node_labels = [{"interval_start": other, "node": "n1", "node_labels": '{"app":"n"}'}]

    assert case.run().one("pods")[LABELS] == "{}"


def test_case_29_pods_without_a_node_give_no_row_but_their_hours_count(case, make_pod, make_hour):
    case.pods = [make_pod(), make_pod(node=""), make_pod(node=None)]
    case.hours = [make_hour(0), make_hour(0, node=""), make_hour(0, node=None)]

    made = case.run()

    assert made.rows("pods", "node", "cluster_capacity_cpu_core_hours") == [("n1", 12.0)]
    assert made.rows("unallocated", "node") == [("n1",)]


def test_cases_30_and_31_an_hour_counts_its_largest_report_and_hours_that_lack_do_not(
    case, make_hour
):
    case.hours = [make_hour(n) for n in range(10)]
    case.hours.append(make_hour(3, node_capacity_cpu_core_seconds=14000.0))
    case.hours.append(make_hour(4, node_capacity_cpu_core_seconds=18000.0))

    assert case.run().one("pods")["node_capacity_cpu_core_hours"] == 41.0


def test_cases_32_and_33_cluster_capacity_is_that_of_all_nodes_that_reported(
    case, make_pod, make_hour
):
    case.pods = [make_pod(), make_pod(node="n2"), make_pod(node="n3")]
    case.hours = [make_hour(0), make_hour(0, node="n2", node_capacity_cpu_core_seconds=7200.0)]

    made = case.run()

    columns = ("node", "node_capacity_cpu_core_hours", "cluster_capacity_cpu_core_hours")
    assert made.rows("pods", *columns) == [("n1", 4.0, 6.0), ("n2", 2.0, 6.0), ("n3", None, 6.0)]
    left = {row["node"]: row[HOURS] for row in made.rows("unallocated")}
    assert left == {"n1": 3.0, "n2": 1.0, "n3": None}


def test_without_any_hour_all_capacities_are_null(case):
    case.hours = []

    row = case.run().one("pods")

    assert row["node_capacity_cpu_core_hours"] is None
    assert row["cluster_capacity_memory_gigabyte_hours"] is None


@pytest.mark.parametrize(
    ("namespace", "category"),
    [("openshift-x", 1), ("openshift", 1), ("kube-system", 1), ("openshiftx", None), (None, None)],
)
def test_cases_41_and_43_categories_by_pattern(case, make_pod, namespace, category):
    case.pods = [make_pod(namespace=namespace)]

    made = case.run()

    assert made.rows("pods", "namespace", "cost_category_id") == [(namespace, category)]


def test_case_44_patterns_that_overlap_double_the_sums_and_the_largest_id_stays(case, make_pod):
    case.categories = (("openshift-%", 1), ("openshift-mon%", 2))
    case.pods = [make_pod(namespace="openshift-monitoring"), make_pod(namespace="openshift-x")]

    made = case.run()

    assert made.rows("pods", "namespace", "cost_category_id", HOURS) == [
        ("openshift-monitoring", 2, 2.0),
        ("openshift-x", 1, 1.0),
    ]


@pytest.mark.parametrize(
    ("pattern", "namespace", "matches"),
    [
        pytest.param("my_ns", "my-ns", True, id="case-46-underscore-is-a-wildcard"),
        (r"my\_ns", "my_ns", False),
        (r"my\_ns", r"my\-ns", True),
        ("MY%", "my-ns", False),
        ("%", "", True),
    ],
)
def test_patterns_have_no_escape_character(case, make_pod, pattern, namespace, matches):
    case.categories = ((pattern, 5),)
    case.pods = [make_pod(namespace=namespace)]

    assert case.run().one("pods")["cost_category_id"] == (5 if matches else None)


def test_case_64_the_last_day_ends_before_midnight(case, make_pod, midnight):
    case.pods = [
        make_pod(interval_start=midnight(hour=23)),
        make_pod(interval_start=midnight(hour=24), pod_usage_cpu_core_seconds=7.0),
        make_pod(interval_start=None),
    ]

    assert case.run().rows("pods", HOURS) == [(1.0,)]


def test_the_largest_resource_id_is_the_last_in_code_points(case, make_pod):
    case.pods = [make_pod(resource_id=text) for text in ("i-2", "", "\U0001f600", "\uff5e", None)]

    assert case.run().one("pods")["resource_id"] == "\U0001f600"


def test_a_row_carries_the_parameters_and_unpadded_partition_values(case):
    case.cluster_alias = None

    row = case.run().one("pods")

    expected = {
        "report_period_id": 7,
        "cluster_id": "cluster-1",
        "cluster_alias": None,
        "data_source": "Pod",
        "usage_start": dt.date(2025, 8, 5),
        "usage_end": dt.date(2025, 8, 5),
        "volume_labels": None,
        "persistentvolumeclaim": None,
        "source_uuid": "1ae15590-741b-4a18-9d5d-6eb182ba1064",
        "infrastructure_usage_cost": '{"cpu": 0.000000000, "memory": 0.000000000, "storage": 0.000000000}',
        "year": "2025",
        "month": "8",
        "day": "5",
    }
    assert expected == {name: row[name] for name in expected}


@pytest.mark.parametrize("batch", [1, 1000])
def test_rows_of_one_key_in_several_files_and_batches_are_one_row(
    case, make_pod, make_volume, monkeypatch, batch
):
    case.files = 4
    case.pods = [
        make_pod(pod_labels=f'{{"app":"{n % 3}"}}', resource_id=f"i-{n:02}") for n in range(30)
    ]
    case.volumes = [make_volume() for _ in range(5)]
    monkeypatch.setattr("shadowagg.candidate.source.BATCH_ROWS", batch)

    made = case.run()

    assert made.rows("pods", LABELS, HOURS, "resource_id", "node_capacity_cpu_core_hours") == [
        ('{"app":"0"}', 10.0, "i-27", 96.0),
        ('{"app":"1"}', 10.0, "i-28", 96.0),
        ('{"app":"2"}', 10.0, "i-29", 96.0),
    ]
    # One row per resource id of the pod, none divided: all are on one node.
    months = "volume_request_storage_gigabyte_months"
    assert len(made.rows("storage")) == 30
    assert {5 * 10 / 31} == {row[months] for row in made.rows("storage")}
