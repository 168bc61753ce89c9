"""The report: what a reader finds on the page, and what a hostile text cannot do to it."""

from __future__ import annotations

import copy
import datetime as dt
import html.parser
import os
import re
import stat
import sys

import pytest

from shadowagg.errors import UserError
from shadowagg.report import render_page, write_page
from shadowagg.report.chart import draw_totals
from shadowagg.report.values import (
    difference,
    percent,
    rounded_pair,
    show,
    show_pair,
    statistic,
    text_of,
    visible,
)
from shadowagg.report.words import advice

NOON = dt.datetime(2025, 9, 1, 12, 0, 5, tzinfo=dt.UTC)
MEASURES = [f"pod_usage_cpu_core_hours_{n}" for n in range(6)]
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


# --- records as runs make them ---------------------------------------------------------------


def column(name, role="measure", tolerance="1e-12 relative", **changed):
    return {
        "name": name,
        "role": role,
        "tolerance": tolerance,
        "differing": 0,
        "within": 0,
        "null_against_value": 0,
        "max_absolute": None,
        "max_relative": None,
        "normalised": "",
    } | changed


def stage(name, rows=1200, days=12, **changed):
    return {
        "stage": name,
        "spec": f"cloud:{name}",
        "table": f"reporting_{name}",
        "home": "inner" if name == "parts" else "postgres",
        "control_rows": rows,
        "candidate_rows": rows,
        "equal_rows": rows,
        "within_tolerance_rows": 0,
        "changed_rows": 0,
        "missing_rows": 0,
        "extra_rows": 0,
        "ignored_rows": 0,
        "columns": [column("namespace", "attribute", "exact"), *map(column, MEASURES)],
        "totals": {"by": ["usage_start", "namespace"], "differing": 0, "groups": 96, "rows": []},
        "totals_by_day": [
            {
                "day": f"2025-08-{day:02}",
                "column": name,
                "control": f"{1000 + 37 * day}.250000000000000",
                "candidate": f"{1000 + 37 * day}.250000000000000",
                "agrees": True,
            }
            for day in range(1, days + 1)
            for name in MEASURES
        ],
        "samples": [],
        "ignored": [],
        "expired_rules": [],
        "datacompy": {},
        "seconds": 0.31,
    } | changed


def observation(side, mode, **changed):
    return {
        "side": side,
        "mode": mode,
        "stages": [
            {"stage": "parts", "rows": 300, "seconds": 0.4},
            {"stage": "summary", "rows": 1200, "seconds": 1.25},
        ],
        "fault": None,
        "wall_seconds": 12.34 if side == "control" else 3.1,
        "cpu_seconds": 20.5 if side == "control" else 5.2,
        "peak_memory_bytes": 805306368 if side == "control" else 402653184,
        "engine": {"name": mode, "version": "2.0.1"},
        "left_behind": [],
    } | changed


def match(**changed):
    return {
        "record_version": 1,
        "id": "3f0c9a51-clean",
        "started": "2025-09-01T02:00:00+00:00",
        "tracing_id": "trace-77",
        "scenario": "month",
        "plan": {
            "window": {
                "schema": "org1234567",
                "provider": "cloud",
                "source_uuid": "00000000-0000-0000-0000-000000000001",
                "start": "2025-08-01",
                "end": "2025-08-12",
                "clusters": [
                    {
                        "source_uuid": "00000000-0000-0000-0000-000000000001",
                        "cluster_id": "cluster-1",
                        "cluster_alias": "production east",
                        "report_period_id": 7,
                    }
                ],
                "parameters": {"markup": "0.10"},
            },
            "step": 5,
            "subwindows": [
                ["2025-08-01", "2025-08-06"],
                ["2025-08-07", "2025-08-11"],
                ["2025-08-12", "2025-08-12"],
            ],
        },
        "verdict": "match",
        "cause": "agreed",
        "reason": "all 1200 rows agree",
        "rows_compared": 1200,
        "control": observation("control", "embedded"),
        "candidate": observation("candidate", "pyarrow"),
        "stages": [stage("summary")],
        "explanation": {},
        "fingerprint": "9c1f00aa",
        "control_stand_in": True,
        "makers": {"shadowagg": "0.1.0", "plugin": {"name": "cloud", "rules": "2026.11-1"}},
        "saved_as": "",
        "repeat": "shadowagg run --scenario scenarios/month --provider cloud",
    } | changed


