"""What every provider must fulfil, as checks that its own tests can run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from shadowagg.plan import make_plan
from shadowagg.provider import CONTRACT_VERSION, Provider, Stage
from shadowagg.rowset import Role
from shadowagg.window import Cluster, Window

__all__ = ["contract_faults"]


def contract_faults(provider: Provider) -> list[str]:
    """Everything in which a provider breaks the contract, a sentence each; empty if nothing.

    Args:
        provider: the object that its plugin registers.
    """
    return [*_identity(provider), *_inputs(provider), *_stages(provider), *_parameters(provider)]


def _identity(provider: Provider) -> Iterator[str]:
    if not isinstance(provider, Provider):
        yield "it does not fulfil the protocol Provider"
    if provider.contract_version != CONTRACT_VERSION:
        yield f"it is written for contract version {provider.contract_version}"
    if not provider.rules_version:
        yield "it states no rules version"
    if not any(stage.final for stage in provider.stages):
        yield "none of its stages is final, so that nothing could ever match"


def _inputs(provider: Provider) -> Iterator[str]:
    names = [table.name for table in provider.inputs]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"input {name} is listed twice"
    for table in provider.inputs:
        columns = [column.name for column in table.columns]
        if len(set(columns)) != len(columns):
            yield f"input {table.name} lists a column twice"
        if table.home == "lake" and table.time not in columns:
            yield f"lake table {table.name} has no time column among its columns"
        yield from (
            f"{table.name}.{column.name} is a number without a unit"
            for column in table.columns
            if column.type == "double" and not column.unit
        )


def _stages(provider: Provider) -> Iterator[str]:
    optional = {t.name for t in provider.inputs if t.home == "lake" and not t.required}
    seen: list[str] = []
    for stage in provider.stages:
        if stage.name in seen:
            yield f"stage {stage.name} is listed twice"
        if stage.spec.name != f"{provider.name}:{stage.name}":
            yield f"the specification of stage {stage.name} is called {stage.spec.name}"
        if stage.final == (stage.spec.home == "inner"):
            yield f"stage {stage.name} is final={stage.final}, its home is {stage.spec.home}"
        yield from (
            f"stage {stage.name} reads {name}, which does not come before it"
            for name in stage.reads
            if name not in seen
        )
        yield from (
            f"stage {stage.name} is run only with {name}, which is no optional lake table"
            for name in stage.only_with
            if name not in optional
        )
        yield from _stage(stage)
        seen.append(stage.name)


def _stage(stage: Stage) -> Iterator[str]:
    try:
        if not callable(stage.candidate_function()):
            yield f"the candidate of stage {stage.name} cannot be called"
    except (ImportError, AttributeError) as error:
        yield f"the candidate of stage {stage.name} cannot be imported: {error}"
    try:
        if not stage.control_sql().strip():
            yield f"the control of stage {stage.name} is empty"
    except (ImportError, OSError) as error:
        yield f"the control of stage {stage.name} cannot be read: {error}"
    for column in stage.spec.columns:
        tolerances = [column.tolerance, *column.tolerance_by_kind.values()]
        if any(not t.exact and not t.reason for t in tolerances):
            yield f"{stage.spec.name}.{column.name} has a tolerance without a reason"
        if column.role is Role.LEFT_OUT and not column.reason:
            yield f"{stage.spec.name}.{column.name} is left out without a reason"


def _parameters(provider: Provider) -> Iterator[str]:
    source = "00000000-0000-0000-0000-000000000001"
    day = dt.date(2025, 8, 5)
    window = Window(
        "org1", provider.name, source, day, day, clusters=(Cluster(source, "cluster", None, 1),)
    )
    try:
        parameters = provider.control_parameters(make_plan(window).whole())
    except Exception as error:  # noqa: BLE001 - whatever it raises is the fault reported
        yield f"control_parameters raises {type(error).__name__}: {error}"
        return
    kinds = (str, int, dt.date, type(None))
    yield from (
        f"control parameter {name} is a {type(value).__name__}: text, integer, date or None"
        for name, value in parameters.items()
        if not isinstance(value, kinds)
    )
