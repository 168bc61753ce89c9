"""What stands in PostgreSQL arrives in Arrow: every digit, NULL apart from the empty text."""

# ruff: noqa: S608 - the SQL is the tests' own

import datetime as dt
import math
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from psycopg2 import sql

from shadowagg import servers
from shadowagg.condition import ALWAYS, where
from shadowagg.condition_sql import POSTGRES, condition_sql
from shadowagg.errors import InputUnreadable, RowSetInvalid, UserError
from shadowagg.postgres_rows import columns_of, read_rows, snapshot, unfit_columns

pytestmark = pytest.mark.server

EVERYTHING = condition_sql(ALWAYS)
AMOUNT = pa.decimal128(33, 15)


@pytest.fixture
def server(postgres):
    return servers.PostgresServer(
        postgres.host, postgres.port, postgres.user, postgres.database, postgres.password
    )


@pytest.fixture
def schema(postgres):
    """A schema whose name nobody should forget to quote."""
    name = f'rows "{uuid.uuid4().hex[:8]}" 100%s'
    connection = postgres.connect()
    connection.autocommit = True
    connection.cursor().execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    yield name
    connection.cursor().execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
    connection.close()


@pytest.fixture
def stored(postgres, schema, server):
    """Stores values in one column of a type, in their order, and reads them as an Arrow type."""

    def store(postgres_type, values, arrow_type, *, column="x", which=EVERYTHING):
        table = f"t{uuid.uuid4().hex}"
        place = POSTGRES.identifier(schema, table)
        name = POSTGRES.identifier(column)
        connection = postgres.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {place} ({name} {postgres_type})", ())
            for value in values:
                cursor.execute(f"INSERT INTO {place} VALUES (%s)", (value,))
        connection.close()
        wanted = pa.schema([(column, arrow_type)])
        with snapshot(server) as reading:
            assert [] == unfit_columns(wanted, columns_of(reading, schema, table))
            return read_rows(reading, schema, table, wanted, which).column(column)

    return store


TEXTS = [
    "\ufeffbegins with a byte-order mark",
    None,
    "",
    "NULL",
    '"',
    ",",
    "\\.",
    "\\N",
    "a\nb",
    "a\r\nb",
    "\r",
    " ",
    "it's %s 100%",
    "😀\t\x01",
    "x" * 3_000_000,
]


@pytest.mark.parametrize("postgres_type", ["text", "varchar"])
def test_texts_come_as_they_are(stored, postgres_type):
    assert TEXTS == stored(postgres_type, TEXTS, pa.string()).to_pylist()


def test_nothing_but_null_in_one_column_is_no_empty_line(stored):
    assert [None, None] == stored("text", [None, None], pa.string()).to_pylist()
    assert [None] == stored("integer", [None], pa.int32()).to_pylist()


def test_no_rows_have_the_declared_types(stored):
    for type_ in (pa.int32(), AMOUNT, pa.list_(pa.string())):
        name = {pa.int32(): "integer", AMOUNT: "numeric(33,15)"}.get(type_, "text[]")
        column = stored(name, [], type_)
        assert (type_, 0) == (column.type, len(column))


def test_decimals_have_all_their_digits(stored):
    values = [
        Decimal(f"{9:9<18}.{9:9<15}"),
        Decimal(f"-{9:9<18}.{9:9<15}"),
        Decimal("0.000000000000001"),
        Decimal("-0.1"),
        Decimal(0),
        None,
    ]
    column = stored("numeric(33,15)", values, AMOUNT)
    assert AMOUNT == column.type
    assert values == column.to_pylist()


def test_doubles_have_all_their_bits(stored):
    values = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, math.inf, -math.inf, None]
    texts = [None if value is None else repr(value) for value in values]  # a literal has no -0
    column = stored("double precision", texts, pa.float64())
    assert values == column.to_pylist()
    assert math.copysign(1, column[3].as_py()) == -1
    (nan,) = stored("double precision", [math.nan], pa.float64()).to_pylist()
    assert math.isnan(nan)


def test_days_numbers_and_truth(stored):
    days = [dt.date(1, 1, 1), dt.date(2025, 2, 28), dt.date(9999, 12, 31), None]
    assert days == stored("date", days, pa.date32()).to_pylist()
    assert [-(2**31), 2**31 - 1] == stored("integer", [-(2**31), 2**31 - 1], pa.int32()).to_pylist()
    assert [2**63 - 1] == stored("bigint", [2**63 - 1], pa.int64()).to_pylist()
    assert [True, False, None] == stored("boolean", [True, False, None], pa.bool_()).to_pylist()


