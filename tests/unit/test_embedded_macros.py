"""DuckDB, with the macros and the rewriting in place, answers as Trino 476 does.

Every expected value was measured on a real Trino.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import ROUND_HALF_UP, Decimal, localcontext

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowagg.control.dialect import bind, literal, parse_select, to_duckdb
from shadowagg.control.embedded import connect


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as connection:
        yield connection


def asked(engine, select: str, **parameters):
    """The one value of a SELECT in Trino's dialect."""
    (row,) = engine.execute(to_duckdb(bind(parse_select(select), parameters))).fetchall()
    return row[0]


READ = (
    "select cast(json_parse(x) as map(varchar, varchar)) from (select cast(:x as varchar) as x) t"
)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (
            {
                "a": None,
                "b": "1",
                "c": "true",
                "d": "1.5E0",
                "e": "1.0E2",
                "f": "12345678901234567890",
            },
            '{"a": null, "b": 1, "c": true, "d": 1.50, "e": 1e2, "f": 12345678901234567890}',
        ),
        ({"a": "-0", "b": "-0E0", "c": "0E0"}, '{"a": -0, "b": -0.0, "c": 0.0}'),
        ({"a": "1.23456789E7", "b": "1.0E-1"}, '{"a": 12345678.9, "b": 0.1}'),
        ({"app": "1.5", "time": "10:30", "n": "7"}, '{"app":"1.5","time":"10:30","n":7}'),
        ({"a": 'é😀"\\/\n'}, '{"a": "\\u00e9\\ud83d\\ude00\\"\\\\\\/\\n"}'),
        ({"": "x", "y": ""}, ' { "" : "x" ,\t"y":"" }\n'),
        ({}, "{}"),
        (None, "null"),
        (None, None),
    ],
)
def test_a_json_text_becomes_the_map_that_trino_makes(engine, expected, text):
    assert expected == asked(engine, READ, x=text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "[]",
        "1",
        '"text"',
        '{"a": {"b": 1}}',
        '{"a": [1]}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": "1",}',
        '{"a": "1"} x',
        '{"a": 01}',
        '{"a": +1}',
        '{"a": "line\nbreak"}',
        "{'a': '1'}",
        '{"a": "1"',
    ],
)
def test_a_text_that_is_no_object_of_plain_values_fails_the_statement(engine, text):
    with pytest.raises(duckdb.InvalidInputException, match="not a JSON object of plain values"):
        asked(engine, READ, x=text)


@pytest.mark.parametrize("text", ['{"a":"1","a":"2"}', '{"a":1,"a":2}', '{"a":"1","\\u0061":"2"}'])
def test_a_key_that_occurs_twice_fails_the_statement(engine, text):
    with pytest.raises(duckdb.Error, match="Map keys must be unique"):
        asked(engine, READ, x=text)


def test_maps_of_other_key_orders_are_one_group(engine):
    select = """
        select count(*) from (
            select m from (
                select cast(json_parse(x) as map(varchar, varchar)) as m
                from (values '{"a":"1","b":null}', '{"b":null,"a":"1"}') as t (x)
            ) as u
            group by m
        ) as v
    """

    assert asked(engine, select) == 1


def test_an_empty_map_is_no_null_map_and_an_empty_value_no_null_value(engine):
    select = """
        select count(*) from (
            select m from (
                select cast(json_parse(x) as map(varchar, varchar)) as m
                from (values '{}', 'null', '{"a":""}', '{"a":null}') as t (x)
            ) as u
            group by m
        ) as v
    """

    assert asked(engine, select) == 4


@pytest.mark.parametrize(
    ("expected", "maps"),
    [
        ({"a": "2", "b": None}, ['{"a":"1"}', '{"b":null,"a":"2"}']),
        ({"a": "", "b": "1"}, ['{"a":"x","b":"1"}', '{"a":""}']),
        ({"a": "3", "b": "2", "c": None}, ['{"a":"1"}', '{"b":"2"}', '{"a":"3","c":null}', "{}"]),
        (None, ['{"a":"1"}', "null"]),
        (None, ["null", '{"a":"1"}', "{}"]),
        ({}, ["{}", "{}"]),
    ],
)
def test_the_last_map_wins_and_null_takes_all(engine, expected, maps):
    texts = {f"m{number}": text for number, text in enumerate(maps)}
    parts = ", ".join(f"cast(json_parse(:{name}) as map(varchar, varchar))" for name in texts)

    assert expected == asked(engine, f"select map_concat({parts})", **texts)


@pytest.mark.parametrize(
    ("expected", "keys"), [({"a": "1"}, "array['a', 'c']"), ({}, "cast(null as array(varchar))")]
)
def test_a_filter_keeps_a_key_only_where_membership_is_known(engine, expected, keys):
    select = f"""
        select map_filter(cast(json_parse(:x) as map(varchar, varchar)), (k, v) -> contains(keys, k))
        from (select {keys} as keys) as enabled
    """  # noqa: S608 - own text

    assert expected == asked(engine, select, x='{"b":"2","a":"1"}')


def test_a_filter_may_ask_for_the_value(engine):
    select = "select map_filter(cast(json_parse(:x) as map(varchar, varchar)), (k, v) -> v <> 'no')"

    assert asked(engine, select, x='{"b":"no","a":"1","c":null}') == {"a": "1"}


