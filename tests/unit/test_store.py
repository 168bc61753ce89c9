"""The store on SQLite: kept, read, made, upgraded, refused; and in PostgreSQL where it is the same."""

import datetime as dt
import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
import store_records
from store_records import FIRST_TABLES, made_record

from shadowagg.errors import UserError
from shadowagg.store import NEWEST, open_store, upgrade_store
from shadowagg.store.address import Address
from shadowagg.store.digest import digest_of
from shadowagg.store.records import storable
from shadowagg.store.tables import METADATA, STEP
from shadowagg.store.upkeep import Verified, verify

SHARED = Path(store_records.__file__).parent


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'somewhere' / 'records.sqlite'}"


def file_of(url):
    return url.removeprefix("sqlite:///")


def made_by_the_first_version(url, *records):
    """A store as version 0.1 made it: the same statements, and no step written down."""
    Address.parse(url, "").engine().dispose()  # makes the folder
    with sqlite3.connect(file_of(url)) as connection:
        connection.executescript(FIRST_TABLES)
        for record in records:
            document = record.to_json()
            connection.execute(
                "INSERT INTO shadowagg_record VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    document["id"],
                    record.started.strftime("%Y-%m-%d %H:%M:%S.%f"),
                    "org1",
                    "toy",
                    record.plan.window.source_uuid,
                    "2025-08-01",
                    "2025-08-02",
                    "embedded",
                    "pyarrow",
                    "match",
                    "agreed",
                    3,
                    "1",
                    document["tracing_id"],
                    json.dumps(document),
                ),
            )
    connection.close()


def test_a_record_comes_back_as_it_was_kept(url):
    record = made_record()
    store = open_store(url)
    store.add(record)
    store.close()

    assert record.to_json() == open_store(url).get(record.id)
    assert None is open_store(url).get("another")


def test_records_since_a_moment_come_oldest_first_whatever_its_zone(url):
    store = open_store(url)
    early, late = made_record(hour=9), made_record(hour=11)
    for record in (late, early):
        store.add(record)
    ten = dt.datetime(2025, 8, 3, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))

    assert [late.id] == [d["id"] for d in store.since(ten)]
    assert [early.id, late.id] == [d["id"] for d in store.documents()]


def test_more_records_than_one_page_come_each_once_and_in_order(url):
    store = open_store(url)
    records = [made_record(minute=n % 7) for n in range(450)]
    with store.writing() as connection:
        from shadowagg.store.tables import RECORDS, columns_of

        rows = [{**columns_of(d), "document": d} for d in (r.to_json() for r in records)]
        connection.execute(sa.insert(RECORDS), rows)

    expected = [r.id for r in sorted(records, key=lambda r: (r.started, r.id))]
    assert expected == [d["id"] for d in store.documents()]


def test_a_record_is_kept_once_and_never_changed(url):
    store, record = open_store(url), made_record()
    store.add(record)
    with pytest.raises(UserError, match="cannot be used"):
        store.add(replace(record, scenario="another"))

    assert record.to_json() == store.get(record.id)


def test_the_file_and_its_folder_are_made_for_their_owner_alone(url, tmp_path):
    open_store(url)
    file = tmp_path / "somewhere" / "records.sqlite"
    assert 0o600 == file.stat().st_mode & 0o777


def test_a_store_in_memory_is_one_store_for_all_threads():
    store, record = open_store("sqlite://"), made_record()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(store.add, record).result()
    assert record.id == store.get(record.id)["id"]
    store.close()


@pytest.mark.parametrize("text", ["a\x00b", "\ud800 alone", "\U0001f600"])
def test_texts_that_a_database_cannot_hold_are_kept_as_far_as_they_can(text):
    stored = storable({"samples": [{"name": text}], "id": "x"})
    (sample,) = stored["samples"]
    json.dumps(stored, ensure_ascii=False).encode()
    assert text.replace("\x00", "\ufffd").replace("\ud800", "\ufffd") == sample["name"]


