"""The writer against a real PostgreSQL: what it leaves is what production leaves, or what was there."""

import dataclasses
import datetime as dt
import functools
import io
import resource
import threading
import time
import uuid
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest
from psycopg2 import sql

from shadowagg.candidate.decimals import to_decimal
from shadowagg.candidate.writer import (
    Staging,
    WriteOptions,
    read_staging,
    settle_window,
    write_window,
)
from shadowagg.candidate.writer import transaction as transaction_module
from shadowagg.candidate.writer import write as write_module
from shadowagg.candidate.writer.rows import CsvStream
from shadowagg.condition_sql import POSTGRES
from shadowagg.control.recorded import Recorded
from shadowagg.diff import compare
from shadowagg.discovery import registry
from shadowagg.errors import RowSetInvalid, UserError, WindowBusy, WriteFailed
from shadowagg.paths import PathRequest, open_path
from shadowagg.rowset import RowSet
from shadowagg.scenario import load_scenario
from shadowagg.testing.tables import create_table

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

GOLDEN = Path(__file__).parents[1] / "parity" / "golden"
SCENARIOS = sorted(path.name for path in GOLDEN.iterdir())
SOME_DAY = dt.date(2026, 1, 1)

PROVIDER = registry().provider("ocp")
STAGED = next(stage.spec for stage in PROVIDER.stages if stage.name == "staging")
SUMMARY = next(stage.spec for stage in PROVIDER.stages if stage.name == "daily_summary")


@dataclasses.dataclass(frozen=True)
class Made:
    """What the candidate made of one window, and what production left of it."""

    plan: object
    row_sets: dict
    recorded: dict

    @functools.cached_property
    def rows(self):
        return self.row_sets["daily_summary"].num_rows

    def in_schema(self, schema):
        window = dataclasses.replace(self.plan.window, schema=schema)
        return dataclasses.replace(self, plan=dataclasses.replace(self.plan, window=window))

    def version(self, version):
        """The same rows, told apart by their resource id, in both homes."""
        row_sets = dict(self.row_sets)
        for stage in ("staging", "daily_summary"):
            table = row_sets[stage]
            at = table.column_names.index("resource_id")
            values = pa.repeat(pa.scalar(f"version {version}"), table.num_rows)
            row_sets[stage] = table.set_column(at, "resource_id", values)
        return row_sets


@functools.cache
def golden(name):
    """What the candidate makes of a scenario, one per cluster."""
    scenario = load_scenario(GOLDEN / name)
    made = []
    for window in PROVIDER.windows(scenario):
        plan = PROVIDER.plan(window, scenario.inputs())
        request = PathRequest(
            PROVIDER, plan, scenario.inputs(), options={"expected": str(scenario.expected)}
        )
        row_sets = {m.stage: m.table for m in open_path("pyarrow").run(request)}
        made.append(Made(plan, row_sets, {m.stage: m.table for m in Recorded().run(request)}))
    return tuple(made)


class Tenant:
    """A schema of the test's own, with the table, a staging root and a connection."""

    def __init__(self, server, folder):
        self.server = server
        # A name that must be quoted, and whose percent sign is no placeholder.
        self.name = f"writer 5%s {uuid.uuid4().hex[:12]}"
        self.options = WriteOptions(marker_schema=f"{self.name} marks")
        self.staging = Staging(str(folder))
        self.connection = server.connect()

    def table(self, *days):
        months = sorted({day.replace(day=1) for day in days})
        create_table(self.connection, self.name, SUMMARY, months)
        self.connection.commit()
        return self

    def write(self, made, row_sets=None, connection=None, options=None, staging="own"):
        made = made.in_schema(self.name)
        return write_window(
            PROVIDER,
            made.plan,
            row_sets or made.row_sets,
            connection or self.connection,
            staging=self.staging if staging == "own" else staging,
            options=options or self.options,
        )

    def settle(self, made):
        plan = made.in_schema(self.name).plan
        return settle_window(plan, self.connection, self.staging, self.options)

    def query(self, text, *values):
        """Answered on a connection of its own: what others see."""
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            names = {
                "table": POSTGRES.identifier(self.name, SUMMARY.table),
                "schema": POSTGRES.identifier(self.name),
            }
            cursor.execute(text.format(**names), values)
            rows = cursor.fetchall() if cursor.description else None
            connection.commit()
            return rows

    def versions(self):
        """Which versions each home has, with their numbers of rows."""
        return dict(
            self.query("SELECT resource_id, count(*)::int FROM {table} GROUP BY 1 ORDER BY 1")
        )

    def staged_versions(self, made):
        table = read_staging(self.staging, STAGED, made.in_schema(self.name).plan).table
        counts = table.group_by("resource_id").aggregate([([], "count_all")])
        return dict(zip(*(c.to_pylist() for c in counts.columns), strict=True))

    def rows(self, columns=None):
        """The whole table as Arrow, in the types of its specification."""
        names = [c.name for c in SUMMARY.columns if columns is None or c.name in columns]
        text = io.BytesIO()
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            cursor.copy_expert(
                sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, HEADER)").format(
                    sql.SQL(", ").join(map(sql.Identifier, names)),
                    sql.Identifier(self.name, SUMMARY.table),
                ),
                text,
            )
        text.seek(0)
        return pyarrow.csv.read_csv(
            text,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: SUMMARY.column(name).type.arrow for name in names},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def text_without_ids(self):
        """Every row but for its random id, byte for byte."""
        table = "SELECT (to_jsonb(t) - 'uuid')::text, t::text FROM {table} t"
        rows = self.query(table)
        return sorted(text for text, _ in rows), {row.split(",")[0] for _, row in rows}

    def snapshot(self):
        return sorted(text for (text,) in self.query("SELECT t::text FROM {table} t"))

    def drop(self):
        with suppress(psycopg2.Error):
            self.connection.rollback()
            self.connection.close()
        for name in (self.name, f"{self.name} marks"):
            with closing(self.server.connect()) as connection, connection.cursor() as cursor:
                statement = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE")
                cursor.execute(statement.format(sql.Identifier(name)))
                connection.commit()


