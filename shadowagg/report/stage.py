"""One stage's diff, as a page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from shadowagg.report.chart import Charts, draw_totals
from shadowagg.report.heat import Grid, columns_by_days, groups_by_days
from shadowagg.report.numbers import (
    as_number,
    count,
    difference,
    percent,
    rounded_pair,
    statistic,
)
from shadowagg.report.values import (
    ABSENT,
    Shown,
    flat,
    show,
    show_pair,
    text_of,
)

__all__ = [
    "ChartBudget",
    "ColumnView",
    "SampleView",
    "StageView",
    "Total",
    "describe_rows",
    "stage_agrees",
    "view_stage",
]

_OPEN_SAMPLES = 4
_MOST_VALUES = 12
_MOST_CHARTS = 3


class Most(NamedTuple):
    """How much of a stage a page shows: most of the first that differs, which explains the rest."""

    samples: int
    totals: int
    grid_rows: int


_FIRST = Most(samples=12, totals=40, grid_rows=25)
_LATER = Most(samples=5, totals=20, grid_rows=12)


class ChartBudget:
    """How many columns of a page may still get charts: each weighs about 20 KB.

    Args:
        columns: for the page; 0 where pygal is not installed.
    """

    def __init__(self, columns: int) -> None:
        self._left = columns

    def take(self) -> bool:
        """Whether one more may be drawn; counts it."""
        self._left -= 1
        return self._left >= 0


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A compared column: how much of it differs, beside what it is allowed."""

    name: str
    role: str
    tolerance: str
    differing: int
    within: int
    one_sided_nulls: int
    max_absolute: str
    max_relative: str


@dataclass(frozen=True, slots=True)
class SampleView:
    """One row that differs.

    Args:
        title: `Changed`, `Only in control`, `Only in candidate`.
        kind: the row kind.
        key: names and values.
        values: name, control's value, candidate's value, difference.
        further: columns left out.
    """

    title: str
    kind: str
    key: tuple[tuple[str, Shown], ...]
    values: tuple[tuple[str, Shown, Shown, str], ...]
    further: int


@dataclass(frozen=True, slots=True)
class Total:
    """A total of one column: on one day, and in one group where there are groups."""

    day: Shown
    group: Shown
    column: str
    control: str
    candidate: str
    difference: str


@dataclass(frozen=True)
class StageView:
    """One compared stage."""

    name: str
    spec: str
    table: str
    home: str
    agrees: bool
    first: bool
    control_rows: int
    candidate_rows: int
    counts: tuple[tuple[str, int], ...]
    differing_rows: int
    ignored_rows: int
    columns: tuple[ColumnView, ...]
    agreeing_columns: tuple[str, ...]
    normalised: tuple[tuple[str, str], ...]
    samples: tuple[SampleView, ...]
    samples_left_out: int
    grids: tuple[Grid, ...]
    charts: tuple[tuple[str, Charts], ...]
    totals_by_day: tuple[Total, ...]
    totals_by_day_left_out: int
    totals: tuple[Total, ...]
    totals_left_out: int
    totals_differing: int
    totals_groups: int
    group_name: str
    sums: tuple[tuple[str, str, str, str], ...]
    ignored: tuple[tuple[str, int], ...]
    expired: tuple[str, ...]
    datacompy: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def open_samples(self) -> tuple[SampleView, ...]:
        """Those that stand open on the page."""
        return self.samples[:_OPEN_SAMPLES]

    @property
    def folded_samples(self) -> tuple[SampleView, ...]:
        """The others."""
        return self.samples[_OPEN_SAMPLES:]


