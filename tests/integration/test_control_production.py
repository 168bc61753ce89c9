"""Templates in production's form on a real Trino and PostgreSQL: what comes out, and what is left."""

import datetime as dt
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowagg.condition import where
from shadowagg.control.production.rows import make_table, read_rows
from shadowagg.control.scratch import open_scratch
from shadowagg.control.trino_session import TrinoSession
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    INTEGER,
    JSON,
    UUID,
    Column,
    RowKind,
    RowSetSpec,
    numeric,
    varchar,
)
from shadowagg.scenario import load_scenario
from shadowagg.scenario_run import run_scenario
from shadowagg.servers import TrinoServer
from shadowagg.settings import Settings
from shadowagg.verdict import Verdict
from shadowagg.window import Window

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "parity" / "golden"
TEMPLATES = ROOT / "tests" / "production_templates"
AGGREGATION = "trino_sql/openshift/reporting_ocpusagelineitem_daily_summary.sql"
MAPPING = "sql/openshift/ocp_tag_mapping_update_daily_summary.sql"
SCHEMAS = (
    "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'shadowagg_scr%'"
)


@pytest.fixture
def servers(trino, postgres, lake, monkeypatch):
    """The environment of a run."""
    for name, value in {
        "TRINO_HOST": trino.host,
        "TRINO_PORT": trino.port,
        "TRINO_USER": trino.user,
        "PGHOST": postgres.host,
        "PGPORT": postgres.port,
        "PGUSER": postgres.user,
        "PGPASSWORD": postgres.password,
        "PGDATABASE": postgres.database,
        "SHADOWAGG_LAKE_DIR": lake.folder,
        "SHADOWAGG_LAKE_URI": lake.uri,
    }.items():
        monkeypatch.setenv(name, str(value))


