"""A window of a live tenant: side tables in PostgreSQL, no scenario."""

# ruff: noqa: S608 - the SQL is the tests' own

import json
import uuid
from pathlib import Path

import psycopg2.extras
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from shadowagg.cli import main
from shadowagg.discovery import registry
from shadowagg.scenario import load_scenario
from shadowagg.side_tables import export

pytestmark = pytest.mark.server

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "ocp-tagmap"
TYPES = {
    pa.string(): "text",
    pa.bool_(): "boolean",
    pa.int32(): "integer",
    pa.decimal128(18, 2): "numeric(18,2)",
}


@pytest.fixture
def schema(postgres, monkeypatch):
    """A tenant with the side tables of the golden scenario."""
    name = f"window_{uuid.uuid4().hex[:12]}"
    for variable, value in {
        "PGHOST": postgres.host,
        "PGPORT": str(postgres.port),
        "PGUSER": postgres.user,
        "PGPASSWORD": postgres.password,
        "PGDATABASE": postgres.database,
    }.items():
        monkeypatch.setenv(variable, value)
    connection = postgres.connect()
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(f"CREATE SCHEMA {name}")
    for table in registry().provider("ocp").inputs:
        file = GOLDEN / "inputs_postgres" / f"{table.name}.parquet"
        if table.home == "postgres" and file.exists():
            rows = pq.read_table(file)
            columns = ", ".join(f'"{f.name}" {TYPES[f.type]}' for f in rows.schema)
            cursor.execute(f"CREATE TABLE {name}.{table.name} ({columns})")
            values = [tuple(row.values()) for row in rows.to_pylist()]
            psycopg2.extras.execute_values(
                cursor, f"INSERT INTO {name}.{table.name} VALUES %s", values
            )
    yield name
    cursor.execute(f"DROP SCHEMA {name} CASCADE")
    connection.close()


@pytest.fixture
def window_file(schema, tmp_path):
    scenario = load_scenario(GOLDEN)
    (window,) = registry().provider("ocp").windows(scenario)
    file = tmp_path / "window.json"
    document = {
        "window": window.to_json(),
        "inputs": {"lake": str(GOLDEN / "inputs"), "side": f"postgresql:{schema}"},
        "options": {"expected": str(GOLDEN / "expected")},
    }
    file.write_text(json.dumps(document))
    return file


def run(*words):
    done = CliRunner().invoke(main, ["run", *words, "--quiet", "--json", "-"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done


@pytest.mark.parametrize(
    ("control", "candidate"), [("recorded", "pyarrow"), ("recorded", "embedded")]
)
def test_both_paths_read_side_tables_of_postgresql(window_file, control, candidate):
    done = run("--window", str(window_file), "--control", control, "--candidate", candidate)
    (record,) = json.loads(done.stdout)["records"]
    assert (0, "match") == (done.exit_code, record["verdict"]), record["reason"]
    assert record["rows_compared"] > 0
    assert f"--window {window_file}" in record["repeat"]


def test_what_stands_in_postgresql_counts_and_a_mismatch_keeps_it(
    window_file, schema, postgres, tmp_path
):
    connection = postgres.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(f"UPDATE {schema}.reporting_enabledtagkeys SET enabled = NOT enabled")
    connection.close()
    done = run("--window", str(window_file), "--control", "recorded")
    (record,) = json.loads(done.stdout)["records"]
    assert (1, "mismatch") == (done.exit_code, record["verdict"])

    saved = Path(record["saved_as"])
    kept = pq.read_table(saved / "inputs_postgres" / "reporting_enabledtagkeys.parquet")
    golden = pq.read_table(GOLDEN / "inputs_postgres" / "reporting_enabledtagkeys.parquet")
    assert [not e for e in golden["enabled"].to_pylist()] == kept["enabled"].to_pylist()
    assert 1 == run("--scenario", str(saved), "--control", "recorded").exit_code


def test_an_export_has_the_declared_columns_of_the_tables_that_are_there(schema, tmp_path):
    tables = registry().provider("ocp").inputs
    names = export(schema, tables, tmp_path)
    assert {p.stem for p in tmp_path.iterdir()} == set(names)
    for table in tables:
        file = tmp_path / f"{table.name}.parquet"
        if table.name in names:
            golden = pq.read_table(
                GOLDEN / "inputs_postgres" / file.name, columns=[c.name for c in table.columns]
            )
            assert golden.to_pylist() == pq.read_table(file).to_pylist()
            assert 0 == file.stat().st_mtime
    assert [] == export("no_such_tenant", tables, tmp_path / "none")


def test_a_server_that_is_not_there_is_one_line(window_file, monkeypatch):
    monkeypatch.setenv("PGPORT", "1")
    done = CliRunner().invoke(
        main, ["run", "--window", str(window_file), "--control", "recorded", "--quiet"]
    )
    assert 2 == done.exit_code
    assert "side tables of postgresql:window_" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "wrong form"),
        ("{}", "wrong form"),
        ('{"window": {}, "inputs": {}}', "missing fields"),
        ('{"window": {}, "inputs": {}, "more": 1}', "unknown fields"),
    ],
)
def test_a_file_that_is_no_window_is_named(tmp_path, text, said):
    file = tmp_path / "window.json"
    file.write_text(text)
    done = CliRunner().invoke(main, ["run", "--window", str(file), "--control", "recorded"])
    assert 2 == done.exit_code
    assert said in done.output


@pytest.mark.parametrize(
    "words",
    [[], ["--window", "a", "--scenario", "b"], ["--window", "a"], ["--window", "a", "--from", "b"]],
)
def test_options_that_do_not_fit_together_are_usage(words):
    assert 2 == CliRunner().invoke(main, ["run", *words]).exit_code
