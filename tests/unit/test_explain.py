"""The first stage that differs is named, with columns, days and groups."""

from __future__ import annotations

import json
from dataclasses import dataclass

from shadowagg.diff import ColumnDiff, DayTotal, Sample, StageDiff, Totals
from shadowagg.diff.result import TotalRow
from shadowagg.explain import Explanation, explain


@dataclass(frozen=True)
class NamedStage:
    name: str


@dataclass(frozen=True)
class FakeProvider:
    stages: tuple[NamedStage, ...] = (NamedStage("pods"), NamedStage("rest"), NamedStage("summary"))


def diff(stage: str, *, changed=0, missing=0, extra=0, columns=(), **parts) -> StageDiff:
    totals = parts.pop("totals", Totals(("day", "namespace"), 0, 1))
    return StageDiff(
        stage=stage,
        spec=f"p:{stage}",
        table=stage,
        home="inner",
        control_rows=10,
        candidate_rows=10,
        equal_rows=10 - changed,
        within_tolerance_rows=0,
        changed_rows=changed,
        missing_rows=missing,
        extra_rows=extra,
        ignored_rows=0,
        columns=tuple(
            ColumnDiff(name, "measure", "exact", differing, 0, 0, None, None)
            for name, differing in columns
        ),
        totals=totals,
        **parts,
    )


def test_the_first_stage_in_the_providers_order_is_the_cause():
    diffs = [diff("summary", changed=1), diff("rest", missing=2), diff("pods")]

    explanation = explain(diffs, FakeProvider())

    assert "rest" == explanation.stage
    assert ("summary",) == explanation.later_stages
    assert "Stage rest is the first that differs: 2 rows missing." == explanation.sentence


def test_stages_that_agree_are_said_to():
    explanation = explain([diff("pods"), diff("rest")], FakeProvider())

    assert Explanation("All 2 compared stages agree, in 20 rows.") == explanation


def test_nothing_compared_is_said_so():
    assert Explanation("Nothing was compared.") == explain([], FakeProvider())


def test_columns_days_and_groups_are_named():
    different = diff(
        "pods",
        changed=3,
        extra=1,
        columns=[("cpu", 1), ("memory", 3), ("node", 0)],
        totals=Totals(
            ("day", "namespace"), 1, 5, (TotalRow("2025-08-02", "b", "memory", "1", "2"),)
        ),
        totals_by_day=(
            DayTotal("2025-08-02", "memory", "1", "2", agrees=False),
            DayTotal("2025-08-09", "memory", "1", "1", agrees=True),
        ),
        samples=(
            Sample("changed", "pod", {"day": "2025-08-01", "namespace": None}, {"cpu": ("1", "2")}),
            Sample(
                "extra", "node", {"day": "2025-08-01"}, {"namespace": (None, "c"), "x": (None, "1")}
            ),
        ),
    )

    explanation = explain([different], FakeProvider())

    assert ("memory", "cpu") == explanation.columns
    assert ("2025-08-01", "2025-08-02") == explanation.days
    assert ("b", "c", None) == explanation.groups
    assert (
        "Stage pods is the first that differs: 3 rows changed, 1 row extra, in memory, cpu, "
        "on 2025-08-01, 2025-08-02, for namespace b, c, NULL."
    ) == explanation.sentence


def test_earlier_stages_that_were_not_compared_are_named():
    explanation = explain([diff("summary", changed=1)], FakeProvider())

    assert ("pods", "rest") == explanation.earlier_not_compared
    assert explanation.sentence.endswith("Not compared before it: pods, rest.")


def test_totals_alone_may_differ():
    totals = Totals(("day",), 2, 5, (TotalRow("2025-08-02", None, "cpu", "1", "2"),))

    explanation = explain([diff("pods", totals=totals)], FakeProvider())

    assert (
        "Stage pods is the first that differs: all rows agree, but 2 totals do not, on 2025-08-02."
    ) == explanation.sentence


def test_a_long_list_is_cut():
    columns = [(f"c{n}", 1) for n in range(7)]

    explanation = explain([diff("pods", changed=1, columns=columns)], FakeProvider())

    assert "in c0, c1, c2, c3, c4 and 2 more." in explanation.sentence


def test_an_explanation_survives_being_stored():
    explanation = explain([diff("summary", changed=1, columns=[("a", 1)])], FakeProvider())

    assert explanation == Explanation.from_json(json.loads(json.dumps(explanation.to_json())))
