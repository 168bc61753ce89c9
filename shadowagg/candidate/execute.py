"""The candidate as a path: the provider's stages over the plan, turns side by side."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import append
from shadowagg.candidate.source import Source
from shadowagg.errors import ShadowaggError
from shadowagg.paths import CANDIDATE, PathRequest, StageTable
from shadowagg.plan import Plan, Turn
from shadowagg.provider import Provider, Stage

__all__ = ["Candidate"]


@dataclass
class Candidate:
    """The PyArrow path: a `shadowagg.paths.AggregationPath`.

    Consecutive stages that are computed for the same turns form a group: every turn goes through the
    whole group by itself, so that only one turn's inputs are in memory per thread. Where the provider
    says that turns are independent they run side by side. Their rows are put together in the plan's
    order, so the result is the same whatever finishes first. A stage that waits begins a group.
    """

    mode: str = CANDIDATE
    stand_in: bool = False

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """Yield the stages in the provider's order, each over the whole window.

        A stage's `seconds` are the sum over its turns: what they took where they ran side by side is
        less.

        Raises:
            InputRefused: where production refuses the input.
            InputUnreadable: where an input object cannot be read.
        """
        run = _Run(request)
        for stages in _groups(request.provider.stages):
            yield from run.group(stages)

    def engine(self) -> Mapping[str, Any]:
        """Version of what computes."""
        return {"pyarrow": pa.__version__}


def _groups(stages: Sequence[Stage]) -> Iterator[list[Stage]]:
    """Neighbours of the same turns, in order; a stage that waits begins anew, as does one of the window."""
    group: list[Stage] = []
    for stage in stages:
        alike = group and (stage.scope, stage.borrowed) == (group[0].scope, group[0].borrowed)
        if group and (not alike or stage.waits or stage.scope == "window"):
            yield group
            group = []
        group.append(stage)
    if group:
        yield group


@dataclass
class _Run:
    """One run: what its stages have made so far, over the window and per turn."""

    request: PathRequest
    finished: dict[str, pa.Table] = field(default_factory=dict)
    pieces: dict[Hashable, dict[str, pa.Table]] = field(default_factory=dict)
    wholes: dict[int, Context] = field(default_factory=dict)

    def group(self, stages: Sequence[Stage]) -> Iterator[StageTable]:
        """Stages that every turn goes through by itself."""
        turns = stages[0].turns(self.request.plan)
        workers = self._workers(turns)
        # Made before threads ask for them.
        contexts = [self._context(turn, stages[0].scope) for turn in turns]
        if workers == 1:
            made = [self._one(stages, context) for context in contexts]
        else:
            made = self._side_by_side(stages, contexts, workers)
        for at, stage in enumerate(stages):
            for piece in made:
                # In the plan's order: of several errors the first turn's is reported.
                if piece.error is not None and len(piece.rows) == at:
                    raise piece.error
            yield self._finish(stage, [piece.rows[at] for piece in made])

    def _workers(self, turns: Sequence[Turn]) -> int:
        """How many turns run side by side."""
        if not self.request.provider.subwindows_independent:
            return 1
        return max(1, min(self.request.threads, len(turns)))

    def _whole(self, plan: Plan) -> Context:
        """The context of a whole window, which all of its turns share."""
        if id(plan) not in self.wholes:
            turns = len(plan.turns())
            workers = min(self.request.threads, turns) if self._workers(plan.turns()) > 1 else 1
            source = Source(
                self.request.inputs, plan.window, column_threads=workers < self.request.threads
            )
            turn = plan.whole()
            self.wholes[id(plan)] = Context(
                plan=plan,
                start=turn.start,
                end=turn.end,
                source=source,
                stages=self.finished,
                cluster=turn.cluster,
            )
        return self.wholes[id(plan)]

    def _context(self, turn: Turn, scope: str) -> Context:
        whole = self._whole(turn.plan)
        if scope == "window" and turn.plan is self.request.plan:
            return whole
        return Context(
            plan=turn.plan,
            start=turn.start,
            end=turn.end,
            source=whole.source,
            stages=self.pieces.setdefault(_key(turn), {}),
            cluster=turn.cluster,
            window_context=whole,
        )

    def _side_by_side(
        self, stages: Sequence[Stage], contexts: Sequence[Context], workers: int
    ) -> list[_Made]:
        with ThreadPoolExecutor(workers, thread_name_prefix="turn") as pool:
            futures: list[Future[_Made]] = [
                pool.submit(self._one, stages, context) for context in contexts
            ]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _one(self, stages: Sequence[Stage], context: Context) -> _Made:
        made: list[_Rows] = []
        for stage in stages:
            try:
                rows = _computed(stage, context, self.request.provider)
            except ShadowaggError as error:
                # What the stages before it made is still worth an observation.
                return _Made(made, error)
            if isinstance(context.stages, dict) and context.stages is not self.finished:
                context.stages[stage.name] = rows.table
            made.append(rows)
        return _Made(made)

    def _finish(self, stage: Stage, pieces: Sequence[_Rows]) -> StageTable:
        table = append([piece.table for piece in pieces]) if pieces else stage.spec.empty()
        self.finished[stage.name] = table
        return StageTable(stage.name, table, sum(piece.seconds for piece in pieces))


def _key(turn: Turn) -> Hashable:
    """Of a turn among those of one run, whose plans live as long as the run."""
    cluster = turn.cluster.source_uuid if turn.cluster else ""
    return id(turn.plan), cluster, turn.start, turn.end


@dataclass(frozen=True, slots=True)
class _Rows:
    table: pa.Table
    seconds: float


@dataclass(frozen=True, slots=True)
class _Made:
    """What a turn made of a group of stages, and the error at the stage behind them."""

    rows: list[_Rows]
    error: ShadowaggError | None = None


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
