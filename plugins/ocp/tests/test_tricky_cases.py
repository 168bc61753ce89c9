"""The tricky cases of `ocp.md` 7 on the candidate and on the control's own SQL."""

from __future__ import annotations

import pytest

from .casebook.case import Case
from .casebook.every_case import EVERY_CASE
from .casebook.outcome import Runner


@pytest.mark.parametrize(
    ("case", "path"),
    [
        pytest.param(case, path, id=f"case-{case.number}-{path}")
        for case in EVERY_CASE.values()
        for path in case.paths
    ],
)
def test_tricky(case: Case, path: str, tmp_path):
    case.check(Runner(path, tmp_path))