@pytest.fixture
def tenant(postgres, tmp_path):
    made = Tenant(postgres, tmp_path / "staging")
    yield made
    made.drop()


@pytest.fixture
def basic(tenant):
    """The smallest scenario, and its table."""
    (made,) = golden("ocp-basic")
    tenant.table(made.plan.start)
    return made


# --- what is left in both homes ----------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_written_is_what_production_left(tenant, name):
    clusters = golden(name)
    tenant.table(clusters[0].plan.start)
    for made in clusters:
        written = tenant.write(made)
        assert written.switched
        assert [(0, made.rows)] == [(t.deleted, t.inserted) for t in written.tables]
    in_postgres = tenant.rows()
    for made in clusters:
        mine = pc.equal(in_postgres["source_uuid"], made.plan.window.source_uuid)
        staged = read_staging(tenant.staging, STAGED, made.in_schema(tenant.name).plan)
        for spec, control, found in (
            (SUMMARY, made.recorded["daily_summary"], in_postgres.filter(mine)),
            (STAGED, made.recorded["staging"], staged.table),
        ):
            diff = compare(
                RowSet.conform(spec, control), RowSet.conform(spec, found), today=SOME_DAY
            )
            assert diff.agrees, diff
            assert control.num_rows == diff.equal_rows == diff.candidate_rows > 0


@pytest.mark.parametrize("name", ["ocp-basic", "ocp-nasty", "ocp-labels"])
def test_a_second_write_is_byte_for_byte_the_same_but_for_the_ids(tenant, name):
    clusters = golden(name)
    tenant.table(clusters[0].plan.start)
    for made in clusters:
        tenant.write(made)
    first, ids = tenant.text_without_ids()
    files = {p: p.read_bytes() for p in Path(tenant.staging.root).rglob("*.parquet")}
    for made in clusters:
        written = tenant.write(made)
        assert [(made.rows, made.rows)] == [(t.deleted, t.inserted) for t in written.tables]
    second, later_ids = tenant.text_without_ids()
    assert first == second
    assert len(first) == len(ids) == len(later_ids)
    assert set() == ids & later_ids
    assert files == {p: p.read_bytes() for p in Path(tenant.staging.root).rglob("*.parquet")}


@pytest.mark.parametrize("name", ["ocp-month", "ocp-nasty"])
def test_every_value_written_is_the_candidates_to_the_last_digit(tenant, name):
    clusters = golden(name)
    tenant.table(clusters[0].plan.start)
    for made in clusters:
        tenant.write(made)
    compared = [column.name for column in SUMMARY.compared]
    stored = tenant.rows(compared)
    given = pa.concat_tables(
        [
            RowSet.conform(SUMMARY, made.row_sets["daily_summary"]).table.select(compared)
            for made in clusters
        ],
        promote_options="permissive",
    )

    def as_rows(table, *, json):
        import json as json_module

        columns = []
        for column in SUMMARY.compared:
            values = table.column(column.name).to_pylist()
            if column.role.value == "json":
                values = [
                    v if v is None else json_module.dumps(json_module.loads(v), sort_keys=True)
                    for v in values
                ]
            columns.append([repr(v) for v in values])
        return sorted(zip(*columns, strict=True))

    assert as_rows(given, json=True) == as_rows(stored, json=True)


TRINO_ROUNDS = {
    0.7408655322280855: "0.740865532228086",
    123456789.123456789: "123456789.123456790000000",
    -0.0: "0.000000000000000",
    5e-16: "0.000000000000001",
    4.9e-16: "0.000000000000000",
    -5e-16: "-0.000000000000001",
    100 / 3600: "0.027777777777778",
    1e12 / 3600 * 2.0**-30: "0.258700715170966",
    24.0: "24.000000000000000",
    10 / 31: "0.322580645161290",
    999999999999999.9: "999999999999999.900000000000000",
    0.1: "0.100000000000000",
    1e-300: "0.000000000000000",
    2.0**53: "9007199254740992.000000000000000",
    123456789012345680.0: "123456789012345680.000000000000000",
}
"""`ocp.md` 7, cases 1 to 5, 47; engine facts, *Stored in PostgreSQL*."""


