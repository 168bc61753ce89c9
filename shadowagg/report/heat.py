"""Where totals differ, as grids: groups by days, and columns by days."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shadowagg.report.numbers import (
    count,
    difference,
    percent,
    relative,
)
from shadowagg.report.values import (
    Shown,
    show,
)

__all__ = ["Cell", "Grid", "columns_by_days", "groups_by_days"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of one row.

    Args:
        text: what it says; empty where nothing differs.
        level: 0 (nothing differs) to 4.
        hint: what a pointer resting on it reads.
    """

    text: str = ""
    level: int = 0
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A heat grid.

    Args:
        caption: what a cell counts.
        corner: what the rows are.
        days: the columns' heads.
        rows: name and cells, one per day.
        further: rows left out.
    """

    caption: str
    corner: str
    days: tuple[str, ...]
    rows: tuple[tuple[Shown, tuple[Cell, ...]], ...]
    further: int = 0


def groups_by_days(
    totals: Mapping[str, Any], days: Sequence[str], *, most_rows: int
) -> Grid | None:
    """Which groups differ on which days; None for a stage without groups, or without differences.

    Args:
        totals: of a stage, as its diff has them; `by` names the day's column and the group's.
        days: every day of the window, and others that have totals.
        most_rows: how many a page shows, those with the most differences first.
    """
    by = [str(name) for name in totals.get("by") or ()]
    rows = totals.get("rows") or ()
    if len(by) < 2 or not rows:
        return None
    columns: defaultdict[tuple[Any, str], list[str]] = defaultdict(list)
    per_group: Counter[Any] = Counter()
    for row in rows:
        columns[row.get("group"), _day(row)].append(str(row.get("column")))
        per_group[row.get("group")] += 1
    groups = sorted(per_group, key=lambda group: (-per_group[group], group is None, str(group)))

    def cell(group: Any, day: str) -> Cell:
        names = sorted(columns.get((group, day), ()))
        if not names:
            return Cell()
        return Cell(
            count(len(names)),
            min(4, len(names).bit_length()),  # 1, 2 to 3, 4 to 7, 8 and more
            names[0] if len(names) == 1 else "",
        )

    return Grid(
        caption=f"Differing totals by {by[1]} and day: how many columns differ",
        corner=by[1],
        days=tuple(days),
        rows=tuple(
            (show(group), tuple(cell(group, day) for day in days)) for group in groups[:most_rows]
        ),
        further=max(0, len(groups) - most_rows),
    )


def columns_by_days(
    totals_by_day: Sequence[Mapping[str, Any]], days: Sequence[str], *, most_rows: int
) -> Grid | None:
    """Which columns' totals differ on which days, and by how much; None if none does."""
    found: defaultdict[str, dict[str, Cell]] = defaultdict(dict)
    for row in totals_by_day:
        if row.get("agrees"):
            continue
        control, candidate = row.get("control"), row.get("candidate")
        part = relative(control, candidate)
        hint = difference(control, candidate)
        if part is None:
            cell = Cell("≠", 4, hint or f"{show(control)} against {show(candidate)}")
        else:
            sign = "+" if part > 0 else ""
            short = percent(f"{part:.2g}").replace(" ", "")
            cell = Cell(f"{sign}{short}", _level(abs(part)), hint)
        found[str(row.get("column"))][_day(row)] = cell
    if not found:
        return None
    names = sorted(found, key=lambda name: (-len(found[name]), name))
    return Grid(
        caption="Differing totals by column and day: candidate relative to control",
        corner="column",
        days=tuple(days),
        rows=tuple(
            (show(name), tuple(found[name].get(day, Cell()) for day in days))
            for name in names[:most_rows]
        ),
        further=max(0, len(names) - most_rows),
    )


def _level(part: Decimal) -> int:
    """1: in the digits behind the sixth, 2: below one per cent, 3: below half, 4: above."""
    bounds = (Decimal("1e-6"), Decimal("0.01"), Decimal("0.5"))
    return 1 + sum(part >= bound for bound in bounds)


def _day(row: Mapping[str, Any]) -> str:
    day = row.get("day")
    return "NULL" if day is None else str(day)[:10]
