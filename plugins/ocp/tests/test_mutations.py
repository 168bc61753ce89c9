"""The list of tricky cases is complete, and each of its cases catches the rule it stands for.

`tricky_cases.toml` names for every case the mutations that it must catch: small changes of the
candidate's source. A mutation that the case stays green under means that nobody would notice if the
rule broke.
"""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import pytest

from . import test_peculiarities
from .casebook.case import Case
from .casebook.every_case import EVERY_CASE
from .casebook.mutation import Mutation
from .casebook.outcome import Runner

LIST = tomllib.loads((Path(__file__).parent / "tricky_cases.toml").read_text(encoding="utf-8"))
MUTATIONS = {entry["name"]: Mutation(**entry) for entry in LIST["mutation"]}
COVERED = {*range(1, 65), 72, 74}
"""Cases 65 to 71 and 73 are about what is written, UI tables, and ingestion."""

CAUGHT = [
    pytest.param(EVERY_CASE[entry["number"]], MUTATIONS[name], id=f"case-{entry['number']}-{name}")
    for entry in LIST["case"]
    for name in entry["mutations"]
]


def test_every_case_has_a_test():
    assert COVERED == set(EVERY_CASE)


def test_every_case_is_listed_once_with_a_title_and_a_mutation():
    numbers = [entry["number"] for entry in LIST["case"]]

    assert sorted(COVERED) == numbers
    assert all(entry["title"] and entry["mutations"] for entry in LIST["case"])


def test_every_mutation_is_caught_by_some_case():
    assert set(MUTATIONS) == {name for entry in LIST["case"] for name in entry["mutations"]}
    assert len(MUTATIONS) == len(LIST["mutation"])


def test_every_peculiarity_has_a_case_a_test_or_a_reason():
    tests = {name for name, _ in inspect.getmembers(test_peculiarities, inspect.isfunction)}
    entries = {entry["number"]: entry for entry in LIST["peculiarity"]}

    assert list(range(1, 21)) == list(entries)
    for number, entry in entries.items():
        assert set(entry.get("cases", [])) <= COVERED
        named = [name for name in tests if name.startswith(f"test_8_1_{number}_")]
        assert bool(entry.get("tests", False)) == bool(named)
        assert bool(entry.get("cases") or named) != bool(entry.get("reason"))


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_a_mutation_finds_its_snippet_exactly_once(mutation: Mutation):
    assert mutation.occurrences == 1
    assert mutation.old != mutation.new


@pytest.mark.parametrize(("case", "mutation"), CAUGHT)
def test_a_case_catches_its_mutation(case: Case, mutation: Mutation, tmp_path):
    runner = Runner("pyarrow", tmp_path)
    with mutation.applied(), pytest.raises(AssertionError):
        case.check(runner)


def test_the_intact_modules_are_back_after_a_mutation(tmp_path):
    mutation = next(iter(MUTATIONS.values()))
    with mutation.applied():
        pass

    EVERY_CASE[1].check(Runner("pyarrow", tmp_path))
