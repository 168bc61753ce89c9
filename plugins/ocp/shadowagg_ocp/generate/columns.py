"""The time columns that every report has (`inputs.md` 2)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from shadowagg_ocp.generate.shape import Shape

__all__ = ["at_midnight", "report_period"]


def at_midnight(day: dt.date, count: int) -> pa.Array[Any]:
    """The first moment of a day, `count` times: `timestamp[ms]`, UTC without zone."""
    moment = dt.datetime.combine(day, dt.time.min)
    return pa.repeat(pa.scalar(moment, pa.timestamp("ms")), count)


def report_period(shape: Shape, count: int) -> dict[str, pa.Array[Any]]:
    """`report_period_start` and `report_period_end` of the month, `count` rows."""
    return {
        "report_period_start": at_midnight(shape.month_start, count),
        "report_period_end": at_midnight(shape.month_end, count),
    }
