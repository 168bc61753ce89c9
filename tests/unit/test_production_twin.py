"""Statements in the twin, on servers that a test plays: guard first, errors said in one line."""

import datetime as dt
from dataclasses import dataclass, field

import pytest

from shadowagg.control.production.folder import TemplateFolder
from shadowagg.control.production.guard import Guard
from shadowagg.control.production.path import ProductionTemplates, take
from shadowagg.control.production.twin import ScratchTwin, Swallowed
from shadowagg.control.scratch_inputs import Provided
from shadowagg.control.trino_session import QueryFailed
from shadowagg.errors import InputRefused, InputUnreadable, ServerFailed, UserError
from shadowagg.inputs import Inputs
from shadowagg.paths import mode
from shadowagg.plan import make_plan
from shadowagg.production import Call, Production, TemplateStep, Way
from shadowagg.provider import InputTable
from shadowagg.window import Window

NAME = "shadowagg_scratch_x"
OUT = "SELECT * FROM hive.shadowagg_scratch_x.out"
ASKED = "SELECT * FROM hive.shadowagg_scratch_x.out WHERE a = ?"
PODS = "SELECT secret FROM hive.shadowagg_scratch_x.pods"
WINDOW = Window(
    "org1", "p", "00000000-0000-0000-0000-000000000001", dt.date(2025, 1, 1), dt.date(2025, 1, 2)
)


@dataclass
class Session:
    fails: dict = field(default_factory=dict)
    said: list = field(default_factory=list)

    def rows(self, statement, values=()):
        self.said.append((statement, tuple(values)))
        for part, (name, kind) in self.fails.items():
            if part in statement:
                raise QueryFailed(name, kind, "Cannot cast 'secret' to INT", "q1")
        return [["out"], ["other"]]


@dataclass
class Scratch:
    session: Session
    name: str = NAME


class NoFiles(Provided):
    def check_readable(self, tables):
        raise InputUnreadable("cannot read", on="part.parquet")


def twin(existing=(), absent=None, made=Provided, **fails):
    tables = tuple(InputTable(name, "lake", ()) for name in ("pods", "volumes"))
    provided = made(frozenset(existing), absent or {}, {}, Inputs("/nowhere", "/nowhere"))
    guard = Guard(NAME, frozenset(table.name for table in tables))
    return ScratchTwin(Scratch(Session(fails)), guard, provided, tables, WINDOW)


def test_an_input_exists_by_its_files_and_any_other_table_by_the_catalog():
    one = twin(existing={"pods"})

    assert one.has_lake_table("pods")
    assert not one.has_lake_table("volumes")
    assert [] == one.scratch.session.said
    assert one.has_lake_table("out")
    assert not one.has_lake_table("missing")


def test_what_the_guard_refuses_never_reaches_the_server():
    one = twin()

    with pytest.raises(UserError, match="refused"):
        one.trino("DROP TABLE hive.org1.pods")
    assert [] == one.scratch.session.said


def test_values_go_to_the_client_beside_the_statement():
    one = twin()
    one.trino(ASKED, ("x'; DROP TABLE y",))

    assert [(ASKED, ("x'; DROP TABLE y",))] == (one.scratch.session.said)


@pytest.mark.parametrize(
    ("name", "kind", "raised"),
    [
        ("INVALID_CAST_ARGUMENT", "USER_ERROR", InputRefused),
        ("DIVISION_BY_ZERO", "USER_ERROR", InputRefused),
        ("TYPE_MISMATCH", "USER_ERROR", UserError),
        ("COLUMN_NOT_FOUND", "USER_ERROR", UserError),
        ("NO_SUCH_THING", "EXTERNAL", ServerFailed),
    ],
)
def test_an_error_of_trino_is_said_without_values(name, kind, raised):
    with pytest.raises(raised) as said:
        twin(out=(name, kind)).trino(OUT)

    assert "secret" not in str(said.value)
    assert "\n" not in str(said.value)


def test_a_column_that_no_file_has_is_an_input_that_production_refuses():
    one = twin(absent={"pods": frozenset({"secret"})}, pods=("COLUMN_NOT_FOUND", "USER_ERROR"))

    with pytest.raises(InputRefused, match="no file of a table has columns"):
        one.trino(PODS)


def test_a_file_that_broke_a_statement_is_named():
    one = twin(made=NoFiles, pods=("HIVE_CURSOR_ERROR", "EXTERNAL"))

    with pytest.raises(InputUnreadable, match=r"part\.parquet"):
        one.trino(PODS)


def test_a_swallowed_error_is_another_thing_than_a_failure():
    one = twin(out=("ALREADY_EXISTS", "USER_ERROR"))

    with pytest.raises(Swallowed):
        one.trino("DELETE FROM hive.shadowagg_scratch_x.out", swallows=("ALREADY_EXISTS",))


def test_what_is_swallowed_leaves_out_the_rest_of_its_file_and_no_other(tmp_path):
    def step(name, **options):
        return TemplateStep(name, Way.TRINO_PIECES, "window", ("schema",), (), **options)

    texts = {
        "a.sql": "SELECT 1 FROM {{schema | sqlsafe}}.t; SELECT 2 FROM {{schema | sqlsafe}}.out;"
        " SELECT 3 FROM {{schema | sqlsafe}}.t",
        "b.sql": "SELECT 4 FROM {{schema | sqlsafe}}.t",
    }
    steps = (step("a.sql", swallows=("ALREADY_EXISTS",)), step("b.sql"))
    production = Production(steps, values=lambda call, twin: {"schema": twin.schema})
    one = twin(out=("ALREADY_EXISTS", "USER_ERROR"))

    for each, call in production.calls(make_plan(WINDOW)):
        take(each, call, production, TemplateFolder(tmp_path, "", texts), one)

    assert ["SELECT 1", "SELECT 2", "SELECT 4"] == [
        statement.split(" FROM ")[0] for statement, _ in one.scratch.session.said
    ]


def test_a_step_whose_condition_does_not_hold_is_left_out(tmp_path):
    seen = []

    def condition(call, twin):
        seen.append(call)
        return False

    step = TemplateStep("a.sql", Way.TRINO_WHOLE, "window", (), (), only_if=condition)
    production = Production((step,), values=lambda call, twin: {})
    one = twin()
    call = Call(make_plan(WINDOW), WINDOW.start, WINDOW.end)
    take(step, call, production, TemplateFolder(tmp_path, "", {"a.sql": "SELECT 1"}), one)

    assert [call] == seen
    assert [] == one.scratch.session.said


def test_the_mode_is_no_stand_in_and_clears_up_servers():
    known = mode("production")

    assert not known.stand_in
    assert known.computes
    assert "production" == known.extra
    assert known.sweep
    assert {"jinjasql2", "sqlglot", "sqlparse", "queries"} <= set(ProductionTemplates().engine())
