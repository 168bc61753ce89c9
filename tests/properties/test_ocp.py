"""For every small OpenShift scenario, candidate and embedded control agree in every stage."""

import datetime as dt
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from shadowagg.diff import compare
from shadowagg.discovery import registry
from shadowagg.errors import InputRefused
from shadowagg.paths import PathRequest, open_path
from shadowagg.rowset import RowSet
from shadowagg.scenario import load_scenario
from shadowagg_ocp.testing import small_scenarios, unplaced_volumes

EXAMPLES = 25
PARTS = [0, *(pytest.param(part, marks=pytest.mark.once) for part in range(1, 8))]
"""Each of as many examples, so that workers share them: 200 in all, the first 25 in every environment."""


def rows_of(mode, provider, plan, inputs):
    """Stage -> rows, as far as the path came, and what it raised."""
    made = {}
    try:
        for stage in open_path(mode).run(PathRequest(provider, plan, inputs)):
            made[stage.stage] = stage.table
    except InputRefused as refusal:
        return made, refusal
    return made, None


def both(drawn):
    """The windows of a drawn scenario, each with what both paths made of it."""
    folder = Path(tempfile.mkdtemp())
    try:
        scenario = load_scenario(drawn.write(folder / "scenario"))
        provider = registry().provider("ocp")
        for window in provider.windows(scenario):
            plan = provider.plan(window, scenario.inputs())
            yield (
                provider,
                rows_of("embedded", provider, plan, scenario.inputs()),
                rows_of("pyarrow", provider, plan, scenario.inputs()),
            )
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("part", PARTS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(drawn=small_scenarios())
def test_candidate_and_control_agree(part, drawn):
    for provider, (control, refused), (candidate, also_refused) in both(drawn):
        assert (None, None) == (refused, also_refused)
        for stage in provider.stages:
            diff = compare(
                RowSet.conform(stage.spec, control[stage.name]),
                RowSet.conform(stage.spec, candidate[stage.name]),
                today=dt.date(2026, 1, 1),
            )
            assert diff.agrees, (stage.name, diff.samples)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(drawn=unplaced_volumes())
def test_what_cannot_be_stored_is_refused_by_both(drawn):
    """Peculiarity 9 of `ocp.md` 8.1: no node is counted, the request becomes infinite."""
    for _, (control, refused), (candidate, also_refused) in both(drawn):
        assert refused is not None
        assert also_refused is not None
        assert control.keys() == candidate.keys()
