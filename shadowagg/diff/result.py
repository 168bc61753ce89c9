"""What a comparison of one stage's row sets came to: plain values, stored in the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["ColumnDiff", "DayTotal", "IgnoredRows", "Sample", "StageDiff", "TotalRow", "Totals"]


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """How one column agrees, over the pairs of rows that no ignore rule covers.

    Args:
        name: of the column.
        role: `attribute`, `measure`, `json` or `set`.
        tolerance: in words; with several row kinds also the kind's own.
        differing: pairs of rows in which it lies beyond its tolerance.
        within: pairs in which it agrees, but is not the same bit for bit.
        null_against_value: those of `differing` where one side is NULL.
        max_absolute: the largest distance of two numbers, within tolerance or not, as exact text.
        max_relative: the largest distance in parts of the control's number.
        normalised: what was made equal before comparing; empty for nothing.
    """

    name: str
    role: str
    tolerance: str
    differing: int
    within: int
    null_against_value: int
    max_absolute: str | None
    max_relative: float | None
    normalised: str = ""


@dataclass(frozen=True, slots=True)
class TotalRow:
    """A total that differs; numbers as text, NULL as None."""

    day: str | None
    group: str | None
    column: str
    control: str | None
    candidate: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of each measure per day and group.

    Args:
        by: names of the columns that make a group.
        differing: totals that lie further apart than their rows may.
        groups: how many groups either side has.
        rows: the first of the differing totals.
    """

    by: tuple[str, ...]
    differing: int
    groups: int
    rows: tuple[TotalRow, ...] = ()


@dataclass(frozen=True, slots=True)
class DayTotal:
    """The sum of a measure over one day, on both sides."""

    day: str | None
    column: str
    control: str | None
    candidate: str | None
    agrees: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One row that differs.

    Args:
        difference: in which way.
        kind: name of its row kind.
        key: the key's columns; values as text, NULL as None.
        columns: `(control, candidate)` of the columns that differ; of all columns beside the key
            where one side has no row.
    """

    difference: Literal["changed", "missing", "extra"]
    kind: str
    key: Mapping[str, str | None]
    columns: Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class IgnoredRows:
    """In how many rows (pairs, missing or extra) an ignore rule took a difference away."""

    rule: str
    rows: int


@dataclass(frozen=True, slots=True)
class StageDiff:
    """The difference of two row sets of one stage.

    Every pair of rows is counted once: as equal, changed or ignored; a row without partner as
    missing, extra or ignored.

    Args:
        stage: name of the stage.
        spec: `provider:stage`.
        table: that the row set fills.
        home: where it lies.
        control_rows: rows of the control.
        candidate_rows: rows of the candidate.
        equal_rows: pairs that agree, within tolerance or exactly.
        within_tolerance_rows: those of them that are not the same bit for bit.
        changed_rows: pairs beyond tolerance.
        missing_rows: rows only in the control.
        extra_rows: rows only in the candidate.
        ignored_rows: changed, missing and extra rows that an ignore rule covers wholly.
        columns: every compared column.
        totals: per day and group.
        totals_by_day: per day.
        samples: some of the rows that differ.
        ignored: what each rule swallowed.
        expired_rules: names of rules whose time is over; they have no effect.
        datacompy: its report on what was left for it, as plain values; empty for nothing.
        seconds: wall time of the comparison.
    """

    stage: str
    spec: str
    table: str
    home: str
    control_rows: int
    candidate_rows: int
    equal_rows: int
    within_tolerance_rows: int
    changed_rows: int
    missing_rows: int
    extra_rows: int
    ignored_rows: int
    columns: tuple[ColumnDiff, ...]
    totals: Totals
    totals_by_day: tuple[DayTotal, ...] = ()
    samples: tuple[Sample, ...] = ()
    ignored: tuple[IgnoredRows, ...] = ()
    expired_rules: tuple[str, ...] = ()
    datacompy: Mapping[str, Any] | None = None
    seconds: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether no row and no total differs, beside those that ignore rules cover."""
        return (
            not (self.changed_rows or self.missing_rows or self.extra_rows)
            and not self.totals.differing
            and all(total.agrees for total in self.totals_by_day)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back; `agrees` follows from them."""
        return {
            "stage": self.stage,
            "spec": self.spec,
            "table": self.table,
            "home": self.home,
            "control_rows": self.control_rows,
            "candidate_rows": self.candidate_rows,
            "equal_rows": self.equal_rows,
            "within_tolerance_rows": self.within_tolerance_rows,
            "changed_rows": self.changed_rows,
            "missing_rows": self.missing_rows,
            "extra_rows": self.extra_rows,
            "ignored_rows": self.ignored_rows,
            "columns": [asdict(column) for column in self.columns],
            "totals": {
                "by": list(self.totals.by),
                "differing": self.totals.differing,
                "groups": self.totals.groups,
                "rows": [asdict(row) for row in self.totals.rows],
            },
            "totals_by_day": [asdict(total) for total in self.totals_by_day],
            "samples": [
                {
                    "difference": sample.difference,
                    "kind": sample.kind,
                    "key": dict(sample.key),
                    "columns": {name: list(values) for name, values in sample.columns.items()},
                }
                for sample in self.samples
            ],
            "ignored": [asdict(rows) for rows in self.ignored],
            "expired_rules": list(self.expired_rules),
            "datacompy": dict(self.datacompy or {}),
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> StageDiff:
        """The difference that `to_json` wrote."""
        totals = document["totals"]
        parts = {
            "columns": tuple(ColumnDiff(**column) for column in document["columns"]),
            "totals": Totals(
                by=tuple(totals["by"]),
                differing=totals["differing"],
                groups=totals["groups"],
                rows=tuple(TotalRow(**row) for row in totals["rows"]),
            ),
            "totals_by_day": tuple(DayTotal(**total) for total in document["totals_by_day"]),
            "samples": tuple(
                Sample(
                    difference=sample["difference"],
                    kind=sample["kind"],
                    key=sample["key"],
                    columns={name: (one, two) for name, (one, two) in sample["columns"].items()},
                )
                for sample in document["samples"]
            ),
            "ignored": tuple(IgnoredRows(**rows) for rows in document["ignored"]),
            "expired_rules": tuple(document["expired_rules"]),
        }
        return cls(**{**document, **parts})