def test_doubles_are_stored_as_trino_rounds_them(tenant, basic):
    doubles = pa.array(TRINO_ROUNDS)
    decimals = to_decimal(doubles, 33, 15)
    one = basic.row_sets["daily_summary"].slice(0, 1)
    table = pa.concat_tables([one] * len(doubles))
    for name, values in (
        ("pod_usage_cpu_core_hours", decimals),
        ("namespace", pa.array([repr(value) for value in TRINO_ROUNDS])),
    ):
        table = table.set_column(table.column_names.index(name), name, values)
    tenant.write(basic, {**basic.row_sets, "daily_summary": table})
    stored = tenant.query("SELECT namespace, pod_usage_cpu_core_hours::text FROM {table}")
    assert {repr(value): text for value, text in TRINO_ROUNDS.items()} == dict(stored)


TEXTS = [
    "", " ", "\\.", "a\n\\.\nb", "\\N", '"', '""', "'", ",", "a,b", "\r", "\n", "\r\n", "\t", "\\", "NULL",
    "null", "{}", "%s", "{}{table}", "é", "😀", "\u202e", "\ufeff", "\x01", "\x7f", "x" * 253,
]  # fmt: skip


def test_texts_of_any_kind_come_back_as_they_were(tenant, basic):
    one = basic.row_sets["daily_summary"].slice(0, 1)
    table = pa.concat_tables([one] * (len(TEXTS) + 1))
    at = table.column_names.index("namespace")
    table = table.set_column(at, "namespace", pa.array([*TEXTS, None]))
    tenant.write(basic, {**basic.row_sets, "daily_summary": table})
    stored = [text for (text,) in tenant.query("SELECT namespace FROM {table}")]
    assert sorted(TEXTS) == sorted(text for text in stored if text is not None)
    assert 1 == stored.count(None)


def test_blanks_beyond_a_columns_length_are_cut_as_trino_cuts_them(tenant, basic):
    one = basic.row_sets["daily_summary"].slice(0, 1)
    at = one.column_names.index("namespace")
    table = one.set_column(at, "namespace", pa.array(["x" * 250 + " " * 10]))
    tenant.write(basic, {**basic.row_sets, "daily_summary": table})
    assert [("x" * 250 + " " * 3,)] == tenant.query("SELECT namespace FROM {table}")


# --- what is deleted ---------------------------------------------------------------------------


def put(tenant, made, **changes):
    """A row of somebody else's, like the first of the window."""
    window = made.plan.window
    row = {
        "uuid": str(uuid.uuid4()),
        "usage_start": made.plan.start,
        "usage_end": made.plan.start,
        "report_period_id": window.cluster.report_period_id,
        "cluster_id": window.cluster.cluster_id,
        "source_uuid": window.source_uuid,
        "namespace": "foreign",
    } | changes
    names = ", ".join(POSTGRES.identifier(name) for name in row)
    marks = ", ".join(["%s"] * len(row))
    insert = f"INSERT INTO {{table}} ({names}) VALUES ({marks})"  # noqa: S608 - quoted names
    tenant.query(insert, *row.values())
    return row["uuid"]


def test_rows_with_a_raw_cost_survive_whatever_its_sign(tenant, basic):
    """`ocp.md` 7, cases 65 and 66; 4.4-1."""
    kept = {
        put(tenant, basic, infrastructure_raw_cost=Decimal(cost))
        for cost in ("-5", "5", "0.000000000000001", "-0.000000000000001")
    }
    gone = {
        put(tenant, basic, infrastructure_raw_cost=cost, cost_model_rate_type=rate)
        for cost in (None, 0)
        for rate in (None, "Infrastructure")
    }
    tenant.write(basic)
    first, _ = tenant.text_without_ids()
    ids = {one for (one,) in tenant.query("SELECT uuid::text FROM {table}")}
    assert kept < ids
    assert set() == gone & ids
    written = tenant.write(basic)
    assert [(basic.rows, basic.rows)] == [(t.deleted, t.inserted) for t in written.tables]
    assert first == tenant.text_without_ids()[0]
    later = {one for (one,) in tenant.query("SELECT uuid::text FROM {table}")}
    assert kept == ids & later


def test_other_days_periods_and_clusters_are_left_alone(tenant, basic):
    before = basic.plan.start - dt.timedelta(days=1)
    after = basic.plan.window.end + dt.timedelta(days=1)
    kept = {
        put(tenant, basic, usage_start=before),
        put(tenant, basic, usage_start=after),
        put(tenant, basic, report_period_id=4711),
        put(tenant, basic, cluster_id="another"),
    }
    gone = {put(tenant, basic), put(tenant, basic, usage_start=basic.plan.window.end)}
    written = tenant.write(basic)
    assert [len(gone)] == [t.deleted for t in written.tables]
    ids = {
        one for (one,) in tenant.query("SELECT uuid::text FROM {table} WHERE namespace = 'foreign'")
    }
    assert kept == ids


