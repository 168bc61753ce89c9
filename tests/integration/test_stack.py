"""The local stack for real: one Trino, PostgreSQL and S3 server that know each other."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowagg.testing.stack.layout import Home

DOWNLOADS = Home.default().folder
pytestmark = pytest.mark.server

ROWS = pa.table({"node": ["a", "b", None], "cores": [1.5, 2.25, 4.0]})


def rows(server, sql):
    connection = server.connect()
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]
    finally:
        connection.close()


@pytest.fixture
def hive_schema(trino, request):
    """A schema of the test's own in Hive."""
    name = f"stack_{os.getpid()}_{abs(hash(request.node.name)) % 10**8}"
    rows(trino, f"CREATE SCHEMA hive.{name}")
    yield f"hive.{name}"
    for (table,) in rows(trino, f"SHOW TABLES FROM hive.{name}"):
        rows(trino, f"DROP TABLE hive.{name}.{table}")
    rows(trino, f"DROP SCHEMA hive.{name}")


def test_trino_answers_its_client(trino):
    assert [(1,)] == rows(trino, "SELECT 1")


@pytest.mark.parametrize("scheme", ["s3://", "local:///"])
def test_trino_reads_what_arrow_wrote_to_s3(trino, s3, lake, hive_schema, scheme):
    """Under both names: with versitygw they are the same files; else the folder gets its own."""
    place = f"read_{os.getpid()}_{scheme[:2]}"
    if scheme == "s3://" or s3.kind == "versitygw":
        pq.write_table(ROWS, f"{s3.bucket}/{place}/part-0.parquet", filesystem=s3.filesystem())
    else:
        (lake.folder / place).mkdir()
        pq.write_table(ROWS, lake.folder / place / "part-0.parquet")
    location = f"s3://{s3.bucket}" if scheme == "s3://" else lake.uri
    rows(
        trino,
        f"CREATE TABLE {hive_schema}.t (node varchar, cores double) "
        f"WITH (external_location = '{location}/{place}', format = 'PARQUET')",
    )

    found = rows(trino, f"SELECT node, cores FROM {hive_schema}.t ORDER BY cores")  # noqa: S608
    assert [("a", 1.5), ("b", 2.25), (None, 4.0)] == found


def test_the_lake_folder_is_the_bucket_where_the_server_is_versitygw(s3, lake):
    place = f"same_{os.getpid()}"
    pq.write_table(ROWS, f"{s3.bucket}/{place}/part-0.parquet", filesystem=s3.filesystem())

    ours = s3.kind == "versitygw"
    assert ours == (lake.folder / place / "part-0.parquet").exists()
    assert ours == (
        s3.access_log.exists() and f"{place}/part-0.parquet" in s3.access_log.read_text()
    )


def test_trino_reads_a_table_of_postgresql(trino, postgres):
    name = f"stack_{os.getpid()}"
    connection = postgres.connect()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {name} (n int, price numeric(33, 15))")
            cursor.execute(f"INSERT INTO {name} VALUES (1, 0.1), (2, NULL)")  # noqa: S608

        found = rows(trino, f"SELECT n, CAST(price AS varchar) FROM postgres.public.{name}")  # noqa: S608
        assert [(1, "0.100000000000000"), (2, None)] == sorted(found)
    finally:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {name}")
        connection.close()


# --- the command, on a stack of the test's own ---------------------------------------------------


@pytest.fixture
def stack_home(tmp_path, monkeypatch):
    """A home of its own, whose downloads are the user's."""
    own = tmp_path / "stack"
    own.mkdir()
    for folder in DOWNLOADS.glob("*-*"):
        (own / folder.name).symlink_to(folder)
    monkeypatch.setenv("SHADOWAGG_STACK_HOME", str(own))
    yield own
    command("down", "--force")


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "shadowagg.testing.stack", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def environment():
    return json.loads(command("env", "--json").stdout)


def pids():
    found = json.loads(command("status", "--json").stdout)
    return {name: one["pid"] for name, one in found.items() if one["pid"]}


def session_processes(leaders):
    """Processes in the sessions that these lead: everything that they started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if fields[0] != "Z" and (int(fields[3]) in leaders or int(fields[1]) in leaders):
                found.append((int(entry.name), line))
    return found


def test_down_leaves_no_process_no_folder_and_no_open_port(stack_home):
    up = command("up", "--only", "postgres")
    assert 0 == up.returncode, up.stderr
    leaders = set(pids().values())
    folder = Path(environment()["SHADOWAGG_LAKE_DIR"]).parents[1]
    assert session_processes(leaders)

    assert 0 == command("down").returncode
    assert [] == session_processes(leaders)
    assert not folder.exists()
    assert 1 == command("status").returncode


def test_two_ups_at_once_give_one_stack(stack_home):
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "shadowagg.testing.stack", "up", "--only", "postgres"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [one.communicate() for one in both]

    assert [0, 0] == [one.returncode for one in both], outputs
    assert outputs[0][0] == outputs[1][0]
    started = [stderr.count("starts on") for _, stderr in outputs]
    assert [0, 1] == sorted(started)


def test_a_service_that_has_died_is_started_again_with_its_data(s3, stack_home):
    command("up", "--only", "postgres", "--only", "s3")
    import psycopg2

    values = environment()
    url = "postgresql://postgres:{PGPASSWORD}@{PGHOST}:{PGPORT}/postgres".format(**values)
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (n int)")
    connection.close()
    before = pids()
    os.kill(before["postgres"], 9)
    limit = time.monotonic() + 10
    while 1 != command("status").returncode and time.monotonic() < limit:
        time.sleep(0.1)
    assert "died" in command("status").stdout

    again = command("up", "--only", "postgres")
    assert 0 == again.returncode, again.stderr
    assert before["postgres"] != pids()["postgres"]
    assert before["s3"] == pids()["s3"]
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kept")
        assert (0,) == cursor.fetchone()
    connection.close()


def test_a_port_that_is_taken_is_one_line(stack_home):
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = command("up", "--only", "postgres", "--port", f"postgres={port}")

        assert 2 == done.returncode
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"shadowagg-stack: postgres: port {port} is taken. Hint:")


def test_a_server_that_is_not_ours_is_never_touched(stack_home, postgres):
    """The session's PostgreSQL belongs to another home."""
    command("up", "--only", "postgres")
    assert postgres.pid != pids()["postgres"]
    command("down", "--force")

    postgres.connect().close()
