"""A path computes the stages of a plan: the candidate, or one of the controls.

All of them have this one face, so that any control may stand in the candidate's place.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from shadowagg.errors import UserError
from shadowagg.inputs import Inputs
from shadowagg.plan import Plan
from shadowagg.provider import Provider

__all__ = [
    "CANDIDATE",
    "MODES",
    "AggregationPath",
    "KeepsSome",
    "Mode",
    "PathRequest",
    "ReadsKeptRows",
    "StageTable",
    "mode",
    "open_path",
]


@dataclass(frozen=True)
class PathRequest:
    """What a path is given.

    Args:
        provider: whose stages.
        plan: of the window.
        inputs: where they lie.
        threads: how many it may use.
        options: of the mode, plain values without secrets; its class says which.
        seconds: how long it may run, for what it asks of servers; 0 where nobody says.
    """

    provider: Provider
    plan: Plan
    inputs: Inputs
    threads: int = 2
    options: Mapping[str, Any] | None = None
    seconds: float = 0.0

    def option(self, name: str) -> Any:
        """One of the mode's options.

        Raises:
            UserError: if it was not given.
        """
        options = self.options or {}
        if name not in options:
            raise UserError(f"option {name!r} is missing", on="path", hint="give it to the run")
        return options[name]


@dataclass(frozen=True, slots=True)
class StageTable:
    """The rows that a path made for one stage over the whole window.

    Args:
        stage: its name.
        table: the rows; checked against the specification by whoever takes them.
        seconds: wall time that the stage took.
    """

    stage: str
    table: pa.Table
    seconds: float


class AggregationPath(Protocol):
    """One engine."""

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """Yield the stages in the provider's order, each over the whole window.

        A stage that the mode cannot give (an inner one that nobody recorded) is left out.

        Raises:
            InputRefused: where production refuses the input.
            InputUnreadable: where an input object cannot be read.
        """

    def engine(self) -> Mapping[str, Any]:
        """Versions of what computed, and what else people ask about it, after the run."""


@runtime_checkable
class ReadsKeptRows(Protocol):
    """A path whose rows somebody else has computed, at a moment of their own."""

    def older_than(self) -> tuple[str, ...]:
        """Inputs that changed after the rows were written, a line each with both moments; after the run."""


@runtime_checkable
class KeepsSome(Protocol):
    """A path that reads what was kept of some stages, and knows of which nothing was."""

    def not_kept(self) -> tuple[str, ...]:
        """Published stages of which nothing was kept, so that nothing can be said of them; after the run."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What is known of a path without importing its engine.

    Args:
        name: on the command line.
        target: `package.module:class` of its `AggregationPath`.
        stand_in: whether it only stands in for production's engine; said wherever its results are.
        computes: whether asking again may give other rows, as of a path that computes, or reads what
            production may be writing; kept rows cannot differ from themselves.
        leaves_last: whether a table that every sub-window rewrites holds the last one's rows only
            (`RowSetSpec.rewritten`), as production leaves it.
        extra: the extra of the core distribution that installs its engine.
        grace_seconds: how long it may clear up after it was told to end: what lies on servers takes
            longer than what lies in memory.
        sweep: `package.module:function`, a task for the fence that removes from servers what a run
            left that could not clear up; empty for a mode that leaves nothing.
    """

    name: str
    target: str
    stand_in: bool = False
    computes: bool = True
    leaves_last: bool = False
    extra: str = ""
    grace_seconds: float = 2.0
    sweep: str = ""


CANDIDATE = "pyarrow"

MODES = (
    Mode(CANDIDATE, "shadowagg.candidate.execute:Candidate"),
    Mode("embedded", "shadowagg.control.embedded:Embedded", stand_in=True, extra="embedded"),
    Mode("readback", "shadowagg.control.readback:Readback", leaves_last=True),
    Mode("recorded", "shadowagg.control.recorded:Recorded", computes=False, leaves_last=True),
    Mode(
        "trino",
        "shadowagg.control.trino:Trino",
        extra="trino",
        grace_seconds=10.0,
        sweep="shadowagg.control.scratch_prune:sweep",
    ),
    Mode(
        "production",
        "shadowagg.control.production.path:ProductionTemplates",
        leaves_last=True,
        extra="production",
        grace_seconds=10.0,
        sweep="shadowagg.control.scratch_prune:sweep",
    ),
)
"""Every mode; all but the candidate's own are controls."""


def mode(name: str) -> Mode:
    """The mode of that name.

    Raises:
        UserError: naming the modes there are.
    """
    for known in MODES:
        if known.name == name:
            return known
    raise UserError(
        f"unknown mode {name!r}", on="path", hint=f"one of {', '.join(m.name for m in MODES)}"
    )


def open_path(name: str) -> AggregationPath:
    """The path of a mode, imported now: engines are heavy.

    Raises:
        UserError: for an unknown mode, or one whose packages are not installed.
    """
    known = mode(name)
    module, _, attribute = known.target.partition(":")
    try:
        path: AggregationPath = getattr(importlib.import_module(module), attribute)()
    except ModuleNotFoundError as error:
        if not known.extra:
            raise
        raise UserError(
            f"package {error.name} is not installed",
            on=f"mode {name}",
            hint=f"pip install 'shadowagg[{known.extra}]'",
        ) from None
    return path
