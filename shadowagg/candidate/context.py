"""What a candidate's function may reach: the window, its inputs, the stages before it."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from shadowagg.plan import Plan
from shadowagg.window import Cluster, Window

if TYPE_CHECKING:
    from shadowagg.candidate.source import Source

__all__ = ["Context"]

T = TypeVar("T")


@dataclass
class Context:
    """One turn (or the whole window) of a candidate's run.

    Args:
        plan: of the window.
        start: first day to compute.
        end: last day to compute, included.
        source: reads lake and side tables.
        stages: the row sets of earlier stages of the same turn, by stage name; in the context of the
            whole window those of all turns, of stages that are finished for all.
        cluster: whose turn it is; None where there are several, or none.
        window_context: the context of the whole window, whose `memo` all turns share; itself there.
    """

    plan: Plan
    start: dt.date
    end: dt.date
    source: Source
    stages: Mapping[str, pa.Table] = field(default_factory=dict)
    cluster: Cluster | None = None
    window_context: Context | None = None
    _memo: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def window(self) -> Window:
        """The window asked for."""
        return self.plan.window

    @property
    def day_after(self) -> dt.date:
        """The first day that is no longer computed."""
        return self.end + dt.timedelta(days=1)

    @property
    def whole(self) -> Context:
        """The context that all sub-windows share: for what is read once per window."""
        return self.window_context or self

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gave the first time: for what several stages of the same days need."""
        with self._lock:
            if key not in self._memo:
                self._memo[key] = make()
            result: T = self._memo[key]
            return result