def test_writing_one_cluster_leaves_the_others_rows(tenant):
    first, second = golden("ocp-nasty")
    tenant.table(first.plan.start)
    tenant.write(first)
    others = tenant.snapshot()
    staged = tenant.staged_versions(first)
    tenant.write(second)
    assert set(others) < set(tenant.snapshot())
    empty = {**second.row_sets, "daily_summary": SUMMARY.empty(), "staging": STAGED.empty()}
    written = tenant.write(second, empty)
    assert [(second.rows, 0)] == [(t.deleted, t.inserted) for t in written.tables]
    assert others == tenant.snapshot()
    assert staged == tenant.staged_versions(first)
    assert {} == tenant.staged_versions(second)


# --- refused before anything is touched --------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE {table}", "no such table"),
        ("ALTER TABLE {table} DROP COLUMN node", "column node is missing"),
        (
            "ALTER TABLE {table} ALTER node TYPE varchar(20)",
            r"column node is character varying\(20\)",
        ),
        (
            "ALTER TABLE {table} ALTER pod_usage_cpu_core_hours TYPE numeric(30,10)",
            "specified numeric",
        ),
        ("ALTER TABLE {table} ALTER pod_labels TYPE text", "column pod_labels is text"),
    ],
)
def test_a_table_that_does_not_fit_is_named(tenant, basic, statement, said):
    tenant.query(statement)
    with pytest.raises(WriteFailed, match=said):
        tenant.write(basic)
    assert [] == list(Path(tenant.staging.root).rglob("*.parquet"))


def test_a_missing_partition_is_named_with_its_month(tenant):
    (made,) = golden("ocp-basic")
    tenant.table(dt.date(2024, 12, 1))
    with pytest.raises(WriteFailed, match=r"no partition for 2025-01-1\d.*partition of 2025-01"):
        tenant.write(made)
    assert [] == list(Path(tenant.staging.root).rglob("*.parquet"))


def test_a_default_partition_takes_what_has_no_other(tenant):
    (made,) = golden("ocp-basic")
    tenant.table(dt.date(2024, 12, 1))
    tenant.query("CREATE TABLE {schema}.rest PARTITION OF {table} DEFAULT")
    assert made.rows == tenant.write(made).tables[0].inserted


def test_a_value_that_cannot_be_stored_leaves_everything_as_it_was(tenant, basic):
    tenant.write(basic)
    before = tenant.snapshot()
    table = basic.row_sets["daily_summary"]
    at = table.column_names.index("namespace")
    bad = table.set_column(at, "namespace", pa.array(["x" * 254] * table.num_rows))
    with pytest.raises(RowSetInvalid, match="253"):
        tenant.write(basic, {**basic.row_sets, "daily_summary": bad})
    assert before == tenant.snapshot()


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE {table} ADD CONSTRAINT less CHECK (pod_usage_cpu_core_hours < -1e9) NOT VALID",
        (
            "ALTER TABLE {table} ADD COLUMN must int NOT NULL DEFAULT 1;"
            "ALTER TABLE {table} ALTER must DROP DEFAULT"
        ),
    ],
)
def test_a_constraint_that_says_no_leaves_everything_as_it_was(tenant, basic, statement):
    tenant.write(basic, basic.version(1))
    before, staged = tenant.snapshot(), tenant.staged_versions(basic)
    tenant.query(statement)
    if "must" in statement:
        before = tenant.snapshot()
    with pytest.raises(WriteFailed, match=r"PostgreSQL: \w+ \(23") as caught:
        tenant.write(basic, basic.version(2))
    assert "version" not in str(caught.value)  # no row value in a message
    assert before == tenant.snapshot()
    assert staged == tenant.staged_versions(basic)
    assert [] == list(Path(tenant.staging.root).rglob("_shadowagg-*"))


def test_rows_that_a_trigger_swallows_are_noticed(tenant, basic):
    tenant.query(
        "CREATE FUNCTION {schema}.nothing() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.namespace LIKE 'k%%' THEN RETURN NULL; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER swallow BEFORE INSERT ON {table} FOR EACH ROW"
        " EXECUTE FUNCTION {schema}.nothing()"
    )
    with pytest.raises(WriteFailed, match=rf"rows went in, not {basic.rows}"):
        tenant.write(basic)
    assert [] == tenant.snapshot()


def test_a_constraint_that_is_checked_at_the_commit_undoes_both_homes(tenant, basic):
    tenant.write(basic, basic.version(1))
    before = tenant.snapshot()
    tenant.query(
        "CREATE FUNCTION {schema}.no() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no: %%', NEW.node; END $$;"
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION {schema}.no()"
    )
    with pytest.raises(WriteFailed, match="RaiseException") as caught:
        tenant.write(basic, basic.version(2))
    assert "no:" not in str(caught.value)
    assert before == tenant.snapshot()
    assert {"version 1": basic.rows} == tenant.staged_versions(basic)
    assert [] == list(Path(tenant.staging.root).rglob("_shadowagg-*"))


