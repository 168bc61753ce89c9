"""Ignore rules: counted apart, never as matches; without effect once expired."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pytest

from shadowagg.condition import ALWAYS, where
from shadowagg.diff import compare
from shadowagg.diff.result import IgnoredRows
from shadowagg.errors import UserError
from shadowagg.ignore import IgnoreRule, load_ignore_rules
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    EXACT,
    TEXT,
    Column,
    Role,
    RowKind,
    RowSet,
    RowSetSpec,
)

DAY = dt.date(2025, 8, 1)
SPEC = RowSetSpec(
    name="p:s",
    table="t",
    home="inner",
    columns=(
        Column("day", DATE),
        Column("name", TEXT),
        Column("alias", TEXT),
        Column("note", TEXT),
        Column("x", DOUBLE, Role.MEASURE, EXACT),
    ),
    kinds=(RowKind("all", ("day", "name")),),
    day="day",
    source="name",
    group="name",
)


def row_set(*rows) -> RowSet:
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array([DAY] * len(rows), pa.date32()), *map(pa.array, columns)]
    return RowSet.conform(SPEC, pa.table(arrays, names=SPEC.schema.names))


def rule(name="known", *, columns=(), condition=ALWAYS, until=DAY, spec="p:s") -> IgnoreRule:
    return IgnoreRule(name, spec, "a reason", "an owner", until, tuple(columns), condition)


CONTROL = row_set(("a", "old", "n", 1.0), ("b", "old", "n", 2.0), ("c", "old", "n", 3.0))


def test_a_covered_difference_is_neither_a_match_nor_a_mismatch():
    candidate = row_set(("a", "new", "n", 1.0), ("b", "old", "n", 2.0), ("c", "old", "n", 3.0))

    diff = compare(CONTROL, candidate, ignore=[rule(columns=["alias"])], today=DAY)

    assert (2, 0, 1) == (diff.equal_rows, diff.changed_rows, diff.ignored_rows)
    assert (IgnoredRows("known", 1),) == diff.ignored
    assert 0 == sum(column.differing for column in diff.columns)
    assert () == diff.samples
    assert diff.agrees


def test_a_rule_covers_only_its_columns_and_its_rows():
    candidate = row_set(("a", "new", "m", 1.0), ("b", "new", "n", 2.0), ("c", "new", "n", 3.0))
    known = rule(columns=["alias"], condition=where(("name", "in", ("a", "b"))))

    diff = compare(CONTROL, candidate, ignore=[known], today=DAY)

    assert (0, 2, 1) == (diff.equal_rows, diff.changed_rows, diff.ignored_rows)
    assert {"alias": 1, "note": 1} == {c.name: c.differing for c in diff.columns if c.differing}
    assert (IgnoredRows("known", 2),) == diff.ignored
    assert [{"note"}, {"alias"}] == [set(sample.columns) for sample in diff.samples]


def test_two_rules_may_cover_one_row_together():
    candidate = row_set(("a", "new", "m", 1.0), ("b", "old", "n", 2.0), ("c", "old", "n", 3.0))
    rules = [rule("one", columns=["alias"]), rule("two", columns=["note"])]

    diff = compare(CONTROL, candidate, ignore=rules, today=DAY)

    assert (0, 1) == (diff.changed_rows, diff.ignored_rows)
    assert (IgnoredRows("one", 1), IgnoredRows("two", 1)) == diff.ignored


def test_a_rule_for_whole_rows_covers_missing_and_extra_ones():
    candidate = row_set(("b", "old", "n", 2.0), ("c", "old", "n", 9.0), ("d", "old", "n", 4.0))

    known = rule(condition=where(("name", "!=", "b")))
    diff = compare(CONTROL, candidate, ignore=[known], today=DAY)
    columns_only = compare(CONTROL, candidate, ignore=[rule(columns=["x"])], today=DAY)

    assert (1, 0, 0, 0, 3) == (
        diff.equal_rows,
        diff.changed_rows,
        diff.missing_rows,
        diff.extra_rows,
        diff.ignored_rows,
    )
    assert diff.agrees
    assert (1, 1, 1) == (
        columns_only.missing_rows,
        columns_only.extra_rows,
        columns_only.ignored_rows,
    )


def test_the_condition_looks_at_the_controls_row():
    candidate = row_set(("a", "new", "n", 1.0), ("b", "old", "n", 2.0), ("c", "old", "n", 3.0))
    of_control = rule(columns=["alias"], condition=where(("alias", "=", "old")))
    of_candidate = rule(columns=["alias"], condition=where(("alias", "=", "new")))

    assert compare(CONTROL, candidate, ignore=[of_control], today=DAY).agrees
    assert not compare(CONTROL, candidate, ignore=[of_candidate], today=DAY).agrees


def test_ignored_rows_do_not_count_in_totals_or_distances():
    candidate = row_set(("a", "old", "n", 100.0), ("b", "old", "n", 2.5), ("c", "old", "n", 3.0))
    known = rule(columns=["x"], condition=where(("name", "=", "a")))

    diff = compare(CONTROL, candidate, ignore=[known], today=DAY)

    assert ["b"] == [row.group for row in diff.totals.rows]
    assert ["5.0", "5.5"] == [diff.totals_by_day[0].control, diff.totals_by_day[0].candidate]
    assert "0.5" == next(column.max_absolute for column in diff.columns if column.name == "x")


def test_an_expired_rule_has_no_effect_and_is_listed():
    candidate = row_set(("a", "new", "n", 1.0), ("b", "old", "n", 2.0), ("c", "old", "n", 3.0))
    known = rule(columns=["alias"], until=DAY)

    last_day = compare(CONTROL, candidate, ignore=[known], today=DAY)
    after = compare(CONTROL, candidate, ignore=[known], today=DAY + dt.timedelta(days=1))

    assert (0, ()) == (last_day.changed_rows, last_day.expired_rules)
    assert (1, ("known",), ()) == (after.changed_rows, after.expired_rules, after.ignored)


def test_a_rule_of_another_row_set_is_passed_over():
    candidate = row_set(("a", "new", "n", 1.0), ("b", "old", "n", 2.0), ("c", "old", "n", 3.0))

    diff = compare(CONTROL, candidate, ignore=[rule(spec="p:other", columns=["z"])], today=DAY)

    assert (1, ()) == (diff.changed_rows, diff.ignored)


@pytest.mark.parametrize("faulty", [{"columns": ["z"]}, {"condition": where(("z", "is null"))}])
def test_a_rule_that_names_an_unknown_column_is_refused(faulty):
    with pytest.raises(UserError, match="known: columns \\['z'\\]"):
        compare(CONTROL, CONTROL, ignore=[rule(**faulty)], today=DAY)


# --- files -----------------------------------------------------------------------------------

TOML = """
[[rules]]
name = "known"
spec = "p:s"
columns = ["alias"]
condition = [["day", ">=", "2025-08-01"], ["name", "in", ["a"]]]
reason = "a reason"
owner = "an owner"
until = 2025-12-31
"""


def test_rules_are_read_from_toml_and_json_alike(tmp_path):
    (tmp_path / "rules.toml").write_text(TOML)
    (from_toml,) = load_ignore_rules(tmp_path / "rules.toml")
    (tmp_path / "rules.json").write_text(json.dumps({"rules": [from_toml.to_json()]}))
    (from_json,) = load_ignore_rules(tmp_path / "rules.json")

    assert from_toml.to_json() == from_json.to_json()
    assert dt.date(2025, 12, 31) == from_json.until
    candidate = row_set(("a", "new", "n", 1.0), ("b", "old", "n", 2.0), ("c", "old", "n", 3.0))
    assert 1 == compare(CONTROL, candidate, ignore=[from_json], today=DAY).ignored_rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules = 1", "has no list"),
        ("rules = [1]", "has no list"),
        ("x = [", "cannot be read"),
        ("other = []", "has no list"),
        (TOML + TOML, "named twice"),
        (TOML.replace('owner = "an owner"', ""), "missing fields \\['owner'\\]"),
        (TOML.replace("2025-12-31", '"soon"'), "wrong form"),
        (TOML.replace('["alias"]', '"alias"'), "wrong form"),
        (TOML.replace('">="', '"~"'), "operator '~'"),
        (TOML + "more = 1\n", "unknown fields \\['more'\\]"),
    ],
)
def test_a_file_that_holds_no_rules_is_refused(tmp_path, text, message):
    (tmp_path / "rules.toml").write_text(text)

    with pytest.raises(UserError, match=message):
        load_ignore_rules(tmp_path / "rules.toml")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_ignore_rules(tmp_path / "none.toml")
