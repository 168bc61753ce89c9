"""Run a situation on each path."""

from __future__ import annotations

from pathlib import Path

import pytest

from .casebook.case import PATHS
from .casebook.outcome import Runner


@pytest.fixture(params=PATHS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    """Runs situations on one path; every test that asks for it is run on both."""
    return Runner(request.param, tmp_path)
