"""A window cut into production's sub-windows: made once, recorded, given to both paths."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from shadowagg.errors import UserError
from shadowagg.window import Cluster, Window, parse_day

__all__ = ["PRODUCTION_STEP", "Plan", "SubWindow", "Turn", "make_plan"]

PRODUCTION_STEP = 5
"""Days that production steps forward; its first sub-window is one day longer."""


@dataclass(frozen=True, slots=True)
class SubWindow:
    """The days that production aggregates in one statement, both included."""

    start: dt.date
    end: dt.date

    @property
    def days(self) -> tuple[str, ...]:
        """Days of the month as production binds them: text without padding."""
        count = (self.end - self.start).days + 1
        return tuple(str((self.start + dt.timedelta(days=n)).day) for n in range(count))

    @property
    def day_after(self) -> dt.date:
        """The first day that is no longer in the sub-window."""
        return self.end + dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """The window, and the sub-windows in the order in which they are computed.

    Args:
        window: what is asked for.
        subwindows: production's, the same for every cluster of the window.
        step: days between their boundaries.
        needed: the plans of the windows that come first (`Provider.needs`), in order: what borrowed
            stages are computed for.
    """

    window: Window
    subwindows: tuple[SubWindow, ...]
    step: int = PRODUCTION_STEP
    needed: tuple[Plan, ...] = ()

    @property
    def start(self) -> dt.date:
        """The first day that is computed: later than the window's where its first days have no data."""
        return self.subwindows[0].start

    @property
    def last(self) -> SubWindow:
        """The sub-window that is computed last: what tables hold that every sub-window rewrites."""
        return self.subwindows[-1]

    def turns(self) -> tuple[Turn, ...]:
        """What production computes in one go, in its order: all sub-windows of a cluster, then the next."""
        clusters: tuple[Cluster | None, ...] = self.window.clusters or (None,)
        return tuple(
            Turn(self, cluster, days.start, days.end)
            for cluster in clusters
            for days in self.subwindows
        )

    def whole(self) -> Turn:
        """The whole window in one turn, with its cluster if it has one only."""
        clusters = self.window.clusters
        cluster = clusters[0] if len(clusters) == 1 else None
        return Turn(self, cluster, self.start, self.window.end)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back."""
        return {
            "window": self.window.to_json(),
            "step": self.step,
            "subwindows": [[s.start.isoformat(), s.end.isoformat()] for s in self.subwindows],
            **({"needed": [plan.to_json() for plan in self.needed]} if self.needed else {}),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Plan:
        """The plan that `to_json` wrote."""
        return cls(
            window=Window.parse(document["window"]),
            subwindows=tuple(
                SubWindow(parse_day(start), parse_day(end)) for start, end in document["subwindows"]
            ),
            step=document["step"],
            needed=tuple(cls.from_json(plan) for plan in document.get("needed", ())),
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """The days that are computed in one go, for one cluster.

    Args:
        plan: whose turn it is; of a borrowed stage the needed window's plan.
        cluster: whose; None for all clusters of the window at once, or where it has none.
        start: first day.
        end: last day, included.
    """

    plan: Plan
    cluster: Cluster | None
    start: dt.date
    end: dt.date

    @property
    def window(self) -> Window:
        """The plan's window."""
        return self.plan.window

    @property
    def is_last(self) -> bool:
        """Whether it is the last sub-window of its cluster."""
        return self.end == self.plan.last.end


def make_plan(
    window: Window, *, step: int = PRODUCTION_STEP, first_day_with_data: dt.date | None = None
) -> Plan:
    """Cut a window as production's updater does.

    Args:
        window: what is asked for.
        step: days between the boundaries.
        first_day_with_data: the day of the earliest input row in the window; None without data, and
            then the start stays where it is.

    >>> august = Window("org1", "p", "00000000-0000-0000-0000-000000000001",
    ...                 dt.date(2025, 8, 1), dt.date(2025, 8, 12))
    >>> [(s.start.day, s.end.day) for s in make_plan(august).subwindows]
    [(1, 6), (7, 11), (12, 12)]
    """
    if step < 1:
        raise UserError(f"step {step}", on="plan", hint="a step is at least one day")
    start = window.start
    if first_day_with_data is not None:
        start = min(max(start, first_day_with_data), window.end)
    boundaries = list(_boundaries(start, window.end, step))
    if len(boundaries) == 1:
        return Plan(window, (SubWindow(start, window.end),), step)
    pieces: list[SubWindow] = []
    for boundary in boundaries[1:]:
        # With a step of one day a boundary equals the next start; production skips it unless it
        # is the last day.
        if boundary == start and boundary != window.end:
            continue
        pieces.append(SubWindow(start, boundary))
        start = boundary + dt.timedelta(days=1)
    if start <= window.end:
        pieces.append(SubWindow(start, window.end))
    return Plan(window, tuple(pieces), step)


def _boundaries(start: dt.date, end: dt.date, step: int) -> list[dt.date]:
    count = (end - start).days // step + 1
    return [start + dt.timedelta(days=step * n) for n in range(count)]
