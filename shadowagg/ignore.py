"""Ignore rules: known differences, each with an owner and an end.

A rule never makes rows agree: what it covers is counted by itself. After its last day it has no
effect, and what it covered is a mismatch again.

A file of rules, in TOML (or the same in JSON)::

    [[rules]]
    name = "alias-of-deleted-cluster"
    spec = "provider:stage"
    columns = ["cluster_alias"]                    # none: whole rows
    condition = [["namespace", "=", "old"]]        # none: all rows
    reason = "the alias is read a second later by the candidate"
    owner = "cost-team"
    until = "2026-12-31"
"""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from shadowagg.condition import ALWAYS, Condition, Operator
from shadowagg.errors import UserError
from shadowagg.rowset import RowSetSpec

__all__ = ["IgnoreRule", "load_ignore_rules"]

_REQUIRED = ("name", "spec", "reason", "owner", "until")
_OPTIONAL = ("columns", "condition")


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """A known difference of one row set.

    Args:
        name: unique among the rules.
        spec: `provider:stage`, the row set it is about.
        columns: whose differences are ignored in rows present on both sides; none means whole rows,
            missing and extra ones too.
        condition: which rows; looks at the control's row, at the candidate's where only that exists.
        reason: why it is right to ignore them.
        owner: who answers for it.
        until: the last day on which it has an effect.
    """

    name: str
    spec: str
    reason: str
    owner: str
    until: dt.date
    columns: tuple[str, ...] = ()
    condition: Condition = ALWAYS

    def expired(self, today: dt.date) -> bool:
        """Whether its last day is over."""
        return today > self.until

    def check(self, spec: RowSetSpec) -> None:
        """Raise `UserError` if it names a column that its row set does not compare, or not have."""
        compared = {column.name for column in spec.compared}
        every = {column.name for column in spec.columns}
        unknown = sorted(
            (set(self.columns) - compared) | ({t.column for t in self.condition.tests} - every)
        )
        if unknown:
            raise UserError(
                f"columns {unknown} are not compared in {spec.name}",
                on=f"ignore rule {self.name}",
                hint=f"it has {', '.join(sorted(compared))}",
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back."""
        return {
            "name": self.name,
            "spec": self.spec,
            "columns": list(self.columns),
            "condition": self.condition.to_json(),
            "reason": self.reason,
            "owner": self.owner,
            "until": self.until.isoformat(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> IgnoreRule:
        """A rule from plain values; `until` may be a date.

        Raises:
            UserError: for a field that is missing, unknown, empty or of a wrong form.
        """
        on = f"ignore rule {document.get('name', '(without name)')}"
        unknown = sorted(set(document) - {*_REQUIRED, *_OPTIONAL})
        missing = [name for name in _REQUIRED if not document.get(name)]
        if unknown or missing:
            raise UserError(
                f"unknown fields {unknown}, missing fields {missing}",
                on=on,
                hint=f"a rule has {', '.join((*_REQUIRED, *_OPTIONAL))}",
            )
        try:
            columns = document.get("columns", ())
            if isinstance(columns, str):
                raise TypeError("columns is a text, not a list")  # noqa: TRY301 - one way out
            condition = Condition.from_json(document.get("condition", ()))
            for test in condition.tests:
                if test.operator not in get_args(Operator):
                    raise ValueError(f"operator {test.operator!r}")  # noqa: TRY301 - one way out
            until = document["until"]
            if not isinstance(until, dt.date):
                until = dt.date.fromisoformat(until)
            return cls(
                name=str(document["name"]),
                spec=str(document["spec"]),
                columns=tuple(map(str, columns)),
                condition=condition,
                reason=str(document["reason"]),
                owner=str(document["owner"]),
                until=until,
            )
        except (TypeError, ValueError) as error:
            raise UserError(
                f"a field of a wrong form: {error}",
                on=on,
                hint="columns and condition are lists, until is YYYY-MM-DD",
            ) from None


def load_ignore_rules(file: Path) -> tuple[IgnoreRule, ...]:
    """The rules of a file, TOML or JSON by its suffix.

    Raises:
        UserError: for a file that cannot be read, or a rule that is not one.
    """
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
        listed = document["rules"]
        if not isinstance(listed, list) or not all(isinstance(rule, dict) for rule in listed):
            raise TypeError("rules")  # noqa: TRY301 - one way out
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot be read: {error}", on=f"ignore rules {file}", hint="write TOML or JSON"
        ) from None
    except (KeyError, TypeError):
        raise UserError(
            "has no list of rules",
            on=f"ignore rules {file}",
            hint='write [[rules]] or {"rules": […]}',
        ) from None
    rules = tuple(IgnoreRule.from_json(rule) for rule in listed)
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"named twice: {', '.join(twice)}", on=f"ignore rules {file}", hint="rename one"
        )
    return rules