def test_numbers_that_are_none_are_kept_as_texts():
    assert {"a": ["nan", "inf", 1.5]} == storable({"a": [float("nan"), float("inf"), 1.5]})


def test_a_digest_is_the_same_in_all_versions():
    """Stores have it: who changes this needs a new column, and a step that fills it."""
    document = {"b": [1, 1.5, -0.0, 1e22, 10**22, None, True], "a": {"ü": "\U0001f600"}}
    assert (
        "4ad0799c97e77511c0a2af3b75fca90843b26d6ba1da85d2efeca59751cf6b59"
        == digest_of(document)
        == digest_of({"a": {"ü": "\U0001f600"}, "b": [1.0, 1.5, 0, 10**22, 1e22, None, True]})
    )
    assert digest_of(document) != digest_of(document | {"b": [1, 1.5, 0, 1e22, 10**22, None, 1]})


# --- steps -------------------------------------------------------------------------------------


def test_a_new_store_is_at_the_newest_step_of_alembics_folder(url):
    from alembic.script import ScriptDirectory

    import shadowagg.store

    open_store(url)
    with sqlite3.connect(file_of(url)) as connection:
        (step,) = connection.execute("SELECT version_num FROM shadowagg_step").fetchone()
    connection.close()
    folder = shadowagg.store.__path__[0]
    assert [NEWEST] == ScriptDirectory(folder).get_heads()
    assert NEWEST == step


