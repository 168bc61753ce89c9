"""The embedded control: what it reads, what it refuses, what it yields; with a provider of two tables."""

from __future__ import annotations

import datetime as dt
import json
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowagg.control.embedded import Embedded
from shadowagg.errors import InputRefused, InputUnreadable, RowSetInvalid, ShadowaggError, UserError
from shadowagg.inputs import Inputs
from shadowagg.paths import PathRequest, open_path
from shadowagg.plan import make_plan
from shadowagg.provider import InputColumn, InputTable, Stage
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    TEXT,
    UUID,
    Column,
    Role,
    RowKind,
    RowSet,
    RowSetSpec,
    numeric,
)
from shadowagg.window import Cluster, Window

SOURCE = "00000000-0000-0000-0000-00000000000a"
OTHER = "00000000-0000-0000-0000-00000000000b"

EVENTS = InputTable(
    "events",
    "lake",
    (
        InputColumn("at", "time"),
        InputColumn("name", "text"),
        InputColumn("amount", "double", "byte"),
    ),
    time="at",
)
EXTRAS = InputTable("extras", "lake", (InputColumn("at", "time"),), required=False, time="at")
NAMES = InputTable(
    "names",
    "postgres",
    (InputColumn("uid", "uuid"), InputColumn("name", "text"), InputColumn("kept", "boolean")),
)
ALIASES = InputTable("aliases", "postgres", (InputColumn("uid", "uuid"),), required=False)


def spec(name: str, *columns: Column) -> RowSetSpec:
    return RowSetSpec(
        name=f"toy:{name}",
        table=name,
        home="inner",
        columns=(Column("day", DATE), Column("source", TEXT), *columns),
        kinds=(RowKind("row", ("day", "source")),),
        day="day",
        source="source",
    )


@dataclass(frozen=True)
class SqlStage(Stage):
    sql: str = ""

    def control_sql(self) -> str:
        return self.sql


def stage(name: str, sql: str, *columns: Column, **options) -> SqlStage:
    return SqlStage(name, spec(name, *columns), "", "", sql=sql, **options)


AMOUNT = Column("amount", DOUBLE, Role.MEASURE, nan=True)
ROWS = stage(
    "daily",
    """
    select cast(at as date) as day, source, name, amount
    from events
    where source = :source and year = :year and month = :month
        and at >= :start and at < :end + interval '1' day
    """,
    Column("name", TEXT),
    AMOUNT,
)


@dataclass
class Toy:
    stages: tuple[Stage, ...] = (ROWS,)
    inputs: tuple[InputTable, ...] = (EVENTS, EXTRAS, NAMES, ALIASES)
    name: str = "toy"

    def control_parameters(self, turn):
        window = turn.window
        return {
            "source": window.source_uuid,
            "year": window.year,
            "month": window.month,
            "start": turn.start,
            "end": turn.end,
        }


def put(folder: Path, table: pa.Table, *, name="events", source=SOURCE, month="02", file="a"):
    path = folder / name / f"source={source}" / "year=2025" / f"month={month}" / f"{file}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def moment(*parts: int) -> dt.datetime:
    return dt.datetime(2025, 2, *parts)  # noqa: DTZ001 - the lake's times have no zone


def moments(*days: int, unit="ms", tz=None, hour=0) -> pa.Array:
    return pa.array([moment(day, hour) for day in days], pa.timestamp(unit, tz))


def events(*days: int, **columns) -> pa.Table:
    return pa.table(
        {
            "at": moments(*days),
            "name": [f"n{day}" for day in days],
            "amount": [float(day) for day in days],
            **columns,
        }
    )


@pytest.fixture
def lake(tmp_path):
    (tmp_path / "side").mkdir()
    pq.write_table(
        pa.table({"uid": [SOURCE.upper()], "name": ["n1"], "kept": [True]}),
        tmp_path / "side" / "names.parquet",
    )
    put(tmp_path / "lake", events(1))
    return tmp_path / "lake"


def request(lake: Path, *stages: Stage, clusters=(), days=(1, 28), **options) -> PathRequest:
    window = Window(
        "org1",
        "toy",
        SOURCE,
        dt.date(2025, 2, days[0]),
        dt.date(2025, 2, days[1]),
        tuple(Cluster(source, "c") for source in clusters),
    )
    provider = Toy(stages or (ROWS,))
    inputs = Inputs(lake=str(lake), side=str(lake.parent / "side"))
    return PathRequest(provider, make_plan(window), inputs, threads=1, options=options or None)


