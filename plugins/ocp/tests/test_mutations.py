"""The list of tricky cases is complete, and each of its cases catches the rule it stands for.

`tricky_cases.toml` names for every case the mutations that it must catch: small changes of the
candidate's source. A mutation that the case stays green under means that nobody would notice if the
rule broke.
"""

from __future__ import annotations

import inspect
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import (
    test_peculiarities,
    test_stray_inputs,
    test_stray_labels,
    test_stray_numbers,
    test_stray_rows,
)
from .casebook.every_case import EVERY_CASE
from .casebook.mutation import Mutation
from .casebook.outcome import Check, Runner

LIST = tomllib.loads((Path(__file__).parent / "tricky_cases.toml").read_text(encoding="utf-8"))
MUTATIONS = {entry["name"]: Mutation(**entry) for entry in LIST["mutation"]}
COVERED = [*range(1, 65), 72, 74]
"""Cases 65 to 71 and 73 are about what is written, UI tables, and ingestion."""
MODULES = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        test_peculiarities,
        test_stray_inputs,
        test_stray_labels,
        test_stray_numbers,
        test_stray_rows,
    )
}


def _rule(name: str) -> Check:
    """A test of the other modules, as a check: called with every parameter that it has."""
    module, _, function = name.partition("::")
    test = getattr(MODULES[module], function)

    def check(run: Runner) -> None:
        for arguments in _parameters(test):
            test(run=run, **arguments)

    return check


def _parameters(test: Callable[..., None]) -> Iterator[dict[str, Any]]:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    if not marks:
        yield {}
    for mark in marks:
        names, values = mark.args
        for value in values:
            yield {names: value} if isinstance(names, str) else dict(zip(names, value, strict=True))


CAUGHT = [
    *(
        pytest.param(EVERY_CASE[entry["number"]].check, name, id=f"case-{entry['number']}-{name}")
        for entry in LIST["case"]
        for name in entry["mutations"]
    ),
    *(
        pytest.param(_rule(entry["test"]), name, id=f"{entry['test']}-{name}")
        for entry in LIST["rule"]
        for name in entry["mutations"]
    ),
]


def test_every_case_has_a_test():
    assert COVERED == list(EVERY_CASE)


def test_every_case_is_listed_once_with_a_title_and_a_mutation():
    assert COVERED == [entry["number"] for entry in LIST["case"]]
    assert all(entry["title"] and entry["mutations"] for entry in LIST["case"])


def test_every_mutation_has_one_name_and_is_to_be_caught():
    named = [name for entry in (*LIST["case"], *LIST["rule"]) for name in entry["mutations"]]

    assert set(MUTATIONS) == set(named)
    assert len(MUTATIONS) == len(LIST["mutation"])


def test_every_peculiarity_has_a_case_or_a_test_or_a_reason():
    tests = [name for name, _ in inspect.getmembers(test_peculiarities, inspect.isfunction)]
    entries = {entry["number"]: entry for entry in LIST["peculiarity"]}

    assert list(range(1, 21)) == list(entries)
    for number, entry in entries.items():
        named = any(name.startswith(f"test_8_1_{number}_") for name in tests)
        assert set(entry.get("cases", ())) <= set(COVERED)
        assert named == entry.get("tests", False)
        assert bool(entry.get("cases") or named) != bool(entry.get("reason"))


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_a_mutation_finds_its_snippet_exactly_once(mutation: Mutation):
    assert mutation.occurrences == 1
    assert mutation.old != mutation.new


@pytest.mark.once
@pytest.mark.parametrize(("check", "name"), CAUGHT)
def test_a_mutation_is_caught(check: Check, name: str, tmp_path: Path):
    runner = Runner("pyarrow", tmp_path)
    with MUTATIONS[name].applied(), pytest.raises(AssertionError):
        check(runner)


def test_after_a_mutation_the_intact_modules_are_back(tmp_path: Path):
    before = dict(sys.modules)
    with MUTATIONS["an hour has 60 seconds"].applied():
        pass

    assert before == {name: sys.modules[name] for name in before}
    EVERY_CASE[1].check(Runner("pyarrow", tmp_path))