def test_the_steps_make_the_tables_that_are_declared(url):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    open_store(url)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        options = {"version_table": STEP.name, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert [] == compare_metadata(context, METADATA)
    engine.dispose()


def test_a_store_of_the_first_version_is_refused_until_it_is_upgraded(url):
    record = made_record()
    made_by_the_first_version(url, record)
    with pytest.raises(UserError, match=r"step 0001.*shadowagg store upgrade"):
        open_store(url)

    assert ("0001", NEWEST) == upgrade_store(url)
    assert record.to_json() == open_store(url).get(record.id)
    assert Verified(1, ()) == verify(open_store(url))
    assert (NEWEST, NEWEST) == upgrade_store(url)


def test_the_first_version_refuses_a_store_of_this_one(url):
    open_store(url)
    with sqlite3.connect(file_of(url)) as connection:
        (version,) = connection.execute("SELECT version FROM shadowagg_store").fetchone()
    connection.close()
    assert version > 1


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(url, monkeypatch):
    made_by_the_first_version(url)
    from shadowagg.store.versions import step_0002_binary_documents as step

    source = step.__file__
    broken = 'from alembic import op\nrevision = "0002"\ndown_revision = "0001"\n'
    broken += 'def upgrade():\n    op.execute("UPDATE shadowagg_store SET version = 2")\n'
    broken += '    op.execute("CREATE TABLE left_behind (a integer)")\n'
    broken += '    op.execute("no such statement")\n'

    from alembic.script import base

    def load(folder, name):
        from alembic.util import pyfiles

        module = pyfiles.load_python_file(folder, name)
        if module.__file__ == source:
            exec(compile(broken, "broken", "exec"), vars(module))  # noqa: S102 - our own text
        return module

    monkeypatch.setattr(base.util, "load_python_file", load)
    with pytest.raises(UserError, match="cannot be used"):
        upgrade_store(url)
    monkeypatch.undo()

    with sqlite3.connect(file_of(url)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert (1,) == connection.execute("SELECT version FROM shadowagg_store").fetchone()
    connection.close()
    assert not tables & {"left_behind", "shadowagg_step"}
    assert ("0001", NEWEST) == upgrade_store(url)


@pytest.mark.parametrize(
    "newer",
    ["UPDATE shadowagg_step SET version_num = '0999'", "UPDATE shadowagg_step SET version_num='a'"],
)
def test_a_store_of_a_newer_version_is_refused_also_by_the_upgrade(url, newer):
    open_store(url)
    with sqlite3.connect(file_of(url)) as connection:
        connection.execute(newer)
    connection.close()
    for opened in (open_store, upgrade_store):
        with pytest.raises(UserError, match="written by a newer version"):
            opened(url)


def test_opening_a_store_imports_no_alembic(url):
    open_store(url)
    code = f"from shadowagg.store import open_store; open_store({url!r}); import sys; "
    code += "sys.exit('alembic' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


# --- several at once ---------------------------------------------------------------------------

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
    arguments = [sys.executable, "-c", WRITER, url, str(SHARED)]
    processes = [subprocess.Popen(arguments, stderr=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert 0 == process.returncode, said.decode()
    assert 75 == len(open_store(url).since(dt.datetime(2000, 1, 1, tzinfo=dt.UTC)))


def test_threads_share_a_store_while_somebody_reads(url):
    store = open_store(url)
    records = [made_record() for _ in range(60)]
    with ThreadPoolExecutor(6) as pool:
        reading = [pool.submit(lambda: list(store.documents())) for _ in range(20)]
        list(pool.map(store.add, records))
        for read in reading:
            read.result()
    assert {r.id for r in records} == {d["id"] for d in store.documents()}


def test_a_writer_waits_for_another_and_a_reader_does_not(url):
    store, record = open_store(url), made_record()
    other = sqlite3.connect(file_of(url), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.add, record)
        assert None is store.get(record.id)
        other.execute("COMMIT")
        waiting.result(timeout=10)
    other.close()
    assert record.id == store.get(record.id)["id"]


# --- addresses ---------------------------------------------------------------------------------

PASSWORD = "hunter22hunter"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/records",
        f"postgres://me:{PASSWORD}@127.0.0.1:1/records",
        f"postgresql://127.0.0.1:1/records?user=me&password={PASSWORD}",
        f"postgresql://127.0.0.1:1/records?sslpassword={PASSWORD}&nonsense={PASSWORD}",
        f"postgresql://me:{PASSWORD}@@127.0.0.1:1:2:3/records",
        f"postgres//me:{PASSWORD}@127.0.0.1/records",
        f"oracle://me:{PASSWORD}@127.0.0.1/records",
        f"sqlite://me:{PASSWORD}@127.0.0.1/records",
    ],
)
def test_a_password_is_never_shown_and_a_wrong_address_makes_no_file(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        open_store(url)
    assert PASSWORD not in str(raised.value)
    assert "\n" not in str(raised.value)
    if raised.value.__cause__ is not None:
        assert PASSWORD not in str(raised.value.__cause__) or "invalid" in str(raised.value)
    assert [] == list(tmp_path.iterdir())


def test_the_url_of_a_store_shows_no_password():
    address = Address.parse(f"postgresql://me:{PASSWORD}@db/r?sslpassword={PASSWORD}", "x")
    assert PASSWORD not in address.shown
    assert PASSWORD not in repr(address)
    assert "postgresql+psycopg2://me:***@db/r" in address.shown


@pytest.mark.parametrize(
    ("url", "schema"),
    [
        ("postgresql://h/d", "of_the_setting"),
        ("postgresql://h/d?options=-csearch_path%3Dmine", "mine"),
        (
            "postgresql://h/d?options=-c%20statement_timeout%3D5%20-c%20search_path%3Dmine,public",
            "mine",
        ),
        ("sqlite:///x", ""),
    ],
)
def test_the_schema_is_the_urls_or_the_settings(url, schema):
    assert schema == Address.parse(url, "of_the_setting").schema


def test_a_database_that_is_no_sqlite_is_named_in_one_line(tmp_path):
    (tmp_path / "x").write_text("nothing of the kind, but long enough to be looked at" * 20)
    with pytest.raises(UserError, match="not a database"):
        open_store(f"sqlite:///{tmp_path / 'x'}")