def view_stage(
    diff: Mapping[str, Any], *, first: bool, days: Sequence[str], budget: ChartBudget
) -> StageView:
    """Make a diff ready for the page.

    Args:
        diff: an element of a record's `stages`.
        first: whether it is the first that differs.
        days: of the window, ISO.
        budget: for charts.
    """
    most = _FIRST if first else _LATER
    columns = list(diff.get("columns") or ())
    roles = {str(c.get("name")): str(c.get("role", "")).lower() for c in columns}
    by_day = list(diff.get("totals_by_day") or ())
    totals = diff.get("totals") or {}
    rows = list(totals.get("rows") or ())
    disagreeing = [row for row in by_day if not row.get("agrees")]
    all_days = _days(days, [*by_day, *rows])
    by = [str(name) for name in totals.get("by") or ()]
    differing_rows = sum(_int(diff, f"{name}_rows") for name in ("changed", "missing", "extra"))
    samples = list(diff.get("samples") or ())
    views = [_view_column(column) for column in columns]
    loud = [view for view in views if view.differing or view.within or view.one_sided_nulls]
    return StageView(
        name=str(diff.get("stage", "")),
        spec=str(diff.get("spec", "")),
        table=str(diff.get("table", "")),
        home=str(diff.get("home", "")),
        agrees=stage_agrees(diff),
        first=first,
        control_rows=_int(diff, "control_rows"),
        candidate_rows=_int(diff, "candidate_rows"),
        counts=tuple(
            (name, _int(diff, f"{name}_rows"))
            for name in ("equal", "within_tolerance", "changed", "missing", "extra", "ignored")
        ),
        differing_rows=differing_rows,
        ignored_rows=_int(diff, "ignored_rows"),
        columns=tuple(sorted(loud, key=lambda view: (-view.differing, -view.within, view.name))),
        agreeing_columns=tuple(view.name for view in views if view not in loud),
        normalised=tuple(
            (str(c.get("name")), text_of(c["normalised"])) for c in columns if c.get("normalised")
        ),
        samples=tuple(_view_sample(sample, roles) for sample in samples[: most.samples]),
        samples_left_out=max(0, len(samples) - most.samples),
        grids=tuple(
            grid
            for grid in (
                groups_by_days(totals, all_days, most_rows=most.grid_rows),
                columns_by_days(by_day, all_days, most_rows=most.grid_rows),
            )
            if grid is not None
        ),
        charts=tuple(_charts(by_day, all_days, budget)),
        totals_by_day=tuple(_view_total(row) for row in disagreeing[: most.totals]),
        totals_by_day_left_out=max(0, len(disagreeing) - most.totals),
        totals=tuple(_view_total(row) for row in rows[: most.totals]),
        totals_left_out=max(0, max(_int(totals, "differing"), len(rows)) - most.totals),
        totals_differing=_int(totals, "differing"),
        totals_groups=_int(totals, "groups"),
        group_name=by[1] if len(by) > 1 else "",
        sums=tuple(_sums(by_day)),
        ignored=tuple(
            (text_of(entry.get("rule")), _int(entry, "rows")) for entry in diff.get("ignored") or ()
        ),
        expired=tuple(text_of(rule) for rule in diff.get("expired_rules") or ()),
        datacompy=tuple(flat(diff.get("datacompy") or {})),
        seconds=float(diff.get("seconds") or 0),
    )


def stage_agrees(diff: Mapping[str, Any]) -> bool:
    """Whether no row and no total of a stage differs."""
    return not (
        any(_int(diff, f"{name}_rows") for name in ("changed", "missing", "extra"))
        or _int(diff.get("totals") or {}, "differing")
        or any(not row.get("agrees") for row in diff.get("totals_by_day") or ())
    )


def _view_column(column: Mapping[str, Any]) -> ColumnView:
    return ColumnView(
        name=str(column.get("name")),
        role=str(column.get("role", "")).lower(),
        tolerance=text_of(column.get("tolerance") or "exact"),
        differing=_int(column, "differing"),
        within=_int(column, "within"),
        one_sided_nulls=_int(column, "null_against_value"),
        max_absolute=statistic(column.get("max_absolute")),
        max_relative=percent(column.get("max_relative")),
    )


_TITLES = {
    "changed": "Changed",
    "missing": "Only in control",
    "extra": "Only in candidate",
}


