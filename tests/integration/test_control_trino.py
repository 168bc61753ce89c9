"""The control on a real Trino: the same rows in every way, and nothing left behind in any case."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from shadowagg.cli import main
from shadowagg.control import scratch_prune
from shadowagg.control import trino as trino_mode
from shadowagg.control.scratch import (
    PREFIX,
    connect_postgres,
    hold,
    identity,
    new_name,
    open_scratch,
    quoted,
)
from shadowagg.control.trino_session import TrinoSession
from shadowagg.errors import InputRefused, InputUnreadable, RowSetInvalid, ServerFailed, UserError
from shadowagg.inputs import Inputs
from shadowagg.paths import PathRequest
from shadowagg.plan import make_plan
from shadowagg.provider import InputColumn, InputTable, Stage
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    INTEGER,
    JSON,
    TEXT,
    UUID,
    Column,
    Role,
    RowKind,
    RowSet,
    RowSetSpec,
    numeric,
    varchar,
)
from shadowagg.servers import TrinoServer
from shadowagg.window import Cluster, Window

pytestmark = pytest.mark.server

GOLDEN = Path(__file__).parents[1] / "parity" / "golden"
PODS = "openshift_pod_usage_line_items_daily"
SOURCE = "00000000-0000-0000-0000-00000000000a"
OTHER = "00000000-0000-0000-0000-00000000000b"

EVENTS = InputTable(
    "events",
    "lake",
    (InputColumn("at", "time"), InputColumn("name", "text"), InputColumn("amount", "double")),
    time="at",
)
EXTRAS = InputTable("extras", "lake", (InputColumn("at", "time"),), required=False, time="at")
NAMES = InputTable(
    "names",
    "postgres",
    (
        InputColumn("uid", "uuid"),
        InputColumn("name", "text"),
        InputColumn("kept", "boolean"),
        InputColumn("number", "integer"),
        InputColumn("words", "texts"),
    ),
)
ALIASES = InputTable("aliases", "postgres", (InputColumn("uid", "uuid"),), required=False)


@dataclass(frozen=True)
class SqlStage(Stage):
    sql: str = ""

    def control_sql(self) -> str:
        return self.sql


def stage(name, sql, *columns, **options):
    spec = RowSetSpec(
        name=f"toy:{name}",
        table=name,
        home="inner",
        columns=(Column("day", DATE), Column("source", TEXT), *columns),
        kinds=(RowKind("row", ("day", "source")),),
        day="day",
        source="source",
    )
    return SqlStage(name, spec, "", "", sql=sql, **options)


AMOUNT = Column("amount", DOUBLE, Role.MEASURE, nan=True)
DAILY = stage(
    "daily",
    """
    select cast(at as date) as day, source, name, amount from events
    where source = :source and year = :year and month = :month
        and at >= :start and at < :end + interval '1' day
    """,
    Column("name", TEXT),
    AMOUNT,
)
EVERYBODY = stage(
    "everybody",
    "select cast(at as date) as day, source, name, amount from events",
    Column("name", TEXT),
    AMOUNT,
    scope="window",
)


@dataclass
class Toy:
    stages: tuple[Stage, ...] = (DAILY,)
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


@pytest.fixture
def servers(trino, postgres, lake, monkeypatch):
    """The environment points at the servers, as a user's would."""
    values = {
        "TRINO_HOST": trino.host,
        "TRINO_PORT": str(trino.port),
        "TRINO_USER": trino.user,
        "PGHOST": postgres.host,
        "PGPORT": str(postgres.port),
        "PGUSER": postgres.user,
        "PGPASSWORD": postgres.password,
        "PGDATABASE": postgres.database,
        "SHADOWAGG_LAKE_DIR": str(lake.folder),
        "SHADOWAGG_LAKE_URI": lake.uri,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def session(servers):
    with TrinoSession(TrinoServer.from_environment(), source="test") as opened:
        yield opened


@pytest.fixture
def nothing_left(session, lake):
    """Whatever the test does: in the end there is no scratch of it, and no query runs for it."""
    before = set(everything(session, lake))
    yield
    left = set(everything(session, lake)) - before
    assert set() == {name for name in left if not somebody_else_lives(name)}


def everything(session, lake):
    return scratch_prune.leftovers(session, None) + [
        path.name for path in lake.folder.glob(f"{PREFIX}*")
    ]


def somebody_else_lives(name):
    """Other sessions may use the same servers."""
    with contextlib.closing(connect_postgres()) as database:
        return not hold(database, name)


def put(folder, table, *, name="events", source=SOURCE, month="02", file="a"):
    path = folder / name / f"source={source}" / "year=2025" / f"month={month}" / f"{file}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def moments(*days):
    return pa.array([dt.datetime(2025, 2, day) for day in days], pa.timestamp("ms"))  # noqa: DTZ001


def events(*days, **columns):
    return pa.table(
        {
            "at": moments(*days),
            "name": [f"n{day}" for day in days],
            "amount": [float(day) for day in days],
            **columns,
        }
    )


def side_tables(folder):
    folder.mkdir()
    table = pa.table(
        {
            "words": pa.array([["a", None, 'q"\\,{}'], [], None], pa.list_(pa.string())),
            "number": pa.array([1, None, -3], pa.int64()),
            "uid": [SOURCE.upper(), None, OTHER],
            "name": ["tab\tline\nback\\slash", "", None],
            "kept": [True, False, None],
            "more": [1, 2, 3],
        }
    )
    pq.write_table(table, folder / "names.parquet")


@pytest.fixture
def inputs(tmp_path):
    """A small lake outside of the one that Trino reads, and side tables."""
    side_tables(tmp_path / "side")
    put(tmp_path / "lake", events(1))
    return Inputs(lake=str(tmp_path / "lake"), side=str(tmp_path / "side"))


def request(inputs, *stages, days=(1, 28), clusters=(), seconds=120.0):
    window = Window(
        "org1",
        "toy",
        SOURCE,
        dt.date(2025, 2, days[0]),
        dt.date(2025, 2, days[1]),
        tuple(Cluster(source, "c") for source in clusters),
    )
    return PathRequest(Toy(stages or (DAILY,)), make_plan(window), inputs, seconds=seconds)


def run(inputs, *stages, **options):
    """The tables of the stages, checked against their specifications."""
    asked = request(inputs, *stages, **options)
    specs = {stage.name: stage.spec for stage in asked.provider.stages}
    return {
        made.stage: RowSet.conform(specs[made.stage], made.table).table
        for made in trino_mode.Trino().run(asked)
    }


def values(table, name):
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    return column.to_pylist()


# --- rows ----------------------------------------------------------------------------------------

TYPES = stage(
    "types",
    """
    select cast(at as date) as day, source, amount,
        cast(name as varchar(7)) as name,
        cast('00000000-0000-0000-0000-00000000000A' as uuid) as uid,
        if(name = '', cast(null as json), json_parse('{"b": [1, null], "a": "ü"}')) as document,
        cast(null as integer) as nothing,
        cast(day(at) as integer) as number,
        cast('-123456789012345678.000000000000001' as decimal(33, 15)) as stored
    from events where at >= :start and at < :end + interval '1' day
    """,
    AMOUNT,
    Column("name", varchar(7)),
    Column("uid", UUID),
    Column("document", JSON, Role.JSON),
    Column("nothing", INTEGER),
    Column("number", INTEGER),
    Column("stored", numeric(33, 15), Role.MEASURE),
)
STRANGE = [0.1, -0.0, float("inf"), 5e-324, 1.7976931348623157e308, None, 2 / 3]


@pytest.mark.parametrize("way", ["files", "client"])
def test_every_type_comes_back_without_loss(inputs, tmp_path, nothing_left, monkeypatch, way):
    if way == "client":
        monkeypatch.setattr(trino_mode._Run, "_shared_folder", lambda _: None)
    texts = ["", None, "ü\n\t\\N", "'", '"', "NULL", "x"]
    put(tmp_path / "lake", events(*range(1, 8), name=texts, amount=pa.array(STRANGE, pa.float64())))
    put(tmp_path / "lake", events(8, amount=[float("nan")]), file="b")

    found = run(inputs, TYPES)["types"]

    rows = sorted(found.to_pylist(), key=lambda row: row["number"])
    assert [dt.date(2025, 2, day) for day in range(1, 9)] == [row["day"] for row in rows]
    assert [*texts, "n8"] == [row["name"] for row in rows]
    assert [repr(x) for x in [*STRANGE, float("nan")]] == [repr(row["amount"]) for row in rows]
    assert {SOURCE} == {row["uid"] for row in rows}
    assert {Decimal("-123456789012345678.000000000000001")} == {row["stored"] for row in rows}
    assert [None] * 8 == [row["nothing"] for row in rows]
    assert rows[0]["document"] is None
    assert {"b": [1, None], "a": "ü"} == json.loads(rows[1]["document"])


def test_the_engine_says_which_way_rows_came_and_what_each_stage_cost(inputs, nothing_left):
    path = trino_mode.Trino()
    list(path.run(request(inputs, days=(1, 1))))

    engine = path.engine()

    assert "476" == engine["trino"]
    assert "files" == engine["rows_read_through"]
    assert engine["cpu_seconds"] > 0
    assert engine["scanned_bytes"] > 0
    (*_, insert) = engine["queries"]["daily"]
    assert re.fullmatch(r"\d{8}_\d{6}_\d{5}_\w{5}", insert["query"])
    assert insert["peak_memory_bytes"] > 0


def test_every_sub_window_adds_its_rows_once(inputs, tmp_path, nothing_left):
    put(tmp_path / "lake", events(*range(1, 13)))

    found = run(inputs, days=(1, 12))["daily"]

    assert [dt.date(2025, 2, day) for day in range(1, 13)] == sorted(values(found, "day"))


def test_a_later_stage_reads_an_earlier_one_in_its_own_types(inputs, nothing_left):
    later = stage(
        "later",
        """
        select types.day, types.source, cast(typeof(types.uid) || typeof(document) as varchar) as kinds,
            cast(json_format(json_extract(document, '$.b')) as varchar) as part
        from types
        """,
        Column("kinds", TEXT),
        Column("part", TEXT),
        scope="window",
    )

    found = run(inputs, TYPES, later, days=(1, 1))["later"]

    assert ["uuidjson"] == values(found, "kinds")
    assert ["[1,null]"] == values(found, "part")


def test_side_tables_have_their_declared_types_and_values(inputs, nothing_left):
    looks = stage(
        "looks",
        """
        select cast(:start as date) as day, cast(:source as varchar) as source,
            cast(name as varchar) as name,
            cast(concat_ws('|', cast(uid as varchar), cast(kept as varchar), cast(number as varchar))
                as varchar) as others,
            cast(json_format(cast(words as json)) as varchar) as words,
            cast(typeof(names.uid) || typeof(words) as varchar) as kinds
        from names where not exists (select 1 from aliases)
        """,
        *(Column(name, TEXT) for name in ("name", "others", "words", "kinds")),
    )

    found = run(inputs, looks, days=(1, 1))["looks"]

    assert ["tab\tline\nback\\slash", "", None] == values(found, "name")
    assert [f"{SOURCE}|true|1", "false", f"{OTHER}|-3"] == values(found, "others")
    words = [json.loads(text) if text else None for text in values(found, "words")]
    assert [["a", None, 'q"\\,{}'], [], None] == words
    assert {"uuidarray(varchar)"} == set(values(found, "kinds"))


def test_only_the_windows_sources_and_month_are_there(inputs, tmp_path, nothing_left):
    put(tmp_path / "lake", events(2), source=OTHER)
    put(tmp_path / "lake", events(3), source="00000000-0000-0000-0000-00000000000c")
    put(tmp_path / "lake", events(4), month="03")

    found = run(inputs, EVERYBODY, clusters=(OTHER,))["everybody"]

    assert [(SOURCE, "n1"), (OTHER, "n2")] == sorted(
        zip(values(found, "source"), values(found, "name"), strict=True)
    )


def test_inputs_in_the_lake_are_read_where_they_are(servers, lake, tmp_path, nothing_left, session):
    place = lake.folder / f"test_inputs_{tmp_path.name}"
    try:
        put(place, events(1))
        side_tables(tmp_path / "side")
        here = Inputs(lake=str(place), side=str(tmp_path / "side"))
        with open_scratch(session) as scratch:
            trino_mode.provide(scratch, Toy().inputs, here, request(here).plan.window)
            text = session.rows(f"SHOW CREATE TABLE {scratch.hive('events__1')}")[0][0]
            made = list(Path(lake.folder, scratch.name).glob("*"))
        assert f"{lake.uri}/{place.name}/events/source={SOURCE}/year=2025/month=02" in text
        assert [] == made
        assert ["n1"] == values(run(here)["daily"], "name")
        assert 1 == pq.read_table(next(place.rglob("*.parquet")), partitioning=None).num_rows
    finally:
        shutil.rmtree(place)


def test_inputs_in_s3_are_read_where_they_are(servers, s3, tmp_path, nothing_left, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    filesystem = s3.filesystem()
    root = f"{s3.bucket}/test_s3_{tmp_path.name}"
    side_tables(tmp_path / "side")
    scheme, _, address = s3.endpoint.partition("://")
    options = {"endpoint_override": address, "scheme": scheme, "region": s3.region}
    inputs = Inputs(lake=f"s3://{root}", side=str(tmp_path / "side"), s3=options)
    folder = f"{root}/events/source={SOURCE}/year=2025/month=02"
    try:
        filesystem.create_dir(folder)
        pq.write_table(events(1, 2), f"{folder}/a.parquet", filesystem=filesystem)

        assert ["n1", "n2"] == sorted(values(run(inputs)["daily"], "name"))
        assert filesystem.get_file_info(f"{folder}/a.parquet").size > 0
    finally:
        filesystem.delete_dir(root)


def test_a_stage_with_a_missing_optional_table_has_no_rows_and_can_be_read(inputs, nothing_left):
    only = stage("only", DAILY.sql, *DAILY.spec.columns[2:], only_with=("extras",))
    copy = stage("copy", "select day, source, name, amount from only", *DAILY.spec.columns[2:])

    assert [0, 0] == [table.num_rows for table in run(inputs, only, copy).values()]


# --- what is refused -------------------------------------------------------------------------------


def test_a_column_that_no_file_has_is_refused_and_one_that_a_file_lacks_is_null(
    inputs, tmp_path, nothing_left
):
    put(tmp_path / "lake", events(1).drop_columns(["name"]))
    with pytest.raises(InputRefused, match=r"table events: no file .* column name"):
        run(inputs)

    put(tmp_path / "lake", events(2), month="03")

    assert [None] == values(run(inputs)["daily"], "name")


def test_a_column_of_another_type_is_refused(inputs, tmp_path, nothing_left):
    put(tmp_path / "lake", events(1, amount=["a text"]))

    with pytest.raises(InputRefused, match=r"column amount is .*declared double") as raised:
        run(inputs)
    assert "a text" not in str(raised.value)


def test_a_value_that_cannot_be_converted_is_refused_without_being_quoted(
    inputs, tmp_path, nothing_left
):
    put(tmp_path / "lake", events(1, name=["secret value"]))
    cast = stage(
        "cast",
        "select cast(at as date) as day, source, cast(name as decimal(33, 15)) as stored from events",
        Column("stored", numeric(33, 15), Role.MEASURE),
    )

    with pytest.raises(InputRefused, match=r"converted to DECIMAL\(33, ?15\)") as raised:
        run(inputs, cast)
    assert "secret" not in str(raised.value)


def test_a_truncated_file_is_named(inputs, tmp_path, nothing_left):
    file = put(tmp_path / "lake", events(*range(1, 29)), file="broken")
    file.write_bytes(file.read_bytes()[:-100])

    with pytest.raises(InputUnreadable, match=r"broken\.parquet"):
        run(inputs)


def test_damaged_pages_are_named(inputs, tmp_path, nothing_left):
    file = put(tmp_path / "lake", events(*range(1, 29)), file="damaged")
    content = bytearray(file.read_bytes())
    content[4:200] = b"\xff" * 196
    file.write_bytes(content)

    with pytest.raises(InputUnreadable, match=r"damaged\.parquet"):
        run(inputs)


def test_a_missing_required_table_is_refused(inputs, tmp_path, nothing_left):
    shutil.rmtree(tmp_path / "lake" / "events")

    with pytest.raises(InputRefused, match="table events: the table does not exist"):
        run(inputs)


def test_a_select_with_another_column_is_our_fault(inputs, nothing_left):
    wrong = stage(
        "wrong", DAILY.sql.replace("name, amount", "amount, name"), *DAILY.spec.columns[2:]
    )

    with pytest.raises(RowSetInvalid, match="another order"):
        run(inputs, wrong)


# --- the whole way ---------------------------------------------------------------------------------


def shadowagg(scenario, *options):
    result = CliRunner().invoke(
        main, ["run", "--scenario", str(scenario), "--json", "-", "--quiet", *options]
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize(
    ("control", "candidate"), [("trino", "pyarrow"), ("recorded", "trino"), ("trino", "embedded")]
)
def test_a_golden_scenario_matches_with_trino_in_either_place(
    servers, nothing_left, control, candidate
):
    code, document = shadowagg(
        GOLDEN / "ocp-tagmap", "--control", control, "--candidate", candidate
    )

    assert (0, {"match"}) == (code, set(document["verdicts"]))
    assert document["rows_compared"]["ocp:daily_summary"] > 0
    for record in document["records"]:
        side = record["control" if control == "trino" else "candidate"]
        assert "476" == side["engine"]["trino"]
        assert [] == side["left_behind"]


def test_rows_that_differ_on_trino_are_a_mismatch(servers, nothing_left, tmp_path):
    shutil.copytree(GOLDEN / "ocp-nokeys", tmp_path / "scenario")
    for home in ("hive", "postgres"):
        for file in (tmp_path / "scenario" / "expected").glob(f"{home}*/*daily_summary.parquet"):
            table = pq.read_table(file, partitioning=None)
            changed = pc.if_else(
                pc.equal(table.column("data_source"), "Pod"), "another", table["node"]
            )
            pq.write_table(
                table.set_column(table.column_names.index("node"), "node", changed), file
            )

    code, document = shadowagg(
        tmp_path / "scenario", "--control", "recorded", "--candidate", "trino"
    )

    assert (1, ["mismatch"]) == (code, document["verdicts"])


@pytest.fixture
def damaged(tmp_path):
    shutil.copytree(GOLDEN / "ocp-nokeys", tmp_path / "scenario")

    def rewrite(change):
        for file in sorted((tmp_path / "scenario" / "inputs" / PODS).rglob("*.parquet")):
            pq.write_table(change(pq.read_table(file, partitioning=None)), file)
        return tmp_path / "scenario"

    return rewrite


@pytest.mark.parametrize("labels", ["{", '{"a": {"b": 1}}', '{"a": 1, "a": 2}'])
def test_a_malformed_label_text_is_refused(inputs, tmp_path, nothing_left, labels):
    put(tmp_path / "lake", events(1, name=[labels]))
    parsed = stage(
        "parsed",
        "select cast(at as date) as day, source,"
        " json_format(cast(cast(json_parse(name) as map(varchar, varchar)) as json)) as labels"
        " from events",
        Column("labels", TEXT),
    )

    with pytest.raises(InputRefused, match="JSON"):
        run(inputs, parsed)


def test_a_malformed_label_text_is_refused_by_both(servers, nothing_left, damaged):
    labels = '{"a": 1, "a": 2}'

    def change(table):
        texts = [labels, *table.column("pod_labels").to_pylist()[1:]]
        index = table.column_names.index("pod_labels")
        return table.set_column(index, "pod_labels", pa.array(texts))

    code, document = shadowagg(damaged(change), "--control", "trino")

    (record,) = document["records"]
    assert (4, "refused") == (code, record["cause"])
    assert "refused" == record["candidate"]["fault"]["cause"]
    assert "JSON" in record["control"]["fault"]["message"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_what_no_decimal_can_hold_is_refused(inputs, tmp_path, nothing_left, value):
    put(tmp_path / "lake", events(1, amount=[value]))
    cast = stage(
        "cast",
        "select cast(at as date) as day, source, cast(amount as decimal(33, 15)) as stored"
        " from events",
        Column("stored", numeric(33, 15), Role.MEASURE),
    )

    with pytest.raises(InputRefused, match=r"DECIMAL\(33, ?15\)"):
        run(inputs, cast)


def test_what_no_decimal_can_hold_is_refused_by_both(servers, nothing_left, damaged):
    name = "pod_usage_cpu_core_seconds"

    def change(table):
        numbers = pa.array([float("nan"), *table.column(name).to_pylist()[1:]], pa.float64())
        return table.set_column(table.column_names.index(name), name, numbers)

    code, document = shadowagg(damaged(change), "--control", "trino")

    (record,) = document["records"]
    assert (4, "refused") == (code, record["cause"])
    assert "DECIMAL(33" in record["control"]["fault"]["message"]
    # What was made before the refusal is there, with its cost.
    assert "staging" in [made["stage"] for made in record["control"]["stages"]]
    assert record["control"]["engine"]["queries"]["daily_summary"]


# --- failures --------------------------------------------------------------------------------------

ENDLESS = stage(
    "endless",
    """
    select cast(at as date) as day, source, cast(sum(sin(x * y + z)) as double) as amount
    from events
    cross join unnest(sequence(1, 10000)) as a (x)
    cross join unnest(sequence(1, 10000)) as b (y)
    cross join unnest(sequence(1, 10000)) as c (z)
    group by cast(at as date), source
    """,
    AMOUNT,
)


def running(session):
    """The endless queries that run. Of the coordinator's list: with every thread of a small server in such
    a query, one of ours in SQL would wait for its end."""
    at = f"http://{session.server.host}:{session.server.port}/v1/query"
    answer = session._http.get(at, headers={"X-Trino-User": session.server.user}, timeout=30)
    answer.raise_for_status()
    return [
        query["queryId"]
        for query in answer.json()
        if re.match("INSERT INTO.*endless", query["query"])
        and query["state"] not in {"FINISHED", "FAILED"}
    ]


def until(condition, seconds=30.0):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail(f"not within {seconds:g} s")


def test_a_query_past_the_limit_is_a_timeout_and_leaves_nothing(inputs, session, nothing_left):
    with pytest.raises(ServerFailed, match="ran past its time") as raised:
        run(inputs, ENDLESS, days=(1, 1), seconds=6.0)

    assert "timeout" == raised.value.cause
    assert "\n" not in str(raised.value)
    assert [] == running(session)


def test_an_interrupt_cancels_the_query_and_leaves_nothing(inputs, session, nothing_left):
    main_thread = threading.get_ident()

    def interrupt():
        until(lambda: running(session))
        signal.pthread_kill(main_thread, signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(inputs, ENDLESS, days=(1, 1))
    finally:
        watcher.join()

    assert [] == running(session)


class Proxy:
    """A TCP proxy in front of a server, whose connections can be cut and which can refuse new ones."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
                self.pairs.append((client, server))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def cut(self):
        for pair in self.pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self.pairs.clear()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


@pytest.fixture
def proxy(servers, monkeypatch):
    made = Proxy(servers["TRINO_HOST"], int(servers["TRINO_PORT"]))
    monkeypatch.setenv("TRINO_PORT", str(made.port))
    yield made
    with contextlib.suppress(OSError):
        made.stop()


def test_a_server_that_goes_away_is_one_line_and_what_is_left_is_removed_later(
    inputs, session, proxy, nothing_left
):
    def stop():
        until(lambda: running(session))
        proxy.stop()

    watcher = threading.Thread(target=stop)
    watcher.start()
    with pytest.raises(
        ServerFailed, match=r"Trino at 127.0.0.1:\d+, query \w+: cannot be reached"
    ) as e:
        run(inputs, ENDLESS, days=(1, 1))
    watcher.join()

    assert "\n" not in str(e.value)
    # The server that is out of reach keeps its half; whoever comes next removes it.
    scratch_prune.prune(session)
    until(lambda: not running(session))


def test_a_connection_that_is_cut_once_while_pages_are_fetched_does_no_harm(
    inputs, tmp_path, proxy, nothing_left
):
    put(tmp_path / "lake", events(*range(1, 29)))
    asked = request(inputs, DAILY, days=(1, 28))
    ended = threading.Event()

    def cut():
        while not ended.wait(0.5):
            proxy.cut()

    found = trino_mode.Trino().run(asked)
    try:
        threading.Timer(60, ended.set).start()
        cutter = threading.Thread(target=cut)
        with contextlib.suppress(ServerFailed):
            cutter.start()
            # Either all rows or an error: never a sub-window twice.
            (made,) = found
            assert 28 == made.table.num_rows
    finally:
        ended.set()
        cutter.join()
        found.close()
        with TrinoSession(TrinoServer.from_environment(), source="test") as session:
            scratch_prune.prune(session)


def test_a_port_where_nothing_listens_is_one_line(inputs, servers, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("TRINO_PORT", str(port))

    with pytest.raises(
        ServerFailed, match=rf"127.0.0.1:{port}: cannot be reached: connection refused"
    ):
        run(inputs)


def test_wrong_credentials_of_postgresql_are_one_line_without_them(inputs, servers, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "wrong-password")

    with pytest.raises(UserError, match="is not admitted") as raised:
        run(inputs)

    assert "wrong-password" not in str(raised.value)


def test_another_database_than_the_catalogs_is_said(inputs, servers, nothing_left, monkeypatch):
    monkeypatch.setenv("PGDATABASE", "template1")

    with pytest.raises(UserError, match="another database"):
        run(inputs)


def start_run(*options):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "shadowagg", "run", "--scenario", str(GOLDEN / "ocp-nokeys")),
            *("--control", "trino", "--json", "-", "--quiet", *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def descends(pid, ancestor):
    """Whether a process was started by another, over any number of generations."""
    while pid > 1:
        if pid == ancestor:
            return True
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            pid = int(re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)[1])
            continue
        return False
    return False


def owner_of_a_scratch(ancestor):
    """The process that a scratch schema says it belongs to, if it is ours: others use the servers, too."""
    with contextlib.closing(connect_postgres()) as database, database.cursor() as cursor:
        cursor.execute(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace"
            " WHERE starts_with(nspname, %s)",
            (PREFIX,),
        )
        comments = [comment for (comment,) in cursor.fetchall() if comment]
    owners = [json.loads(comment.partition("shadowagg ")[2])["pid"] for comment in comments]
    return next((pid for pid in owners if descends(pid, ancestor)), None)


def test_the_fences_time_limit_leaves_nothing(servers, nothing_left):
    code, document = shadowagg(GOLDEN / "ocp-nokeys", "--control", "trino", "--time-limit", "3")

    (record,) = document["records"]
    assert (4, "inconclusive", "timeout") == (code, record["verdict"], record["cause"])


def test_a_run_that_is_killed_is_cleared_up_by_the_one_that_watches_it(
    servers, session, nothing_left
):
    with start_run() as process:
        worker = until(lambda: owner_of_a_scratch(process.pid))
        time.sleep(1)
        os.kill(worker, signal.SIGKILL)
        out, _ = process.communicate(timeout=120)

    (record,) = json.loads(out)["records"]
    assert ("inconclusive", "died") == (record["verdict"], record["cause"])
    assert any("scratch schema" in left for left in record["control"]["left_behind"])


def test_prune_removes_what_is_dead_and_nothing_that_lives_or_is_locked_elsewhere(
    servers, session, lake, nothing_left, tmp_path
):
    with contextlib.closing(connect_postgres()) as database, database.cursor() as cursor:
        dead, foreign = new_name(identity(database)), new_name("000000")
        cursor.execute(f"CREATE SCHEMA {quoted(dead)}")
    unnamed = f"{PREFIX}{tmp_path.name.lower()}"
    for name in (dead, foreign, unnamed):
        session.run(f"CREATE SCHEMA {quoted('hive', name)}")
    (lake.folder / dead).mkdir()
    try:
        with open_scratch(session) as alive:
            young = CliRunner().invoke(main, ["scratch", "prune", "--older-than", "1h"])
            assert 0 == young.exit_code
            assert {dead, unnamed} <= set(scratch_prune.leftovers(session, None))

            scratch_prune.prune(session)
            assert unnamed in scratch_prune.leftovers(session, None)
            assert dead not in everything(session, lake)

            pruned = CliRunner().invoke(main, ["scratch", "prune", "--json"])
            assert unnamed in json.loads(pruned.stdout)["removed"]
            assert {alive.name, foreign} <= set(scratch_prune.leftovers(session, None))
    finally:
        session.run(f"DROP SCHEMA {quoted('hive', foreign)}")
