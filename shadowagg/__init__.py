"""Run a candidate aggregation in the shadow of the one in force, and prove that they agree.

Public is what `__all__` names here, in `shadowagg.testing` and in `shadowagg.pipelines`; everything
else may change. Names are imported when first used, so that `import shadowagg` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shadowagg.condition import Condition as Condition
    from shadowagg.condition import where as where
    from shadowagg.errors import InputRefused as InputRefused
    from shadowagg.errors import InputUnreadable as InputUnreadable
    from shadowagg.errors import RowSetInvalid as RowSetInvalid
    from shadowagg.errors import ShadowaggError as ShadowaggError
    from shadowagg.errors import UserError as UserError
    from shadowagg.hookspecs import hookimpl as hookimpl
    from shadowagg.inputs import Inputs as Inputs
    from shadowagg.plan import Plan as Plan
    from shadowagg.plan import make_plan as make_plan
    from shadowagg.provider import CONTRACT_VERSION as CONTRACT_VERSION
    from shadowagg.provider import InputColumn as InputColumn
    from shadowagg.provider import InputTable as InputTable
    from shadowagg.provider import Provider as Provider
    from shadowagg.provider import Stage as Stage
    from shadowagg.record import Record as Record
    from shadowagg.rowset import Column as Column
    from shadowagg.rowset import Role as Role
    from shadowagg.rowset import RowKind as RowKind
    from shadowagg.rowset import RowSet as RowSet
    from shadowagg.rowset import RowSetSpec as RowSetSpec
    from shadowagg.rowset import Tolerance as Tolerance
    from shadowagg.runner import RunRequest as RunRequest
    from shadowagg.runner import shadow_run as shadow_run
    from shadowagg.scenario import Scenario as Scenario
    from shadowagg.scenario import load_scenario as load_scenario
    from shadowagg.verdict import Verdict as Verdict
    from shadowagg.window import Cluster as Cluster
    from shadowagg.window import Window as Window

__version__ = "0.1.0"

_HOMES = {
    "CONTRACT_VERSION": "provider",
    "Cluster": "window",
    "Column": "rowset",
    "Condition": "condition",
    "InputColumn": "provider",
    "InputRefused": "errors",
    "InputTable": "provider",
    "InputUnreadable": "errors",
    "Inputs": "inputs",
    "Plan": "plan",
    "Provider": "provider",
    "Record": "record",
    "Role": "rowset",
    "RowKind": "rowset",
    "RowSet": "rowset",
    "RowSetInvalid": "errors",
    "RowSetSpec": "rowset",
    "RunRequest": "runner",
    "Scenario": "scenario",
    "ShadowaggError": "errors",
    "Stage": "provider",
    "Tolerance": "rowset",
    "UserError": "errors",
    "Verdict": "verdict",
    "Window": "window",
    "hookimpl": "hookspecs",
    "load_scenario": "scenario",
    "make_plan": "plan",
    "shadow_run": "runner",
    "where": "condition",
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 - one list, not two that drift apart


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shadowagg' has no attribute {name!r}")
    return getattr(importlib.import_module(f"shadowagg.{_HOMES[name]}"), name)
