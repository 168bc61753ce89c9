"""`make_plan`: production's sub-windows (`ocp.md` 3.0-1, 3.0-5; case 62 of 7)."""

import datetime as dt
import itertools

import pytest

from shadowagg.errors import UserError
from shadowagg.plan import Plan, make_plan
from shadowagg.window import Window


def august(first, last):
    source = "00000000-0000-0000-0000-00000000000a"
    return Window("org1", "some", source, dt.date(2025, 8, first), dt.date(2025, 8, last))


def days(plan):
    return [(s.start.day, s.end.day) for s in plan.subwindows]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (31, [(1, 6), (7, 11), (12, 16), (17, 21), (22, 26), (27, 31)]),
        (12, [(1, 6), (7, 11), (12, 12)]),
        (7, [(1, 6), (7, 7)]),
        (6, [(1, 6)]),
        (5, [(1, 5)]),
        (1, [(1, 1)]),
    ],
)
def test_the_first_subwindow_is_one_day_longer(last, expected):
    assert expected == days(make_plan(august(1, last)))


def test_every_day_lies_in_exactly_one_subwindow():
    for step, last in itertools.product(range(1, 32), range(1, 32)):
        plan = make_plan(august(1, last), step=step)
        covered = [day for s in plan.subwindows for day in s.days]
        assert [str(day) for day in range(1, last + 1)] == covered, (step, last)


def test_a_step_of_one_day_skips_a_boundary_that_is_the_next_start():
    assert [(1, 2), (3, 4), (5, 5)] == days(make_plan(august(1, 5), step=1))


def test_the_start_moves_to_the_first_day_with_data():
    plan = make_plan(august(1, 31), first_day_with_data=dt.date(2025, 8, 20))
    assert [(20, 25), (26, 30), (31, 31)] == days(plan)
    assert dt.date(2025, 8, 20) == plan.start
    assert dt.date(2025, 8, 1) == plan.window.start


def test_without_data_the_start_stays():
    assert [(1, 6), (7, 7)] == days(make_plan(august(1, 7), first_day_with_data=None))


def test_data_from_before_the_window_do_not_move_the_start_back():
    plan = make_plan(august(3, 5), first_day_with_data=dt.date(2025, 8, 1))
    assert [(3, 5)] == days(plan)


def test_days_are_not_padded():
    assert ("5", "6") == make_plan(august(5, 6)).subwindows[0].days


def test_a_step_below_one_day_is_refused():
    with pytest.raises(UserError, match="at least one day"):
        make_plan(august(1, 2), step=0)


def test_from_json_takes_what_to_json_gives():
    plan = make_plan(august(1, 12))
    assert plan == Plan.from_json(plan.to_json())