def mismatch(**changed):
    usage = MEASURES[0]
    parts = stage(
        "parts",
        300,
        candidate_rows=299,
        equal_rows=258,
        within_tolerance_rows=5,
        changed_rows=36,
        missing_rows=1,
        ignored_rows=4,
        columns=[
            column("namespace", "attribute", "exact"),
            column(
                usage,
                differing=36,
                within=5,
                null_against_value=2,
                max_absolute=412.123456,
                max_relative=0.5,
            ),
            column("pod_labels", "json", "exact", differing=3, normalised="JSON, order of keys"),
            column("node", "attribute", "exact", differing=1),
        ],
        totals={
            "by": ["usage_start", "namespace"],
            "differing": 5,
            "groups": 96,
            "rows": [
                {
                    "day": f"2025-08-{day:02}",
                    "group": group,
                    "column": usage,
                    "control": "824.246912000000000",
                    "candidate": "412.123456000000000",
                }
                for day, group in ((3, "billing"), (4, "billing"), (4, "web"), (5, None), (5, ""))
            ],
        },
        samples=[
            {
                "difference": "changed",
                "kind": "pod",
                "key": {"usage_start": "2025-08-03", "namespace": "billing", "node": "node-1"},
                "columns": {
                    usage: ["1824.246912000000000", "1824.246412000000000"],
                    "pod_labels": [
                        '{"app": "shop", "tier": "web"}',
                        '{"tier": "db", "app": "shop"}',
                    ],
                },
            },
            {
                "difference": "changed",
                "kind": "pod",
                "key": {"usage_start": "2025-08-04", "namespace": None, "node": ""},
                "columns": {usage: ["12.5", None], "node": ["node-1", "node-1 "]},
            },
            {
                "difference": "missing",
                "kind": "storage",
                "key": {"usage_start": "2025-08-05", "namespace": "web"},
                "columns": {usage: ["7.25", None]},
            },
        ],
        ignored=[{"rule": "late-labels (owner: cost team, until 2025-12-31)", "rows": 4}],
        expired_rules=["old-rounding (ended 2025-06-30)"],
        datacompy={"rows_compared": 299, "columns_unequal": 3},
    )
    for row in parts["totals_by_day"]:
        if row["column"] == usage and row["day"] in ("2025-08-03", "2025-08-04", "2025-08-05"):
            row.update(candidate="500.000000000000000", agrees=False)
    summary = copy.deepcopy(parts) | {"stage": "summary", "table": "reporting_summary"}
    return (
        match(
            id="77aa-fault",
            verdict="mismatch",
            cause="differs",
            reason="rows differ in summary",
            stages=[parts, summary],
            explanation={
                "sentence": "pod_usage_cpu_core_hours_0 is half of the control's in namespace "
                "billing from 2025-08-03 to 2025-08-05; stage parts differs first.",
                "first_stage": "parts",
                "columns": [usage, "pod_labels"],
                "days": ["2025-08-03", "2025-08-04", "2025-08-05"],
                "groups": ["billing", "web"],
                "pattern": "half",
            },
            saved_as="scenarios/mismatch-77aa",
        )
        | changed
    )


def candidate_failed():
    fault = {
        "cause": "memory",
        "message": "grew past 2048 MiB",
        "stage": "parts",
        "detail": "Traceback (most recent call last):\n  in kernels",
    }
    return match(
        id="f-1",
        verdict="candidate_failed",
        cause="memory",
        reason="candidate at stage parts: grew past 2048 MiB",
        stages=[],
        rows_compared=0,
        candidate=observation("candidate", "pyarrow", stages=[], fault=fault),
    )


def refused():
    fault = {"cause": "refused", "message": "no report period", "stage": "", "detail": ""}
    return match(
        id="r-1",
        verdict="inconclusive",
        cause="refused",
        reason="both paths refuse the input: no report period",
        stages=[],
        rows_compared=0,
        control=observation("control", "embedded", stages=[], fault=fault),
        candidate=observation("candidate", "pyarrow", stages=[], fault=fault),
    )


def large():
    """A month of 18 measures in five stages, everything different, samples of every kind."""
    record = mismatch()
    stages = []
    for number in range(5):
        one = copy.deepcopy(record["stages"][0]) | {"stage": f"stage_{number}"}
        names = [f"node_capacity_memory_gigabyte_hours_{n}" for n in range(18)]
        one["columns"] = [column(n, differing=900, max_absolute=1.5) for n in names]
        one["totals_by_day"] = [
            {
                "day": f"2025-08-{day:02}",
                "column": n,
                "control": "123456.789012345678901",
                "candidate": "123456.789012345678901" if day % 7 else "1.5",
                "agrees": bool(day % 7),
            }
            for day in range(1, 32)
            for n in names
        ]
        one["totals"]["rows"] = [
            {
                "day": f"2025-08-{day:02}",
                "group": f"namespace-{group}",
                "column": n,
                "control": "123456.789012345678901",
                "candidate": "1.5",
            }
            for day in range(1, 32)
            for group in range(60)
            for n in names[:2]
        ]
        one["samples"] = [
            {
                "difference": "changed",
                "kind": "pod",
                "key": {f"key_{k}": f"value {k} of sample {s}" for k in range(6)},
                "columns": {n: ["123.456789", "123.456"] for n in names},
            }
            for s in range(100)
        ]
        stages.append(one)
    return record | {"stages": stages}


def page(*records, **options):
    return render_page(records, **({"title": "Nightly", "generated": NOON} | options))


class Reader(html.parser.HTMLParser):
    """A page as a reader meets it: its text, its elements, and whether they nest properly."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, document):
        super().__init__()
        self.words, self.elements, self.open, self.faults = [], [], [], []
        self.feed(document)
        self.close()
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
