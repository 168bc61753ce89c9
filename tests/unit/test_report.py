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
from shadowagg.report.numbers import (
    difference,
    percent,
    rounded_pair,
    statistic,
)
from shadowagg.report.values import (
    show,
    show_pair,
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
        equal_rows=259,
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
                "stage": "parts",
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


# --- what a reader finds ---------------------------------------------------------------------


def test_a_mismatch_says_what_differs_where_and_how_to_repeat_it():
    text = Reader(page(mismatch())).text

    for expected in (
        "Mismatch",
        "is half of the control's in namespace billing",
        "differs first",
        "36 changed, 1 only in control",
        "Start at stage parts, the first that differs",
        "shadowagg run --scenario scenarios/month --provider cloud",
        "scenarios/mismatch-77aa",
        "org1234567",
        "2025-08-01 to 2025-08-12",
        "production east",
    ):
        assert expected in text


def test_a_stand_in_control_has_a_badge_and_a_real_one_has_none():
    badge = "embedded control: a stand-in, no evidence for the gate"

    assert badge in Reader(page(match())).text
    real = match(control_stand_in=False, control=observation("control", "production"))
    assert "a stand-in, no evidence" not in Reader(page(real)).text
    assert "production control" in Reader(page(real)).text


def test_the_worst_verdict_comes_first_and_equal_ones_keep_their_order():
    document = page(
        match(id="m1", scenario="first match"),
        refused(),
        mismatch(),
        match(id="m2", scenario="second match"),
        candidate_failed(),
    )
    text = Reader(document).text

    places = [
        text.index(words)
        for words in (
            "grew past 2048 MiB",
            "is half of the control's",
            "both paths refuse the input",
            "scenario first match",
            "scenario second match",
        )
    ]
    assert places == sorted(places)


def test_a_verdict_is_a_word_and_a_shape_not_a_colour_alone():
    for record, word in (
        (match(), "Match"),
        (mismatch(), "Mismatch"),
        (candidate_failed(), "Candidate failed"),
        (refused(), "Inconclusive"),
    ):
        verdict = page(record).partition('<div class="verdict">')[2].partition("</div>")[0]

        assert "<svg" in verdict
        assert f"<h2>{word}</h2>" in verdict


def test_the_values_of_a_sample_stand_side_by_side_with_the_difference_marked():
    document = page(mismatch())

    assert '<td class="value">1,824.246<mark>912</mark></td>' in document
    assert '<td class="value">1,824.246<mark>412</mark></td>' in document
    assert "−0.0005 (−2.74e-07)" in document
    assert "<mark>&#34;tier&#34;: &#34;web&#34;</mark>" in document


def test_null_the_empty_text_and_a_row_that_is_not_there_look_different():
    document = page(mismatch())

    assert '<dt>namespace</dt><dd><span class="null"' in document
    assert '<dt>node</dt><dd><span class="empty"' in document
    assert '<span class="absent">no such row</span>' in document


def test_the_grid_counts_differing_totals_per_group_and_day():
    document = page(mismatch())
    grid = document.partition("how many columns differ")[2].partition("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', grid)
    billing = next(cells for name, cells in rows if name == "billing")

    cells = re.findall(r"<td[^>]*>(.*?)</td>", billing)
    assert cells == ["", "", "1", "1", *[""] * 8]
    assert any('class="null"' in name for name, _ in rows)
    assert any('class="empty"' in name for name, _ in rows)


def test_totals_of_a_day_show_both_sides_and_what_lies_between():
    text = Reader(page(mismatch())).text

    assert "1,111.25500.00−611 (−55 %)" in text.replace(" 500", "500").replace(" −", "−")


def test_ignored_rows_expired_rules_normalisations_and_tolerances_are_listed():
    text = Reader(page(mismatch())).text

    for expected in (
        "late-labels (owner: cost team, until 2025-12-31)",
        "they are no matches",
        "old-rounding (ended 2025-06-30)",
        "JSON, order of keys",
        "1e-12 relative",
        "50 %",
    ):
        assert expected in text


def test_what_no_provider_covers_is_said_to_be_unjudged():
    text = Reader(page(match(), not_covered=["postgres/reporting_x"])).text

    assert "Not covered: 1 table" in text
    assert "postgres/reporting_x" in text
    assert "Not covered" not in Reader(page(match())).text


def test_a_note_stands_at_its_run_only():
    document = page(mismatch(), match(), notes={"77aa-fault": "one fault was injected"})
    cards = [part.partition("</article>")[0] for part in document.split('<article class="card')[1:]]

    assert ["one fault was injected" in card for card in cards] == [True, False]


def test_a_failed_candidate_shows_cause_stage_message_and_its_last_words():
    document = page(candidate_failed())
    text = Reader(document).text

    assert "The candidate ended early" in text
    assert "grew past 2048 MiB" in text
    assert "failed here" in text
    assert "larger limit or fewer days" in text
    assert "<details><summary>What it said last</summary><pre>Traceback" in document


def test_a_refused_input_is_no_failure_and_says_so():
    text = Reader(page(refused())).text

    assert "Inconclusive" in text
    assert "both paths refuse the input: no report period" in text
    assert "Production refuses this input" in text
    assert "Candidate failed:" not in text


def test_no_records_are_no_evidence():
    text = Reader(page()).text

    assert "No runs" in text
    assert "no evidence either way" in text


def test_two_empty_row_sets_are_no_evidence_for_a_promotion():
    empty = match(rows_compared=0, stages=[stage("summary", rows=0, totals_by_day=[])])

    assert "no evidence for a promotion" in Reader(page(empty)).text


def test_costs_plan_versions_and_ids_are_there():
    text = Reader(page(mismatch())).text

    for expected in (
        "12.3 s",
        "× 0.251",
        "768 MiB",
        "2025-08-01 to 2025-08-06; 2025-08-07 to 2025-08-11; 2025-08-12 to 2025-08-12",
        "2026.11-1",
        "9c1f00aa",
        "trace-77",
        "77aa-fault",
    ):
        assert expected in text


def test_many_matches_become_lines_so_that_a_mismatch_stays_in_sight():
    document = page(*(match(id=str(n)) for n in range(30)), mismatch())

    assert document.count('<article class="card') == 1
    assert "30 further runs" in document
    assert "The details of 26 runs are left out" in document


def test_a_difference_without_a_differing_total_says_so():
    record = mismatch()
    for one in record["stages"]:
        one["totals"]["rows"], one["totals"]["differing"] = [], 0
        for row in one["totals_by_day"]:
            row.update(candidate=row["control"], agrees=True)

    assert "No total differs" in Reader(page(record)).text


def test_stages_of_a_record_without_samples_say_so():
    record = mismatch()
    for one in record["stages"]:
        one["samples"] = []

    assert "they may be switched off" in Reader(page(record)).text


# --- charts ----------------------------------------------------------------------------------


def test_totals_are_charted_with_pygal():
    document = page(mismatch())

    assert 'aria-label="Totals per day: control against candidate"' in document
    assert "<title>control, day 3: 1,111</title>" in document
    assert "<title>candidate, day 3: 500</title>" in document
    assert "<title>candidate less control, day 3: -611</title>" in document


def test_without_pygal_the_page_has_the_tables_and_says_why_there_is_no_chart(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygal", None)
    document = page(mismatch())

    assert 'class="bars"' not in document
    assert "pygal" in Reader(document).text
    assert "−611 (−55 %)" in document


def test_pygal_leaves_no_hook_in_the_import_machinery():
    page(mismatch())

    assert "pygal" in sys.modules
    assert [f for f in sys.meta_path if type(f).__module__.startswith("pygal")] == []
    with pytest.raises(ImportError):
        __import__("a_module_that_is_not_there")


def test_a_chart_has_no_trace_of_chance_date_or_script():
    charts = draw_totals(["2025-08-01", "2025-08-02"], ["1.5", None], ["1.5", "2"], agree=False)

    for svg in (charts.totals, charts.differences):
        for foreign in ("<script", "<style", "<!--", " id=", "http", "pygal"):
            assert foreign not in svg


def test_totals_that_cannot_be_drawn_are_left_to_the_table():
    assert draw_totals(["2025-08-01"], ["NaN"], [None], agree=False) is None
    assert draw_totals([], [], [], agree=True) is None


def test_totals_that_agree_have_no_chart_of_their_noise():
    assert draw_totals(["2025-08-01"], ["1"], ["1.0000000000001"], agree=True).differences == ""


# --- promises --------------------------------------------------------------------------------


def test_the_same_records_give_the_same_bytes_apart_from_the_time():
    later = NOON + dt.timedelta(days=3, seconds=7)
    first = page(mismatch(), match(), not_covered=["a/b"])
    second = page(copy.deepcopy(mismatch()), match(), not_covered=["a/b"], generated=later)

    assert first == page(mismatch(), match(), not_covered=["a/b"])
    assert first != second
    assert first.replace("2025-09-01 12:00:05", "T") == second.replace("2025-09-04 12:00:12", "T")


def test_the_records_given_are_not_changed():
    records = [mismatch(), match(), candidate_failed(), refused()]
    before = copy.deepcopy(records)

    page(*records)

    assert before == records


def hostile(value):
    if isinstance(value, dict):
        return {key: item if key in KEPT else hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) else value


KEPT = {"verdict", "difference", "start", "end", "day", "by", "role"}


@pytest.mark.parametrize("make", [mismatch, candidate_failed, refused, match])
def test_hostile_texts_stay_texts(make):
    record = hostile(make())
    reader = Reader(
        page(
            record,
            title=HOSTILE,
            not_covered=[HOSTILE],
            notes={record["id"]: HOSTILE},
        )
    )

    assert reader.named("script") == []
    assert reader.named("img") == []
    assert [attribute for _, a in reader.elements for attribute in a if attribute[:2] == "on"] == []
    assert reader.faults == []
    assert "<script>alert(1)</script>" in reader.text


def test_hostile_names_of_columns_and_keys_stay_texts():
    record = mismatch()
    sample = record["stages"][0]["samples"][0]
    sample["columns"] = {HOSTILE: [HOSTILE, None]}
    sample["key"] = {HOSTILE: HOSTILE}
    record["makers"] = {HOSTILE: HOSTILE}
    record["stages"][0]["columns"].append(column(HOSTILE, differing=1, tolerance=HOSTILE))
    for row in record["stages"][0]["totals_by_day"]:
        row["column"], row["day"] = HOSTILE, f"{HOSTILE}{row['day']}"
    reader = Reader(page(record))

    assert reader.named("script") == []
    assert reader.faults == []


@pytest.mark.parametrize("make", [mismatch, candidate_failed, refused, match, large])
def test_a_page_is_well_formed_loads_nothing_and_runs_nothing(make):
    reader = Reader(page(make(), match(), not_covered=["a/b"]))

    assert reader.faults == []
    assert reader.open == []
    assert reader.named("script") == []
    assert [a["href"][:5] for a in reader.named("link")] == ["data:"]
    assert [a["href"] for a in reader.named("a") if not a["href"].startswith("#")] == []
    policy = next(a for a in reader.named("meta") if "http-equiv" in a)
    assert policy["content"].startswith("default-src 'none'")


def test_every_link_leads_to_an_element_and_every_id_is_unique():
    reader = Reader(page(mismatch(), mismatch(id="other"), match(), candidate_failed()))
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]

    assert len(set(ids)) == len(ids)
    assert {a["href"][1:] for a in reader.named("a")} <= set(ids)


def test_a_page_stays_within_one_megabyte():
    worst = page(*(large() for _ in range(4)), *(mismatch(id=str(n)) for n in range(60)))

    assert len(worst.encode()) < 1_000_000
    assert "are left out, so that this page stays small" in worst


def test_a_fault_of_any_length_keeps_its_end():
    record = candidate_failed()
    record["candidate"]["fault"]["detail"] = "x" * 5_000_000 + "the end"
    document = page(record)

    assert len(document) < 200_000
    assert "the end</pre>" in document


def test_a_page_is_written_whole_readable_and_without_leftovers(tmp_path):
    path = tmp_path / "new" / "night.html"
    write_page(path, [mismatch()], title="Nightly", generated=NOON)

    assert path.read_text(encoding="utf-8") == page(mismatch())
    assert [path] == list(path.parent.iterdir())
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_page_that_cannot_be_written_is_the_users_to_mend_and_leaves_the_old_one(tmp_path):
    (tmp_path / "night.html").mkdir()

    with pytest.raises(UserError, match="cannot write the report"):
        write_page(tmp_path / "night.html", [], title="Nightly", generated=NOON)
    assert [tmp_path / "night.html"] == list(tmp_path.iterdir())


def test_texts_that_utf8_cannot_hold_are_written_out(tmp_path):
    record = mismatch(reason="broken \ud800 text \x00")
    write_page(tmp_path / "p.html", [record], title="\ud800", generated=NOON)

    assert "broken ⟨U+D800⟩ text ⟨U+0000⟩" in (tmp_path / "p.html").read_text(encoding="utf-8")


# --- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("control", "candidate", "role", "expected"),
    [
        ("1.500000", "1.250000", "measure", ("1.[50]", "1.[25]")),
        ("1824.5", "1824.75", "measure", ("1,824.[5]", "1,824.[75]")),
        ("999.5", "1000.5", "measure", ("[999.5]", "[1,000.5]")),
        ("-1.5", "1.5", "measure", ("[-1.5]", "[1.5]")),
        (1e-17, 2.5, "measure", ("[1e-17]", "[2.5]")),
        ("NaN", "1", "measure", ("[NaN]", "[1]")),
        ("2025", "2026", "attribute", ("202[5]", "202[6]")),
        ("node-a-1", "node-b-1", "attribute", ("node-[a]-1", "node-[b]-1")),
        ("web", "web ", "attribute", ("web", "web[␣]")),
        (None, "", "attribute", ("NULL", "''")),
        (None, "x", "attribute", ("NULL", "[x]")),
        ('{"a": 1}', '{"a": 1, "b": 2}', "json", ('{"a": 1}', '{"a": 1, ["b": 2]}')),
        ('{"a":1,"b":2}', '{"b": 2, "a": 1}', "json", ('{"a": 1, "b": 2}', '{"a": 1, "b": 2}')),
        ("{}", "[1]", "json", ("[{}]", "[[1]]")),
        ("same", "same", "attribute", ("same", "same")),
    ],
)
def test_two_values_are_marked_where_they_part(control, candidate, role, expected):
    def marked(shown):
        if shown.kind != "value":
            return str(shown)
        return "".join(f"[{part.text}]" if part.marked else part.text for part in shown.parts)

    assert expected == tuple(map(marked, show_pair(control, candidate, role=role)))


def test_a_long_value_is_cut_around_what_differs():
    left, right = show_pair("x" * 5000 + "A" + "y" * 5000, "x" * 5000 + "B" + "y" * 5000)

    assert "A" in str(left)
    assert "B" in str(right)
    assert len(str(left)) < 400
    assert [part.text for part in left.parts if part.marked] == ["A"]


def test_characters_that_cannot_be_seen_are_written_out():
    assert visible("a\u202eb\u00a0c\x00") == "a⟨U+202E⟩b⟨U+00A0⟩c⟨U+0000⟩"
    assert visible("Zürich, 東京\n") == "Zürich, 東京\n"


def test_numbers_are_as_precise_as_what_they_tell():
    assert statistic("1234567.891") == "1,234,568"
    assert statistic(None) == "–"
    assert percent(0.5) == "50 %"
    assert percent("NaN") == "NaN"
    assert rounded_pair("1", "1.000000001") == ("1.0000000000", "1.0000000010")
    assert rounded_pair(None, "2.5") == ("–", "2.500")
    assert difference("0", "1") == "+1"
    assert difference(None, "1") == ""
    assert str(show(2025)) == "2025"
    assert str(show("2025.50", measure=True)) == "2,025.50"
    assert text_of({"a": [1, None]}) == "a: 1, NULL"


def test_every_verdict_and_cause_has_advice():
    causes = ("refused", "unreadable", "nonconforming", "usage", "error", "timeout", "memory")
    said = {
        advice({"verdict": verdict, "cause": cause, "rows_compared": 1})
        for verdict in ("candidate_failed", "inconclusive")
        for cause in (*causes, "disk", "died", "inputs moved", "control unstable")
    }

    assert all(said)
    assert len(said) > 10
