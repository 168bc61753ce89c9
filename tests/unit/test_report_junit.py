"""The report's other forms: JUnit XML for continuous integration, Markdown for a pull request."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from shadowagg.report.junit import render_junit
from shadowagg.report.markdown import render_markdown

HOSTILE = "a|b</td><script>\x00\x1b[0m \ud800 *bold* `code`"


def parsed(document):
    return ET.fromstring(document)  # noqa: S314 - made by the function under test


def stage(name, changed=0):
    return {
        "stage": name,
        "changed_rows": changed,
        "missing_rows": 0,
        "extra_rows": 0,
        "totals": {"differing": 0},
        "totals_by_day": [],
        "seconds": 0.25,
    }


def record(verdict, cause, *, stages=(), fault=None, **changed):
    return {
        "id": f"id-{verdict}",
        "started": "2025-09-01T02:00:00+00:00",
        "plan": {
            "window": {
                "provider": "cloud",
                "schema": "org1",
                "start": "2025-08-01",
                "end": "2025-08-12",
            }
        },
        "verdict": verdict,
        "cause": cause,
        "reason": f"because of {cause}",
        "rows_compared": 1200,
        "control": {"mode": "embedded", "wall_seconds": 9.0, "fault": None},
        "candidate": {"mode": "pyarrow", "wall_seconds": 2.5, "fault": fault},
        "stages": list(stages),
        "explanation": {},
        "control_stand_in": True,
        "repeat": "shadowagg run --scenario s",
    } | changed


RECORDS = [
    record("match", "agreed", stages=[stage("parts"), stage("summary")]),
    record(
        "mismatch",
        "differs",
        stages=[stage("parts"), stage("summary", changed=34)],
        explanation={"sentence": "usage_cpu is half of the control's"},
    ),
    record("candidate_failed", "memory", fault={"cause": "memory", "message": "grew past 2 GiB"}),
    record("inconclusive", "inputs moved"),
]


def test_each_run_is_a_suite_with_a_case_for_the_verdict_and_one_per_stage():
    root = parsed(render_junit(RECORDS))

    assert [["verdict", "parts", "summary"], ["verdict", "parts", "summary"], ["verdict"]] == [
        [case.get("name") for case in suite] for suite in root
    ][:3]
    assert ("8", "2", "2") == (root.get("tests"), root.get("failures"), root.get("errors"))


@pytest.mark.parametrize(
    ("number", "expected"), [(0, None), (1, "failure"), (2, "error"), (3, "error")]
)
def test_only_a_match_passes(number, expected):
    case = parsed(render_junit(RECORDS))[number][0]

    assert ([] if expected is None else [expected]) == [outcome.tag for outcome in case]


def test_a_failure_says_what_differs_and_how_to_repeat_it():
    failure, stage_failure = parsed(render_junit(RECORDS))[1].iter("failure")

    assert failure.get("message") == "because of differs"
    assert "usage_cpu is half of the control's" in failure.text
    assert "Repeat: shadowagg run --scenario s" in failure.text
    assert stage_failure.get("message") == "34 changed"


def test_an_error_names_the_fault():
    error = next(parsed(render_junit(RECORDS))[2].iter("error"))

    assert "candidate: memory: grew past 2 GiB" in error.text


def test_no_runs_give_an_empty_document():
    assert parsed(render_junit([])).get("tests") == "0"


def test_texts_that_xml_does_not_allow_are_written_out():
    changed = {"reason": HOSTILE, "repeat": HOSTILE, "id": HOSTILE}
    document = render_junit([record("mismatch", HOSTILE, stages=[stage(HOSTILE, 1)], **changed)])

    assert "a|b</td><script>⟨U+0000⟩⟨U+001B⟩[0m ⟨U+D800⟩" in next(
        parsed(document.encode()).iter("failure")
    ).get("message")


def test_markdown_has_the_worst_first_and_a_paragraph_for_each_that_is_no_match():
    text = render_markdown(RECORDS, title="Night")
    words = ["Candidate failed |", "Mismatch |", "Inconclusive |", "Match |"]

    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert text.count("\n**") == 3
    assert "- summary: 34 changed" in text
    assert "    shadowagg run --scenario s" in text
    assert "(stand-in: no evidence)" in text


def test_markdown_shows_hostile_texts_as_they_are():
    window = {"provider": HOSTILE, "schema": "a|b", "start": "2025-08-01", "end": "2025-08-02"}
    text = render_markdown(
        [record("mismatch", "differs", reason=HOSTILE, plan={"window": window})], title="# x\n# y"
    )

    assert "a\\|b" in text
    assert "\\<script\\>" in text
    assert "\\*bold\\*" in text
    assert text.startswith("## \\# x \\# y\n")


def test_markdown_of_no_runs_is_no_evidence():
    assert "no evidence either way" in render_markdown([], title="Night")