def rows_of(lake: Path, *stages: Stage, **options) -> list[dict]:
    """The rows of the last stage, sorted."""
    *_, last = Embedded().run(request(lake, *stages, **options))
    chosen = next(s for s in (stages or (ROWS,)) if s.name == last.stage)
    table = RowSet.conform(chosen.spec, last.table).table
    return sorted(table.to_pylist(), key=lambda row: json.dumps(row, default=str))


def names_and_amounts(lake: Path, **options) -> list[tuple]:
    return [(row["name"], row["amount"]) for row in rows_of(lake, **options)]


# --- the path --------------------------------------------------------------------------------------


def test_the_mode_embedded_is_found_and_says_that_it_stands_in():
    path = open_path("embedded")

    assert (path.mode, path.stand_in) == ("embedded", True)
    assert set(path.engine()) == {"duckdb", "sqlglot"}


def test_without_its_engine_the_mode_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(UserError, match=r"package duckdb is not installed.*shadowagg\[embedded\]"):
        open_path("embedded")


def test_every_sub_window_adds_its_rows_once(lake):
    put(lake, events(*range(1, 29)))

    assert [dt.date(2025, 2, day) for day in range(1, 29)] == [row["day"] for row in rows_of(lake)]


def test_a_later_stage_reads_earlier_ones_and_a_window_stage_is_made_once(lake):
    put(lake, events(1, 8, 15))
    total = stage(
        "total",
        """
        select cast(:start as date) as day, source, sum(amount) as amount,
            cast(cast(sum(amount) as varchar) as decimal(33, 15)) as stored,
            cast(source as uuid) as uid
        from daily group by source
        """,
        AMOUNT,
        Column("stored", numeric(33, 15), Role.MEASURE),
        Column("uid", UUID),
        scope="window",
        reads=("daily",),
    )

    (row,) = rows_of(lake, ROWS, total)

    assert (24.0, Decimal(24), SOURCE) == (row["amount"], row["stored"], row["uid"])


def test_stages_come_in_order_with_their_times(lake):
    copy = stage("copy", "select day, source, name, amount from daily", *ROWS.spec.columns[2:])

    found = list(Embedded().run(request(lake, ROWS, copy, days=(1, 2))))

    assert [item.stage for item in found] == ["daily", "copy"]
    assert all(item.seconds > 0 for item in found)


def test_a_stage_with_a_missing_optional_table_has_no_rows_and_can_still_be_read(lake):
    only = stage("only", ROWS.sql, *ROWS.spec.columns[2:], only_with=("extras",))
    copy = stage("copy", "select day, source, name, amount from only", *ROWS.spec.columns[2:])

    assert rows_of(lake, only) == []
    assert rows_of(lake, only, copy) == []

    put(lake, pa.table({"at": moments(1)}), name="extras")

    assert len(rows_of(lake, only)) == 1


def test_rows_of_the_windows_clusters_are_there_and_of_nobody_else(lake):
    put(lake, events(2), source=OTHER)
    put(lake, events(3), source="00000000-0000-0000-0000-00000000000c")
    everybody = stage(
        "everybody",
        "select cast(at as date) as day, source, name, amount from events"
        " where at >= :start and at < :end + interval '1' day",
        *ROWS.spec.columns[2:],
    )

    assert [row["source"] for row in rows_of(lake, everybody, clusters=(OTHER,))] == [SOURCE, OTHER]


def test_a_run_that_is_given_up_leaves_nothing_open(lake):
    run = Embedded().run(request(lake))
    next(run)
    run.close()

    assert list(run) == []


# --- what files may look like ----------------------------------------------------------------------


def test_columns_are_found_by_name_in_any_order_and_others_are_passed_over(lake):
    put(lake, events(1).select(["amount", "name", "at"]), file="a")
    put(lake, events(2).append_column("other", pa.array([1])), file="b")
    put(lake, events(3).append_column("other", pa.array([{"deep": ["x"]}])), file="c")

    assert names_and_amounts(lake) == [("n1", 1.0), ("n2", 2.0), ("n3", 3.0)]


