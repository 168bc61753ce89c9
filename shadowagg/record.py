"""What is kept of a run: never changed afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shadowagg.diff import StageDiff
from shadowagg.observation import Observation
from shadowagg.plan import Plan
from shadowagg.verdict import Judgement

__all__ = ["RECORD_VERSION", "Record"]

RECORD_VERSION = 1
"""The version of the record's form, for readers of later years."""


@dataclass(frozen=True)
class Record:
    """One shadow run: what was asked, what was seen, what it means, who made it.

    Args:
        id: random.
        started: when it began, UTC.
        tracing_id: the caller's id for the work that this run belongs to.
        scenario: the scenario's name; empty outside of one.
        plan: the window and its sub-windows.
        judgement: the verdict and why.
        control: the control's observation.
        candidate: the candidate's observation.
        diffs: of the stages compared, in the provider's order.
        explanation: which stage differed first, and where, as plain values; empty for a match.
        fingerprint: of the inputs, before the run.
        control_stand_in: whether the control only stands in for production's engine.
        makers: versions of core, plugin, rules and libraries.
        saved_as: the scenario folder that a mismatch was saved as; empty for none.
        repeat: the one command that repeats the run.
    """

    id: str
    started: dt.datetime
    tracing_id: str
    scenario: str
    plan: Plan
    judgement: Judgement
    control: Observation
    candidate: Observation
    diffs: tuple[StageDiff, ...]
    explanation: Mapping[str, Any]
    fingerprint: str
    control_stand_in: bool
    makers: Mapping[str, Any] = field(default_factory=dict)
    saved_as: str = ""
    repeat: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values: the whole record, as it is stored and as `--json` prints it."""
        return {
            "record_version": RECORD_VERSION,
            "id": self.id,
            "started": self.started.isoformat(),
            "tracing_id": self.tracing_id,
            "scenario": self.scenario,
            "plan": self.plan.to_json(),
            **self.judgement.to_json(),
            "control": self.control.to_json(),
            "candidate": self.candidate.to_json(),
            "stages": [diff.to_json() for diff in self.diffs],
            "explanation": dict(self.explanation),
            "fingerprint": self.fingerprint,
            "control_stand_in": self.control_stand_in,
            "makers": dict(self.makers),
            "saved_as": self.saved_as,
            "repeat": self.repeat,
        }
