"""The tricky cases of `ocp.md` 7 on the candidate and on the control's own SQL."""

from __future__ import annotations

import pytest

from .casebook import amounts, capacity, categories, labels, storage, windows
from .casebook.case import CASES, Case
from .casebook.outcome import Runner

MODULES = (amounts, labels, capacity, categories, storage, windows)
"""Importing them fills `CASES`."""


@pytest.mark.parametrize(
    ("case", "path"),
    [
        pytest.param(case, path, id=f"case-{case.number}-{path}")
        for case in CASES.values()
        for path in case.paths
    ],
)
def test_tricky(case: Case, path: str, tmp_path):
    case.check(Runner(path, tmp_path))
