"""Make the sample report: the page of a clean run and of one with a fault.

`python reports/make_sample.py records` runs the demo and keeps its records; without an argument the page is
rendered from the records kept, which a test compares with the page kept.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample"
MOMENT = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)


def keep_records() -> None:
    """Run the demo in `shadowagg-demo` and keep its records and notes."""
    from shadowagg.demo import run_demo
    from shadowagg.settings import Settings

    out = Path("shadowagg-demo")
    settings = Settings(home=out, store_url=f"sqlite:///{out / 'records.sqlite'}")
    out.mkdir(exist_ok=True)
    result = run_demo(out, settings, provider="ocp", seed=1, rows=3000, days=7, progress=print)
    document = {"records": [r.to_json() for r in result.records], "notes": dict(result.notes)}
    (SAMPLE / "records.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def page() -> str:
    """The page of the kept records."""
    from shadowagg.report import render_page

    document = json.loads((SAMPLE / "records.json").read_text(encoding="utf-8"))
    return render_page(
        document["records"],
        title="Sample: a clean run, and one with a fault",
        notes=document["notes"],
        generated=MOMENT,
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["records"]:
        keep_records()
    (SAMPLE / "report.html").write_text(page(), encoding="utf-8")