# --- whose transaction -------------------------------------------------------------------------


def idle(connection):
    return connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE


@pytest.mark.parametrize("autocommit", [False, True])
def test_a_free_connection_is_left_free_and_as_it_was(tenant, basic, autocommit):
    tenant.connection.autocommit = autocommit
    assert tenant.write(basic).switched
    assert autocommit == tenant.connection.autocommit
    assert idle(tenant.connection)
    assert basic.rows == len(tenant.snapshot())
    tenant.query("ALTER TABLE {table} DROP COLUMN node")
    with pytest.raises(WriteFailed):
        tenant.write(basic)
    assert idle(tenant.connection)


def test_the_callers_transaction_is_neither_committed_nor_ended(tenant, basic):
    tenant.write(basic, basic.version(1))
    with tenant.connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE mine (x int)")
    written = tenant.write(basic, basic.version(2))
    assert not written.switched
    assert not idle(tenant.connection)
    assert {"version 1": basic.rows} == tenant.versions()
    assert {"version 1": basic.rows} == tenant.staged_versions(basic)
    assert "open" == tenant.settle(basic)
    with pytest.raises(UserError, match="already in this transaction"):
        tenant.write(basic, basic.version(3))
    tenant.connection.commit()
    assert {"version 2": basic.rows} == tenant.versions()
    assert {"version 1": basic.rows} == tenant.staged_versions(basic)
    assert "finished" == tenant.settle(basic)
    assert "nothing" == tenant.settle(basic)
    assert {"version 2": basic.rows} == tenant.staged_versions(basic)


def test_a_caller_who_rolls_back_has_nothing_written(tenant, basic):
    tenant.write(basic, basic.version(1))
    with tenant.connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    tenant.write(basic, basic.version(2))
    tenant.connection.rollback()
    assert {"version 1": basic.rows} == tenant.versions()
    assert "undone" == tenant.settle(basic)
    assert {"version 1": basic.rows} == tenant.staged_versions(basic)
    assert [] == list(Path(tenant.staging.root).rglob("_shadowagg-*"))


def test_a_write_inside_a_savepoint_that_the_caller_takes_back_is_undone(tenant, basic):
    with tenant.connection.cursor() as cursor:
        cursor.execute("SAVEPOINT theirs")
        tenant.write(basic, basic.version(1))
        cursor.execute("ROLLBACK TO SAVEPOINT theirs")
        cursor.execute("CREATE TEMP TABLE mine (x int)")
    recovered = tenant.write(basic, basic.version(2)).recovered
    assert "undone" == recovered
    tenant.connection.commit()
    assert "finished" == tenant.settle(basic)
    assert {"version 2": basic.rows} == tenant.versions() == tenant.staged_versions(basic)


def test_a_failure_leaves_the_callers_transaction_usable(tenant, basic):
    tenant.query("ALTER TABLE {table} ADD CONSTRAINT less CHECK (pod_usage_cpu_core_hours < -1e9)")
    with tenant.connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE mine (x int) ON COMMIT DROP")
        cursor.execute("INSERT INTO mine VALUES (1)")
        with pytest.raises(WriteFailed):
            tenant.write(basic)
        cursor.execute("SELECT x FROM mine")
        assert [(1,)] == cursor.fetchall()
    with closing(tenant.server.connect()) as other:  # nothing is locked any more
        refusing = dataclasses.replace(tenant.options, when_busy="refuse")
        with pytest.raises(WriteFailed, match="less"):
            tenant.write(basic, connection=other, options=refusing)
    tenant.connection.commit()


def test_a_transaction_that_would_not_see_others_commits_is_refused(tenant, basic):
    tenant.connection.set_session(isolation_level="REPEATABLE READ")
    assert tenant.write(basic).switched  # one of our own is as we need it
    with tenant.connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    with pytest.raises(UserError, match="repeatable read"):
        tenant.write(basic)


def test_connections_that_cannot_be_used_are_refused(tenant, basic):
    with tenant.connection.cursor() as cursor, pytest.raises(psycopg2.Error):
        cursor.execute("SELECT 1/0")
    with pytest.raises(UserError, match="has failed"):
        tenant.write(basic)
    tenant.connection.close()
    with pytest.raises(UserError, match="closed"):
        tenant.write(basic)
    import sqlite3

    with closing(sqlite3.connect(":memory:")) as other, pytest.raises(UserError, match="psycopg2"):
        tenant.write(basic, connection=SqliteLike(other))


class SqliteLike:
    def __init__(self, connection):
        self.connection = connection

    def cursor(self):
        return closing(self.connection.cursor())


