"""The sample report is what the report makes of the sample's records."""

import importlib.util
import re
from pathlib import Path

REPORTS = Path(__file__).parents[2] / "reports"


def without_charts(page):
    """Charts are drawn by a library whose versions differ in bytes."""
    return re.sub(r"<svg.*?</svg>", "<svg/>", page, flags=re.DOTALL)


def test_the_sample_report_is_fresh():
    """If it is not: `python reports/make_sample.py`."""
    spec = importlib.util.spec_from_file_location("make_sample", REPORTS / "make_sample.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = (REPORTS / "sample" / "report.html").read_text(encoding="utf-8")
    assert without_charts(kept) == without_charts(module.page())


def test_the_sample_shows_a_match_and_a_mismatch_and_says_that_its_control_is_a_stand_in():
    page = (REPORTS / "sample" / "report.html").read_text(encoding="utf-8")
    assert "1 mismatch" in page
    assert "1 match" in page
    assert "a stand-in" in page
