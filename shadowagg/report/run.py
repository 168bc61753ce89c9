"""One record, as a page shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shadowagg.report.numbers import (
    count,
    duration,
    memory,
    statistic,
)
from shadowagg.report.stage import ChartBudget, StageView, describe_rows, stage_agrees, view_stage
from shadowagg.report.values import (
    flat,
    shorten,
    text_of,
)
from shadowagg.report.words import WORDS, Word, advice

__all__ = ["FaultView", "RunView", "Step", "view_run"]


@dataclass(frozen=True, slots=True)
class Step:
    """A stage in the strip at the top: what became of it.

    Args:
        name: of the stage.
        state: `agrees`, `differs`, `failed`, `not compared`.
        rows: how many rows were compared, or were made.
        what: what differs.
        first: whether it is the first that differs.
    """

    name: str
    state: str
    rows: str
    what: str = ""
    first: bool = False


@dataclass(frozen=True, slots=True)
class FaultView:
    """Why a path ended early."""

    side: str
    mode: str
    cause: str
    message: str
    stage: str
    detail: str


@dataclass(frozen=True)
class RunView:
    """One run.

    Args:
        anchor: of its details on the page.
        detailed: whether its details are on the page.
        compact: whether it is a line of a table rather than a card.
        word: its verdict for people.
        rows: cost lines: name, control, candidate, candidate relative to control.
    """

    anchor: str
    detailed: bool
    compact: bool
    verdict: str
    word: Word
    cause: str
    reason: str
    sentence: str
    advice: str
    note: str
    schema: str
    provider: str
    source: str
    scenario: str
    start: str
    end: str
    days: int
    clusters: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]
    subwindows: tuple[tuple[str, str], ...]
    step: str
    control_mode: str
    candidate_mode: str
    stand_in: bool
    rows_compared: str
    where: tuple[tuple[str, tuple[str, ...]], ...]
    further: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    stages: tuple[StageView, ...]
    faults: tuple[FaultView, ...]
    left_behind: tuple[tuple[str, str], ...]
    costs: tuple[tuple[str, str, str, str], ...]
    stage_costs: tuple[tuple[str, str, str, str], ...]
    makers: tuple[tuple[str, str], ...]
    engines: tuple[tuple[str, str], ...]
    identity: tuple[tuple[str, str], ...]
    repeat: str
    saved_as: str


def view_run(
    record: Mapping[str, Any],
    *,
    number: int,
    note: str,
    detailed: bool,
    compact: bool,
    budget: ChartBudget,
) -> RunView:
    """Make a record ready for the page.

    Args:
        record: `Record.to_json()`.
        number: of the run on the page, from 1.
        note: a sentence shown at the run; empty for none.
        detailed: whether the page has room for its details.
        compact: whether the page has no room for its card.
        budget: for charts.
    """
    plan = record.get("plan") or {}
    window = plan.get("window") or {}
    control, candidate = record.get("control") or {}, record.get("candidate") or {}
    diffs = list(record.get("stages") or ())
    explanation = dict(record.get("explanation") or {})
    differing = [str(diff.get("stage")) for diff in diffs if not stage_agrees(diff)]
    first = str(explanation.get("stage") or "")
    if first not in differing:
        first = differing[0] if differing else ""
    days = _days(str(window.get("start", "")), str(window.get("end", "")))
    verdict = str(record.get("verdict"))
    stages = tuple(
        view_stage(diff, first=str(diff.get("stage")) == first, days=days, budget=budget)
        for diff in (diffs if detailed else ())
    )
    return RunView(
        anchor=f"run-{number}",
        detailed=detailed,
        compact=compact,
        verdict=verdict if verdict in WORDS else "inconclusive",
        word=WORDS.get(verdict, Word(f"Unknown: {verdict}", "", 2)),
        cause=str(record.get("cause") or ""),
        reason=shorten(str(record.get("reason") or ""), 600),
        sentence=shorten(str(explanation.get("sentence") or ""), 600),
        advice=advice(record, first=first),
        note=note,
        schema=str(window.get("schema", "")),
        provider=str(window.get("provider", "")),
        source=str(window.get("source_uuid", "")),
        scenario=str(record.get("scenario") or ""),
        start=str(window.get("start", "")),
        end=str(window.get("end", "")),
        days=len(days),
        clusters=tuple(_cluster(cluster) for cluster in window.get("clusters") or ()),
        parameters=tuple(flat(window.get("parameters") or {})),
        subwindows=tuple((str(start), str(end)) for start, end in plan.get("subwindows") or ()),
        step=str(plan.get("step", "")),
        control_mode=str(control.get("mode", "")),
        candidate_mode=str(candidate.get("mode", "")),
        stand_in=bool(record.get("control_stand_in")),
        rows_compared=count(record.get("rows_compared")),
        where=_where(explanation, first),
        further=tuple(
            flat({k: v for k, v in explanation.items() if k not in {"sentence", *_PLACES}})
        ),
        steps=_steps(diffs, control, candidate, first),
        stages=stages,
        faults=tuple(_faults(control, candidate)),
        left_behind=tuple(
            (side, text_of(item))
            for side, path in (("control", control), ("candidate", candidate))
            for item in path.get("left_behind") or ()
        ),
        costs=tuple(
            (title, shown(control.get(name)), shown(candidate.get(name)), ratio)
            for title, name, shown in _COSTS
            for ratio in (_ratio(control.get(name), candidate.get(name)),)
        ),
        stage_costs=_stage_costs(control, candidate),
        makers=tuple(flat(record.get("makers") or {})),
        engines=tuple(
            flat(
                {"control": control.get("engine") or {}, "candidate": candidate.get("engine") or {}}
            )
        ),
        identity=tuple(
            (name, str(record.get(field) or "none"))
            for name, field in (
                ("run", "id"),
                ("started", "started"),
                ("tracing id", "tracing_id"),
                ("fingerprint of the inputs", "fingerprint"),
                ("record version", "record_version"),
            )
        ),
        repeat=str(record.get("repeat") or ""),
        saved_as=str(record.get("saved_as") or ""),
    )


_PLACES = {"stage": "First differing stage", "columns": "Columns", "days": "Days"} | {
    "groups": "Groups"
}
_COSTS = (
    ("Wall time", "wall_seconds", duration),
    ("CPU time", "cpu_seconds", duration),
    ("Peak memory", "peak_memory_bytes", memory),
)
_MOST_NAMES = 12
_MOST_DETAIL = 16_000


def _where(explanation: Mapping[str, Any], first: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    lines: list[tuple[str, tuple[str, ...]]] = [(_PLACES["stage"], (first,))] if first else []
    for field, title in _PLACES.items():
        if field != "stage" and (names := _names(explanation.get(field))):
            further = len(names) - _MOST_NAMES
            shown = names[:_MOST_NAMES] + ([f"and {count(further)} more"] if further > 0 else [])
            lines.append((title, tuple(shown)))
    return tuple(lines)


def _names(value: Any) -> list[str]:
    """Names from a list, from a mapping of names to counts, or from a single value."""
    if not value:
        return []
    if isinstance(value, Mapping):
        return [f"{name} ({text_of(item)})" for name, item in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [text_of(item) for item in value]
    return [str(value)]


def _days(start: str, end: str) -> list[str]:
    try:
        first, last = dt.date.fromisoformat(start[:10]), dt.date.fromisoformat(end[:10])
    except ValueError:
        return []
    # a window lies within one month; what says otherwise must not fill the page
    length = min((last - first).days + 1, 31)
    return [(first + dt.timedelta(days=n)).isoformat() for n in range(length)]


def _cluster(cluster: Mapping[str, Any]) -> str:
    name = cluster.get("cluster_alias") or cluster.get("cluster_id") or cluster.get("source_uuid")
    return str(name)


def _steps(
    diffs: Sequence[Mapping[str, Any]],
    control: Mapping[str, Any],
    candidate: Mapping[str, Any],
    first: str,
) -> tuple[Step, ...]:
    """Every stage that was compared, made or failed, in the provider's order."""
    compared = {str(diff.get("stage")): diff for diff in diffs}
    made: dict[str, dict[str, int]] = {}
    failed: list[str] = []
    for side, path in (("control", control), ("candidate", candidate)):
        for stage in path.get("stages") or ():
            made.setdefault(str(stage.get("stage")), {})[side] = int(stage.get("rows") or 0)
        fault = path.get("fault") or {}
        if fault.get("stage"):
            failed.append(str(fault["stage"]))
    steps = []
    for name in dict.fromkeys([*made, *compared, *failed]):
        diff = compared.get(name)
        if name in failed:
            steps.append(Step(name, "failed", "", "failed here", first=name == failed[0]))
        elif diff is None:
            rows = sorted(set(made[name].values()))
            steps.append(Step(name, "not compared", " / ".join(count(n) for n in rows)))
        else:
            here, there = int(diff["control_rows"]), int(diff["candidate_rows"])
            steps.append(
                Step(
                    name,
                    "agrees" if stage_agrees(diff) else "differs",
                    count(here) if here == there else f"{count(here)} / {count(there)}",
                    describe_rows(diff),
                    first=name == first,
                )
            )
    return tuple(steps)


