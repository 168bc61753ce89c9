"""The control mode `readback` against real servers, after a run in production's way.

The "production run" are the rows that production's own application left, loaded where it leaves them: a
month-partitioned PostgreSQL table, Hive folders with unpadded values, files without an ending, and the
stamp of the report period at last.
"""

# ruff: noqa: S608 - the SQL is the tests' own

import datetime as dt
import json
import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg2.extras
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from psycopg2 import sql
from pyarrow import fs

from shadowagg.discovery import registry
from shadowagg.scenario import load_scenario
from shadowagg.scenario_run import run_scenario
from shadowagg.settings import Settings
from shadowagg.verdict import Verdict

pytestmark = pytest.mark.server

GOLDEN = Path(__file__).parents[1] / "parity" / "golden"
SCENARIOS = sorted(path.name for path in GOLDEN.iterdir())
TABLE = "reporting_ocpusagelineitem_daily_summary"
PERIODS = "reporting_ocpusagereportperiod"
PARTITIONS = ("source", "year", "month", "day")


@dataclass
class Production:
    """A tenant in whose schema production has run."""

    folder: Path
    postgres: object
    schema: str
    hive: str

    def execute(self, statement, *values):
        """A statement in the tenant's schema, committed."""
        connection = self.postgres.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(self.schema)))
            cursor.execute(statement, values or None)
            found = cursor.fetchall() if cursor.description else []
        connection.close()
        return found

    def insert(self, table, rows):
        """Arrow rows into a table that is there."""
        names = sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
        statement = sql.SQL("INSERT INTO {}.{} ({}) VALUES %s").format(
            sql.Identifier(self.schema), sql.Identifier(table), names
        )
        connection = self.postgres.connect()
        with connection, connection.cursor() as cursor:
            values = [tuple(row.values()) for row in rows.to_pylist()]
            psycopg2.extras.execute_values(cursor, statement, values)
        connection.close()

    def files(self):
        """The files of the Hive table."""
        return sorted(
            p
            for p in Path(self.hive.format(schema=self.schema, table=TABLE)).rglob("*")
            if p.is_file()
        )

    def run(self, *, schema=None, hive=None, **more):
        """`shadowagg run --control readback`."""
        options = {
            "schema": schema or self.schema,
            "hive_location": self.hive if hive is None else hive,
        }
        return run_scenario(
            load_scenario(self.folder),
            Settings(),
            **{"control": "readback", "options": options} | more,
        )


def daily_summary():
    return next(s.spec for s in registry().provider("ocp").stages if s.name == "daily_summary")


def load_postgres(production, name):
    spec = daily_summary()
    columns = ", ".join(f'"{c.name}" {c.type.postgres}' for c in spec.columns)
    production.execute(f"CREATE TABLE {TABLE} ({columns}) PARTITION BY RANGE (usage_start)")
    production.execute(f"CREATE TABLE {TABLE}_default PARTITION OF {TABLE} DEFAULT")
    rows = pq.read_table(GOLDEN / name / "expected" / "postgres" / f"{TABLE}.parquet")
    production.insert(TABLE, rows)


def load_hive(folder_of, write, name):
    rows = pq.read_table(GOLDEN / name / "expected" / "hive" / f"{TABLE}.parquet")
    keys = rows.group_by(list(PARTITIONS)).aggregate([]).to_pylist()
    for key in keys:
        mask = pc.equal(rows[PARTITIONS[0]], key[PARTITIONS[0]])
        for column in PARTITIONS[1:]:
            mask = pc.and_(mask, pc.equal(rows[column], key[column]))
        place = "/".join(f"{column}={key[column]}" for column in PARTITIONS)
        write(f"{folder_of}/{place}", rows.filter(mask).drop_columns(list(PARTITIONS)))


def load_side_tables(production):
    types = {pa.string(): "text", pa.bool_(): "boolean", pa.int32(): "integer"}
    for table in registry().provider("ocp").inputs:
        file = production.folder / "inputs_postgres" / f"{table.name}.parquet"
        if table.home == "postgres" and file.exists():
            rows = pq.read_table(file, columns=[column.name for column in table.columns])
            columns = ", ".join(f'"{field.name}" {types[field.type]}' for field in rows.schema)
            production.execute(f"CREATE TABLE {table.name} ({columns})")
            if rows.num_rows:
                production.insert(table.name, rows)


