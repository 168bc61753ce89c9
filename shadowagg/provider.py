"""What a plugin contributes: a provider with its stages, inputs and generator.

A provider is a fat object behind a thin hook (`hookspecs.shadowagg_register_providers`): the core
asks it, and knows nothing of any provider by name.
"""

from __future__ import annotations

import importlib
import importlib.resources
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import pyarrow as pa

from shadowagg.condition import Condition
from shadowagg.inputs import Inputs
from shadowagg.plan import Plan, Turn
from shadowagg.rowset import RowSetSpec
from shadowagg.window import Window

if TYPE_CHECKING:
    from shadowagg.candidate.context import Context
    from shadowagg.scenario import Scenario

__all__ = [
    "CONTRACT_VERSION",
    "CandidateFunction",
    "InputColumn",
    "InputTable",
    "Provider",
    "RunStamp",
    "Stage",
    "StampsRuns",
]

CONTRACT_VERSION = 1
"""The version of this contract; a provider written for another one is listed as failed."""

CandidateFunction = Callable[["Context"], pa.Table]
"""A stage's candidate: takes what a `Context` gives, returns the rows of one sub-window (or of the
whole window, see `Stage.scope`). Pure: no state beyond `Context.memo`, nothing written."""


@dataclass(frozen=True, slots=True)
class InputColumn:
    """A column that a stage reads.

    Args:
        name: as in the file; found by name, in any order.
        type: `text`, `double`, `time` (milliseconds, UTC), `integer`, `boolean`, `uuid`, `texts` (a list).
        unit: what a number counts: `core·s`, `byte`, …; empty where nothing is counted.
        stored: PostgreSQL's type of a side table's column, where it is not the plain one: `varchar(50)`.
    """

    name: str
    type: Literal["text", "double", "time", "integer", "boolean", "uuid", "texts"]
    unit: str = ""
    stored: str = ""


@dataclass(frozen=True, slots=True)
class InputTable:
    """A table that a provider reads.

    Args:
        name: of the table; a control's SQL refers to it by this name.
        home: `lake` (Hive-partitioned Parquet by source, year, month) or `postgres` (a side table).
        columns: all columns that are read, and only those.
        required: whether a missing table is refused; otherwise stages that name it in
            `Stage.only_with` give no rows.
        time: the column whose values place a row in a window; None for side tables.
        location: where the lake keeps it below the bucket's root, with `{account}` for the tenant.
        scenario_folder: for a side table: the folder of a scenario that holds it as this provider's step
            finds it, where that is another one than `inputs_postgres`.
        scenario_flag: it lies there only where `scenario.json` has a true value of that name, and is
            missing elsewhere.
    """

    name: str
    home: Literal["lake", "postgres"]
    columns: tuple[InputColumn, ...]
    required: bool = True
    time: str | None = None
    location: str = ""
    scenario_folder: str = ""
    scenario_flag: str = ""

    def column(self, name: str) -> InputColumn:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a provider with one row set.

    Args:
        name: short; `provider:stage` names its specification, `<stage>.sql` and `<stage>.py` its paths.
        spec: of its row set.
        candidate: `package.module:function`, a `CandidateFunction`; a text, so that a provider can be
            listed without importing what it computes with.
        control: `package:folder/file.sql`, one SELECT in Trino's dialect over inputs and earlier stages.
        final: whether its row set is a published table; inner row sets only explain.
        scope: `subwindow`: computed per sub-window and appended, as production inserts;
            `window`: once, after the sub-windows of all earlier stages.
        only_with: optional lake tables without which the stage has no rows.
        reads: earlier stages whose row sets it takes.
        borrowed: whether it is a stage of a provider that comes first (`Provider.needs`), computed for
            the plans of `Plan.needed`, each by itself.
        waits: whether every turn of the earlier stages is finished before its first one.
    """

    name: str
    spec: RowSetSpec
    candidate: str
    control: str
    final: bool = False
    scope: Literal["subwindow", "window"] = "subwindow"
    only_with: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    borrowed: bool = False
    waits: bool = False

    def turns(self, plan: Plan) -> tuple[Turn, ...]:
        """What it is computed for, in order; later stages find the rows of all its turns."""
        plans = plan.needed if self.borrowed else (plan,)
        if self.scope == "window":
            return tuple(one.whole() for one in plans)
        return tuple(turn for one in plans for turn in one.turns())

    def candidate_function(self) -> CandidateFunction:
        """The candidate's function, imported now."""
        module, _, name = self.candidate.partition(":")
        function: CandidateFunction = getattr(importlib.import_module(module), name)
        return function

    def control_sql(self) -> str:
        """The text of the control's `.sql` file."""
        package, _, path = self.control.partition(":")
        return importlib.resources.files(package).joinpath(path).read_text(encoding="utf-8")


@runtime_checkable
class Provider(Protocol):
    """What a plugin fulfils. The author guarantees: same inputs, same rows; nothing written.

    The properties may be plain attributes of a class, as in a frozen dataclass.

    One more attribute is optional: `production`, a `shadowagg.production.Production`, which says how
    production's own templates are run for the control mode of that name.
    """

    @property
    def name(self) -> str:
        """Lower case with hyphens; unique among the installed providers."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """What production calls it: types of sources, names in its API."""

    @property
    def contract_version(self) -> int:
        """The `CONTRACT_VERSION` it was written for."""

    @property
    def rules_version(self) -> str:
        """Changes whenever its rules do; evidence starts again then."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of providers whose windows come first."""

    @property
    def pipeline(self) -> str:
        """Name of its drop-in class in `shadowagg.pipelines`; empty for none."""

    @property
    def inputs(self) -> tuple[InputTable, ...]:
        """Every table it reads."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """In order; the table of contents."""

    @property
    def subwindows_independent(self) -> bool:
        """Whether no sub-window's rows depend on another's, so that they may be computed side by side."""

    def windows(self, scenario: Scenario) -> Sequence[Window]:
        """The windows that this provider computes in a scenario, in order; none if not concerned."""

    def plan(self, window: Window, inputs: Inputs) -> Plan:
        """The window cut as production cuts it; may look at the inputs for the first day with data.

        Raises:
            InputRefused: where production stops before it writes anything.
        """

    def control_parameters(self, turn: Turn) -> Mapping[str, Any]:
        """The values bound to the `:names` of the control's SQL for one turn.

        Args:
            turn: plan, cluster and days; of a borrowed stage the needed window's.
        """

    def generate(self, folder: Path, *, seed: int, rows: int, days: int) -> None:
        """Write a seeded scenario folder of about `rows` main rows over `days` days."""


@dataclass(frozen=True, slots=True)
class RunStamp:
    """Where production notes when it has written a window's rows.

    Args:
        table: in the tenant's schema.
        column: a moment; of several rows the earliest counts.
        rows: which rows are the window's.
    """

    table: str
    column: str
    rows: Condition


@runtime_checkable
class StampsRuns(Protocol):
    """What a provider may say beside `Provider`: for rows that are read back from PostgreSQL."""

    def run_stamp(self, window: Window) -> RunStamp | None:
        """Where to look; None if production notes nothing of such a window."""