def _view_sample(sample: Mapping[str, Any], roles: Mapping[str, str]) -> SampleView:
    kind_of_difference = str(sample.get("difference"))
    values = []
    columns = list(dict(sample.get("columns") or {}).items())
    for name, (control, candidate) in columns[:_MOST_VALUES]:
        role = roles.get(name, "")
        measure = role == "measure"
        if kind_of_difference == "missing":
            values.append((name, show(control, measure=measure), ABSENT, ""))
        elif kind_of_difference == "extra":
            values.append((name, ABSENT, show(candidate, measure=measure), ""))
        else:
            left, right = show_pair(control, candidate, role=role)
            if (control is None) != (candidate is None):
                between = "NULL against value"
            else:
                between = difference(control, candidate) if measure else ""
            values.append((name, left, right, between))
    return SampleView(
        title=_TITLES.get(kind_of_difference, kind_of_difference),
        kind=str(sample.get("kind") or ""),
        key=tuple((name, show(value)) for name, value in dict(sample.get("key") or {}).items()),
        values=tuple(values),
        further=max(0, len(columns) - _MOST_VALUES),
    )


def _view_total(row: Mapping[str, Any]) -> Total:
    control, candidate = row.get("control"), row.get("candidate")
    left, right = rounded_pair(control, candidate)
    return Total(
        day=show(row.get("day")),
        group=show(row.get("group")),
        column=str(row.get("column")),
        control=left,
        candidate=right,
        difference=difference(control, candidate),
    )


def _charts(
    by_day: Sequence[Mapping[str, Any]], days: Sequence[str], budget: ChartBudget
) -> Iterable[tuple[str, Charts]]:
    """Charts of the columns whose totals disagree, the most days first; of one column if none does."""
    worst: dict[str, int] = {}
    for row in by_day:
        name = str(row.get("column"))
        worst[name] = worst.get(name, 0) + (not row.get("agrees"))
    names = sorted(worst, key=lambda name: -worst[name])
    if not names:
        return
    names = [name for name in names if worst[name]][:_MOST_CHARTS] or names[:1]
    for name in names:
        if not budget.take():
            return
        of_day = {_day(row): row for row in by_day if str(row.get("column")) == name}
        drawn = draw_totals(
            days,
            [of_day.get(day, {}).get("control") for day in days],
            [of_day.get(day, {}).get("candidate") for day in days],
            agree=not worst[name],
        )
        if drawn is not None:
            yield name, drawn


def _sums(by_day: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, str, str, str]]:
    """Every column's totals added up over the days: column, control, candidate, difference."""
    sums: dict[str, list[Decimal]] = {}
    disagreeing, no_numbers = set(), set()
    for row in by_day:
        name = str(row.get("column"))
        both = sums.setdefault(name, [Decimal(0), Decimal(0)])
        for side, value in enumerate((row.get("control"), row.get("candidate"))):
            number = as_number(value)
            both[side] += number or 0
            if number is None and value is not None:
                no_numbers.add(name)
        if not row.get("agrees"):
            disagreeing.add(name)
    for name, (control, candidate) in sums.items():
        if name in no_numbers:
            yield name, "no number", "no number", "differs" if name in disagreeing else "agrees"
        elif name in disagreeing:
            yield name, *rounded_pair(control, candidate), difference(control, candidate)
        else:
            # totals that agree may part in their last bits; showing those would say otherwise
            yield name, *rounded_pair(control, control), "agrees"


def _days(days: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted({*days, *(_day(row) for row in rows)})


def _day(row: Mapping[str, Any]) -> str:
    day = row.get("day")
    return "NULL" if day is None else str(day)[:10]


def _int(mapping: Mapping[str, Any], name: str) -> int:
    return int(mapping.get(name) or 0)


def describe_rows(diff: Mapping[str, Any]) -> str:
    """What differs in a stage, in a few words: `3 changed, 1 only in control`."""
    words = [
        f"{count(diff[f'{name}_rows'])} {title.lower()}"
        for name, title in _TITLES.items()
        if _int(diff, f"{name}_rows")
    ]
    if not words and not stage_agrees(diff):
        words = [f"{count((diff.get('totals') or {}).get('differing'))} totals differ"]
    return ", ".join(words)
