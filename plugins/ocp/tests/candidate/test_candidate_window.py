"""Sub-windows, and the same rows whatever the number of threads."""

import datetime as dt

import pyarrow as pa
import pytest

from shadowagg.candidate.execute import Candidate


def test_a_window_of_several_subwindows_is_the_same_with_one_thread_and_with_two(
    case, make_pod, make_hour, make_volume, midnight, tmp_path
):
    case.start, case.end = dt.date(2025, 8, 1), dt.date(2025, 8, 17)
    days = [dt.date(2025, 8, n) for n in range(1, 18)]
    labels = ['{"app":"a"}', "{}", None]
    case.pods = [
        make_pod(
            interval_start=midnight(day),
            pod=f"p{n}",
            pod_labels=labels[n % 3],
            resource_id=f"i-{n}",
        )
        for day in days
        for n in range(4)
    ]
    case.hours = [make_hour(3, day=day) for day in days]
    case.volumes = [make_volume(interval_start=midnight(day)) for day in days]
    case.node_labels = [
        {"interval_start": midnight(day), "node": "n1", "node_labels": '{"env":"e"}'}
        for day in days
    ]

    two = case.run(threads=2)
    case.folder = tmp_path / "again"
    case.folder.mkdir()
    one = case.run(threads=1)

    assert [17 * 3, 17, 17, 17 * 5, 17 * 5] == [t.num_rows for t in two.stages.values()]
    for name in two.stages:
        assert one.rows(name) == two.rows(name)


def test_days_before_the_first_pod_row_are_not_computed(case, make_hour):
    case.start = dt.date(2025, 8, 1)
    case.hours = [make_hour(0)]

    assert case.run().rows("staging", "usage_start") == [(dt.date(2025, 8, 5),)] * 2


def test_the_engine_is_named():
    assert Candidate().engine() == {"pyarrow": pa.__version__}
    assert (Candidate().mode, Candidate().stand_in) == ("pyarrow", False)


@pytest.mark.parametrize("stage", ["pods", "staging", "daily_summary"])
def test_text_columns_come_as_codes(case, stage):
    column = case.run().stages[stage].column("cluster_id")

    assert pa.types.is_dictionary(column.type)
