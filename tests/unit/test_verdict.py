"""What observations and diffs mean."""

from dataclasses import dataclass, replace

import pytest

from shadowagg.observation import Cause, Fault, Observation
from shadowagg.verdict import Verdict, exit_code, judge


@dataclass(frozen=True)
class FakeDiff:
    stage: str
    agrees: bool = True
    control_rows: int = 3
    candidate_rows: int = 4


def seen(side, fault=None):
    return Observation(side, "some", fault=fault)


def failed(cause, message="it broke"):
    return Fault(cause, message, stage="one")


def judged(diffs=(), *, control=None, candidate=None, final=("one", "two"), **more):
    return judge(
        seen("control", control), seen("candidate", candidate), diffs, final_stages=final, **more
    )


def test_all_final_stages_agree():
    result = judged([FakeDiff("one"), FakeDiff("two"), FakeDiff("inner")])
    assert (Verdict.MATCH, 8) == (result.verdict, result.rows_compared)


def test_one_final_stage_differs():
    result = judged([FakeDiff("one"), FakeDiff("two", agrees=False)])
    assert (Verdict.MISMATCH, "rows differ in two") == (result.verdict, result.reason)


def test_a_differing_inner_stage_alone_is_no_mismatch():
    result = judged([FakeDiff("one"), FakeDiff("two"), FakeDiff("inner", agrees=False)])
    assert Verdict.MATCH is result.verdict


def test_a_final_stage_that_was_not_compared_is_no_match():
    result = judged([FakeDiff("one")])
    assert Verdict.INCONCLUSIVE is result.verdict
    assert "two" in result.reason


def test_nothing_compared_is_inconclusive():
    assert (Verdict.INCONCLUSIVE, "nothing compared") == (
        judged().verdict,
        judged().cause,
    )


def test_inputs_that_could_not_be_seen_are_no_match_and_no_fault_of_the_candidate():
    for candidate in (None, failed(Cause.UNREADABLE)):
        diffs = [FakeDiff("one"), FakeDiff("two")]
        result = judged(diffs, candidate=candidate, inputs_unseen="lake: cannot list")
        assert (Verdict.INCONCLUSIVE, "unreadable") == (result.verdict, result.cause)
        assert "lake: cannot list" == result.reason


def test_a_control_that_failed_goes_before_inputs_that_could_not_be_seen():
    result = judged(control=failed(Cause.ERROR), inputs_unseen="lake: cannot list")
    assert "control at stage one: it broke" == result.reason


def test_two_empty_row_sets_match_with_zero_rows():
    empty = [FakeDiff("one", control_rows=0, candidate_rows=0)]
    result = judged(empty, final=("one",))
    assert (Verdict.MATCH, 0) == (result.verdict, result.rows_compared)


@pytest.mark.parametrize("cause", list(Cause))
def test_a_candidate_that_fails_where_the_control_does_not(cause):
    result = judged(candidate=failed(cause))
    assert (Verdict.CANDIDATE_FAILED, str(cause)) == (result.verdict, result.cause)
    assert "at stage one: it broke" in result.reason


@pytest.mark.parametrize("cause", list(Cause))
def test_a_control_that_fails_is_inconclusive_whatever_the_candidate_did(cause):
    for candidate in (None, failed(Cause.ERROR)):
        assert Verdict.INCONCLUSIVE is judged(control=failed(cause), candidate=candidate).verdict


def test_an_input_that_both_refuse_has_the_cause_refused():
    result = judged(control=failed(Cause.REFUSED), candidate=failed(Cause.REFUSED))
    assert (Verdict.INCONCLUSIVE, "refused") == (result.verdict, result.cause)
    assert "both paths refuse" in result.reason


def test_a_candidate_that_takes_what_the_control_refuses_is_named():
    assert "the candidate gave rows" in judged(control=failed(Cause.REFUSED)).reason


def test_inputs_that_moved_are_no_evidence():
    result = judged([FakeDiff("one", agrees=False)], final=("one",), inputs_moved=True)
    assert (Verdict.INCONCLUSIVE, "inputs moved") == (result.verdict, result.cause)


@pytest.mark.parametrize("side", ["control", "candidate"])
@pytest.mark.parametrize("agrees", [True, False])
def test_rows_older_than_an_input_are_no_evidence_and_the_input_is_named(side, agrees):
    """Whichever path reads kept rows, and whatever the comparison says."""
    paths = {name: seen(name) for name in ("control", "candidate")}
    paths[side] = replace(paths[side], older_than=("pods a.parquet: later",))
    result = judge(
        paths["control"], paths["candidate"], [FakeDiff("one", agrees=agrees)], final_stages=["one"]
    )
    assert (Verdict.INCONCLUSIVE, f"{side} older than inputs", 4) == (
        result.verdict,
        result.cause,
        result.rows_compared,
    )
    assert "pods a.parquet: later" in result.reason


def test_a_candidate_may_fail_on_an_input_that_the_control_never_saw():
    control = replace(seen("control"), older_than=tuple("abcde"))
    result = judge(control, seen("candidate", failed(Cause.ERROR)), [], final_stages=["one"])
    assert Verdict.INCONCLUSIVE is result.verdict
    assert result.reason.endswith("a; b; c; and 2 more")


def test_a_control_that_differs_from_itself_is_no_evidence_and_the_columns_are_named():
    result = judged([FakeDiff("one", agrees=False)], final=("one",), unstable=("one.amount",))
    assert (Verdict.INCONCLUSIVE, "control unstable") == (result.verdict, result.cause)
    assert "one.amount" in result.reason


def test_a_comparison_that_fails_is_no_evidence():
    result = judged(comparison=failed(Cause.MEMORY))
    assert (Verdict.INCONCLUSIVE, "comparison: memory") == (result.verdict, result.cause)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 4),
        ([Verdict.MATCH], 0),
        ([Verdict.MATCH, Verdict.INCONCLUSIVE], 4),
        ([Verdict.INCONCLUSIVE, Verdict.MISMATCH], 1),
        ([Verdict.MISMATCH, Verdict.CANDIDATE_FAILED, Verdict.MATCH], 3),
    ],
)
def test_of_several_verdicts_the_worst_gives_the_exit_code(verdicts, code):
    assert code == exit_code(verdicts)