def test_a_column_missing_in_some_files_is_null_there(lake):
    put(lake, events(2).drop_columns(["name"]), file="b")

    assert names_and_amounts(lake) == [("n1", 1.0), (None, 2.0)]


def test_a_column_missing_in_the_month_but_not_in_the_table_is_null(lake):
    put(lake, events(1).drop_columns(["name"]))
    put(lake, events(1), month="01", source=OTHER)

    assert names_and_amounts(lake) == [(None, 1.0)]


def test_a_column_that_no_file_of_the_table_has_is_refused(lake):
    put(lake, events(1).drop_columns(["name"]))

    with pytest.raises(InputRefused, match=r"table events: no file .* columns \['name'\]"):
        rows_of(lake)


def test_a_broken_file_of_another_month_is_none_of_the_windows_business(lake):
    put(lake, events(1).drop_columns(["name"]))
    put(lake, events(1), month="01", file="good")
    put(lake, events(1), month="01", file="bad").write_bytes(b"PAR1 and then nothing")

    assert names_and_amounts(lake) == [(None, 1.0)]


def test_a_missing_partition_has_no_rows(lake):
    put(lake, events(1), source=OTHER)
    put(lake, events(1)).unlink()

    assert rows_of(lake) == []


def test_a_missing_required_table_is_refused_by_name(lake):
    for file in lake.rglob("*.parquet"):
        file.unlink()

    with pytest.raises(InputRefused, match="table events: the table does not exist"):
        rows_of(lake)


def test_a_missing_required_side_table_is_refused_by_name(lake):
    (lake.parent / "side" / "names.parquet").unlink()

    with pytest.raises(InputRefused, match="table names: the table does not exist"):
        rows_of(lake)


def test_a_side_table_without_a_declared_column_is_refused(lake):
    pq.write_table(pa.table({"uid": [SOURCE]}), lake.parent / "side" / "names.parquet")

    with pytest.raises(InputRefused, match=r"table names: no file .* \['kept', 'name'\]"):
        rows_of(lake)


def test_side_tables_have_their_declared_types_and_missing_optional_ones_are_empty(lake):
    sides = stage(
        "sides",
        """
        select cast(:start as date) as day, cast(:source as varchar) as source,
            n.uid, n.name as name
        from names as n left join aliases as a on a.uid = n.uid
        where n.kept and a.uid is null and n.uid = cast(:source as uuid)
        """,
        Column("uid", UUID),
        Column("name", TEXT),
        scope="window",
    )

    (row,) = rows_of(lake, sides)

    assert (row["uid"], row["name"]) == (SOURCE, "n1")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([7], pa.int64()),
        pa.array([7], pa.int32()),
        pa.array([7], pa.float32()),
        pa.array([7], pa.uint8()),
    ],
    ids=lambda values: str(values.type),
)
def test_a_number_of_another_width_is_a_double(lake, values):
    put(lake, events(2, amount=values), file="b")

    assert names_and_amounts(lake) == [("n1", 1.0), ("n2", 7.0)]


@pytest.mark.parametrize(
    "type_",
    [
        *(pa.null(), pa.float64(), pa.int64(), pa.string(), pa.bool_(), pa.timestamp("ms")),
        *(pa.decimal128(9, 2), pa.date32(), pa.list_(pa.string())),
    ],
    ids=str,
)
@pytest.mark.parametrize("column", ["name", "amount", "at"])
def test_a_column_of_nothing_but_null_fits_any_type(lake, column, type_):
    put(lake, events(2, **{column: pa.nulls(1, type_)}), file="b")
    everything = stage(
        "everything",
        "select cast(at as date) as day, source, name, amount from events",
        *ROWS.spec.columns[2:],
        scope="window",
    )
    expected = {"day": dt.date(2025, 2, 2), "source": SOURCE, "name": "n2", "amount": 2.0}
    expected["day" if column == "at" else column] = None

    assert expected in rows_of(lake, everything)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("amount", ["7"], "VARCHAR, declared double"),
        ("amount", [Decimal("7.00")], r"DECIMAL\(3,2\), declared double"),
        ("amount", [True], "BOOLEAN, declared double"),
        ("name", [7.0], "DOUBLE, declared text"),
        ("name", [b"n"], "BLOB, declared text"),
        ("name", [["n"]], r"VARCHAR\[\], declared text"),
        ("at", ["2025-02-02"], "VARCHAR, declared time"),
        ("at", [dt.date(2025, 2, 2)], "DATE, declared time"),
        ("at", [20250202], "BIGINT, declared time"),
    ],
)
def test_a_column_of_another_type_is_refused_by_name_and_file(lake, column, values, said):
    put(lake, events(2, **{column: pa.array(values)}), file="b")

    with pytest.raises(
        InputRefused, match=rf"table events, .*b\.parquet: column {column} is {said}"
    ):
        rows_of(lake)