@pytest.mark.parametrize(
    ("expected", "labels"),
    [
        (
            '{"":"5","B":"4","a":null,"\\uD83D\\uDE00":"1","～":"2"}',
            {"😀": "1", "～": "2", "a": None, "B": "4", "": "5"},
        ),
        ('{"k":"é/\\n\\u001F\x7f\\"\\\\"}', {"k": 'é/\n\x1f\x7f"\\'}),
        ('{"k":"x\\uD83D\\uDE00\\t"}', {"k": "x😀\t"}),
        ("{}", {}),
        (None, None),
    ],
)
def test_a_map_becomes_the_text_that_trino_writes(engine, expected, labels):
    select = "select json_format(cast(cast(json_parse(:x) as map(varchar, varchar)) as json))"

    assert expected == asked(engine, select, x=json.dumps(labels))


LABELS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    max_size=5,
)


@given(labels=LABELS)
def test_any_labels_survive_being_read_and_written(engine, labels):
    select = "select json_format(cast(cast(json_parse(:x) as map(varchar, varchar)) as json))"

    written = asked(engine, select, x=json.dumps(labels))

    assert labels == json.loads(written)
    assert sorted(labels, key=lambda key: key.encode("utf-16-be")) == list(json.loads(written))


@pytest.mark.parametrize(
    ("expected", "number"),
    [
        ("1.0E8", 1e8),
        ("0E0", 0.0),
        ("-0E0", -0.0),
        ("NaN", float("nan")),
        ("Infinity", float("inf")),
        ("-Infinity", float("-inf")),
        ("1.0E-1", 0.1),
        ("1.23456789E7", 12345678.9),
        ("-1.5E-7", -1.5e-7),
        ("1.0E22", 1e22),
    ],
)
def test_a_double_has_javas_text_in_labels(engine, expected, number):
    found = engine.execute("select double_text(?::double)", [number]).fetchone()

    assert (expected,) == found


TO_DECIMAL = "select cast(cast(cast(:x as double) as varchar) as decimal(33, 15))"


@pytest.mark.parametrize(
    ("expected", "number"),
    [
        ("0.740865532228086", 0.7408655322280855),
        ("123456789.123456790000000", 123456789.123456789),
        ("0.000000000000001", 5e-16),
        ("0.000000000000000", 4.9e-16),
        ("-0.000000000000001", -5e-16),
        ("0.000000000000000", -0.0),
        ("0.258700715170966", 1e12 / 3600 * 2**-30),
    ],
)
def test_a_double_becomes_a_decimal_by_its_shortest_text_half_up(engine, expected, number):
    assert Decimal(expected) == asked(engine, TO_DECIMAL, x=number)


@given(number=st.floats(-999999999999999.0, 999999999999999.0))
def test_any_double_becomes_the_decimal_of_its_shortest_text(engine, number):
    with localcontext(prec=40):
        expected = Decimal(repr(number)).quantize(Decimal("1e-15"), ROUND_HALF_UP)

    assert expected == asked(engine, TO_DECIMAL, x=number)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 1e18, -1e18])
def test_a_double_without_a_decimal_fails_the_statement(engine, number):
    with pytest.raises(duckdb.ConversionException):
        asked(engine, TO_DECIMAL, x=number)


@pytest.mark.parametrize(
    ("expected", "select"),
    [
        (None, "select greatest(1, null)"),
        (True, "select 'a\\xb' like 'a\\_b'"),
        (False, "select 'axb' like 'a\\_b'"),
        ("12", "select lpad('123', 2, '0')"),
        ("02", "select lpad('2', 2, '0')"),
        (2, "select length(to_utf8('é'))"),
        (29, "select day(last_day_of_month(date '2024-02-05'))"),
        ("1", "select cast(month(date '2025-01-05') as varchar)"),
        (float("inf"), "select 1e0 / 0e0"),
        (None, "select array['v'] || cast(null as array(varchar))"),
        ("😀", "select max(x) from (values '～', '😀', 'a', 'B') as t (x)"),
        (
            1.0,
            """
            select coalesce(max(x) filter (where not is_nan(x)), max(x))
            from (values 1e0, cast('NaN' as double), null) as t (x)
            """,
        ),
    ],
)
def test_what_the_statements_rely_on_means_the_same(engine, expected, select):
    assert expected == asked(engine, select)


@given(
    value=st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.booleans(),
        st.dates(),
        st.none(),
        st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1),
    )
)
def test_a_parameter_arrives_as_it_was_given(engine, value):
    assert value == asked(engine, "select :value", value=value)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("VARCHAR", "1"),
        ("INTEGER", 1),
        ("BIGINT", 2**31),
        ("DOUBLE", 1.0),
        ("BOOLEAN", True),
        ("DATE", dt.date(2025, 2, 1)),
        ("DECIMAL(38,2)", Decimal("1.50")),
    ],
)
def test_a_parameter_has_the_type_of_its_value(engine, expected, value):
    found = engine.execute(f"select typeof({literal(value).sql(dialect='duckdb')})").fetchone()

    assert found == (expected,)
