"""Observations and diffs -> verdict. Pure: what was seen goes in, what it means comes out."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shadowagg.observation import Cause, Fault, Observation

if TYPE_CHECKING:
    from shadowagg.diff import StageDiff

__all__ = ["EXIT_CODES", "Judgement", "Verdict", "exit_code", "judge"]


class Verdict(enum.StrEnum):
    """What a run says: one of these, nothing else."""

    MATCH = "match"
    """Every final stage was compared, and agrees."""
    MISMATCH = "mismatch"
    """Some row differs."""
    CANDIDATE_FAILED = "candidate_failed"
    """The control gave rows, the candidate did not."""
    INCONCLUSIVE = "inconclusive"
    """No evidence either way."""


EXIT_CODES = {
    Verdict.MATCH: 0,
    Verdict.MISMATCH: 1,
    Verdict.CANDIDATE_FAILED: 3,
    Verdict.INCONCLUSIVE: 4,
}

_WORST_FIRST = (
    Verdict.CANDIDATE_FAILED,
    Verdict.MISMATCH,
    Verdict.INCONCLUSIVE,
    Verdict.MATCH,
)


_NAMED = 3
"""Inputs that a reason names; the observation has all."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and why.

    Args:
        verdict: the verdict.
        cause: one word for machines: `agreed`, `differs`, `refused`, a `Cause`, `inputs moved`,
            `control older than inputs` (or `candidate …`), `control unstable`, `nothing compared`.
        reason: one line for people.
        rows_compared: rows of the control's and the candidate's final stages, the larger count of
            each stage; zero rows count for no promotion.
    """

    verdict: Verdict
    cause: str
    reason: str
    rows_compared: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "verdict": str(self.verdict),
            "cause": self.cause,
            "reason": self.reason,
            "rows_compared": self.rows_compared,
        }


def judge(  # noqa: PLR0911 - one return per rule, in their order
    control: Observation,
    candidate: Observation,
    diffs: Sequence[StageDiff],
    *,
    final_stages: Sequence[str],
    inputs_moved: bool = False,
    inputs_unseen: str = "",
    unstable: Sequence[str] = (),
    comparison: Fault | None = None,
) -> Judgement:
    """What two observations and the diffs of their stages mean.

    Args:
        control: of the control.
        candidate: of the candidate.
        diffs: of the stages compared; inner stages explain, final ones decide.
        final_stages: every final stage of the provider; of one that a path keeps nothing of, nothing
            is asked.
        inputs_moved: whether an input changed while the paths ran.
        inputs_unseen: why that is not known; empty if it is.
        unstable: `stage.column` in which the control differed from itself when asked again.
        comparison: why the comparison itself ended early.
    """
    rows = sum(max(d.control_rows, d.candidate_rows) for d in diffs if d.stage in final_stages)
    if inputs_moved:
        return Judgement(
            Verdict.INCONCLUSIVE, "inputs moved", "an input changed while the paths ran", rows
        )
    if control.older_than or candidate.older_than:
        return _older(control if control.older_than else candidate, rows)
    if control.fault is not None:
        return _control_failed(control.fault, candidate.fault)
    if inputs_unseen:
        # Before the candidate's fault: what it could not read is no fault of its own.
        return Judgement(Verdict.INCONCLUSIVE, str(Cause.UNREADABLE), inputs_unseen, rows)
    if candidate.fault is not None:
        return _candidate_failed(candidate.fault)
    if comparison is not None:
        return Judgement(
            Verdict.INCONCLUSIVE,
            f"comparison: {comparison.cause}",
            f"the comparison failed: {comparison.message}",
        )
    if unstable:
        return Judgement(
            Verdict.INCONCLUSIVE,
            "control unstable",
            f"the control differs from itself in {', '.join(unstable)}",
            rows,
        )
    return _compared(diffs, final_stages, frozenset((*control.not_kept, *candidate.not_kept)), rows)


def _compared(
    diffs: Sequence[StageDiff], final_stages: Sequence[str], not_kept: frozenset[str], rows: int
) -> Judgement:
    """What the diffs say where both paths gave rows."""
    finals = [diff for diff in diffs if diff.stage in final_stages]
    if not finals:
        return Judgement(Verdict.INCONCLUSIVE, "nothing compared", "no final stage was compared")
    differing = [diff for diff in finals if not diff.agrees]
    if differing:
        names = ", ".join(diff.stage for diff in differing)
        return Judgement(Verdict.MISMATCH, "differs", f"rows differ in {names}", rows)
    compared = {diff.stage for diff in finals} | not_kept
    missing = [stage for stage in final_stages if stage not in compared]
    if missing:
        return Judgement(
            Verdict.INCONCLUSIVE,
            "nothing compared",
            f"final stages not compared: {', '.join(missing)}",
            rows,
        )
    return Judgement(Verdict.MATCH, "agreed", f"all {rows} rows agree", rows)


def _older(observation: Observation, rows: int) -> Judgement:
    """Even if the other path failed: it may have met an input that this one never saw."""
    side = observation.side
    return Judgement(
        Verdict.INCONCLUSIVE,
        f"{side} older than inputs",
        f"the {side}'s rows were written before an input changed: {_some(observation.older_than)}",
        rows,
    )


def _some(lines: Sequence[str]) -> str:
    further = len(lines) - _NAMED
    return "; ".join(lines[:_NAMED]) + (f"; and {further} more" if further > 0 else "")


def _control_failed(control: Fault, candidate: Fault | None) -> Judgement:
    if control.cause is Cause.REFUSED:
        if candidate is not None and candidate.cause is Cause.REFUSED:
            return Judgement(
                Verdict.INCONCLUSIVE, "refused", f"both paths refuse the input: {control.message}"
            )
        other = "gave rows" if candidate is None else f"failed otherwise: {candidate.message}"
        return Judgement(
            Verdict.INCONCLUSIVE,
            "refused",
            f"the control refuses the input ({control.message}), the candidate {other}",
        )
    at = _place_of(control)
    return Judgement(Verdict.INCONCLUSIVE, str(control.cause), f"control{at}: {control.message}")


def _candidate_failed(fault: Fault) -> Judgement:
    at = _place_of(fault)
    return Judgement(Verdict.CANDIDATE_FAILED, str(fault.cause), f"candidate{at}: {fault.message}")


def _place_of(fault: Fault) -> str:
    """Where it was, unless its message begins with that."""
    said = not fault.stage or fault.message.startswith(fault.stage)
    return "" if said else f" at stage {fault.stage}"


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """The exit code of several verdicts: 3 goes before 1 before 4 before 0; none is 4."""
    for verdict in _WORST_FIRST:
        if verdict in verdicts:
            return EXIT_CODES[verdict]
    return EXIT_CODES[Verdict.INCONCLUSIVE]