def _faults(control: Mapping[str, Any], candidate: Mapping[str, Any]) -> Sequence[FaultView]:
    found = []
    for side, path in (("control", control), ("candidate", candidate)):
        fault = path.get("fault")
        if fault:
            found.append(
                FaultView(
                    side=side,
                    mode=str(path.get("mode", "")),
                    cause=str(fault.get("cause", "")),
                    message=shorten(str(fault.get("message", "")), 2000),
                    stage=str(fault.get("stage") or ""),
                    detail=_end_of(str(fault.get("detail") or "")),
                )
            )
    return found


def _end_of(detail: str) -> str:
    """The end of a long text: a traceback says there what happened."""
    left_out = len(detail) - _MOST_DETAIL
    return detail if left_out <= 0 else f"… ({left_out:,} characters)\n{detail[-_MOST_DETAIL:]}"


def _stage_costs(
    control: Mapping[str, Any], candidate: Mapping[str, Any]
) -> tuple[tuple[str, str, str, str], ...]:
    left, right = (
        {str(stage.get("stage")): stage.get("seconds") for stage in path.get("stages") or ()}
        for path in (control, candidate)
    )
    return tuple(
        (
            name,
            duration(left[name]) if name in left else "–",
            duration(right[name]) if name in right else "–",
            _ratio(left.get(name), right.get(name)),
        )
        for name in dict.fromkeys([*left, *right])
    )


def _ratio(control: Any, candidate: Any) -> str:
    """`× 0.25`: what the candidate took, as a multiple of what the control took."""
    if not control or not candidate:
        return "–"
    return f"× {statistic(float(candidate) / float(control))}"
