"""Unallocated rows (`ocp.md` 3.7); the number in a test's name is that of the tricky case (`ocp.md` 7)."""

import pytest

CPU = (
    "pod_usage_cpu_core_hours",
    "pod_request_cpu_core_hours",
    "pod_effective_usage_cpu_core_hours",
)


def seconds(usage, request, effective):
    return {
        "pod_usage_cpu_core_seconds": usage * 3600.0,
        "pod_request_cpu_core_seconds": request * 3600.0,
        "pod_effective_usage_cpu_core_seconds": effective * 3600.0,
    }


def test_case_34_capacity_less_the_sums(case, make_pod):
    case.pods = [make_pod(**seconds(10, 20, 25))]

    made = case.run()

    row = made.one("unallocated")
    assert (86.0, 76.0, 71.0) == tuple(row[name] for name in CPU)
    expected = {
        "namespace": "Worker unallocated",
        "data_source": "Pod",
        "cost_category_id": None,
        "pod_limit_cpu_core_hours": None,
        "pod_labels": None,
        "infrastructure_usage_cost": None,
        "node_capacity_cpu_core_hours": 96.0,
        "cluster_capacity_cpu_core_hours": 96.0,
    }
    assert expected == {name: row[name] for name in expected}
    (stored,) = [r for r in made.rows("daily_summary") if r["namespace"] == "Worker unallocated"]
    assert stored["all_labels"] == "{}"


def test_case_35_nothing_is_clamped(case, make_pod):
    case.pods = [make_pod(**seconds(0, 120, 0))]

    assert case.run().one("unallocated")["pod_request_cpu_core_hours"] == -24.0


@pytest.mark.parametrize(
    ("inventory", "namespace", "category"),
    [
        pytest.param((("n1", "i-1", "master"),), "Platform unallocated", 1, id="case-36-master"),
        pytest.param((("n1", "i-1", "infra"),), "Platform unallocated", 1, id="case-36-infra"),
        pytest.param((("n1", "i-1", "worker"),), "Worker unallocated", None, id="case-37"),
        pytest.param((), None, None, id="case-38-not-in-the-inventory"),
        pytest.param((("n1", None, "worker"),), None, None, id="case-38-no-resource-id"),
        pytest.param((("n1", "i-1", "control-plane"),), None, None, id="case-38-unknown-role"),
        pytest.param((("n1", "i-1", ""),), None, None, id="case-38-no-role"),
        pytest.param((("n1", "i-2", "worker"),), None, None, id="other-resource-id"),
        pytest.param(
            (("n1", "i-1", "master"), ("n1", "i-1", "worker"), ("n1", "i-1", None)),
            "Worker unallocated",
            None,
            id="case-39-alphabetically-last",
        ),
    ],
)
def test_the_namespace_follows_the_role(case, inventory, namespace, category):
    case.inventory = inventory

    row = case.run().one("unallocated")

    assert (namespace, category) == (row["namespace"], row["cost_category_id"])


def test_a_null_resource_id_matches_no_inventory_row(case, make_pod):
    case.pods = [make_pod(resource_id=None)]
    case.inventory = (("n1", None, "worker"),)

    assert case.run().one("unallocated")["namespace"] is None


def test_case_40_the_largest_role_over_all_resource_ids_of_the_node(case, make_pod):
    case.pods = [make_pod(), make_pod(namespace="ns2", resource_id="i-2")]
    case.inventory = (("n1", "i-1", "master"), ("n1", "i-2", "infra"))

    row = case.run().one("unallocated")

    assert ("Platform unallocated", "i-2") == (row["namespace"], row["resource_id"])


@pytest.mark.parametrize(
    "namespace",
    [
        pytest.param(None, id="case-41"),
        pytest.param("Worker unallocated", id="case-74"),
        "Platform unallocated",
        "Network unattributed",
        "Storage unattributed",
    ],
)
def test_namespaces_that_do_not_count_as_usage(case, make_pod, namespace):
    case.pods = [make_pod(), make_pod(namespace=namespace)]

    made = case.run()

    assert len(made.rows("pods")) == 2
    assert made.rows("unallocated", "pod_usage_cpu_core_hours") == [(95.0,)]


def test_case_42_repeated_usage_is_subtracted_repeatedly(case, make_pod):
    case.labelled('{"app":"a"}', '{"app":"b"}')
    case.pods = [make_pod(**seconds(60, 0, 60))]

    assert case.run().one("unallocated")["pod_usage_cpu_core_hours"] == -24.0


def test_case_45_two_matching_patterns_give_two_rows(case):
    case.inventory = (("n1", "i-1", "master"),)
    case.categories = (("Platform unallocated", 1), ("Platform%", 2))

    made = case.run()

    assert made.rows("unallocated", "cost_category_id", "pod_usage_cpu_core_hours") == [
        (1, 95.0),
        (2, 95.0),
    ]


def test_memory_is_subtracted_from_memory(case, make_pod):
    case.pods = [make_pod(pod_usage_memory_byte_seconds=2.0**30 * 3600)]

    row = case.run().one("unallocated")

    assert row["pod_usage_memory_gigabyte_hours"] == 16.0 * 24 - 1


def test_without_pod_rows_there_is_nothing_to_subtract_from(case):
    case.pods = []

    made = case.run()

    assert dict.fromkeys(made.stages, 0) == {
        name: table.num_rows for name, table in made.stages.items()
    }