@pytest.mark.parametrize("tz", [None, "UTC"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_time_is_the_same_instant_however_it_is_written(lake, unit, tz):
    put(lake, events(2, at=moments(2, unit=unit, tz=tz, hour=23)), file="b")

    assert [dt.date(2025, 2, 1), dt.date(2025, 2, 2)] == [row["day"] for row in rows_of(lake)]


@pytest.mark.parametrize("tz", [None, "UTC"])
def test_a_time_finer_than_a_millisecond_is_rounded_into_the_next_day(lake, tz):
    late = pa.array([moment(2, 23, 59, 59, 999600)], pa.timestamp("us", tz))
    put(lake, events(2, at=late), file="b")

    assert [dt.date(2025, 2, 1), dt.date(2025, 2, 3)] == [row["day"] for row in rows_of(lake)]


def test_the_last_moment_of_the_window_is_in_it_and_the_next_is_not(lake):
    at = pa.array([moment(2, 23, 59, 59, 999000), moment(3)])
    put(lake, events(2, 3, at=at.cast(pa.timestamp("ms"))))

    assert names_and_amounts(lake, days=(1, 2)) == [("n2", 2.0)]


def test_texts_of_large_type_or_dictionaries_are_texts(lake):
    put(lake, events(2, name=pa.array(["n2"], pa.large_string())), file="b")
    put(lake, events(3, name=pa.array(["n3"]).dictionary_encode()), file="c")

    assert names_and_amounts(lake) == [("n1", 1.0), ("n2", 2.0), ("n3", 3.0)]


def test_a_file_of_no_bytes_has_no_rows(lake):
    put(lake, events(2), file="b").write_bytes(b"")

    assert names_and_amounts(lake) == [("n1", 1.0)]


@pytest.mark.parametrize("folder", ["plain [a]", "star*", "what?", "it's", "ünder_é", "a=b"])
def test_a_lake_may_lie_in_a_folder_of_any_name(tmp_path, lake, folder):
    moved = tmp_path / folder
    lake.rename(moved)
    put(moved, events(2).select(["amount", "name", "at"]), file="b")
    put(moved, events(3).drop_columns(["name"]), file="c")
    put(moved, events(4, amount=pa.array([4])), file="d")

    assert sorted(names_and_amounts(moved), key=str) == [
        ("n1", 1.0),
        ("n2", 2.0),
        ("n4", 4.0),
        (None, 3.0),
    ]


def test_tables_of_a_lake_that_duckdb_does_not_open_itself_are_kept_apart(tmp_path, lake):
    moved = tmp_path / "[glob]"
    lake.rename(moved)
    put(moved, pa.table({"at": moments(9)}), name="extras")
    both = stage(
        "both",
        "select cast(x.at as date) as day, e.source, e.name, e.amount from events as e"
        " cross join extras as x",
        *ROWS.spec.columns[2:],
        scope="window",
    )

    (row,) = rows_of(moved, both)

    assert (dt.date(2025, 2, 9), "n1") == (row["day"], row["name"])


def test_a_lake_whose_folders_are_links_is_read(tmp_path, lake):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "events").symlink_to(lake / "events")

    assert names_and_amounts(linked) == [("n1", 1.0)]


# --- what cannot be read, what is refused ----------------------------------------------------------


@pytest.mark.parametrize("folder", ["plain", "[glob]"])
@pytest.mark.parametrize("what", ["cut", "footer", "text"])
def test_a_broken_file_is_named(tmp_path, lake, what, folder):
    moved = tmp_path / folder
    lake.rename(moved)
    broken = put(moved, events(2), file="b")
    content = broken.read_bytes()
    broken.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "footer": content[:-8] + b"\xff\xff\xff\x7fPAR1",
            "text": b"no parquet at all",
        }[what]
    )

    with pytest.raises(InputUnreadable, match=r"b\.parquet: not a readable Parquet file"):
        rows_of(moved)


