"""What a provider says of production's own templates: which run, in which order, with which values.

The templates themselves are read at run time, from a folder that the user names; none is part of any
distribution of ours. A provider that has steps names them in an attribute `production`, an object of
`Production`; a provider without it has no control mode `production`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, Protocol

from shadowagg.errors import UserError
from shadowagg.plan import Plan, SubWindow

if TYPE_CHECKING:
    from shadowagg.provider import Provider

__all__ = [
    "Call",
    "CodeStep",
    "Production",
    "ProductionStep",
    "TemplateStep",
    "Twin",
    "Way",
    "production_of",
]

Scope = Literal["subwindow", "window"]


class Way(enum.Enum):
    """How production runs a file of templates (`templates.md` 3)."""

    TRINO_PIECES = "TS"
    """On Trino: cut into statements, then each one rendered; what renders to nothing is skipped."""
    TRINO_WHOLE = "TQ"
    """On Trino, as one statement."""
    POSTGRES_WHOLE = "PQ"
    """On PostgreSQL: one message, also with several statements, and so one transaction."""
    POSTGRES_PIECES = "PS"
    """On PostgreSQL: cut into statements, each a transaction of its own."""

    @property
    def on_trino(self) -> bool:
        """Whether it runs on Trino; otherwise on PostgreSQL."""
        return self in {Way.TRINO_PIECES, Way.TRINO_WHOLE}

    @property
    def cut(self) -> bool:
        """Whether the file is cut into statements before it is rendered."""
        return self in {Way.TRINO_PIECES, Way.POSTGRES_PIECES}


@dataclass(frozen=True, slots=True)
class Call:
    """The days that a step is called with.

    Args:
        plan: of the window.
        start: first day.
        end: last day, included.
    """

    plan: Plan
    start: dt.date
    end: dt.date

    @property
    def days(self) -> tuple[str, ...]:
        """Days of the month as production binds them: text without padding."""
        return SubWindow(self.start, self.end).days

    @property
    def year(self) -> str:
        """Of the first day: four digits."""
        return f"{self.start.year:04d}"

    @property
    def month(self) -> str:
        """Of the first day: two digits."""
        return f"{self.start.month:02d}"


class Twin(Protocol):
    """The scratch schema of one name in the lake's catalog and in PostgreSQL, as code steps see it.

    Every statement is held to the schema, like those of templates.
    """

    @property
    def schema(self) -> str:
        """Its name: lower-case letters, digits and `_`; it needs no quotes."""

    def has_lake_table(self, name: str) -> bool:
        """Whether there is a table of that name in the lake's schema."""

    def trino(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement on Trino, with a `?` per value."""

    def postgres(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement on PostgreSQL, with a `%s` per value."""


@dataclass(frozen=True, slots=True)
class TemplateStep:
    """A file of templates.

    Args:
        path: below the folder of templates.
        way: how it is run.
        scope: once per sub-window, or once with the whole window.
        binds: the names that it may ask for.
        writes: the tables that it fills, as `hive.<table>` and `postgres.<table>`.
        only_if: asked before each call; None for always.
        swallows: names of Trino's errors after which the file's rest is left out and the run goes on.
        spliced: names whose texts it may splice, beside the schema's; never what a user may choose.
    """

    path: str
    way: Way
    scope: Scope
    binds: tuple[str, ...]
    writes: tuple[str, ...]
    only_if: Callable[[Call, Twin], bool] | None = None
    swallows: tuple[str, ...] = ()
    spliced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeStep:
    """What production does in code between two files.

    Args:
        name: for people.
        run: does it, in the twin and nowhere else.
        scope: once per sub-window, or once with the whole window.
    """

    name: str
    run: Callable[[Call, Twin], None]
    scope: Scope


ProductionStep = TemplateStep | CodeStep


@dataclass(frozen=True)
class Production:
    """Production's steps for one provider.

    Args:
        steps: in production's order; neighbours of scope `subwindow` run together for one sub-window
            before the next.
        values: of every name that a step binds, for one call; asked anew for each step.
        begin: raises where production stops before it deletes anything; None for nowhere.
        also_reads: tables outside the twin that templates read by name, as `catalog.schema.table`.
    """

    steps: tuple[ProductionStep, ...]
    values: Callable[[Call, Twin], Mapping[str, Any]]
    begin: Callable[[Plan], None] | None = None
    also_reads: tuple[str, ...] = ()

    @property
    def templates(self) -> tuple[TemplateStep, ...]:
        """The steps that are files."""
        return tuple(step for step in self.steps if isinstance(step, TemplateStep))

    def calls(self, plan: Plan) -> Iterator[tuple[ProductionStep, Call]]:
        """Every step with its days, in the order in which production calls them."""
        whole = SubWindow(plan.start, plan.window.end)
        for scope, neighbours in groupby(self.steps, key=lambda step: step.scope):
            steps = tuple(neighbours)
            for days in plan.subwindows if scope == "subwindow" else (whole,):
                for step in steps:
                    yield step, Call(plan, days.start, days.end)


def production_of(provider: Provider) -> Production:
    """What a provider says of production's templates.

    Raises:
        UserError: if it says nothing.
    """
    steps: Production | None = getattr(provider, "production", None)
    if steps is None:
        raise UserError(
            "does not know production's templates",
            on=f"provider {provider.name}",
            hint="use another control mode",
        )
    return steps
