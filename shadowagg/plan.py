"""A window cut into production's sub-windows: made once, recorded, given to both paths."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from shadowagg.errors import UserError
from shadowagg.window import Window, parse_day

__all__ = ["PRODUCTION_STEP", "Plan", "SubWindow", "make_plan"]

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
    """The window, and the sub-windows in the order in which they are computed."""

    window: Window
    subwindows: tuple[SubWindow, ...]
    step: int = PRODUCTION_STEP

    @property
    def start(self) -> dt.date:
        """The first day that is computed: later than the window's where its first days have no data."""
        return self.subwindows[0].start

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back."""
        return {
            "window": self.window.to_json(),
            "step": self.step,
            "subwindows": [[s.start.isoformat(), s.end.isoformat()] for s in self.subwindows],
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
        )


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
