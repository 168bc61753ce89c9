"""The candidate's order of work: scopes, sub-windows, threads, errors."""

import datetime as dt
import sys
import threading
import types
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowagg.candidate.execute import Candidate
from shadowagg.errors import InputRefused
from shadowagg.inputs import Inputs
from shadowagg.paths import PathRequest
from shadowagg.plan import make_plan
from shadowagg.provider import InputColumn, InputTable, Stage
from shadowagg.rowset import DATE, INTEGER, TEXT, Column, RowKind, RowSetSpec
from shadowagg.window import Window

UUID = "00000000-0000-0000-0000-000000000001"
LAKE = InputTable("rare", "lake", (InputColumn("at", "time"),), required=False, time="at")


def specification(name):
    return RowSetSpec(
        name=f"p:{name}",
        table=name,
        home="inner",
        columns=(Column("day", DATE), Column("n", INTEGER), Column("source", TEXT)),
        kinds=(RowKind("all", ("day",)),),
        day="day",
        source="source",
    )


def row(day, n):
    return pa.table({"day": pa.array([day]), "n": pa.array([n], pa.int32()), "source": ["s"]})


@dataclass
class FakeProvider:
    stages: tuple
    inputs: tuple = (LAKE,)
    subwindows_independent: bool = True


@dataclass
class Bench:
    """Runs stages that are plain functions, and keeps what they saw."""

    folder: object
    module: str
    seen: list = field(default_factory=list)

    def stage(self, name, function, **options):
        setattr(sys.modules[self.module], name, function)
        return Stage(name, specification(name), f"{self.module}:{name}", "", **options)

    def run(self, *stages, end=12, threads=2, independent=True):
        start = dt.date(2025, 8, 1)
        window = Window("org1", "p", UUID, start, dt.date(2025, 8, end))
        provider = FakeProvider(stages, subwindows_independent=independent)
        inputs = Inputs(lake=f"{self.folder}/lake", side=f"{self.folder}/side")
        return list(
            Candidate().run(PathRequest(provider, make_plan(window), inputs, threads=threads))
        )


@pytest.fixture
def bench(tmp_path, monkeypatch):
    module = types.ModuleType("stages_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Bench(tmp_path, module.__name__)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_subwindows_are_put_together_in_the_plans_order(bench, threads):
    def first(context):
        if context.start.day == 1 and threads > 1:
            late.wait(5)
        elif context.start.day == 12:
            late.set()
        return row(context.start, context.end.day)

    def second(context):
        return row(context.start, context.stages["first"].column("n")[0].as_py() * 10)

    late = threading.Event()
    made = bench.run(
        bench.stage("first", first),
        bench.stage("second", second, reads=("first",)),
        threads=threads,
    )

    assert ["first", "second"] == [stage.stage for stage in made]
    assert [6, 11, 12] == made[0].table.column("n").to_pylist()
    assert [60, 110, 120] == made[1].table.column("n").to_pylist()


def test_a_stage_of_the_window_sees_all_rows_and_later_subwindows_see_their_own(bench):
    def counts(context):
        return row(context.start, context.stages["first"].num_rows)

    made = bench.run(
        bench.stage("first", lambda context: row(context.start, 1)),
        bench.stage("whole", counts, scope="window"),
        bench.stage("after", counts),
    )

    assert [[1, 1, 1], [3], [1, 1, 1]] == [stage.table.column("n").to_pylist() for stage in made]
    assert [dt.date(2025, 8, 1)] == made[1].table.column("day").to_pylist()


def test_without_its_optional_table_a_stage_has_no_rows(bench):
    stage = bench.stage("needy", lambda context: row(context.start, 1), only_with=("rare",))

    (without,) = bench.run(stage)
    folder = bench.folder / "lake/rare/source=x/year=2020/month=01"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"x": [1]}), folder / "a.parquet")
    (with_it,) = bench.run(stage)

    assert (0, stage.spec.schema) == (without.table.num_rows, without.table.schema)
    assert with_it.table.num_rows == 3


def test_dependent_subwindows_run_one_after_another(bench):
    running, most = [], []

    def stage(context):
        running.append(1)
        most.append(len(running))
        threading.Event().wait(0.01)
        running.pop()
        return row(context.start, 1)

    bench.run(bench.stage("one", stage), independent=False)

    assert [1, 1, 1] == most


def test_what_a_window_memoises_is_made_once_what_a_subwindow_does_per_subwindow(bench):
    calls = []

    def stage(context):
        context.whole.memo("k", lambda: calls.append("whole"))
        context.memo("k", lambda: calls.append("sub"))
        context.memo("k", lambda: calls.append("never"))
        return row(context.start, 1)

    bench.run(bench.stage("one", stage))

    assert ["sub", "sub", "sub", "whole"] == sorted(calls)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("on", "named"), [("", "stage second"), ("table t", "table t")])
def test_an_error_names_its_stage_unless_it_names_something_already(bench, threads, on, named):
    def second(context):
        raise InputRefused(f"bad from {context.start}", on=on)

    stages = (
        bench.stage("first", lambda context: row(context.start, 1)),
        bench.stage("second", second),
    )
    with pytest.raises(InputRefused, match="bad from 2025-08-01") as caught:
        bench.run(*stages, threads=threads)

    assert named == caught.value.on


def test_a_single_subwindow_may_decode_columns_side_by_side(bench):
    def stage(context):
        bench.seen.append(context.source.column_threads)
        return row(context.start, 1)

    bench.run(bench.stage("one", stage), end=3)
    bench.run(bench.stage("one", stage), end=3, threads=1)

    assert [True, False] == bench.seen
