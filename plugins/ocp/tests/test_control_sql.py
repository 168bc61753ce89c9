"""The control's `.sql` files keep their contract: one SELECT each, in Trino's dialect, as specified."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from sqlglot import exp

from shadowagg.control.dialect import bind, names_of_parameters, parse_select, tables_read
from shadowagg.plan import make_plan
from shadowagg.window import Cluster, Window
from shadowagg_ocp.provider import OCP

SOURCE = "00000000-0000-0000-0000-000000000001"
STAGES = {stage.name: stage for stage in OCP.stages}

stages = pytest.mark.parametrize("stage", OCP.stages, ids=list(STAGES))


def parameters() -> dict[str, object]:
    window = Window(
        schema="org1",
        provider="ocp",
        source_uuid=SOURCE,
        clusters=(Cluster(SOURCE, "c"),),
        start=dt.date(2025, 8, 1),
        end=dt.date(2025, 8, 31),
    )
    return dict(OCP.control_parameters(make_plan(window).whole()))


@stages
def test_each_file_is_one_select_in_trinos_dialect(stage):
    assert isinstance(parse_select(stage.control_sql()), exp.Select)


@stages
def test_each_file_binds_parameters_that_the_provider_gives_and_no_other(stage):
    assert names_of_parameters(parse_select(stage.control_sql())) <= parameters().keys()


@stages
def test_no_parameter_is_left_when_all_are_bound(stage):
    bound = bind(parse_select(stage.control_sql()), parameters())

    assert not list(bound.find_all(exp.Placeholder))


@stages
def test_a_parameter_that_may_be_null_is_cast_to_its_type(stage):
    nullable = {name for name, value in parameters().items() if value is None}
    select = parse_select(stage.control_sql())

    assert nullable == {"report_period_id", "cluster_alias"}
    assert not [
        placeholder.name
        for placeholder in select.find_all(exp.Placeholder)
        if placeholder.name in nullable and not isinstance(placeholder.parent, exp.Cast)
    ]


@stages
def test_each_file_reads_declared_inputs_and_the_stages_that_it_names(stage):
    inputs = {table.name for table in OCP.inputs}
    found = tables_read(parse_select(stage.control_sql()))

    assert set(stage.reads) == found - inputs
    assert list(STAGES).index(stage.name) > max(
        (list(STAGES).index(name) for name in stage.reads), default=-1
    )


@stages
def test_each_file_gives_the_columns_of_its_row_set_in_their_order(stage):
    select = parse_select(stage.control_sql())

    assert [column.name for column in stage.spec.columns] == select.named_selects


@stages
def test_each_lake_table_is_read_for_one_source_and_month_only(stage):
    """A scan without a partition would read the whole table; every scan names all three."""
    lake = {table.name for table in OCP.inputs if table.home == "lake"}
    select = parse_select(stage.control_sql())
    scans = [table for table in select.find_all(exp.Table) if table.name in lake]

    for table in scans:
        where = table.find_ancestor(exp.Select).args["where"]
        bound = {
            equation.left.name: equation.right.name
            for equation in where.find_all(exp.EQ)
            if isinstance(equation.right, exp.Placeholder)
        }
        assert {"source": "source", "year": "year", "month": "month"}.items() <= bound.items()


@stages
def test_no_lambda_hides_a_table_behind_its_parameter(stage):
    """To Trino, which ignores case, `K.keys` inside `(k, v) -> …` is a field of the parameter k."""
    select = parse_select(stage.control_sql())
    tables = {cte.alias.lower() for cte in select.find_all(exp.CTE)}
    tables |= {table.alias_or_name.lower() for table in select.find_all(exp.Table)}
    parameters_of_lambdas = {
        argument.name.lower()
        for function in select.find_all(exp.Lambda)
        for argument in function.expressions
    }

    assert not tables & parameters_of_lambdas


@stages
def test_each_clause_names_the_section_that_it_says(stage):
    sections = re.compile(r"\d\.\d")
    lines = stage.control_sql().splitlines()
    clauses = [number for number, line in enumerate(lines) if re.fullmatch(r"\w+ as \(", line)]

    assert clauses
    for number in clauses:
        start = next(n for n in range(number, -1, -1) if lines[n] in {"with", "),"})
        assert sections.search(" ".join(lines[start:number])), lines[number]
