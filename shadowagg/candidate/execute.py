"""The candidate as a path: the provider's stages over the plan, sub-windows side by side."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pyarrow as pa

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import append
from shadowagg.candidate.source import Source
from shadowagg.errors import ShadowaggError
from shadowagg.paths import CANDIDATE, PathRequest, StageTable
from shadowagg.plan import SubWindow
from shadowagg.provider import Provider, Stage

__all__ = ["Candidate"]


@dataclass
class Candidate:
    """The PyArrow path: a `shadowagg.paths.AggregationPath`.

    Consecutive stages of scope `subwindow` form a group: every sub-window goes through the whole
    group by itself, so that only one sub-window's inputs are in memory per thread. Where the provider
    says that sub-windows are independent they run side by side. Their rows are put together in the
    plan's order, so the result is the same whatever finishes first.
    """

    mode: str = CANDIDATE
    stand_in: bool = False

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """Yield the stages in the provider's order, each over the whole window.

        A stage's `seconds` are the sum over its sub-windows: what they took where they ran side by
        side is less.

        Raises:
            InputRefused: where production refuses the input.
            InputUnreadable: where an input object cannot be read.
        """
        run = _Run(request)
        for scope, group in groupby(request.provider.stages, key=lambda stage: stage.scope):
            stages = list(group)
            yield from run.subwindows(stages) if scope == "subwindow" else run.window(stages)

    def engine(self) -> Mapping[str, Any]:
        """Version of what computes."""
        return {"pyarrow": pa.__version__}


@dataclass
class _Run:
    """One run: what its stages have made so far, over the window and per sub-window."""

    request: PathRequest
    whole: Context = field(init=False)
    finished: dict[str, pa.Table] = field(default_factory=dict)
    pieces: dict[SubWindow, dict[str, pa.Table]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan = self.request.plan
        source = Source(
            self.request.inputs,
            plan.window,
            column_threads=self.workers < self.request.threads,
        )
        self.whole = Context(
            plan=plan, start=plan.start, end=plan.window.end, source=source, stages=self.finished
        )
        self.pieces = {subwindow: {} for subwindow in plan.subwindows}

    @property
    def workers(self) -> int:
        """How many sub-windows run side by side."""
        if not self.request.provider.subwindows_independent:
            return 1
        return max(1, min(self.request.threads, len(self.request.plan.subwindows)))

    def window(self, stages: Sequence[Stage]) -> Iterator[StageTable]:
        """Stages that are computed once."""
        for stage in stages:
            rows = _computed(stage, self.whole, self.request.provider)
            yield self._finish(stage, [rows])

    def subwindows(self, stages: Sequence[Stage]) -> Iterator[StageTable]:
        """A group of stages that every sub-window goes through by itself."""
        plan = self.request.plan
        if self.workers == 1:
            made = [self._one(stages, subwindow) for subwindow in plan.subwindows]
        else:
            made = self._side_by_side(stages)
        for at, stage in enumerate(stages):
            yield self._finish(stage, [piece[at] for piece in made])

    def _side_by_side(self, stages: Sequence[Stage]) -> list[list[_Rows]]:
        with ThreadPoolExecutor(self.workers, thread_name_prefix="subwindow") as pool:
            futures: list[Future[list[_Rows]]] = [
                pool.submit(self._one, stages, subwindow)
                for subwindow in self.request.plan.subwindows
            ]
            try:
                # In the plan's order: of several errors the first sub-window's is reported.
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _one(self, stages: Sequence[Stage], subwindow: SubWindow) -> list[_Rows]:
        context = self._context(subwindow.start, subwindow.end, self.pieces[subwindow])
        made = []
        for stage in stages:
            rows = _computed(stage, context, self.request.provider)
            self.pieces[subwindow][stage.name] = rows.table
            made.append(rows)
        return made

    def _context(self, start: dt.date, end: dt.date, stages: Mapping[str, pa.Table]) -> Context:
        return Context(
            plan=self.request.plan,
            start=start,
            end=end,
            source=self.whole.source,
            stages=stages,
            window_context=self.whole,
        )

    def _finish(self, stage: Stage, pieces: Sequence[_Rows]) -> StageTable:
        table = append([piece.table for piece in pieces])
        self.finished[stage.name] = table
        return StageTable(stage.name, table, sum(piece.seconds for piece in pieces))


@dataclass(frozen=True, slots=True)
class _Rows:
    table: pa.Table
    seconds: float


def _computed(stage: Stage, context: Context, provider: Provider) -> _Rows:
    began = time.perf_counter()
    tables = {table.name: table for table in provider.inputs}
    try:
        if all(context.source.exists(tables[name]) for name in stage.only_with):
            table = stage.candidate_function()(context)
        else:
            table = stage.spec.empty()
    except ShadowaggError as error:
        error.on = error.on or f"stage {stage.name}"
        raise
    return _Rows(table, time.perf_counter() - began)
