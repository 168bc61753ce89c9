"""The candidate, and our control SQL, reproduce what production made on a real Trino.

The scenarios hold inputs and row sets of production's own application; what other steps than the
provider's wrote is listed as not covered.
"""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shadowagg.scenario import load_scenario
from shadowagg.scenario_run import run_scenario
from shadowagg.settings import Settings
from shadowagg.store import open_store
from shadowagg.verdict import Verdict

GOLDEN = Path(__file__).parent / "golden"
SCENARIOS = sorted(path.name for path in GOLDEN.iterdir())

TABLE = "reporting_ocpusagelineitem_daily_summary"


def expected_rows(folder, home):
    after = folder / "expected" / f"{home}_after_ocp"
    place = after if after.is_dir() else folder / "expected" / home
    return pq.read_metadata(place / f"{TABLE}.parquet").num_rows


@pytest.mark.parametrize("candidate", ["pyarrow", "embedded"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_recorded_rows_are_reproduced(name, candidate):
    scenario = load_scenario(GOLDEN / name)
    settings = Settings()
    result = run_scenario(
        scenario,
        settings,
        control="recorded",
        candidate=candidate,
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


@pytest.mark.parametrize("name", SCENARIOS)
def test_candidate_and_embedded_control_agree_in_every_stage(name):
    result = run_scenario(
        load_scenario(GOLDEN / name), Settings(), control="embedded", all_stages=True
    )
    assert 0 == result.exit_code
    for record in result.records:
        assert ["pods", "storage", "unallocated", "staging", "daily_summary"] == [
            diff.stage for diff in record.diffs
        ]
        assert all(diff.agrees for diff in record.diffs)


@pytest.mark.parametrize("name", SCENARIOS)
def test_production_cut_the_window_as_the_plan_does(name):
    scenario = load_scenario(GOLDEN / name)
    from shadowagg.discovery import registry

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
