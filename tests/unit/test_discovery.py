"""Entry points -> registry: a broken plugin is listed, and stops nobody else."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import pytest

from shadowagg.discovery import DISABLED, discover
from shadowagg.errors import UserError
from shadowagg.hookspecs import GROUP, hookimpl
from shadowagg.provider import CONTRACT_VERSION


def provider(name="some", **changes):
    fields = {
        "name": name,
        "aliases": (),
        "contract_version": CONTRACT_VERSION,
        "rules_version": "1",
        "needs": (),
        "pipeline": "",
        "inputs": (),
        "stages": (),
        "subwindows_independent": True,
        "windows": lambda scenario: [],
        "plan": lambda window, inputs: None,
        "control_parameters": lambda turn: {},
        "generate": lambda folder, **options: None,
    }
    return SimpleNamespace(**{**fields, **changes})


@pytest.fixture
def plugin(monkeypatch):
    """A factory: makes a module with hooks importable and gives its entry point."""

    def make(name, *providers, error=None, **hooks):
        module = ModuleType(f"plugin_{name}")

        @hookimpl
        def shadowagg_register_providers(register):
            if error:
                raise error
            for one in providers:
                register(one)

        module.shadowagg_register_providers = shadowagg_register_providers
        for hook, function in hooks.items():
            setattr(module, hook, hookimpl(function))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name, module.__name__, GROUP)

    return make


def test_a_plugin_registers_its_providers(plugin):
    found = discover([plugin("p", provider("one"), provider("two"))])
    assert {"one", "two"} == set(found.registered)
    assert () == found.failures


@pytest.mark.parametrize(
    "error", [RuntimeError("boom"), SystemExit(3), ModuleNotFoundError("no x")]
)
def test_a_plugin_that_raises_is_listed_and_the_others_load(plugin, error):
    found = discover([plugin("bad", error=error), plugin("good", provider("one"))])
    assert {"one"} == set(found.registered)
    (failure,) = found.failures
    assert "bad" == failure.entry_point
    assert type(error).__name__ in failure.reason
    assert "Traceback" in failure.detail


def test_a_plugin_that_cannot_be_imported_is_listed(plugin):
    broken = EntryPoint("broken", "no_such_module_anywhere", GROUP)
    found = discover([broken, plugin("good", provider("one"))])
    assert {"one"} == set(found.registered)
    assert "no_such_module_anywhere" in found.failures[0].reason


def test_a_hook_that_does_not_exist_is_named(plugin):
    found = discover([plugin("typo", provider("one"), shadowagg_run_recordet=lambda record: None)])
    assert {} == dict(found.registered)
    assert "shadowagg_run_recordet" in found.failures[0].reason


def test_a_name_that_is_taken_is_refused_and_its_owner_named(plugin):
    found = discover([plugin("a", provider("one")), plugin("b", provider("one"))])
    assert {"one"} == set(found.registered)
    assert "taken by one" in found.failures[0].reason


def test_an_alias_that_is_taken_is_refused(plugin):
    found = discover(
        [
            plugin("a", provider("one", aliases=("ONE",))),
            plugin("b", provider("x", aliases=("ONE",))),
        ]
    )
    assert "'ONE' is taken by one" in found.failures[0].reason


def test_another_contract_version_is_refused(plugin):
    found = discover([plugin("old", provider("one", contract_version=0))])
    assert "contract version 0" in found.failures[0].reason


def test_an_object_that_is_no_provider_is_refused_and_what_is_missing_named(plugin):
    half = SimpleNamespace(name="half", contract_version=CONTRACT_VERSION)
    found = discover([plugin("half", half)])
    assert "stages" in found.failures[0].reason


@pytest.mark.parametrize("name", ["", "One", "one two", "1", 'o"e', "a--b"])
def test_a_provider_has_a_plain_name(plugin, name):
    found = discover([plugin("p", provider(name))])
    assert "is no provider name" in found.failures[0].reason


def test_a_plugin_can_be_switched_off(plugin, monkeypatch):
    monkeypatch.setenv(DISABLED, "other, p")
    assert {} == dict(discover([plugin("p", provider("one"))]).registered)


def test_a_provider_is_found_by_name_and_alias(plugin):
    found = discover([plugin("p", provider("one", aliases=("ONE",)))])
    assert found.provider("one") is found.provider("ONE")


def test_a_provider_that_is_not_there_is_answered_with_what_is(plugin):
    found = discover([plugin("bad", error=RuntimeError("boom")), plugin("p", provider("one"))])
    with pytest.raises(
        UserError, match=r"installed: one; failed to load: bad \(RuntimeError: boom\)"
    ):
        found.provider("two")


def test_a_provider_comes_behind_those_it_needs(plugin):
    found = discover(
        [plugin("p", provider("a", needs=("c", "missing")), provider("b"), provider("c"))]
    )
    assert ["c", "a", "b"] == [p.name for p in found.providers]


def test_providers_that_need_each_other_are_still_listed(plugin):
    found = discover([plugin("p", provider("a", needs=("b",)), provider("b", needs=("a",)))])
    assert {"a", "b"} == {p.name for p in found.providers}


def test_an_observer_that_raises_changes_nothing(plugin, caplog):
    told = []

    def bad(record):
        raise RuntimeError("observer broke")

    found = discover(
        [
            plugin("bad", shadowagg_run_recorded=bad),
            plugin("good", shadowagg_run_recorded=lambda record: told.extend([record])),
        ]
    )
    found.notify("shadowagg_run_recorded", record="the record")
    assert ["the record"] == told
    assert "hook failed" in caplog.text
