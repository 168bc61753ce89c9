"""Run one path on a situation, and look at the rows as the specification writes them."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from shadowagg.errors import InputRefused, ShadowaggError
from shadowagg.paths import PathRequest, open_path
from shadowagg.plan import make_plan
from shadowagg.provider import Provider
from shadowagg_ocp.provider import OCP, OpenShift
from shadowagg_ocp.rowsets import MEASURES

from .situation import Situation

Row = dict[str, Any]

_JSON = ("pod_labels", "volume_labels", "all_labels", "infrastructure_usage_cost")


@dataclass(frozen=True)
class Outcome:
    """The stages that a path made, in order.

    Args:
        stages: stage -> its rows; label columns are JSON values (None for NULL), amounts of the
            daily summary `Decimal`, those of the lake tables float.
        texts: stage -> the same rows with JSON as the text it came as.
    """

    stages: Mapping[str, list[Row]]
    texts: Mapping[str, list[Row]]

    @property
    def summary(self) -> list[Row]:
        """All rows of the daily summary."""
        return self.stages["daily_summary"]

    @property
    def pods(self) -> list[Row]:
        """The Pod rows of the daily summary."""
        return [row for row in self.summary if _kind(row) == "pod"]

    @property
    def unallocated(self) -> list[Row]:
        """The Unallocated rows of the daily summary (`ocp.md` 4.2)."""
        return [row for row in self.summary if _kind(row) == "unallocated"]

    @property
    def volumes(self) -> list[Row]:
        """The Storage rows of the daily summary."""
        return [row for row in self.summary if _kind(row) == "Storage"]

    def staged(self, data_source: str = "Pod") -> list[Row]:
        """The rows of the staging table of one kind of data, without the unallocated ones."""
        return [
            row
            for row in self.stages["staging"]
            if row["data_source"] == data_source and row["infrastructure_usage_cost"] is not None
        ]


def _kind(row: Row) -> str:
    if row["data_source"] != "Pod":
        return str(row["data_source"])
    return "unallocated" if row["infrastructure_usage_cost"] is None else "pod"


@dataclass
class Runner:
    """Runs situations on one path.

    Args:
        mode: of the path.
        folder: where scenario folders are made, one per run.
    """

    mode: str
    folder: Path

    def __post_init__(self) -> None:
        self._numbers = itertools.count()

    def __call__(self, situation: Situation) -> Outcome:
        """The rows of a situation that production takes.

        Raises:
            AssertionError: if the path refuses it.
        """
        outcome, refusal = self._run(situation)
        if refusal is not None:
            raise AssertionError(f"{self.mode} refused a valid input: {refusal}") from refusal
        return outcome

    def lake(self, situation: Situation) -> Outcome:
        """The stages up to the lake's staging table, of a situation that only PostgreSQL refuses.

        Raises:
            AssertionError: if the path refuses it before.
        """
        stages = tuple(stage for stage in OCP.stages if stage.name != "daily_summary")
        outcome, refusal = self._run(situation, OpenShift(stages=stages))
        if refusal is not None:
            raise AssertionError(f"{self.mode} refused before PostgreSQL: {refusal}") from refusal
        return outcome

    def refused(self, situation: Situation) -> None:
        """Hold that the path refuses a situation that production refuses.

        Raises:
            AssertionError: if it did not, or gave another kind of error.
        """
        _, refusal = self._run(situation)
        if isinstance(refusal, InputRefused):
            return
        was = "taken" if refusal is None else f"not refused but failed: {refusal!r}"
        raise AssertionError(f"an input that production refuses was {was} by {self.mode}")

    def _run(
        self, situation: Situation, provider: Provider = OCP
    ) -> tuple[Outcome, ShadowaggError | None]:
        scenario = situation.write(self.folder / f"{self.mode}-{next(self._numbers)}")
        (window,) = provider.windows(scenario)
        request = PathRequest(
            provider=provider,
            plan=make_plan(window, first_day_with_data=situation.first_day_with_data),
            inputs=scenario.inputs(),
        )
        texts: dict[str, list[Row]] = {}
        refusal = None
        try:
            for stage in open_path(self.mode).run(request):
                texts[stage.stage] = stage.table.to_pylist()
        except ShadowaggError as error:
            refusal = error
        stages = {name: [_read(row) for row in rows] for name, rows in texts.items()}
        return Outcome(stages, texts), refusal


def _read(row: Row) -> Row:
    return {
        name: json.loads(value) if name in _JSON and value is not None else value
        for name, value in row.items()
    }


# --- expectations ----------------------------------------------------------------------------


def expect(rows: Sequence[Row], *expected: Mapping[str, Any]) -> None:
    """Hold that the rows are exactly the expected ones, in any order, in the columns named.

    Amounts of the daily summary may be written as text or integer; they are compared exactly.

    Raises:
        AssertionError: showing both sides.
    """
    columns = sorted({name for row in expected for name in row})
    wanted = [{name: _exact(name, row[name]) for name in columns} for row in expected]
    found = [{name: row[name] for name in columns} for row in rows]
    if _sorted(wanted) != _sorted(found) or list(map(_types, _sorted(wanted))) != list(
        map(_types, _sorted(found))
    ):
        raise AssertionError(f"expected {_shown(wanted)}\n     got {_shown(found)}")


def the(rows: Sequence[Row], **expected: Any) -> Row:
    """The one row that there must be, with these values; see `expect`."""
    if len(rows) != 1:
        raise AssertionError(f"expected one row, got {_shown(rows)}")
    expect(rows, expected)
    return rows[0]


def hold(condition: bool, message: str) -> None:
    """Hold a condition that no expected row can say.

    Raises:
        AssertionError: if it does not hold.
    """
    if not condition:
        raise AssertionError(message)


def _exact(name: str, value: Any) -> Any:
    if name in MEASURES and isinstance(value, str | int):
        return Decimal(value)
    return value


def _types(row: Row) -> list[type]:
    return [type(value) for value in row.values()]


def _sorted(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [_order(value) for value in row.values()])


def _order(value: Any) -> tuple[str, Any]:
    if value is None:
        return ("", 0)
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float | Decimal):
        return ("number", value)
    if isinstance(value, dt.date):
        return ("date", value.isoformat())
    if isinstance(value, str):
        return ("text", value)
    return ("json", json.dumps(value, sort_keys=True))


def _shown(rows: Sequence[Mapping[str, Any]]) -> str:
    return "no rows" if not rows else "\n         ".join(str(row) for row in rows)


Check = Callable[[Runner], None]
