"""What a PostgreSQL that dates commits tells of rows and side tables: a server of the test's own."""

# ruff: noqa: S608 - the SQL is the test's own

import datetime as dt

import pytest

from shadowagg.condition import where
from shadowagg.control.postgres_window import PostgresWindow
from shadowagg.postgres_rows import snapshot
from shadowagg.provider import RunStamp
from shadowagg.rowset import DATE, TEXT, Column, RowKind, RowSetSpec
from shadowagg.servers import PostgresServer
from shadowagg.testing.stack import postgres as service
from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.stack import Stack
from shadowagg.window import Window

pytestmark = pytest.mark.server

SOURCE = "00000000-0000-0000-0000-000000000001"
WINDOW = Window("acct1", "toy", SOURCE, dt.date(2025, 1, 1), dt.date(2025, 1, 2))
SPEC = RowSetSpec(
    name="toy:t",
    table="t",
    home="postgres",
    columns=(Column("source", TEXT), Column("day", DATE), Column("kind", TEXT)),
    kinds=(RowKind("row", ("day",)),),
    day="day",
    source="source",
    read_back=where(("kind", "=", "ours")),
)


@pytest.fixture(params=["on", "off"])
def dated(request, postgres, tmp_path, monkeypatch):
    """A server, whether it dates commits, and a connection that commits every statement."""
    monkeypatch.setitem(service.SETTINGS, "track_commit_timestamp", request.param)
    stack = Stack(Home(tmp_path / "home"), say=lambda _: None)
    state = stack.up(["postgres"])
    server = PostgresServer(
        host="127.0.0.1",
        port=state.ports["postgres"],
        user=service.USER,
        database=service.DATABASE,
        password=state.credentials.postgres_password,
    )
    import psycopg2

    connection = psycopg2.connect(
        host=server.host, port=server.port, user=server.user, password=server.password
    )
    connection.autocommit = True
    yield server, request.param == "on", connection.cursor()
    connection.close()
    stack.down(force=True)


def looked(server, *side):
    with snapshot(server) as reading:
        tenant = PostgresWindow(reading, "acct1", WINDOW)
        rows = tenant.rows(SPEC)
        stamp = tenant.stamp(RunStamp("stamps", "done", where(("id", "=", 1))))
        return rows, stamp, {table.name: table for table in tenant.side_tables(side)}


def moment(cursor):
    cursor.execute("SELECT extract(epoch FROM clock_timestamp()) * 1000000000")
    return int(cursor.fetchone()[0])


def test_rows_and_side_tables_are_dated(dated):
    """One server tells all of it: starting one takes longer than the assertions."""
    server, dates_commits, cursor = dated
    for statement in (
        "CREATE SCHEMA acct1",
        "SET search_path = acct1",
        "CREATE TABLE t (source text, day date, kind text)",
        "CREATE TABLE plain (a integer)",
        "CREATE TABLE with_column (a integer, updated_timestamp timestamptz)",
        "CREATE TABLE stamps (id integer, done timestamp)",
        "INSERT INTO plain VALUES (1)",
        "INSERT INTO with_column VALUES (1, '2001-01-01 00:00:00+00')",
    ):
        cursor.execute(statement)

    rows, stamp, side = looked(server, "plain")
    assert (0, None, None) == (rows.table.num_rows, rows.written, stamp)
    assert side["plain"].after_rows is None

    before = moment(cursor)
    cursor.execute(f"INSERT INTO t VALUES ('{SOURCE}', '2025-01-02', 'ours')")
    cursor.execute(f"INSERT INTO t VALUES ('{SOURCE}', '2025-01-01', 'ours')")
    cursor.execute(f"INSERT INTO t VALUES ('{SOURCE}', '2025-01-01', NULL)")
    after = moment(cursor)
    cursor.execute("INSERT INTO stamps VALUES (1, '2025-01-03 00:00:00'), (1, '2025-01-04')")

    rows, stamp, side = looked(server, "plain", "with_column", "no such table")
    assert {"plain", "with_column"} == set(side)
    assert (2, 1) == (rows.table.num_rows, rows.left_aside)
    assert dt.datetime(2025, 1, 3, tzinfo=dt.UTC).timestamp() == stamp / 1e9
    assert not side["plain"].after_rows
    assert not side["with_column"].after_rows
    if dates_commits:
        assert before <= rows.written <= after
        assert side["plain"].changed < rows.written
        assert side["with_column"].changed < rows.written
    else:
        assert rows.written is None
        assert side["plain"].changed is None
        assert (
            dt.datetime(2001, 1, 1, tzinfo=dt.UTC).timestamp() == side["with_column"].changed / 1e9
        )

    cursor.execute("UPDATE plain SET a = a")
    rows, _, side = looked(server, "plain", "with_column")
    assert side["plain"].after_rows
    assert not side["with_column"].after_rows
    if dates_commits:
        assert side["plain"].changed > rows.written

    # A later step that touches every row hides the order; the dates of commits remain.
    cursor.execute("UPDATE t SET kind = kind")
    _, _, side = looked(server, "plain")
    assert not side["plain"].after_rows
