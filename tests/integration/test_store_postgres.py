"""The store in PostgreSQL: the same tables in a schema of its own, and many writers."""

import datetime as dt
import json
import logging
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
import store_records
from click.testing import CliRunner
from store_records import FIRST_TABLES, made_record

from shadowagg.cli import main
from shadowagg.errors import UserError
from shadowagg.store import NEWEST, open_store, upgrade_store
from shadowagg.store.tables import METADATA, STEP
from shadowagg.store.upkeep import prune, verify

pytestmark = pytest.mark.server

SHARED = Path(store_records.__file__).parent


def execute(connection, *statements):
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else None
    connection.close()
    return rows


@pytest.fixture
def url(postgres):
    """A database of the test's own."""
    name = f"store_{uuid.uuid4().hex[:12]}"
    execute(postgres.connect(), f"CREATE DATABASE {name}")
    yield postgres.url.rpartition("/")[0] + f"/{name}"
    execute(postgres.connect(), f"DROP DATABASE {name} WITH (FORCE)")


def ask(url, *statements):
    return execute(psycopg2.connect(url), *statements)


def test_a_record_comes_back_as_it_was_kept(url):
    record = made_record()
    store = open_store(url)
    store.add(record)

    assert record.to_json() == open_store(url).get(record.id)
    assert None is store.get("another")
    assert [record.to_json()] == store.since(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    assert () == verify(store).unsound


def test_the_tables_lie_in_a_schema_of_their_own(url):
    open_store(url)
    found = "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'shadowagg%'"
    assert [("shadowagg",)] == ask(url, found)
    open_store(url, schema='an "odd" Name')
    open_store(f"{url}?options=-csearch_path%3Dfrom_the_url")
    assert {"shadowagg", 'an "odd" Name', "from_the_url"} == {name for (name,) in ask(url, found)}


def test_two_schemas_are_two_stores(url):
    one, other = open_store(url, schema="one"), open_store(url, schema="other")
    record = made_record()
    one.add(record)
    assert None is other.get(record.id)


def test_a_role_without_the_right_to_make_schemas_uses_one_that_was_made_for_it(url, postgres):
    role = f"keeper_{uuid.uuid4().hex[:8]}"
    ask(url, f"CREATE ROLE {role} LOGIN PASSWORD 'hunter22hunter'")
    theirs = url.replace(f"{postgres.user}:{postgres.password}", f"{role}:hunter22hunter")
    try:
        with pytest.raises(UserError, match="permission denied for database") as refused:
            open_store(theirs)
        assert "hunter22hunter" not in str(refused.value)
        ask(url, f"CREATE SCHEMA shadowagg AUTHORIZATION {role}")
        store, record = open_store(theirs), made_record()
        store.add(record)
        assert record.id == store.get(record.id)["id"]
    finally:
        ask(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_documents_are_jsonb_and_can_be_asked(url):
    store = open_store(url)
    store.add(made_record())
    query = "SELECT document -> 'plan' -> 'window' ->> 'schema' FROM shadowagg.shadowagg_record"
    assert [("org1",)] == ask(url, query)
    kind = "SELECT data_type FROM information_schema.columns WHERE column_name = 'document'"
    assert [("jsonb",)] == ask(url, kind)


def test_texts_that_jsonb_cannot_hold_do_not_lose_the_record(url):
    store = open_store(url)
    record = made_record(scenario="nul \x00 half \ud800", tracing_id="x\x00" * 100)
    store.add(record)
    kept = store.get(record.id)
    assert "nul \ufffd half \ufffd" == kept["scenario"]
    assert 200 == len(kept["tracing_id"])
    assert () == verify(store).unsound


def test_the_steps_make_the_tables_that_are_declared(url):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    store = open_store(url)
    with store.reading() as connection:
        options = {"version_table": STEP.name, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert [] == compare_metadata(context, METADATA)


@pytest.mark.parametrize(
    "value", [1e22, 1e23, -0.0, 1.0, 1e-12, 0.1 + 0.2, 5e-324, 1 << 70, 1.7e308, "a\x00 \ud800"]
)
def test_a_document_that_jsonb_writes_in_another_way_is_as_it_was_kept(url, value):
    store, record = open_store(url), made_record(makers={"rules": "1", "value": value})
    store.add(record)
    assert () == verify(store).unsound


def first_version(url, record):
    """What version 0.1 made in the search path, with a record."""
    tables = FIRST_TABLES.replace("DATETIME", "TIMESTAMP WITH TIME ZONE")
    document = json.dumps(record.to_json()).replace("'", "''")
    values = f"'{record.id}', '{record.started.isoformat()}', 'org1', 'toy', '"
    values += f"{record.plan.window.source_uuid}', '2025-08-01', '2025-08-02', 'embedded',"
    values += f"'pyarrow', 'match', 'agreed', 3, '1', 'a night', '{document}'"
    ask(url, tables, f"INSERT INTO shadowagg_record VALUES ({values})")  # noqa: S608 - ours


def test_a_store_of_the_first_version_is_found_refused_and_upgraded(url):
    record = made_record(scenario=r"no NUL: \u0000, nor half: \ud800")
    first_version(url, record)
    for opened in (open_store, upgrade_store):
        with pytest.raises(UserError, match="SHADOWAGG_STORE_SCHEMA=public"):
            opened(url)
    with pytest.raises(UserError, match="shadowagg store upgrade"):
        open_store(url, schema="public")

    assert ("0001", NEWEST) == upgrade_store(url, schema="public")
    assert (NEWEST, NEWEST) == upgrade_store(url, schema="public")
    store = open_store(url, schema="public")
    assert record.to_json() == store.get(record.id)
    assert () == verify(store).unsound
    open_store(url)  # and another one beside it


def test_texts_that_jsonb_cannot_hold_do_not_stop_the_upgrade(url):
    record = made_record(scenario="nul \x00 half \ud800 none \\u0000")
    first_version(url, record)
    assert ("0001", NEWEST) == upgrade_store(url, schema="public")
    store = open_store(url, schema="public")
    assert "nul \ufffd half \ufffd none \\u0000" == store.get(record.id)["scenario"]
    assert () == verify(store).unsound


def test_a_store_of_a_newer_version_is_refused(url):
    open_store(url)
    ask(url, "UPDATE shadowagg.shadowagg_step SET version_num = '0999'")
    for opened in (open_store, upgrade_store):
        with pytest.raises(UserError, match="written by a newer version"):
            opened(url)


def test_an_upgrade_that_cannot_finish_changes_nothing(url):
    record = made_record()
    first_version(url, record)
    ask(url, "CREATE VIEW looks_at_it AS SELECT document FROM shadowagg_record")
    with pytest.raises(UserError, match="cannot alter type"):
        upgrade_store(url, schema="public")
    assert [(1,)] == ask(url, "SELECT version FROM shadowagg_store")
    assert [(None,)] == ask(url, "SELECT to_regclass('public.shadowagg_step')::text")
    ask(url, "DROP VIEW looks_at_it")
    assert ("0001", NEWEST) == upgrade_store(url, schema="public")


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from store_records import made_record
from shadowagg.store import open_store
store = open_store(sys.argv[1])
for number in range(25):
    store.add(made_record())
"""


def test_processes_that_make_a_store_at_once_and_write_lose_nothing(url):
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(SHARED)], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert 0 == process.returncode, said.decode()
    store = open_store(url)
    assert 75 == len(list(store.documents()))
    assert () == verify(store).unsound


def test_threads_share_a_store(url):
    store = open_store(url)
    records = [made_record() for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.add, records))
    assert {r.id for r in records} == {d["id"] for d in store.documents()}


def test_a_record_is_kept_once(url):
    store, record = open_store(url), made_record()
    store.add(record)
    with pytest.raises(UserError, match="duplicate key"):
        store.add(replace(record, scenario="another"))
    assert record.to_json() == store.get(record.id)


def test_a_connection_that_breaks_at_the_commit_keeps_the_record_once(url, monkeypatch):
    """The commit arrived, the answer did not: the second try finds the record there."""
    monkeypatch.setattr("shadowagg.store.records._PAUSES", (0.01, 0.01))
    store, record = open_store(url), made_record()
    broken = []

    @sa.event.listens_for(store._engine, "commit")
    def break_after(connection):
        if not broken:
            broken.append(True)
            raw = connection.connection.dbapi_connection
            raw.commit()
            ask(url, f"SELECT pg_terminate_backend({raw.info.backend_pid})")
            connection.exec_driver_sql("SELECT 1")

    store.add(record)
    assert broken
    assert [record.to_json()] == list(store.documents())


def test_a_server_that_is_not_there_is_named_in_a_line_without_the_password(url, monkeypatch):
    monkeypatch.setattr("shadowagg.store.records._PAUSES", (0.01, 0.01))
    store = open_store(url)
    store._engine = sa.create_engine("postgresql+psycopg2://me:hunter22hunter@127.0.0.1:1/x")
    for action in (lambda: store.add(made_record()), lambda: store.get("x")):
        with pytest.raises(UserError, match="refused") as raised:
            action()
        assert "hunter22hunter" not in str(raised.value)
        assert "\n" not in str(raised.value)


def test_no_password_gets_into_output_or_log(url, postgres, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SHADOWAGG_STORE_URL", url)
    monkeypatch.setenv("SHADOWAGG_STORE_SCHEMA", "another")
    said = ""
    for words in (["upgrade"], ["verify"], ["export"], ["prune", "--older-than", "1"]):
        result = CliRunner().invoke(main, ["store", *words])
        assert 0 == result.exit_code, result.output
        said += result.output
    said += CliRunner().invoke(main, ["doctor"]).output
    assert postgres.password not in said + caplog.text
    assert ("another",) in ask(url, "SELECT schemaname FROM pg_tables")


def test_prune_removes_what_is_older(url):
    store, now = open_store(url), dt.datetime.now(dt.UTC)
    old = made_record(started=now - dt.timedelta(days=91))
    new = made_record(started=now - dt.timedelta(days=89))
    for record in (old, new):
        store.add(record)
    before = now - dt.timedelta(days=90)
    assert 1 == prune(store, before, dry_run=True)
    assert 1 == prune(store, before)
    assert [new.id] == [d["id"] for d in store.documents()]


def test_verify_finds_a_column_that_was_changed_from_outside(url):
    store, record = open_store(url), made_record()
    store.add(record)
    ask(url, "UPDATE shadowagg.shadowagg_record SET verdict = 'mismatch', first_day = '2025-08-02'")
    (found,) = verify(store).unsound
    assert (record.id, "columns differ from the document: first_day, verdict") == (
        found.record,
        found.what,
    )


def test_verify_finds_a_document_that_was_changed_from_outside(url):
    store, record = open_store(url), made_record()
    store.add(record)
    changed = "jsonb_set(document, '{reason}', '\"another\"')"
    ask(url, f"UPDATE shadowagg.shadowagg_record SET document = {changed}")  # noqa: S608 - ours
    (found,) = verify(store).unsound
    assert (record.id, "the document is not as it was kept: its digest differs") == (
        found.record,
        found.what,
    )
