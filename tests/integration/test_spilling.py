"""A window that needs more memory than the fence has is finished by spilling."""

import pytest

from shadowagg.discovery import registry
from shadowagg.fence import Limits
from shadowagg.observe import observe
from shadowagg.scenario import load_scenario

MEBIBYTE = 1 << 20
LIMITS = Limits(memory_bytes=300 * MEBIBYTE)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large") / "scenario"
    registry().provider("ocp").generate(folder, seed=1, rows=200_000, days=6)
    return load_scenario(folder)


def observed(scenario, folder, options):
    provider = registry().provider("ocp")
    (window, *_) = provider.windows(scenario)
    return observe(
        "control",
        "embedded",
        plan=provider.plan(window, scenario.inputs()),
        inputs=scenario.inputs(),
        options=options,
        folder=folder,
        limits=LIMITS,
    )


def test_the_embedded_control_spills_below_the_limit_of_its_fence(scenario, tmp_path):
    observation = observed(scenario, tmp_path, {})
    assert observation.fault is None
    assert () == observation.left_behind
    assert all(stage.rows for stage in observation.stages)
    assert observation.peak_memory_bytes < LIMITS.memory_bytes


def test_without_spilling_the_fence_ends_it(scenario, tmp_path):
    """What the other test's window needs."""
    options = {"memory_limit": 64 * LIMITS.memory_bytes, "temp_directory": ""}
    observation = observed(scenario, tmp_path, options)
    assert "memory" == observation.fault.cause
