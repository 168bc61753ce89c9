"""Templates become texts and values; nothing but the schema's name becomes part of a text."""

import datetime as dt
from decimal import Decimal

import pytest

from shadowagg.control.production.render import asked_for, rendered
from shadowagg.errors import UserError
from shadowagg.production import TemplateStep, Way

HOSTILE = "x'; DROP SCHEMA public CASCADE; --"
VALUES = {
    "schema": "shadowagg_scratch_x",
    "start_date": dt.date(2025, 1, 6),
    "days": ("6", "7"),
    "cluster_id": HOSTILE,
    "cluster_alias": None,
    "storage_exists": True,
    "report_period_id": 11,
    "markup": Decimal("0.10"),
}


def render(text, way=Way.TRINO_PIECES, spliced=(), **values):
    step = TemplateStep("a.sql", way, "subwindow", tuple(VALUES), (), spliced=spliced)
    return [(piece.text, piece.values) for piece in rendered(step, text, VALUES | values)]


def test_values_are_bound_by_position_on_trino_and_none_is_a_value():
    text = "SELECT {{cluster_id}}, {{cluster_alias}} FROM hive.{{schema | sqlsafe}}.t"

    expected = "SELECT ?, ? FROM hive.shadowagg_scratch_x.t"
    assert [(expected, (HOSTILE, None))] == render(text)


def test_every_occurrence_binds_once_more_also_in_comments():
    text = "SELECT {{report_period_id}} -- {{report_period_id}}"

    assert [("SELECT ? -- ?", (11, 11))] == render(text, Way.TRINO_WHOLE)


def test_a_list_binds_one_value_each():
    assert [("x IN (?,?)", ("6", "7"))] == render("x IN {{days | inclause}}")


def test_a_file_is_cut_at_statements_and_each_is_rendered_without_its_semicolon():
    text = "SELECT 1;\n-- a; b\nSELECT ';' ;\n"

    texts = [text for text, _ in render(text)]
    assert ["SELECT 1", "-- a; b\nSELECT ';' "] == texts


def test_a_piece_whose_condition_is_false_is_left_out():
    text = "SELECT 1;\n{% if storage_exists %}SELECT {{days[0]}}{% endif %};"

    assert ["SELECT 1"] == [text for text, _ in render(text, storage_exists=False)]
    assert 2 == len(render(text))


def test_a_name_set_in_one_piece_is_unknown_in_the_next():
    text = "{% set a = 'x' %} SELECT {{a}}; SELECT {{a}};"

    with pytest.raises(UserError, match=r"template a\.sql, piece 2: binds a name without a value"):
        render(text)


def test_postgres_pieces_keep_their_semicolons_and_bind_by_position():
    text = "DELETE FROM {{schema | sqlsafe}}.a WHERE b = {{report_period_id}}; SELECT '%%';"

    assert [
        ("DELETE FROM shadowagg_scratch_x.a WHERE b = %s;", (11,)),
        ("SELECT '%%';", ()),
    ] == render(text, Way.POSTGRES_PIECES)


def test_a_whole_file_for_postgres_is_one_message_with_named_values():
    text = "DELETE FROM a WHERE b = {{report_period_id}}; SELECT {{start_date}};"

    assert [
        (
            "DELETE FROM a WHERE b = %(report_period_id_1)s; SELECT %(start_date_2)s;",
            {"report_period_id_1": 11, "start_date_2": dt.date(2025, 1, 6)},
        )
    ] == render(text, Way.POSTGRES_WHOLE)


def test_numbers_and_days_may_be_spliced():
    text = "{{report_period_id | sqlsafe}} {{markup | sqlsafe}} '{{start_date | sqlsafe}}'"

    assert [("11 0.10 '2025-01-06'", ())] == render(text)


@pytest.mark.parametrize(
    "value", [HOSTILE, "a", "", None, "shadowagg_scratch_x; DROP TABLE t", ["a"], dt.datetime.now]
)
def test_no_text_but_the_schema_is_spliced(value):
    with pytest.raises(UserError, match="splices a value that must be bound") as refused:
        render("SELECT {{cluster_id | sqlsafe}}", cluster_id=value)

    assert HOSTILE not in str(refused.value)


def test_a_step_names_the_texts_that_it_splices():
    text = "CREATE TABLE t_{{cluster_id | sqlsafe}} (a int)"

    assert [("CREATE TABLE t_0f (a int)", ())] == render(
        text, spliced=("cluster_id",), cluster_id="0f"
    )


@pytest.mark.parametrize(
    "text",
    [
        "SELECT {{nobody}}",
        "SELECT {{nobody | sqlsafe}}",
        "SELECT {{days | inclause | sqlsafe}} {{nobody.x}}",
        "SELECT {{ [] | inclause }}",
        "SELECT {{ cluster_id | inclause }}",
        "{% if %}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cluster_id.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'a' as b %}",
        "{{ days.append('x') }}",
        "{% for x in range(10000000) %}{% endfor %}",
        "{{ cluster_id | no_such_filter }}",
    ],
)
def test_what_cannot_or_must_not_be_rendered_is_one_line(text):
    with pytest.raises(UserError, match=r"^template a\.sql, piece 1: ") as refused:
        render(text)

    assert "\n" not in str(refused.value)


def test_a_template_asks_for_what_it_does_not_set_itself():
    text = "{% if a == 'cpu' %}{% set b = 'x' %}{% endif %} {{b}} {{c | sqlsafe}} {{d | inclause}}"

    assert {"a", "c", "d"} == asked_for(text)
