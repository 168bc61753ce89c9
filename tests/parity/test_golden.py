"""The candidate, and our control SQL, reproduce what production made on a real Trino.

The scenarios hold inputs and row sets of production's own application; what other steps than the
provider's wrote is listed as not covered.
"""

import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shadowagg.diff import compare
from shadowagg.discovery import registry
from shadowagg.paths import PathRequest, open_path
from shadowagg.rowset import RowSet
from shadowagg.scenario import load_scenario
from shadowagg.scenario_run import run_scenario
from shadowagg.settings import Settings
from shadowagg.store import open_store
from shadowagg.verdict import Verdict

GOLDEN = Path(__file__).parent / "golden"
SCENARIOS = sorted(path.name for path in GOLDEN.iterdir())

STAGES = ("pods", "storage", "unallocated", "staging", "daily_summary")
SOME_DAY = dt.date(2026, 1, 1)

TABLE = "reporting_ocpusagelineitem_daily_summary"


def expected_rows(folder, home):
    after = folder / "expected" / f"{home}_after_ocp"
    place = after if after.is_dir() else folder / "expected" / home
    return pq.read_metadata(place / f"{TABLE}.parquet").num_rows


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_candidate_reproduces_the_recorded_rows(name):
    """The whole way: fenced paths, the comparison and its check by datacompy, verdict and record."""
    scenario = load_scenario(GOLDEN / name)
    settings = Settings()
    result = run_scenario(
        scenario,
        settings,
        control="recorded",
        candidate="pyarrow",
        store=open_store(settings.store),
    )
    assert [Verdict.MATCH] * len(scenario.clusters) == [r.judgement.verdict for r in result.records]
    assert 0 == result.exit_code
    for stage, home in (("staging", "hive"), ("daily_summary", "postgres")):
        rows = expected_rows(GOLDEN / name, home)
        diffs = [d for record in result.records for d in record.diffs if d.stage == stage]
        assert rows == sum(diff.equal_rows for diff in diffs)
        assert rows == sum(diff.candidate_rows for diff in diffs)
        assert all(c.differing == 0 for diff in diffs for c in diff.columns)


def made_by(mode, window, scenario):
    """Stage -> rows of one path, in this process."""
    provider = registry().provider("ocp")
    request = PathRequest(
        provider,
        provider.plan(window, scenario.inputs()),
        scenario.inputs(),
        options={"expected": str(scenario.expected)},
    )
    specs = {stage.name: stage.spec for stage in provider.stages}
    return {
        made.stage: RowSet.conform(specs[made.stage], made.table)
        for made in open_path(mode).run(request)
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_embedded_control_agrees_with_the_record_and_in_every_stage_with_the_candidate(name):
    scenario = load_scenario(GOLDEN / name)
    rows = dict.fromkeys(STAGES, 0)
    for window in registry().provider("ocp").windows(scenario):
        recorded, control, candidate = (
            made_by(mode, window, scenario) for mode in ("recorded", "embedded", "pyarrow")
        )
        assert STAGES == tuple(control) == tuple(candidate)
        for side, reference in ((control, recorded), (candidate, control)):
            for stage in reference:
                diff = compare(reference[stage], side[stage], today=SOME_DAY)
                assert diff.agrees, (stage, diff)
                assert all(column.differing == 0 for column in diff.columns)
                assert diff.equal_rows == diff.candidate_rows == diff.control_rows
        assert {"staging", "daily_summary"} == set(recorded)
        rows = {stage: rows[stage] + control[stage].table.num_rows for stage in STAGES}
    for stage, home in (("staging", "hive"), ("daily_summary", "postgres")):
        assert expected_rows(GOLDEN / name, home) == rows[stage]


def test_a_run_may_compare_every_stage():
    result = run_scenario(
        load_scenario(GOLDEN / "ocp-basic"), Settings(), control="embedded", all_stages=True
    )
    assert 0 == result.exit_code
    for record in result.records:
        assert STAGES == tuple(diff.stage for diff in record.diffs)
        assert all(diff.agrees for diff in record.diffs)


@pytest.mark.parametrize("name", SCENARIOS)
def test_production_cut_the_window_as_the_plan_does(name):
    scenario = load_scenario(GOLDEN / name)
    provider = registry().provider("ocp")
    expected = [(s["start"], s["end"]) for s in scenario.document["subwindows"]]
    for window in provider.windows(scenario):
        plan = provider.plan(window, scenario.inputs())
        assert expected == [(s.start.isoformat(), s.end.isoformat()) for s in plan.subwindows]


def test_tables_that_nobody_specifies_are_listed():
    result = run_scenario(load_scenario(GOLDEN / "ocp-costs"), Settings(), control="recorded")
    assert "postgres/rates_to_usage" in result.not_covered
    assert f"postgres/{TABLE}" in result.not_covered
    assert f"postgres_after_ocp/{TABLE}" not in result.not_covered
    assert f"hive/{TABLE}" not in result.not_covered
