"""Scratch schemas without a server: names, places, texts, and where a statement's tables lie."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowagg.cli.scratch import parse_age
from shadowagg.control import trino_rows
from shadowagg.control.dialect import parse_select
from shadowagg.control.scratch import Scratch, drop, made_at, new_name
from shadowagg.control.side_tables import copy_text
from shadowagg.control.trino import _Run, on_trino
from shadowagg.errors import UserError
from shadowagg.observation import Cause, Fault
from shadowagg.observe import _sweep, run_path
from shadowagg.paths import Mode, mode
from shadowagg.provider import InputColumn, InputTable
from shadowagg.rowset import DATE, JSON, TEXT, UUID, Column, RowKind, RowSetSpec
from shadowagg.servers import Lake

SPEC = RowSetSpec(
    name="toy:made",
    table="made",
    home="inner",
    columns=(Column("day", DATE), Column("source", UUID), Column("j", JSON), Column("t", TEXT)),
    kinds=(RowKind("row", ("day",)),),
    day="day",
    source="source",
)


def test_a_name_is_new_says_its_time_and_can_be_spliced():
    names = {new_name() for _ in range(100)}

    assert 100 == len(names)
    for name in names:
        assert name.isidentifier()
        assert name == name.lower()
        assert len(name) <= 63
        assert abs(dt.datetime.now(dt.UTC) - made_at(name)) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    "name", ["shadowagg_scratch_x", "org1", "shadowagg_scratch_99999999t999999_0123456789ab"]
)
def test_a_name_of_another_form_says_nothing_of_its_time(name):
    assert made_at(name) is None


@pytest.mark.parametrize("name", ["org1234567", "public", "", "my_shadowagg_scratch_x"])
def test_nothing_else_is_ever_dropped(name):
    with pytest.raises(ValueError, match="no scratch schema"):
        drop(name, None, None, None)


@pytest.mark.parametrize("text", ["", "2", "h", "-1h", "1w", "1h30m"])
def test_what_is_no_age_is_said(text):
    with pytest.raises(UserError, match="such as 2h"):
        parse_age(text)


@pytest.mark.parametrize(
    ("lake", "address"),
    [
        (Lake("/lake", "local:///b"), "local:///b/t/x"),
        (Lake("/lake", "local:"), "local:///t/x"),
        (Lake("/lake", "s3://b/p"), "s3://b/p/t/x"),
    ],
)
def test_a_place_in_the_lake_has_trinos_name_and_back(lake, address):
    assert address == lake.address("/lake/t/x")
    assert "/lake/t/x" == lake.path(address)
    assert lake.path("s3://another/t/x") is None


def test_an_environment_with_a_lake_at_the_root_is_understood():
    lake = Lake.from_environment(
        {"SHADOWAGG_LAKE_DIR": "/lake/", "SHADOWAGG_LAKE_URI": "local:///"}
    )

    assert "local:///t" == lake.address("/lake/t")


def test_a_link_does_not_lead_out_of_the_lake(tmp_path):
    (tmp_path / "lake").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "lake" / "link").symlink_to(tmp_path / "elsewhere")
    lake = Lake(str(tmp_path / "lake"), "local:///")

    assert lake.holds(str(tmp_path / "lake" / "t"))
    assert not lake.holds(str(tmp_path / "lake" / "link" / "t"))
    assert not lake.holds(str(tmp_path / "lakes"))


def test_a_value_is_text_for_copy():
    moment = dt.datetime(2025, 2, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))

    assert "2025-02-01 10:00:00" == copy_text(moment)
    assert "00000000-0000-0000-0000-00000000000a" == copy_text(bytes(15) + b"\x0a")
    assert ["nan", "0.1", "\\\\N", "{}"] == [
        copy_text(value) for value in (float("nan"), 0.1, "\\N", [])
    ]


def placed(sql, *, done=()):
    tables = (
        InputTable("events", "lake", (InputColumn("at", "time"),)),
        InputTable("names", "postgres", (InputColumn("name", "text"),)),
    )
    scratch = Scratch("scratch_1", None, None, None)
    run = _Run(scratch, SimpleNamespace(provider=SimpleNamespace(inputs=tables)))
    run._done.extend(SimpleNamespace(name=spec.table, spec=spec) for spec in done)
    return on_trino(run._placed(parse_select(sql)))


def test_tables_get_their_catalog_and_keep_their_name():
    assert (
        'SELECT events.at FROM "hive"."scratch_1"."events" AS events'
        ' JOIN "postgres"."scratch_1"."names" AS n ON n.name = events.name'
        == placed("select events.at from events join names as n on n.name = events.name")
    )


def test_a_statements_own_names_and_foreign_ones_stay():
    text = placed("with events as (select 1 as x) select x from events cross join a.b.names")

    assert "scratch_1" not in text


def test_an_earlier_stage_comes_in_its_own_types():
    text = placed("select made.j from made", done=(SPEC,))

    assert 'CAST("source" AS UUID) AS "source"' in text
    assert 'JSON_PARSE("j") AS "j"' in text
    assert text.endswith('FROM "hive"."scratch_1"."made") AS made')


def test_files_of_a_stage_are_read_in_the_types_of_its_specification(tmp_path):
    day = dt.date(2025, 2, 1)
    for name, t in (("a", ["x", None]), ("b", ["", "y"])):
        table = pa.table({"t": t, "day": [day, day], "source": ["s", None], "j": ["1", None]})
        pq.write_table(table, tmp_path / name)
    (tmp_path / "_SUCCESS").touch()

    found = trino_rows.read_files(SPEC, tmp_path)

    assert SPEC.schema.names == found.column_names
    assert ["x", None, "", "y"] == found.column("t").cast(pa.string()).to_pylist()
    assert SPEC.schema.empty_table() == trino_rows.read_files(SPEC, tmp_path / "nothing")


# --- what the runner does for modes with servers ----------------------------------------------------


def swept(request, folder):
    """A task for the fence."""
    return {"removed": ["scratch schema x"]}


def broken(request, folder):
    raise UserError("no server", on="environment")


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (Cause.DIED, ("scratch schema x",)),
        (Cause.TIMEOUT, ("scratch schema x",)),
        (Cause.MEMORY, ("scratch schema x",)),
        (Cause.REFUSED, ()),
    ],
)
def test_after_a_run_that_was_ended_its_servers_are_swept(tmp_path, cause, said, monkeypatch):
    from shadowagg.fence import Limits

    asked = []

    def fenced(task, request, *, folder, limits):
        asked.append(task)
        return SimpleNamespace(fault=None, value=swept(request, folder))

    monkeypatch.setattr("shadowagg.observe.run_fenced", fenced)
    known = Mode("x", "a:b", sweep="c:d")

    assert said == _sweep(known, Fault(cause, "it ended"), tmp_path, Limits())
    assert (["c:d"] if said else []) == asked
    assert () == _sweep(Mode("y", "a:b"), Fault(cause, "it ended"), tmp_path, Limits())


def test_a_path_is_closed_and_says_what_it_knows_when_its_rows_do_not_conform(
    third_party, tmp_path, monkeypatch
):
    from shadowagg.errors import ShadowaggError
    from shadowagg.paths import StageTable
    from shadowagg.plan import make_plan
    from shadowagg.window import Window

    third_party("toy")
    closed = []

    class Path:
        def run(self, request):
            try:
                yield StageTable("nonsense", pa.table({}), 0.0)
            finally:
                closed.append(request.seconds)

        def engine(self):
            return {"queries": 3}

    monkeypatch.setattr("shadowagg.observe.open_path", lambda _: Path())
    day = dt.date(2025, 2, 1)
    plan = make_plan(Window("org1", "toy", "00000000-0000-0000-0000-00000000000a", day, day))
    request = {
        "mode": "x",
        "plan": plan.to_json(),
        "inputs": {"lake": "/nowhere", "side": "/nowhere"},
        "options": {},
        "threads": 1,
        "seconds": 7.0,
    }

    with pytest.raises(ShadowaggError, match="no stage"):
        run_path(request, tmp_path)

    assert [7.0] == closed
    assert {"queries": 3} == json.loads((tmp_path / "engine.json").read_text())


def test_the_mode_clears_up_longer_than_others_and_is_no_stand_in():
    known = mode("trino")

    assert known.grace_seconds > mode("embedded").grace_seconds
    assert (False, True) == (known.stand_in, known.computes)
