"""Every installed provider, and the tutorial's, fulfils the contract; a broken one is told how."""

from dataclasses import replace

import pytest

from shadowagg.discovery import registry
from shadowagg.provider import InputColumn
from shadowagg.rowset import Column, Role, Tolerance
from shadowagg.testing import contract_faults


@pytest.mark.parametrize("name", [p.name for p in registry().providers])
def test_an_installed_provider_fulfils_the_contract(name):
    assert [] == contract_faults(registry().provider(name))


def test_the_tutorials_provider_fulfils_the_contract(third_party):
    assert [] == contract_faults(third_party("toy").provider("toy"))


@pytest.fixture
def toy(third_party):
    return third_party("toy").provider("toy")


def with_stage(toy, **changes):
    return replace(toy, stages=(replace(toy.stages[0], **changes),))


def with_column(toy, column):
    stage = toy.stages[0]
    spec = replace(stage.spec, columns=(*stage.spec.columns, column))
    return with_stage(toy, spec=spec)


def test_each_breach_is_named(toy):
    breaches = {
        "no rules version": replace(toy, rules_version=""),
        "contract version 99": replace(toy, contract_version=99),
        "none of its stages is final": with_stage(toy, final=False),
        "cannot be imported": with_stage(toy, candidate="no_such_module:f"),
        "cannot be read": with_stage(toy, control="shadowagg_toy:missing.sql"),
        "does not come before it": with_stage(toy, reads=("later",)),
        "no optional lake table": with_stage(toy, only_with=("sales",)),
        "a tolerance without a reason": with_column(
            toy, Column("x", toy.stages[0].spec.columns[3].type, Role.MEASURE, Tolerance(units=1))
        ),
        "left out without a reason": with_column(
            toy, Column("x", toy.stages[0].spec.columns[0].type, Role.LEFT_OUT)
        ),
        "a number without a unit": replace(
            toy,
            inputs=(
                replace(
                    toy.inputs[0], columns=(*toy.inputs[0].columns, InputColumn("n", "double"))
                ),
            ),
        ),
        "lists a column twice": replace(
            toy, inputs=(replace(toy.inputs[0], columns=toy.inputs[0].columns * 2),)
        ),
        "is listed twice": replace(toy, inputs=toy.inputs * 2),
    }
    for sentence, broken in breaches.items():
        assert any(sentence in fault for fault in contract_faults(broken)), sentence