def stamp(production):
    """What production does last."""
    production.execute(
        f"CREATE TABLE {PERIODS} (id integer, provider_id uuid, report_period_start timestamptz,"
        " summary_data_updated_datetime timestamptz)"
    )
    for cluster in load_scenario(production.folder).clusters:
        production.execute(
            f"INSERT INTO {PERIODS} VALUES (%s, %s, NULL, clock_timestamp())",
            cluster.report_period_id,
            cluster.source_uuid,
        )


@pytest.fixture
def tenant(postgres, tmp_path, monkeypatch):
    """Makes production run on a golden scenario, in a schema of its own."""
    schema = f"readback_{uuid.uuid4().hex[:12]}"
    for name, value in {
        "PGHOST": postgres.host,
        "PGPORT": str(postgres.port),
        "PGUSER": postgres.user,
        "PGPASSWORD": postgres.password,
        "PGDATABASE": postgres.database,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TRINO_HOST", raising=False)

    def make(name="ocp-basic"):
        folder = tmp_path / name
        shutil.copytree(GOLDEN / name, folder)
        shutil.rmtree(folder / "expected")
        warehouse = tmp_path / "warehouse"
        production = Production(folder, postgres, schema, f"{warehouse}/{{schema}}/{{table}}")
        connection = postgres.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.close()
        load_side_tables(production)

        def write(place, rows):
            Path(place).mkdir(parents=True)
            pq.write_table(rows, f"{place}/20250101_000000_00001_{uuid.uuid4()}")

        load_hive(f"{warehouse}/{schema}/{TABLE}", write, name)
        load_postgres(production, name)
        stamp(production)
        return production

    yield make
    connection = postgres.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    connection.close()


def verdicts(result):
    return [(str(r.judgement.verdict), r.judgement.cause) for r in result.records]


def only(result):
    (record,) = result.records
    return record


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_production_has_just_written_matches(tenant, name):
    """In `ocp-costs` with all the rows that the cost model step has added and changed since."""
    production = tenant(name)
    result = production.run()

    assert [("match", "agreed")] * len(result.records) == verdicts(result)
    after = GOLDEN / name / "expected" / "postgres_after_ocp"
    recorded = after if after.is_dir() else GOLDEN / name / "expected" / "postgres"
    expected = pq.read_metadata(recorded / f"{TABLE}.parquet").num_rows
    summaries = [d for r in result.records for d in r.diffs if d.stage == "daily_summary"]
    assert expected == sum(d.equal_rows for d in summaries) > 0
    all_rows = pq.read_metadata(
        GOLDEN / name / "expected" / "postgres" / f"{TABLE}.parquet"
    ).num_rows
    left = [r.control.engine["rows_left_aside"][f"postgres.{TABLE}"] for r in result.records]
    assert all_rows - expected == sum(left)
    for record in result.records:
        assert "copy" == record.control.engine["read"][f"postgres.{TABLE}"]
        assert {"hive", "postgres"} == set(record.control.engine["written"])
        assert not record.control_stand_in


@pytest.mark.parametrize(
    "change",
    [
        "pod_usage_cpu_core_hours = pod_usage_cpu_core_hours + 0.001",
        "namespace = ''",
        "resource_id = NULL",
        'pod_labels = \'{"app": "another"}\'',
        "pod_labels = NULL",
    ],
)
def test_one_row_changed_is_a_mismatch(tenant, change):
    production = tenant()
    production.execute(
        f"UPDATE {TABLE} SET {change} WHERE uuid ="
        f" (SELECT uuid FROM {TABLE} WHERE namespace IS NOT NULL AND pod_labels IS NOT NULL LIMIT 1)"
    )
    record = only(production.run())

    assert (Verdict.MISMATCH, "differs") == (record.judgement.verdict, record.judgement.cause)
    (changed,) = [diff for diff in record.diffs if not diff.agrees]
    assert "daily_summary" == changed.stage
    assert 1 == max(changed.changed_rows, changed.missing_rows)


def test_one_row_changed_in_hive_is_a_mismatch(tenant):
    production = tenant()
    file = production.files()[0]
    rows = pq.ParquetFile(file).read()
    nodes = rows["node"].to_pylist()
    changed = pa.array(["another", *nodes[1:]], pa.string())
    pq.write_table(rows.set_column(rows.column_names.index("node"), "node", changed), file)
    record = only(production.run())

    assert Verdict.MISMATCH is record.judgement.verdict
    assert ["staging"] == [d.stage for d in record.diffs if not d.agrees]


def test_a_row_that_is_not_there_is_a_mismatch(tenant):
    production = tenant()
    production.execute(f"DELETE FROM {TABLE} WHERE uuid = (SELECT uuid FROM {TABLE} LIMIT 1)")
    assert [("mismatch", "differs")] == verdicts(production.run())


@pytest.mark.parametrize(
    "later",
    [
        {"cost_model_rate_type": "Infrastructure", "cost_model_cpu_cost": 5},
        {"monthly_cost_type": "Node", "distributed_cost": 1},
        {"infrastructure_raw_cost": -3, "namespace": "Network unattributed"},
        {"data_source": "GPU"},
    ],
)
def test_a_row_that_a_later_step_added_is_left_aside(tenant, later):
    production = tenant()
    window = load_scenario(production.folder)
    row = {
        "source_uuid": window.clusters[0].source_uuid,
        "usage_start": window.start,
        "usage_end": window.start,
        "data_source": "Pod",
        "uuid": str(uuid.uuid4()),
        **later,
    }
    names = ", ".join(row)
    production.execute(
        f"INSERT INTO {TABLE} ({names}) VALUES ({', '.join(['%s'] * len(row))})", *row.values()
    )
    record = only(production.run())

    assert Verdict.MATCH is record.judgement.verdict
    assert 1 == record.control.engine["rows_left_aside"][f"postgres.{TABLE}"]


def test_rows_of_other_sources_and_days_are_not_read(tenant):
    production = tenant()
    for column, value in (("source_uuid", str(uuid.uuid4())), ("usage_start", "2025-01-01")):
        production.execute(
            f"INSERT INTO {TABLE} SELECT (jsonb_populate_record(d, jsonb_build_object(%s, %s))).*"
            f" FROM {TABLE} d",
            column,
            value,
        )
    assert [("match", "agreed")] == verdicts(production.run())


def touched(production, *, seconds=1):
    moment = time.time() + seconds

    def touch(path):
        os.utime(path, (moment, moment))

    return touch


def test_an_input_object_touched_since_is_inconclusive(tenant):
    production = tenant()
    lake = sorted((production.folder / "inputs").rglob("*.parquet"))
    touched(production)(lake[0])
    record = only(production.run())

    assert (Verdict.INCONCLUSIVE, "control older than inputs") == (
        record.judgement.verdict,
        record.judgement.cause,
    )
    assert lake[0].name in record.judgement.reason
    assert all(diff.agrees for diff in record.diffs)
    assert 1 == len(record.control.older_than)
    assert json.loads(json.dumps(record.to_json()))["control"]["older_than"]


def test_a_side_table_exported_since_is_inconclusive(tenant):
    production = tenant()
    touched(production)(production.folder / "inputs_postgres" / "reporting_ocp_nodes.parquet")
    assert [("inconclusive", "control older than inputs")] == verdicts(production.run())


def test_a_table_that_the_provider_does_not_read_may_change(tenant):
    production = tenant()
    touched(production)(production.folder / "inputs_postgres" / "api_provider.parquet")
    assert [("match", "agreed")] == verdicts(production.run())


def test_a_row_of_a_side_table_written_since_is_inconclusive(tenant):
    """Told by the order of transactions: this server dates no commits."""
    production = tenant()
    production.execute(
        "UPDATE reporting_enabledtagkeys SET enabled = enabled"
        " WHERE key = (SELECT max(key) FROM reporting_enabledtagkeys)"
    )
    record = only(production.run())

    assert "control older than inputs" == record.judgement.cause
    assert "side table reporting_enabledtagkeys" in record.judgement.reason


def test_a_live_tenant_has_its_side_tables_in_postgresql(tenant):
    """Exported for the run; their own moments count, not those of the export."""
    production = tenant()
    document = json.loads((production.folder / "scenario.json").read_text())
    document["inputs_at"] = {
        "lake": str(production.folder / "inputs"),
        "side": f"postgresql:{production.schema}",
    }
    (production.folder / "scenario.json").write_text(json.dumps(document))
    assert [("match", "agreed")] == verdicts(production.run())
    production.execute("UPDATE reporting_ocp_nodes SET node_role = node_role")
    assert [("inconclusive", "control older than inputs")] == verdicts(production.run())


def test_a_stamp_older_than_an_input_is_inconclusive(tenant):
    """The rows may look new for another reason; production says when it ran."""
    production = tenant()
    production.execute(
        f"UPDATE {PERIODS} SET summary_data_updated_datetime = %s",
        dt.datetime(2001, 1, 1, tzinfo=dt.UTC),
    )
    record = only(production.run())

    assert "control older than inputs" == record.judgement.cause
    assert "rows of postgres: 2001-01-01T00:00:00+00:00" in record.judgement.reason


def test_the_hive_rows_say_when_they_were_written_if_there_is_no_stamp(tenant):
    production = tenant()
    production.execute(f"DROP TABLE {PERIODS}")
    assert [("match", "agreed")] == verdicts(production.run())
    for file in production.files():
        os.utime(file, (0, 0))
    assert [("inconclusive", "control older than inputs")] == verdicts(production.run())


def test_rows_that_nobody_can_date_are_inconclusive(tenant):
    production = tenant()
    production.execute(f"DROP TABLE {PERIODS}")
    for file in production.files():
        file.unlink()
    record = only(production.run())
    assert "nobody can say when the rows were written" in record.judgement.reason


def test_readback_can_stand_in_the_candidates_place(tenant):
    production = tenant()
    result = production.run(control="embedded", candidate="readback")
    assert [("match", "agreed")] == verdicts(result)
    touched(production)(next(iter((production.folder / "inputs").rglob("*.parquet"))))
    result = production.run(control="embedded", candidate="readback")
    assert [("inconclusive", "candidate older than inputs")] == verdicts(result)


def test_a_padded_partition_is_a_part_of_the_table(tenant):
    """Nobody writes one today; what one holds is read all the same, by Trino too."""
    production = tenant()
    for month in {p for f in production.files() for p in f.parents if p.name == "month=1"}:
        month.rename(month.with_name("month=01"))
    record = only(production.run())
    assert Verdict.MISMATCH is record.judgement.verdict
    (diff,) = [d for d in record.diffs if not d.agrees]
    assert {"month"} == {column.name for column in diff.columns if column.differing}


def test_hidden_and_empty_files_are_none(tenant):
    production = tenant()
    place = production.files()[0].parent
    (place / "_temporary").mkdir()
    shutil.copy(production.files()[0], place / "_temporary" / "x.parquet")
    shutil.copy(production.files()[0], place / ".x.parquet.crc")
    (place / "empty").touch()
    assert [("match", "agreed")] == verdicts(production.run())


def test_rows_in_s3_match(tenant, s3, monkeypatch):
    production = tenant()
    prefix = f"{s3.bucket}/warehouse-{uuid.uuid4().hex[:8]}"
    filesystem = s3.filesystem()

    def write(place, rows):
        pq.write_table(rows, f"{place}/{uuid.uuid4()}", filesystem=filesystem)

    load_hive(f"{prefix}/{TABLE}", write, "ocp-basic")
    scheme, _, address = s3.endpoint.partition("://")
    document = json.loads((production.folder / "scenario.json").read_text())
    document["inputs_at"] = {
        "lake": str(production.folder / "inputs"),
        "side": str(production.folder / "inputs_postgres"),
        "s3": {"endpoint_override": address, "scheme": scheme, "region": s3.region},
    }
    (production.folder / "scenario.json").write_text(json.dumps(document))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    try:
        record = only(production.run(hive=f"s3://{prefix}/{{table}}"))
        nowhere = only(production.run(hive=f"s3://{prefix}/nowhere"))
    finally:
        # Not `delete_dir`: it deletes folders before what is in them, which versitygw refuses.
        for info in filesystem.get_file_info(fs.FileSelector(prefix, recursive=True)):
            if info.type == fs.FileType.File:
                filesystem.delete_file(info.path)

    assert Verdict.MATCH is record.judgement.verdict
    assert f"files below {prefix}/{TABLE}" == record.control.engine["read"][f"hive.{TABLE}"]
    assert ("inconclusive", "unreadable") == (
        str(nowhere.judgement.verdict),
        nowhere.judgement.cause,
    )


@pytest.fixture
def hive_table(trino, lake):
    """Makes Trino know the files of a tenant's Hive table."""
    made = []

    def make(production):
        place = f"readback-{uuid.uuid4().hex[:12]}"
        shutil.copytree(
            Path(production.hive.format(schema=production.schema, table=TABLE)), lake.folder / place
        )
        spec = next(s.spec for s in registry().provider("ocp").stages if s.name == "staging")
        columns = ", ".join(f'"{c.name}" {c.type.trino}' for c in spec.columns)
        parts = ", ".join(f"'{name}'" for name in PARTITIONS)
        cursor = trino.connect().cursor()
        cursor.execute(f'CREATE SCHEMA hive."{production.schema}"')
        made.append((cursor, production.schema, lake.folder / place))
        cursor.execute(
            f"CREATE TABLE hive.\"{production.schema}\".{TABLE} ({columns}) WITH (format = 'PARQUET',"
            f" external_location = '{lake.uri}/{place}', partitioned_by = ARRAY[{parts}])"
        )
        cursor.execute(
            f"CALL hive.system.sync_partition_metadata('{production.schema}', '{TABLE}', 'FULL')"
        )
        return lake.folder / place

    yield make
    for cursor, schema, folder in made:
        cursor.execute(f'DROP TABLE hive."{schema}".{TABLE}')
        cursor.execute(f'DROP SCHEMA hive."{schema}"')
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["ocp-basic", "ocp-labels"])
def test_where_the_lake_cannot_be_reached_trino_gives_the_rows(
    tenant, hive_table, trino, monkeypatch, name
):
    production = tenant(name)
    folder = hive_table(production)
    monkeypatch.setenv("TRINO_HOST", trino.host)
    monkeypatch.setenv("TRINO_PORT", str(trino.port))
    record = only(production.run(hive="/no/such/folder"))

    assert Verdict.MATCH is record.judgement.verdict
    assert record.control.engine["read"][f"hive.{TABLE}"].startswith("Trino, query 2")
    assert "no such folder" in record.control.engine["read"][f"hive.{TABLE}"]

    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (1_000_000_000, 1_000_000_000))
    record = only(production.run(hive="/no/such/folder"))
    assert "control older than inputs" == record.judgement.cause
    assert "rows of hive: 2001-09-09T01:46:40+00:00" in record.judgement.reason


