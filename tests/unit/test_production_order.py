"""Production's steps in production's order, with the days of each call."""

import datetime as dt

import pytest

from shadowagg.errors import UserError
from shadowagg.plan import make_plan
from shadowagg.production import CodeStep, Production, TemplateStep, Way, production_of
from shadowagg.window import Window

SOURCE = "00000000-0000-0000-0000-000000000001"


def day(number):
    return dt.date(2025, 8, number)


def plan(first=1, last=12, data=None):
    window = Window("org1", "p", SOURCE, day(first), day(last))
    return make_plan(window, first_day_with_data=data)


def template(path, scope):
    return TemplateStep(path, Way.TRINO_PIECES, scope, (), ())


def code(name, scope):
    return CodeStep(name, lambda call, twin: None, scope)


def order(steps, plan):
    production = Production(steps, values=lambda call, twin: {})
    return [
        (getattr(step, "path", "") or step.name, call.start.day, call.end.day)
        for step, call in production.calls(plan)
    ]


def test_all_steps_of_a_sub_window_come_before_the_next_one_and_the_rest_once():
    steps = (
        code("delete", "subwindow"),
        template("fill", "subwindow"),
        template("map", "window"),
    )

    assert [
        *[("delete", 1, 6), ("fill", 1, 6)],
        *[("delete", 7, 11), ("fill", 7, 11)],
        *[("delete", 12, 12), ("fill", 12, 12)],
        ("map", 1, 12),
    ] == order(steps, plan())


def test_the_whole_window_begins_with_the_first_day_that_has_data():
    assert [("fill", 3, 8), ("map", 3, 8)] == order(
        (template("fill", "subwindow"), template("map", "window")), plan(1, 8, day(3))
    )


def test_steps_once_between_sub_windows_part_the_loops():
    steps = (template("a", "subwindow"), template("b", "window"), template("c", "subwindow"))

    assert ["a", "a", "b", "c", "c"] == [name for name, *_ in order(steps, plan(1, 7))]


def test_year_and_month_are_those_of_the_calls_first_day_and_days_are_not_padded():
    production = Production((template("a", "subwindow"),), values=lambda call, twin: {})
    ((_, first), (_, second)) = production.calls(plan(1, 8))

    assert ("2025", "08") == (first.year, first.month)
    assert ("1", "2", "3", "4", "5", "6") == first.days
    assert ("7", "8") == second.days


def test_a_provider_without_steps_says_so_in_one_line():
    class Provider:
        name = "toy"

    with pytest.raises(UserError, match=r"^provider toy: does not know production's templates"):
        production_of(Provider())