def django_connection(server):
    from django.db.backends.postgresql.base import DatabaseWrapper

    defaults = {
        "ENGINE": "django.db.backends.postgresql", "NAME": server.database, "USER": server.user,
        "PASSWORD": server.password, "HOST": server.host, "PORT": str(server.port), "OPTIONS": {},
        "TIME_ZONE": None, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False, "AUTOCOMMIT": True,
        "ATOMIC_REQUESTS": False, "DISABLE_SERVER_SIDE_CURSORS": False, "TEST": {},
    }  # fmt: skip
    return DatabaseWrapper(defaults, alias="writer")


@pytest.fixture
def django(tenant):
    import django as package
    from django.conf import settings

    if not settings.configured:
        settings.configure(USE_TZ=True, LOGGING_CONFIG=None)
        package.setup()
    made = django_connection(tenant.server)
    yield made
    made.close()


def test_djangos_connection_is_taken_and_its_settings_kept(tenant, basic, django):
    assert tenant.write(basic, basic.version(1), connection=django).switched
    assert django.get_autocommit()
    assert {"version 1": basic.rows} == tenant.versions() == tenant.staged_versions(basic)


@pytest.mark.parametrize("statement_before", [False, True])
def test_djangos_atomic_block_decides_about_the_commit(tenant, basic, django, statement_before):
    from django.db import connections, transaction

    connections["writer"] = django
    tenant.write(basic, basic.version(1))
    for outcome in ("keep", "break"):
        version = basic.version(2 if outcome == "keep" else 3)
        try:
            with transaction.atomic(using="writer"):
                if statement_before:
                    with django.cursor() as cursor:
                        cursor.execute("SELECT 1")
                written = tenant.write(basic, version, connection=django)
                assert not written.switched
                transaction.on_commit(lambda: tenant.settle(basic), using="writer")
                if outcome == "break":
                    raise KeyError  # noqa: TRY301 - the caller's error, inside the caller's block
        except KeyError:
            pass
        assert {"version 2": basic.rows} == tenant.versions() == tenant.staged_versions(basic)
    assert "undone" == tenant.settle(basic)


# --- one writer at a time ----------------------------------------------------------------------


@contextmanager
def held(tenant, made):
    """The window's lock, held by somebody."""
    from shadowagg.candidate.writer.lock import lock_key

    with closing(tenant.server.connect()) as other, other.cursor() as cursor:
        key = lock_key(made.in_schema(tenant.name).plan.window)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        yield other


def test_another_run_of_the_window_is_refused_or_waited_for(tenant, basic):
    with held(tenant, basic) as other:
        with pytest.raises(WindowBusy, match="another run"):
            tenant.write(basic, options=dataclasses.replace(tenant.options, when_busy="refuse"))
        begun = time.monotonic()
        with pytest.raises(WindowBusy, match=r"more than 0\.3 s"):
            tenant.write(basic, options=dataclasses.replace(tenant.options, patience=0.3))
        assert 0.3 <= time.monotonic() - begun < 5
        assert [] == tenant.snapshot()
        timer = threading.Timer(0.5, other.rollback)
        timer.start()
        assert tenant.write(basic).switched
        timer.join()
    assert basic.rows == len(tenant.snapshot())


def test_the_patience_for_the_lock_is_for_the_lock_alone(tenant, basic):
    with tenant.connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '7s'")
        tenant.write(basic, options=dataclasses.replace(tenant.options, patience=1))
        cursor.execute("SHOW lock_timeout")
        assert [("7s",)] == cursor.fetchall()


def test_other_windows_are_not_held_up(tenant):
    first, second = golden("ocp-nasty")
    tenant.table(first.plan.start)
    with held(tenant, first):
        refusing = dataclasses.replace(tenant.options, when_busy="refuse")
        assert tenant.write(second, options=refusing).switched