def test_it_is_said_in_one_line_that_nobody_says_where_the_files_lie(tenant):
    production = tenant()
    record = only(production.run(hive=""))
    assert ("inconclusive", "usage") == (str(record.judgement.verdict), record.judgement.cause)
    assert "SHADOWAGG_HIVE_LOCATION" in record.judgement.reason


def test_a_schema_without_the_table_is_inconclusive(tenant):
    production = tenant()
    record = only(production.run(schema="no_such_tenant"))
    assert ("inconclusive", "unreadable") == (str(record.judgement.verdict), record.judgement.cause)
    assert f"table no_such_tenant.{TABLE}: no such table" in record.judgement.reason


def test_a_server_that_does_not_let_us_in_is_inconclusive_without_the_password(tenant, monkeypatch):
    production = tenant()
    monkeypatch.setenv("PGPASSWORD", "not-the-password")
    record = only(production.run())
    assert ("inconclusive", "usage") == (str(record.judgement.verdict), record.judgement.cause)
    assert "password authentication failed" in record.judgement.reason
    assert "not-the-password" not in json.dumps(record.to_json())


def test_a_table_that_is_not_as_specified_is_named(tenant):
    production = tenant()
    production.execute(
        f"ALTER TABLE {TABLE} ALTER COLUMN pod_usage_cpu_core_hours TYPE double precision"
    )
    record = only(production.run())
    assert "nonconforming" == record.judgement.cause
    assert (
        "column pod_usage_cpu_core_hours is double precision, declared decimal128(33, 15)"
        in record.judgement.reason
    )


def test_nan_in_a_stored_decimal_is_named_and_no_value_is_shown(tenant):
    production = tenant()
    production.execute(f"UPDATE {TABLE} SET pod_usage_cpu_core_hours = 'NaN'")
    record = only(production.run())
    assert "nonconforming" == record.judgement.cause
    assert "column pod_usage_cpu_core_hours has a value" in record.judgement.reason


def test_the_command_line_reads_back(tenant, tmp_path):
    from click.testing import CliRunner

    from shadowagg.cli import main

    production = tenant()
    words = ["run", "--scenario", str(production.folder), "--control", "readback", "--quiet"]
    words += ["--schema", production.schema, "--hive-location", production.hive, "--json", "-"]
    done = CliRunner().invoke(main, words)
    document = json.loads(done.stdout)

    assert (0, ["match"]) == (done.exit_code, document["verdicts"])
    (record,) = document["records"]
    assert "readback" == record["control"]["mode"]
    assert f"--schema {production.schema}" in record["repeat"]
    assert "--hive-location" in record["repeat"]