@pytest.fixture
def templates(tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(TEMPLATES, tmp_path / "templates")


def run(scenario, templates=TEMPLATES, **options):
    settings = Settings(templates=str(templates), control_repeats=0)
    given = scenario if isinstance(scenario, Path) else GOLDEN / scenario
    return run_scenario(load_scenario(given), settings, control="production", **options)


def edited(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def fault(result):
    (record,) = result.records
    assert record.judgement.verdict is Verdict.INCONCLUSIVE
    assert "\n" not in record.control.fault.message
    return record.control.fault


def left(trino, postgres, records):
    """The scratch schemas of these records that are still there, in either catalog."""
    names = {record.control.engine["scratch"] for record in records}
    connection = trino.connect(catalog="hive")
    cursor = connection.cursor()
    cursor.execute("SHOW SCHEMAS FROM hive")
    found = {name for (name,) in cursor.fetchall()}
    with postgres.connect() as database, database.cursor() as at:
        at.execute(SCHEMAS)
        found |= {name for (name,) in at.fetchall()}
    connection.close()
    return names & found


@pytest.mark.parametrize("scenario", ["ocp-tagmap", "ocp-nasty", "ocp-nokeys"])
def test_templates_in_productions_form_give_productions_rows(scenario, servers, trino, postgres):
    result = run(scenario)

    assert {Verdict.MATCH} == {record.judgement.verdict for record in result.records}
    for record in result.records:
        assert ["staging", "daily_summary"] == [stage.stage for stage in record.control.stages]
        assert all(stage.rows for stage in record.control.stages)
        engine = record.control.engine
        assert {AGGREGATION, MAPPING} == set(engine["templates"]["files"])
        assert str(TEMPLATES) == engine["templates"]["folder"]
        assert engine["queries"][AGGREGATION]
        assert not record.control_stand_in
        assert f"--control production --templates {TEMPLATES}" in record.repeat
    assert set() == left(trino, postgres, result.records)


def test_the_rows_are_those_that_production_recorded(servers):
    """Against the golden rows, in the candidate's place: no code of ours in between."""
    settings = Settings(templates=str(TEMPLATES))
    scenario = load_scenario(GOLDEN / "ocp-tagmap")

    result = run_scenario(scenario, settings, control="recorded", candidate="production")

    assert [Verdict.MATCH] * len(result.records) == [r.judgement.verdict for r in result.records]
    assert all(diff.control_rows for record in result.records for diff in record.diffs)


def test_another_rule_in_a_template_is_a_mismatch_of_the_published_table(servers, templates):
    edited(
        templates / AGGREGATION,
        "cast(pod_usage_cpu_core_hours as decimal(33, 15))",
        "cast(pod_usage_cpu_core_hours * 2 as decimal(33, 15))",
    )

    (record, *_) = run("ocp-basic", templates).records

    assert Verdict.MISMATCH is record.judgement.verdict
    differing = {diff.stage: diff.changed_rows for diff in record.diffs if not diff.agrees}
    assert {"daily_summary"} == set(differing)
    assert "--candidate" not in record.repeat


def test_a_template_that_would_write_elsewhere_is_stopped_before_it_does(
    servers, templates, trino, postgres
):
    with postgres.connect() as database, database.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS public.production_test_victim")
        cursor.execute("CREATE TABLE public.production_test_victim AS SELECT 1 AS a")
    text = (templates / AGGREGATION).read_text(encoding="utf-8")
    text += "\ndelete from postgres.public.production_test_victim;\n"
    (templates / AGGREGATION).write_text(text, encoding="utf-8")

    result = run("ocp-basic", templates)

    assert (
        "piece 5: refused: delete of postgres.public.production_test_victim"
        in fault(result).message
    )
    assert set() == left(trino, postgres, result.records)
    with postgres.connect() as database, database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.production_test_victim")
        assert (1,) == cursor.fetchone()
        cursor.execute("DROP TABLE public.production_test_victim")


def test_a_postgres_file_is_one_transaction(servers, templates):
    """A failing second statement undoes the first: the rows are what they were."""
    file = templates / MAPPING
    text = file.read_text(encoding="utf-8").rstrip().removesuffix(";")
    table = "{{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary"
    file.write_text(
        f"delete from {table} where usage_start >= {{{{start_date}}}};"  # noqa: S608 - a template
        f" insert into {table} (usage_start, usage_end) values (null, null); {text};",
        encoding="utf-8",
    )

    said = fault(run("ocp-tagmap", templates))

    assert "refused" == said.cause
    assert "SQLSTATE 23502" in said.message


def test_rows_that_production_refuses_are_refused_in_one_line(servers, tmp_path):
    scenario = broken(tmp_path, "pod_labels", "secret value, no JSON")

    (record,) = run(scenario).records

    assert "refused" == record.control.fault.cause
    assert "refused" == record.candidate.fault.cause
    assert "secret" not in json.dumps(record.to_json()["control"])
    assert "a text is not" in record.control.fault.message


def broken(tmp_path, column, value):
    """The basic scenario with one other value in its pods."""
    scenario = shutil.copytree(GOLDEN / "ocp-basic", tmp_path / "scenario")
    pods = scenario / "inputs" / "openshift_pod_usage_line_items_daily"
    file = min(pods.rglob("*.parquet"))
    table = pq.ParquetFile(file).read()
    values = [value, *table.column(column).to_pylist()[1:]]
    index = table.column_names.index(column)
    pq.write_table(table.set_column(index, column, pa.array(values, pa.string())), file)
    return scenario


def test_an_error_that_production_does_not_pass_over_ends_the_run(servers, templates):
    edited(templates / AGGREGATION, "create table if not exists", "create table")
    text = (templates / AGGREGATION).read_text(encoding="utf-8")
    create = text[: text.index(");\n") + 3]
    (templates / AGGREGATION).write_text(create + text, encoding="utf-8")

    said = fault(run("ocp-basic", templates))

    assert "TABLE_ALREADY_EXISTS" in said.message
    assert "piece 2" in said.message


def test_other_templates_than_the_known_ones_are_named_before_a_server_is_asked(
    servers, templates, monkeypatch
):
    monkeypatch.delenv("TRINO_HOST")
    edited(templates / AGGREGATION, "{{cluster_alias}}", "{{cluster_name}}")
    (templates / MAPPING).unlink()

    said = fault(run("ocp-basic", templates))

    assert "usage" == said.cause
    assert f"lacks {MAPPING}" in said.message
    assert "asks for cluster_name" in said.message


def test_a_statement_that_trino_does_not_take_is_the_templates_fault(servers, templates):
    edited(templates / AGGREGATION, "    NAMED.data_source,", "    NAMED.data_sauce,")

    said = fault(run("ocp-basic", templates))

    assert "usage" == said.cause
    assert "COLUMN_NOT_FOUND" in said.message


def test_no_folder_named_is_one_line(servers):
    said = fault(run("ocp-basic", ""))

    assert "usage" == said.cause
    assert "give --templates, or set SHADOWAGG_TEMPLATES" in said.message


ALL_TYPES = RowSetSpec(
    name="p:all_types",
    table="all_types",
    home="postgres",
    day="day",
    source="source",
    kinds=(RowKind("row", ("source",)),),
    read_back=where(("number", "null or =", 1)),
    columns=(
        Column("source", UUID),
        Column("day", DATE, nullable=False),
        Column("label", varchar(50)),
        Column("labels", JSON),
        Column("amount", numeric(33, 15)),
        Column("measure", DOUBLE, nan=True),
        Column("number", INTEGER),
    ),
)


def test_rows_come_back_from_postgres_as_they_lie_there(servers):
    """NULL is not the empty text; quotes, commas, line ends, letters, digits and NaN survive."""
    source = "00000000-0000-0000-0000-000000000001"
    window = Window("org1", "p", source, dt.date(2025, 1, 1), dt.date(2025, 1, 2))
    first, last = dt.date(2025, 1, 1), dt.date(2025, 1, 2)
    amount = Decimal("999999999999999999.999999999999999")
    kept = [
        (source, first, "", '{"a": "b, \\"c\\""}', amount, float("inf"), 1),
        (source, first, None, None, None, None, None),
        (source, last, 'a "quoted"\r\ntext, 中\\.\t', "{}", amount.copy_negate(), 5e-324, 1),
        (source, last, "\\N", '{"a": null}', Decimal("1E-15"), 0.1, 1),
    ]
    others = [
        (source, first, "another kind", None, None, None, 2),
        (source, dt.date(2025, 1, 3), "another day", None, None, None, 1),
        ("00000000-0000-0000-0000-000000000002", first, "another source", None, None, None, 1),
    ]
    server = TrinoServer.from_environment()
    with TrinoSession(server, source="test") as session, open_scratch(session) as scratch:
        make_table(scratch, ALL_TYPES)
        assert 0 == read_rows(scratch, ALL_TYPES, window).num_rows
        for row in (*kept, *others):
            # As texts: PostgreSQL reads a double from its own text, not from a decimal's.
            texts = tuple(None if value is None else str(value) for value in row)
            scratch.sql("INSERT INTO all_types VALUES (%s, %s, %s, %s, %s, %s, %s)", texts)
        table = read_rows(scratch, ALL_TYPES, window)

    assert ALL_TYPES.schema.types == table.schema.types
    assert kept == [tuple(row.values()) for row in table.to_pylist()]