def test_writers_at_once_leave_one_of_their_versions(tenant, basic, monkeypatch):
    """Each writes several times; whoever looks sees one version, whole, in either home."""
    copy = write_module._copy

    def slowly(*arguments):
        time.sleep(0.1)  # between delete and copy: where another writer would do harm
        return copy(*arguments)

    monkeypatch.setattr(write_module, "_copy", slowly)
    tenant.write(basic, basic.version(0))
    strange, failed = [], []
    stop = threading.Event()

    def write(number):
        try:
            with closing(tenant.server.connect()) as connection:
                for turn in range(3):
                    tenant.write(basic, basic.version(f"{number}.{turn}"), connection=connection)
        except Exception as error:  # noqa: BLE001 - asserted below
            failed.append(error)

    def look():
        while not stop.is_set():
            found = (tenant.versions(), tenant.staged_versions(basic))
            strange.extend(one for one in found if list(one.values()) != [basic.rows])

    writers = [threading.Thread(target=write, args=[number]) for number in range(3)]
    watcher = threading.Thread(target=look)
    for thread in (watcher, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    watcher.join()
    assert [] == failed
    assert [] == strange
    assert tenant.versions() == tenant.staged_versions(basic)
    assert [] == list(Path(tenant.staging.root).rglob("_shadowagg-*"))


# --- what goes wrong on the way ----------------------------------------------------------------


def terminate(tenant, connection):
    tenant.query("SELECT pg_terminate_backend(%s)", connection.info.backend_pid)


@pytest.mark.parametrize("at", [1, 2, 5, 9])
def test_a_connection_lost_in_the_middle_of_the_copy_changes_nothing(
    tenant, basic, at, monkeypatch
):
    tenant.write(basic, basic.version(1))
    reads = []
    read = CsvStream.read

    def dropped(self, size=-1):
        reads.append(size)
        if len(reads) == at:
            terminate(tenant, tenant.connection)
        return read(self, size)

    monkeypatch.setattr(CsvStream, "read", dropped)
    few = dataclasses.replace(tenant.options, batch_rows=4)
    with pytest.raises(WriteFailed, match="PostgreSQL"):
        tenant.write(basic, basic.version(2), options=few)
    monkeypatch.undo()
    assert len(reads) >= at
    assert {"version 1": basic.rows} == tenant.versions() == tenant.staged_versions(basic)
    tenant.connection = tenant.server.connect()
    assert "undone" == tenant.write(basic, basic.version(3)).recovered
    assert {"version 3": basic.rows} == tenant.versions() == tenant.staged_versions(basic)


@pytest.mark.parametrize("stored", [False, True])
def test_a_connection_lost_at_the_commit_is_settled_by_the_next_write(
    tenant, basic, stored, monkeypatch
):
    tenant.write(basic, basic.version(1))
    end = transaction_module._end

    def lost(transaction, how):
        if how == "commit":
            if stored:
                end(transaction, how)
            terminate(tenant, transaction.raw)
            with transaction.raw.cursor() as cursor:
                cursor.execute("SELECT 1")
        end(transaction, how)

    monkeypatch.setattr(transaction_module, "_end", lost)
    with pytest.raises(WriteFailed, match="not known"):
        tenant.write(basic, basic.version(2))
    monkeypatch.undo()
    found = {f"version {2 if stored else 1}": basic.rows}
    assert found == tenant.versions()
    assert {"version 1": basic.rows} == tenant.staged_versions(basic)
    tenant.connection = tenant.server.connect()
    assert ("finished" if stored else "undone") == tenant.settle(basic)
    assert found == tenant.versions() == tenant.staged_versions(basic)


def test_a_full_disk_of_the_server_changes_nothing(tenant, basic):
    """The limit on a file's size stops the backend at the table's next page, as a full disk does.

    It is above the size of a WAL segment: that one's end would take the server down.
    """
    limit = 18 << 20
    filler = Decimal(1)
    tenant.write(basic, basic.version(1))
    put(tenant, basic, infrastructure_raw_cost=filler)
    tenant.query(
        "INSERT INTO {table} (uuid, usage_start, usage_end, namespace, infrastructure_raw_cost)"
        " SELECT gen_random_uuid(), %s, %s, repeat('x', 250), 1"
        " FROM generate_series(1, 70000)",
        basic.plan.start,
        basic.plan.start,
    )
    before = tenant.query("SELECT count(*) FROM {table}")
    with closing(tenant.server.connect()) as connection:
        # Set by the server's own user: even root may not everywhere.
        pid = connection.info.backend_pid
        limited = f"cat > /dev/null; prlimit --fsize={limit} --pid {pid}"
        tenant.query(f"COPY (SELECT 1) TO PROGRAM '{limited}'")
        many = basic.version(2)
        many["daily_summary"] = pa.concat_tables([many["daily_summary"]] * 500)
        with pytest.raises(WriteFailed, match="File too large"):
            tenant.write(basic, many, connection=connection)
    assert before == tenant.query("SELECT count(*) FROM {table}")
    assert basic.rows == tenant.versions()["version 1"]
    assert "version 2" not in tenant.versions()
    assert {"version 1": basic.rows} == tenant.staged_versions(basic)
    assert [] == list(Path(tenant.staging.root).rglob("_shadowagg-*"))


def test_a_full_disk_of_the_lake_changes_nothing(tenant, basic):
    tenant.write(basic, basic.version(1))
    before = tenant.snapshot()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    try:
        with pytest.raises(WriteFailed, match="staging files"):
            tenant.write(basic, basic.version(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert before == tenant.snapshot()
    assert {"version 1": basic.rows} == tenant.staged_versions(basic)
    assert "nothing" == tenant.write(basic, basic.version(3)).recovered
    assert {"version 3": basic.rows} == tenant.versions() == tenant.staged_versions(basic)


def test_a_switch_that_breaks_off_is_finished_by_the_next_run(tenant, basic):
    calls = []

    def register(partitions):
        calls.append(partitions)
        if len(calls) == 1:
            raise OSError("no metastore")

    tenant.staging = dataclasses.replace(tenant.staging, register=register)
    with pytest.raises(WriteFailed, match="stored in PostgreSQL, but the switch"):
        tenant.write(basic, basic.version(1))
    assert {"version 1": basic.rows} == tenant.versions() == tenant.staged_versions(basic)
    assert "finished" == tenant.write(basic, basic.version(2)).recovered
    assert {"version 2": basic.rows} == tenant.versions() == tenant.staged_versions(basic)
    assert 3 == len(calls)


def test_without_a_right_to_make_the_marker_table_nothing_is_written(tenant, basic):
    role = f"writer_{uuid.uuid4().hex[:12]}"
    tenant.query(
        f"CREATE ROLE {role} LOGIN PASSWORD 'x' NOSUPERUSER;"
        f"GRANT USAGE ON SCHEMA {{schema}} TO {role};"
        f"GRANT SELECT, INSERT, DELETE ON {{table}} TO {role}"
    )
    server = tenant.server
    try:
        with closing(
            psycopg2.connect(
                f"host={server.host} port={server.port} user={role} password=x dbname={server.database}"
            )
        ) as connection:
            with pytest.raises(WriteFailed, match=r"may not be made.*docs/writer\.md"):
                tenant.write(basic, connection=connection)
            assert [] == tenant.snapshot()
            tenant.write(basic, connection=connection, staging=None)
        assert basic.rows == len(tenant.snapshot())
    finally:
        tenant.query(f"DROP OWNED BY {role}; DROP ROLE {role}")


# --- where the staging lies --------------------------------------------------------------------


def test_staging_in_s3_is_written_switched_and_read_the_same(tenant, basic, s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    scheme, _, address = s3.endpoint.partition("://")
    prefix = f"{s3.bucket}/writer-{uuid.uuid4().hex[:12]}"
    tenant.staging = Staging(
        f"s3://{prefix}", {"endpoint_override": address, "scheme": scheme, "region": s3.region}
    )
    try:
        assert tenant.write(basic, basic.version(1)).switched
        assert {"version 1": basic.rows} == tenant.staged_versions(basic)
        with tenant.connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        tenant.write(basic, basic.version(2))
        assert {"version 1": basic.rows} == tenant.staged_versions(basic)
        tenant.connection.rollback()
        assert "undone" == tenant.settle(basic)
        tenant.write(basic, basic.version(3))
        assert {"version 3": basic.rows} == tenant.versions() == tenant.staged_versions(basic)
        found = s3.filesystem().get_file_info(pyarrow.fs.FileSelector(prefix, recursive=True))
        files = [info.base_name for info in found if info.type == pyarrow.fs.FileType.File]
        assert {"shadowagg.parquet"} == {name for name in files if name.endswith(".parquet")}
    finally:
        selector = pyarrow.fs.FileSelector(prefix, recursive=True)
        for info in sorted(s3.filesystem().get_file_info(selector), key=lambda i: -len(i.path)):
            folder = info.type == pyarrow.fs.FileType.Directory
            delete = s3.filesystem().delete_dir if folder else s3.filesystem().delete_file
            delete(info.path)
        s3.filesystem().delete_dir(prefix)


def test_trino_reads_what_was_staged(tenant, basic, trino, lake):
    place = f"writer-{uuid.uuid4().hex[:12]}"
    schema = f"writer_{uuid.uuid4().hex[:12]}"
    cursor = trino.connect(catalog="hive").cursor()

    def run(text):
        cursor.execute(text)
        return cursor.fetchall()

    def register(partitions):
        assert all(p.table == STAGED.table for p in partitions)
        run(f"CALL hive.system.sync_partition_metadata('{schema}', '{STAGED.table}', 'ADD')")

    root = lake.folder / place
    root.mkdir()
    (root / STAGED.table).mkdir()
    columns = [c for c in STAGED.columns if c.name not in STAGED.partitions]
    columns += [STAGED.column(name) for name in STAGED.partitions]
    parts = ", ".join(f'"{c.name}" {c.type.trino}' for c in columns)
    names = ", ".join(f"'{name}'" for name in STAGED.partitions)
    run(f"CREATE SCHEMA hive.{schema}")
    try:
        run(
            f"CREATE TABLE hive.{schema}.{STAGED.table} ({parts}) WITH (external_location = "
            f"'{lake.uri}/{place}/{STAGED.table}', format = 'PARQUET', partitioned_by = ARRAY[{names}])"
        )
        tenant.staging = Staging(str(root), register=register)
        for version in (1, 2):
            tenant.write(basic, basic.version(version))
            found = run(  # names of the test's own
                "SELECT resource_id, count(*), count(DISTINCT day), sum(pod_usage_cpu_core_hours)"  # noqa: S608
                f" FROM hive.{schema}.{STAGED.table} WHERE source = '{basic.plan.window.source_uuid}'"
                f" AND year = '2025' AND month = '1' GROUP BY 1"
            )
            staged = read_staging(tenant.staging, STAGED, basic.in_schema(tenant.name).plan).table
            usage = pc.sum(staged["pod_usage_cpu_core_hours"]).as_py()
            assert [[f"version {version}", basic.rows, 3]] == [list(row[:3]) for row in found]
            assert usage == pytest.approx(found[0][3], rel=1e-12)
    finally:
        run(f"DROP SCHEMA hive.{schema} CASCADE")
        import shutil

        shutil.rmtree(root)
