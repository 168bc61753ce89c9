"""How large a generated month is, which days it has, and which hours are missing."""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
from dataclasses import dataclass

from shadowagg.errors import UserError
from shadowagg_ocp.generate.draw import stream

__all__ = ["Day", "Shape", "make_shape"]

_UPLOADS = (5, 4, 6, 5, 1, 5, 4, 6)
"""Files a day, by day: an operator that sends pieces, and now and then a whole day."""

_SHORT_LIVED = 0.2
"""Share of the pods that live for less than a day (`inputs.md` 7.1)."""

_OUTSIDE = 0.05
"""Share of the pods in the days before and after the window: enough to be noticed if read."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day that has data.

    Args:
        date: the day.
        number: its place among the days of the window, from 0; -1 is the day before it.
        uploads: the hours of each file of the day, missing hours left out.
        share: which part of the pods report on it: 1 inside the window.
    """

    date: dt.date
    number: int
    uploads: tuple[tuple[int, ...], ...]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a month; they scale as in `inputs.md` 7.

    Args:
        seed: of every draw.
        start: first day of the window.
        end: last day, included.
        days: the days with data in order, one before and one after the window among them.
        nodes: nodes of the cluster.
        namespaces: namespaces with pods.
        lasting: pods that live for the whole month.
        jobs: pods a day that live for some hours.
        label_texts: distinct label texts of pods.
        mounts: volumes times the pods that mount them.
    """

    seed: int
    start: dt.date
    end: dt.date
    days: tuple[Day, ...]
    nodes: int
    namespaces: int
    lasting: int
    jobs: int
    label_texts: int
    mounts: int

    @property
    def window_days(self) -> int:
        """Days of the window, those without data included."""
        return (self.end - self.start).days + 1

    @property
    def month_start(self) -> dt.date:
        """`report_period_start`."""
        return self.start.replace(day=1)

    @property
    def month_end(self) -> dt.date:
        """`report_period_end`: the first of the next month."""
        return (self.month_start + dt.timedelta(days=31)).replace(day=1)


def make_shape(*, seed: int, rows: int, days: int) -> Shape:
    """The sizes of a month of about `rows` daily pod rows.

    Args:
        seed: picks the month, and everything else.
        rows: wanted rows of the daily pod table; a few hundred are needed to show every case.
        days: days of the window, 1 to 31.

    Raises:
        UserError: for a size that makes no month.
    """
    if not 1 <= days <= 31 or rows < 1:
        raise UserError(
            f"{rows} rows over {days} days",
            on="generate",
            hint="ask for 1 to 31 days and at least one row",
        )
    start = _first_day(seed, days)
    end = start + dt.timedelta(days=days - 1)
    listed = _days(start, end, days)
    nodes = min(max(rows // 10_000, 8), 1000)
    # A lasting pod has a row per upload, unless it is on the node that leaves, or on the one that
    # joins, each away for a third of the month; a job of some hours is in one upload, or in two.
    there = 1 - 2 / 3 / nodes
    expected = sum(
        (1 - _SHORT_LIVED) * len(day.uploads) * there
        + _SHORT_LIVED * (1 + (len(day.uploads) - 1) * 0.08)
        for day in listed
        if day.share == 1.0
    )
    pods = max(32, round(rows / expected))
    return Shape(
        seed=seed,
        start=start,
        end=end,
        days=listed,
        nodes=nodes,
        namespaces=min(max(rows // 5_000, 14), 300),
        lasting=pods - round(pods * _SHORT_LIVED),
        jobs=round(pods * _SHORT_LIVED),
        label_texts=max(rows // 50, 40),
        mounts=max(pods // 10, 20),
    )


def _first_day(seed: int, days: int) -> dt.date:
    draw = stream(seed, "month")
    months = [(year, month) for year in (2024, 2025) for month in range(1, 13)]
    whole = [month for month in months if calendar.monthrange(*month)[1] == days]
    year, month = draw.choice(whole or months)
    # A day stays free before and after the window where the month has room for it.
    free = calendar.monthrange(year, month)[1] - days
    first = draw.randint(1, free - 1) if free > 1 else 0
    return dt.date(year, month, 1 + first)


def _days(start: dt.date, end: dt.date, days: int) -> tuple[Day, ...]:
    listed: list[Day] = []
    before, after = start - dt.timedelta(days=1), end + dt.timedelta(days=1)
    if before.month == start.month:
        listed.append(Day(before, -1, (tuple(range(24)),), _OUTSIDE))
    for number in range(days):
        if days >= 7 and number == days // 2:
            continue  # the day without data
        # Two hours are missing on one day: capacity must shrink.
        hours = [hour for hour in range(24) if number != min(1, days - 1) or hour not in (10, 11)]
        count = _UPLOADS[number % len(_UPLOADS)]
        bounds = [24 * n // count for n in range(count + 1)]
        uploads = (
            tuple(hour for hour in hours if low <= hour < high)
            for low, high in itertools.pairwise(bounds)
        )
        listed.append(Day(start + dt.timedelta(days=number), number, tuple(filter(None, uploads))))
    if after.month == end.month:
        listed.append(Day(after, days, (tuple(range(24)),), _OUTSIDE))
    return tuple(listed)