@pytest.mark.parametrize("folder", ["plain", "[glob]"])
def test_a_file_with_a_broken_page_is_named_and_not_called_refused(tmp_path, lake, folder):
    moved = tmp_path / folder
    lake.rename(moved)
    broken = put(moved, events(*range(1, 29)), file="b")
    content = bytearray(broken.read_bytes())
    content[4:300] = b"\xff" * 296
    broken.write_bytes(content)

    with pytest.raises(InputUnreadable, match=r"b\.parquet: not a readable Parquet file"):
        rows_of(moved)


def failing(expression: str) -> SqlStage:
    return stage(
        "failing",
        f"select cast(at as date) as day, source, {expression} as x from events",  # noqa: S608 - own
        Column("x", TEXT),
    )


@pytest.mark.parametrize(
    ("name", "expression", "reason"),
    [
        (
            "secret{",
            "json_format(cast(cast(json_parse(name) as map(varchar, varchar)) as json))",
            "a text is not a JSON object of plain values",
        ),
        (
            '{"secret":"1","secret":"2"}',
            "json_format(cast(cast(json_parse(name) as map(varchar, varchar)) as json))",
            "a key occurs twice in a JSON text",
        ),
        ("secret{", "cast(json_parse(name) as varchar)", "a text is not JSON"),
        ("secret", "cast(cast(name as double) as varchar)", "converted to DOUBLE"),
        ("secret", "cast(cast(name as uuid) as varchar)", "converted to UUID"),
        (
            "secret",
            "cast(cast(cast('NaN' as double) as decimal(33, 15)) as varchar)",
            r"converted to DECIMAL\(33,15\)",
        ),
        (
            "secret",
            "cast(cast(if(length(name) < 3, '1', 'a text is too long') as integer) as varchar)",
            "a text is too long",
        ),
    ],
)
def test_a_row_on_which_the_statement_fails_is_refused_without_its_values(
    lake, name, expression, reason
):
    put(lake, events(2, name=[name]))

    with pytest.raises(InputRefused, match=rf"stage failing, .*: .*{reason}") as caught:
        rows_of(lake, failing(expression))

    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_fault_of_the_statement_is_no_refusal(lake):
    with pytest.raises(Exception, match="no_such_function") as caught:
        rows_of(lake, failing("no_such_function(name)"))

    assert not isinstance(caught.value, ShadowaggError)


@pytest.mark.parametrize(
    "columns",
    [
        "source, cast(at as date) as day, name, amount",
        "cast(at as date) as day, source, name, cast(amount as integer) as amount",
        "cast(at as date) as day, source, name",
    ],
)
def test_a_statement_with_other_columns_than_specified_is_found_out(lake, columns):
    sql = f"select {columns} from events"  # noqa: S608 - own text
    wrong = stage("wrong", sql, *ROWS.spec.columns[2:])

    with pytest.raises(RowSetInvalid, match="toy:wrong"):
        rows_of(lake, wrong)


@pytest.mark.parametrize("sql", ["select 1; select 2", "drop table events", "select from where"])
def test_a_control_that_is_not_one_select_is_found_out(lake, sql):
    with pytest.raises(ShadowaggError, match="toy:wrong"):
        rows_of(lake, stage("wrong", sql))


def test_a_parameter_without_a_value_is_found_out(lake):
    wrong = stage("wrong", "select :nobody as day, source from events")

    with pytest.raises(ShadowaggError, match=r"no value for \['nobody'\]"):
        rows_of(lake, wrong)


def test_a_statement_reaches_no_file_but_the_inputs(lake, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    pq.write_table(events(1), elsewhere / "x.parquet")
    file = elsewhere / "x.parquet"
    sql = f"select cast(at as date) as day, name as source from read_parquet('{file}')"  # noqa: S608 - own

    with pytest.raises(InputUnreadable, match="PermissionException"):
        rows_of(lake, stage("curious", sql))


def test_it_writes_nothing_beside_the_inputs(lake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    rows_of(lake)

    assert before == sorted(tmp_path.rglob("*"))
