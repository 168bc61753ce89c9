"""`shadowagg store`: upgrade, export, verify, prune."""

import datetime as dt
import json
import sqlite3

import pytest
from click.testing import CliRunner
from store_records import FIRST_TABLES, made_record

from shadowagg.cli import main
from shadowagg.store import NEWEST, open_store


@pytest.fixture
def file(home):
    return home / "records.sqlite"


@pytest.fixture
def store(file):
    store = open_store(f"sqlite:///{file}")
    yield store
    store.close()


def run(*words):
    result = CliRunner().invoke(main, ["store", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.stdout, result.stderr


def execute(file, statement, *values):
    with sqlite3.connect(file) as connection:
        connection.execute(statement, values)
    connection.close()


def test_an_older_store_is_named_by_run_and_mended_by_upgrade(file):
    with sqlite3.connect(file) as connection:
        connection.executescript(FIRST_TABLES)
    connection.close()

    code, _, said = run("verify")
    assert 2 == code
    assert 1 == len(said.splitlines())
    assert "shadowagg store upgrade" in said
    assert (0, f"step 0001 -> {NEWEST}\n", "") == run("upgrade")
    assert (0, f"the store is at step {NEWEST} already\n", "") == run("upgrade")
    assert (0, "0 records, nothing wrong\n", "") == run("verify")


def test_export_writes_a_line_of_json_per_record_oldest_first(store, tmp_path):
    late, early = made_record(day=5), made_record(day=3)
    for record in (late, early):
        store.add(record)

    code, lines, _ = run("export")
    assert 0 == code
    assert [early.to_json(), late.to_json()] == [json.loads(line) for line in lines.splitlines()]
    _, lines, _ = run("export", "--since", "2025-08-04")
    assert [late.id] == [json.loads(line)["id"] for line in lines.splitlines()]
    assert 0 == run("export", "--out", str(tmp_path / "x.jsonl"))[0]
    assert ["x.jsonl"] == [f.name for f in tmp_path.iterdir() if f.name.startswith("x")]
    assert 2 == len((tmp_path / "x.jsonl").read_text().splitlines())


def test_export_into_a_folder_that_is_not_there_says_so_in_a_line(store, tmp_path):
    code, _, said = run("export", "--out", str(tmp_path / "no" / "x"))
    assert 2 == code
    assert 1 == len(said.splitlines())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("document = '{'", "the document is not JSON"),
        ("document = '{\"a\": NaN}'", "the document is not JSON"),
        ("document = '[]'", "the document is not a record"),
        ("document = json_remove(document, '$.plan.window.start')", "the document is not a record"),
        ("document = json_set(document, '$.record_version', 99)", "the document has form 99"),
        ("document = json_set(document, '$.reason', 'x')", "the document is not as it was kept"),
        ("digest = ''", "the document is not as it was kept"),
        ("verdict = 'mismatch'", "columns differ from the document: verdict"),
        (
            "started = 'yesterday', last_day = 7",
            "columns differ from the document: started, last_day",
        ),
        ("rows_compared = rows_compared + 1", "columns differ from the document: rows_compared"),
        ("document = json_set(document, '$.id', 'x')", "columns differ from the document: id"),
    ],
)
def test_verify_finds_what_was_changed_from_outside(store, file, change, said):
    sound, changed = made_record(), made_record()
    for record in (sound, changed):
        store.add(record)
    execute(file, f"UPDATE shadowagg_record SET {change} WHERE id = ?", changed.id)  # noqa: S608 - ours

    code, lines, _ = run("verify")
    first, *_, last = lines.splitlines()
    assert 1 == code
    assert f"{changed.id}: {said}" in first
    assert "2 records, 1 wrong" == last
    assert sound.id not in lines


def test_verify_finds_a_damaged_file(store, file):
    for _ in range(50):
        store.add(made_record())
    store.close()
    execute(file, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[-4096:-2048] = b"\x77" * 2048
    file.write_bytes(content)

    code, lines, said = run("verify")
    assert code in {1, 2}
    assert "nothing wrong" not in lines
    assert "Traceback" not in said


def test_prune_removes_what_is_older_and_nothing_else(store):
    today = dt.datetime.now(dt.UTC)
    old = made_record(started=today - dt.timedelta(days=91))
    new = made_record(started=today - dt.timedelta(days=89))
    for record in (old, new):
        store.add(record)

    assert "1 records would be removed\n" == run("prune", "--older-than", "90", "--dry-run")[1]
    assert None is not store.get(old.id)
    assert "1 records removed\n" == run("prune", "--older-than", "90d")[1]
    assert [new.id] == [d["id"] for d in store.documents()]
    assert "0 records removed\n" == run("prune", "--older-than", "90d")[1]


@pytest.mark.parametrize("age", ["-1", "", "soon", "1.5", "90 d", "999999"])
def test_prune_refuses_what_is_no_number_of_days(store, age):
    store.add(made_record())
    code, _, said = run("prune", f"--older-than={age}")
    assert 2 == code
    assert "Traceback" not in said
    assert 1 == len(list(store.documents()))
