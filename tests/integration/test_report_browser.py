"""The page in a real browser: it opens from a file, asks for nothing, and shows what it should."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from shadowagg.report import write_page

pytestmark = pytest.mark.server

HOSTILE = "<script>document.title = 'taken over'</script><img src='http://example.invalid/x.png'>"
USAGE = "pod_usage_cpu_core_hours"
RECORD = {
    "record_version": 1,
    "id": "77aa",
    "started": "2025-09-01T02:00:00+00:00",
    "tracing_id": "",
    "scenario": HOSTILE,
    "plan": {
        "window": {
            "schema": "org1",
            "provider": "cloud",
            "source_uuid": "00000000-0000-0000-0000-000000000001",
            "start": "2025-08-01",
            "end": "2025-08-03",
            "clusters": [],
            "parameters": {},
        },
        "step": 5,
        "subwindows": [["2025-08-01", "2025-08-03"]],
    },
    "verdict": "mismatch",
    "cause": "differs",
    "reason": "rows differ in summary",
    "rows_compared": 12,
    "control": {
        "side": "control",
        "mode": "embedded",
        "stages": [{"stage": "summary", "rows": 12, "seconds": 0.5}],
        "fault": None,
        "wall_seconds": 1.0,
        "cpu_seconds": 1.0,
        "peak_memory_bytes": 1048576,
        "engine": {},
        "left_behind": [],
    },
    "candidate": {
        "side": "candidate",
        "mode": "pyarrow",
        "stages": [{"stage": "summary", "rows": 12, "seconds": 0.1}],
        "fault": None,
        "wall_seconds": 0.5,
        "cpu_seconds": 0.5,
        "peak_memory_bytes": 1048576,
        "engine": {},
        "left_behind": [],
    },
    "stages": [
        {
            "stage": "summary",
            "spec": "cloud:summary",
            "table": "reporting_summary",
            "home": "postgres",
            "control_rows": 12,
            "candidate_rows": 12,
            "equal_rows": 11,
            "within_tolerance_rows": 0,
            "changed_rows": 1,
            "missing_rows": 0,
            "extra_rows": 0,
            "ignored_rows": 0,
            "columns": [
                {
                    "name": USAGE,
                    "role": "measure",
                    "tolerance": "exact",
                    "differing": 1,
                    "within": 0,
                    "null_against_value": 0,
                    "max_absolute": "0.5",
                    "max_relative": 0.0004,
                    "normalised": "",
                }
            ],
            "totals": {
                "by": ["usage_start", "namespace"],
                "differing": 1,
                "groups": 3,
                "rows": [
                    {
                        "day": "2025-08-02",
                        "group": HOSTILE,
                        "column": USAGE,
                        "control": "1234.75",
                        "candidate": "1234.25",
                    }
                ],
            },
            "totals_by_day": [
                {
                    "day": f"2025-08-0{day}",
                    "column": USAGE,
                    "control": "1234.75",
                    "candidate": "1234.25" if day == 2 else "1234.75",
                    "agrees": day != 2,
                }
                for day in (1, 2, 3)
            ],
            "samples": [
                {
                    "difference": "changed",
                    "kind": "pod",
                    "key": {"usage_start": "2025-08-02", "namespace": HOSTILE},
                    "columns": {USAGE: ["1234.75", "1234.25"]},
                }
            ],
            "ignored": [],
            "expired_rules": [],
            "datacompy": {},
            "seconds": 0.1,
        }
    ],
    "explanation": {"sentence": f"{USAGE} differs on 2025-08-02", "stage": "summary"},
    "fingerprint": "9c1f",
    "control_stand_in": True,
    "makers": {},
    "saved_as": "",
    "repeat": "shadowagg run --scenario s",
}


@pytest.fixture
def browser(chromium, tmp_path):
    """The browser with the page open, and nothing of an earlier page in its logs."""
    chromium.get("about:blank")
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    path = tmp_path / "page.html"
    write_page(path, [RECORD], title="Night", generated=dt.datetime(2025, 9, 1, tzinfo=dt.UTC))
    chromium.get(path.as_uri())
    return chromium


def test_the_page_asks_for_nothing_but_itself_and_its_console_is_silent(browser, tmp_path):
    messages = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }

    assert {url for url in asked if not url.startswith("data:")} == {
        (tmp_path / "page.html").as_uri()
    }
    assert browser.get_log("browser") == []
    assert browser.title == "Mismatch – Night"


def test_the_verdict_is_the_largest_thing_in_sight(browser):
    verdict = browser.find_element("css selector", ".card .verdict h2")

    assert verdict.is_displayed()
    assert verdict.text == "Mismatch"
    assert verdict.location["y"] < 300


def test_both_values_of_a_sample_are_in_sight(browser):
    row = browser.find_element("css selector", ".sample table tbody tr")

    assert row.is_displayed()
    cells = [cell.text for cell in row.find_elements("tag name", "td")]
    assert cells[:2] == ["1,234.75", "1,234.25"]
    assert [mark.text for mark in row.find_elements("tag name", "mark")] == ["75", "25"]


def test_the_chart_has_bars_with_a_height(browser):
    bars = browser.find_elements("css selector", ".charts .bars .series rect")

    assert len(bars) == 9  # two per day, and one per day for what lies between
    assert all(bar.rect["height"] > 0 for bar in bars[:6])


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_is_never_wider_than_the_window(browser, width):
    browser.set_window_size(width, 900)
    wide = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )

    assert wide == 0


def test_a_click_selects_the_command_that_repeats_the_run(browser):
    browser.find_element("css selector", ".command code").click()

    assert browser.execute_script("return String(getSelection())") == RECORD["repeat"]