def test_json_keeps_null_apart_and_its_digits(stored):
    values = ["null", None, "{}", '{"b": 1.50, "aa": "é\\n\\"", "n": 12345678901234567890.123}']
    found = stored("jsonb", values, pa.string()).to_pylist()
    assert values[:3] == found[:3]
    assert '{"b": 1.50, "n": 12345678901234567890.123, "aa": "é\\n\\""}' == found[3]


def test_uuids_are_lower_case_text(stored):
    assert ["00000000-0000-0000-0000-00000000000a"] == stored(
        "uuid", ["00000000-0000-0000-0000-00000000000A"], pa.string()
    ).to_pylist()


def test_arrays_keep_order_null_and_every_character(stored):
    values = [["b", None, "a", "", "NULL", '"{},\\', "a\nb"], [], None, ["b"]]
    column = stored("text[]", values, pa.list_(pa.string()))
    assert values == column.to_pylist()
    amounts = [[Decimal("0.123456789012345"), None]]
    type_ = pa.list_(AMOUNT)
    assert amounts == stored("numeric(33,15)[]", amounts, type_).to_pylist()


def test_an_array_of_arrays_is_no_array(stored):
    with pytest.raises(RowSetInvalid, match="column x has an array"):
        stored("text[]", [[["a"], ["b"]]], pa.list_(pa.string()))


@pytest.mark.parametrize(
    ("postgres_type", "value", "arrow_type"),
    [
        ("numeric(34,16)", Decimal("0.1234567890123456"), AMOUNT),
        ("numeric", Decimal("NaN"), AMOUNT),
        ("bigint", 2**31, pa.int32()),
        ("date", "infinity", pa.date32()),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_does_not_quote_it(
    stored, postgres_type, value, arrow_type
):
    with pytest.raises(RowSetInvalid, match="column x has a value that is no") as caught:
        stored(postgres_type, [value], arrow_type)
    assert str(value) not in str(caught.value)


def test_a_condition_finds_rows_whatever_names_and_values_look_like(stored):
    column = 'odd "column" 10%s'
    which = condition_sql(where((column, "in", ("a'; --", "100%s"))))
    values = ["a'; --", "100%s", "b", None]
    found = stored("text", values, pa.string(), column=column, which=which)
    assert values[:2] == found.to_pylist()


def test_other_types_are_named_and_no_table_has_no_columns(postgres, schema, server):
    connection = postgres.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {POSTGRES.identifier(schema, 't')} (a double precision, b text, c real)",
            (),
        )
    connection.close()
    wanted = pa.schema(
        [("a", AMOUNT), ("b", pa.list_(pa.string())), ("c", pa.float64()), ("d", pa.int32())]
    )
    with snapshot(server) as reading:
        assert {} == columns_of(reading, schema, "no such table")
        assert [
            "column a is double precision, declared decimal128(33, 15)",
            "column b is text, declared list<item: string>",
            "column c is real, declared double",
            "column d is missing",
        ] == unfit_columns(wanted, columns_of(reading, schema, "t"))


def test_a_snapshot_sees_one_moment_and_writes_nothing(postgres, schema, server):
    place = POSTGRES.identifier(schema, "t")
    wanted = pa.schema([("a", pa.int32())])
    other = postgres.connect()
    other.autocommit = True
    other.cursor().execute(f"CREATE TABLE {place} (a integer)", ())
    with snapshot(server) as reading:
        assert 0 == read_rows(reading, schema, "t", wanted, EVERYTHING).num_rows
        other.cursor().execute(f"INSERT INTO {place} VALUES (1)", ())
        assert 0 == read_rows(reading, schema, "t", wanted, EVERYTHING).num_rows
    with (
        pytest.raises(InputUnreadable, match="read-only transaction"),
        snapshot(server) as reading,
    ):
        reading.cursor().execute(f"DELETE FROM {place}", ())
    other.close()


def test_a_server_that_is_not_there_is_named(server):
    nowhere = servers.PostgresServer("127.0.0.1", 1, "u", "d", "secret-word")
    with (
        pytest.raises(UserError, match=r"PostgreSQL at 127\.0\.0\.1:1") as caught,
        snapshot(nowhere),
    ):
        pass
    assert "secret-word" not in str(caught.value)
