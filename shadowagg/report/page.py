"""Records -> one HTML page that needs nothing but itself."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.errors import UserError
from shadowagg.report.chart import pygal_installed
from shadowagg.report.numbers import (
    count,
    duration,
)
from shadowagg.report.run import RunView, view_run
from shadowagg.report.stage import ChartBudget
from shadowagg.report.values import (
    visible,
)
from shadowagg.report.words import WORDS
from shadowagg.verdict import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["render_page", "write_page"]

_MOST_CHARTS = 12
"""Columns of a page that get charts."""

_MOST_DETAILED_MATCHES = 4
"""Runs that match and get details: they have little to say beside their verdict."""

_FEW = 6
"""Runs of which each gets a card; of more, those that match become lines of a table."""

_MOST_CARDS = 40
"""Runs that get a card, the worst first."""

_ROOM = 800_000
"""Characters for the details of all runs, the worst first, so that a page stays within 1 MB."""


def render_page(
    records: Sequence[Mapping[str, Any]],
    *,
    title: str,
    not_covered: Sequence[str] = (),
    notes: Mapping[str, str] = {},
    generated: dt.datetime,
) -> str:
    """The page of some runs; the same records give the same text, apart from `generated`.

    Args:
        records: plain values as `Record.to_json` makes them, in any order: the worst verdict is
            shown first, and among equals the order is kept.
        title: of the page.
        not_covered: tables with recorded rows that no installed provider specifies.
        notes: record id -> a sentence shown at that run.
        generated: when; a time without a zone is taken for UTC.

    Returns:
        HTML that loads nothing and runs no script. Texts of records are escaped, and characters
        that cannot be seen are written out.
    """
    charts = pygal_installed()
    environment = _environment()
    runs, details = _view_runs(environment, records, notes, charts=charts)
    verdicts = Counter(run.verdict for run in runs)
    worst = min(runs, key=lambda run: run.word.rank).verdict if runs else ""
    moment = generated.astimezone(dt.UTC) if generated.tzinfo else generated
    return environment.get_template("page.html").render(
        title=title,
        runs=runs,
        details=details,
        worst=worst,
        tally=[(v, word, verdicts[v]) for v, word in WORDS.items() if verdicts[v]],
        words=WORDS,
        not_covered=list(not_covered),
        charts=charts,
        generated=f"{moment:%Y-%m-%d %H:%M:%S} UTC",
    )


def write_page(
    path: Path,
    records: Sequence[Mapping[str, Any]],
    *,
    title: str,
    not_covered: Sequence[str] = (),
    notes: Mapping[str, str] = {},
    generated: dt.datetime,
) -> None:
    """Write the page whole or not at all: a reader never finds half of it.

    Args:
        path: of the file; its folder is made if it is missing.
        records: as for `render_page`, and so are the others.
        title: see there.
        not_covered: see there.
        notes: see there.
        generated: see there.

    Raises:
        UserError: if the file cannot be written there.
    """
    page = render_page(
        records, title=title, not_covered=not_covered, notes=notes, generated=generated
    )
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(page, encoding="utf-8", newline="\n")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write the report: {error.strerror}",
            on=str(path),
            hint="name a file in a folder that may be written",
        ) from error


def _view_runs(
    environment: Environment,
    records: Sequence[Mapping[str, Any]],
    notes: Mapping[str, str],
    *,
    charts: bool,
) -> tuple[list[RunView], list[Markup]]:
    """All runs, the worst first, and the details of those that there is room for."""
    from markupsafe import Markup

    template = environment.get_template("run.html")
    budget = ChartBudget(_MOST_CHARTS if charts else 0)
    runs: list[RunView] = []
    details: list[Markup] = []
    room, matches = _ROOM, 0
    for number, record in enumerate(sorted(records, key=_rank), start=1):
        is_match = record.get("verdict") == Verdict.MATCH
        matches += is_match
        run = view_run(
            record,
            number=number,
            note=notes.get(str(record.get("id")), ""),
            detailed=room > 0 and (not is_match or matches <= _MOST_DETAILED_MATCHES),
            compact=number > _MOST_CARDS or (is_match and len(records) > _FEW),
            budget=budget,
        )
        if run.detailed:
            text = template.render(run=run, charts=charts)
            room -= len(text)
            if room > 0 or not details:
                # its texts were escaped when the template was rendered
                details.append(Markup(text))  # noqa: S704
            else:
                run = replace(run, detailed=False)
        runs.append(run)
    return runs, details


def _rank(record: Mapping[str, Any]) -> int:
    word = WORDS.get(str(record.get("verdict")))
    return word.rank if word else WORDS[str(Verdict.INCONCLUSIVE)].rank


@functools.cache
def _environment() -> Environment:
    # jinja2 takes longer to import than the rest of the package; only pages need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        """Every text that enters the page passes here before it is escaped."""
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("shadowagg.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    environment.filters["count"] = count
    environment.filters["duration"] = duration
    return environment
