"""What a verdict is called, how it looks, and what its reader should do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shadowagg.verdict import Verdict

__all__ = ["WORDS", "Word", "advice"]


@dataclass(frozen=True, slots=True)
class Word:
    """A verdict for people.

    Args:
        title: one or two words.
        meaning: one line for the legend.
        rank: the worst first, as exit codes have it.
    """

    title: str
    meaning: str
    rank: int


WORDS: Mapping[str, Word] = {
    str(Verdict.CANDIDATE_FAILED): Word(
        "Candidate failed", "the control gave rows, the candidate did not", 0
    ),
    str(Verdict.MISMATCH): Word("Mismatch", "some row or total differs", 1),
    str(Verdict.INCONCLUSIVE): Word("Inconclusive", "no evidence either way", 2),
    str(Verdict.MATCH): Word("Match", "every final stage was compared, and agrees", 3),
}

_FAILED = {
    "refused": "The candidate refuses an input that the control accepts: compare the refusal below "
    "with the rule it names.",
    "unreadable": "An input object could not be read by the candidate: check that it is whole and "
    "that its address and permissions are right, then repeat the run.",
    "nonconforming": "The candidate gave rows that break their specification: the message below "
    "names columns and deviations.",
    "usage": "Something that the candidate was told to use is not there: the message below says "
    "what; set it right and repeat the run.",
    "timeout": "The candidate ran past its time: see which stage it was in, then repeat with a "
    "longer limit or fewer days.",
    "memory": "The candidate grew past its memory: see which stage it was in, then repeat with a "
    "larger limit or fewer days.",
    "disk": "The candidate wrote past its disk space: free some, or raise the limit, and repeat.",
    "died": "The candidate's process ended without a word: look for the system's out-of-memory "
    "killer in the host's log, then repeat the run.",
}

_INCONCLUSIVE = {
    "inputs moved": "An input changed while the paths ran: repeat the run when nothing is being "
    "loaded into this window.",
    "control older than inputs": "An input changed after the control's rows were written, or nobody "
    "can say when they were: repeat the run when production has run this window again.",
    "candidate older than inputs": "An input changed after the rows in the candidate's place were "
    "written, or nobody can say when they were: repeat the run when they have been written again.",
    "control unstable": "The control gave other rows when asked again, so nothing can be said of "
    "the candidate: find out why the control is not repeatable.",
    "refused": "Production refuses this input, so there is nothing to compare: if both paths refuse "
    "it, nothing is to be done here; mend the input at its source.",
    "nothing compared": "Final stages were not compared: check that the control mode has rows for "
    "each of them.",
}


def advice(record: Mapping[str, Any], *, first: str = "") -> str:
    """What to do next, in a sentence or two; never more than the record bears out.

    Args:
        record: `Record.to_json()`.
        first: the first stage that differs.
    """
    verdict, cause = str(record.get("verdict")), str(record.get("cause"))
    if verdict == Verdict.MATCH:
        if not record.get("rows_compared"):
            return "Nothing to do. Both paths gave no rows, which is no evidence for a promotion."
        if record.get("control_stand_in"):
            return (
                "Nothing to mend. The control is a stand-in: before anything is promoted, run the "
                "same window against production's own engine."
            )
        return "Nothing to do."
    if verdict == Verdict.MISMATCH:
        where = f"at stage {first}, the first that differs" if first else "at the first sample"
        return (
            f"Start {where}: its samples show both values. Mend the side that is wrong and repeat "
            "the run; a difference that is known and accepted needs an ignore rule with an owner "
            "and an end date."
        )
    if verdict == Verdict.CANDIDATE_FAILED:
        return _FAILED.get(
            cause, "The candidate raised an error: read the fault below, mend it, repeat the run."
        )
    return _INCONCLUSIVE.get(
        cause,
        "The control gave no rows to compare with: read its fault below, see to the control, and "
        "repeat the run.",
    )
