"""From differences to causes: which stage differed first, in which columns, on which days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shadowagg.diff.result import StageDiff
from shadowagg.provider import Provider

__all__ = ["Explanation", "explain"]

_MOST_NAMED = 5
"""How many columns, days or groups a sentence names."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a mismatch begins.

    Args:
        sentence: for people; says so if nothing differs.
        stage: the first stage that differs, in the provider's order; empty if none does.
        columns: its differing columns, those that differ most often first.
        days: days of which rows or totals are known to differ, in order; None is the day NULL.
        groups: groups of which rows or totals are known to differ, in order.
        later_stages: stages after it that differ too: most likely its consequence.
        earlier_not_compared: stages before it that were not compared; one of them may be the cause.
    """

    sentence: str
    stage: str = ""
    columns: tuple[str, ...] = ()
    days: tuple[str | None, ...] = ()
    groups: tuple[str | None, ...] = ()
    later_stages: tuple[str, ...] = ()
    earlier_not_compared: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back."""
        return {
            "sentence": self.sentence,
            "stage": self.stage,
            "columns": list(self.columns),
            "days": list(self.days),
            "groups": list(self.groups),
            "later_stages": list(self.later_stages),
            "earlier_not_compared": list(self.earlier_not_compared),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Explanation:
        """The explanation that `to_json` wrote."""
        lists = {name: tuple(value) for name, value in document.items() if name not in _TEXTS}
        return cls(sentence=document["sentence"], stage=document["stage"], **lists)


_TEXTS = ("sentence", "stage")


def explain(diffs: Sequence[StageDiff], provider: Provider) -> Explanation:
    """Name the first stage that differs; what comes after it is most likely its consequence.

    Args:
        diffs: of the stages that were compared, in any order.
        provider: whose stages; their order is the order in which they are computed.
    """
    order = [stage.name for stage in provider.stages]
    compared = {diff.stage: diff for diff in diffs}
    differing = [name for name in order if name in compared and not compared[name].agrees]
    if not compared:
        return Explanation("Nothing was compared.")
    if not differing:
        rows = sum(diff.equal_rows for diff in diffs)
        return Explanation(f"All {len(compared)} compared stages agree, in {rows} rows.")
    first = compared[differing[0]]
    columns = tuple(
        column.name
        for column in sorted(first.columns, key=lambda column: -column.differing)
        if column.differing
    )
    not_compared = tuple(name for name in order[: order.index(first.stage)] if name not in compared)
    days, groups = _places(first)
    return Explanation(
        sentence=_sentence(first, columns, days, groups, not_compared),
        stage=first.stage,
        columns=columns,
        days=days,
        groups=groups,
        later_stages=tuple(differing[1:]),
        earlier_not_compared=not_compared,
    )


def _places(diff: StageDiff) -> tuple[tuple[str | None, ...], tuple[str | None, ...]]:
    """The days and groups that samples and totals name."""
    day_column, *group_column = diff.totals.by
    days = {row.day for row in diff.totals.rows}
    days |= {total.day for total in diff.totals_by_day if not total.agrees}
    groups = {row.group for row in diff.totals.rows} if group_column else set()
    for sample in diff.samples:
        values = {name: {pair[0], pair[1]} for name, pair in sample.columns.items()}
        if sample.difference != "changed":
            # The side without the row is NULL throughout, which says nothing.
            side = 0 if sample.difference == "missing" else 1
            values = {name: {pair[side]} for name, pair in sample.columns.items()}
        values.update({name: {value} for name, value in sample.key.items()})
        days |= values.get(day_column, set())
        if group_column:
            groups |= values.get(group_column[0], set())
    return _ordered(days), _ordered(groups)


def _ordered(values: set[str | None]) -> tuple[str | None, ...]:
    return tuple(sorted(values, key=lambda value: (value is None, value or "")))


def _sentence(
    diff: StageDiff,
    columns: Sequence[str],
    days: Sequence[str | None],
    groups: Sequence[str | None],
    not_compared: Sequence[str],
) -> str:
    counts = [
        f"{count} {'row' if count == 1 else 'rows'} {what}"
        for count, what in (
            (diff.changed_rows, "changed"),
            (diff.missing_rows, "missing"),
            (diff.extra_rows, "extra"),
        )
        if count
    ] or [f"all rows agree, but {diff.totals.differing} totals do not"]
    parts = [f"Stage {diff.stage} is the first that differs: {', '.join(counts)}"]
    if columns:
        parts.append(f"in {_named(columns)}")
    if days:
        parts.append(f"on {_named(days)}")
    if groups:
        parts.append(f"for {diff.totals.by[-1]} {_named(groups)}")
    text = ", ".join(parts) + "."
    if not_compared:
        text += f" Not compared before it: {_named(not_compared)}."
    return text


def _named(values: Sequence[str | None]) -> str:
    names = ["NULL" if value is None else value or "''" for value in values[:_MOST_NAMED]]
    more = len(values) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
