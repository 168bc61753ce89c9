"""The whole flow on one page: window -> plan -> two observations -> diffs -> verdict -> record.

::

    shadow_run
      ├─ look       plan the window, fingerprint the inputs, observe control and candidate
      └─ conclude   compare final stages, explain a mismatch, ask an unstable control again,
                    judge, keep the evidence, store the record
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import logging
import os
import platform
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from shadowagg import __version__, evidence
from shadowagg.comparison import compare_stages
from shadowagg.discovery import registry
from shadowagg.errors import InputUnreadable, UserError
from shadowagg.explain import explain
from shadowagg.fence import Limits, private_folder, run_fenced
from shadowagg.inputs import Inputs
from shadowagg.observation import Fault, Observation, Side
from shadowagg.observe import observe
from shadowagg.paths import CANDIDATE, mode
from shadowagg.plan import Plan, make_plan
from shadowagg.provider import Provider
from shadowagg.record import Record
from shadowagg.redaction import redact, secrets_in
from shadowagg.settings import Settings
from shadowagg.side_tables import IN_POSTGRES, exported
from shadowagg.verdict import Verdict, judge
from shadowagg.window import Window

if TYPE_CHECKING:
    from shadowagg.diff import StageDiff
    from shadowagg.store import Store

__all__ = ["RunRequest", "Seen", "conclude", "look", "plan_window", "shadow_run"]

_LOG = logging.getLogger("shadowagg")

Progress = Callable[[str], None]


class _How(TypedDict):
    plan: Plan
    folder: Path
    limits: Limits
    progress: Progress


@dataclass(frozen=True)
class RunRequest:
    """What is to be run.

    Args:
        window: schema, provider, days.
        inputs: where they lie.
        control: control mode.
        candidate: `pyarrow`, or a control mode in its place.
        options: of the modes, plain values without secrets (`expected`: folder of recorded rows).
        all_stages: whether inner stages are compared even if the final ones agree.
        scenario: name of the scenario, for reports.
        command: the command that repeats the run, if the caller knows one.
        tracing_id: the caller's id for the work that this run belongs to.
        side_from: where the side tables of `inputs` were exported from, if they were.
    """

    window: Window
    inputs: Inputs
    control: str
    candidate: str = CANDIDATE
    options: Mapping[str, Any] = field(default_factory=dict)
    all_stages: bool = False
    scenario: str = ""
    command: str = ""
    tracing_id: str = ""
    side_from: str = ""


@dataclass(frozen=True)
class Seen:
    """What both paths did; their row sets lie in `folder` while it lasts."""

    started: dt.datetime
    plan: Plan
    control: Observation
    candidate: Observation
    fingerprint: str
    inputs_moved: bool
    folder: Path
    inputs_unseen: str = ""
    """Why it is not known whether they moved; empty if it is."""


def shadow_run(
    request: RunRequest,
    settings: Settings,
    *,
    store: Store | None = None,
    progress: Progress = lambda _: None,
) -> Record:
    """Run control and candidate on one window and say whether they agree.

    Whatever the paths do becomes a record: they run fenced, and nothing of them remains.

    Args:
        request: what is to be run.
        settings: limits and places.
        store: keeps the record; None for none.
        progress: is told what happens, a line at a time.

    Raises:
        UserError: for a provider, mode, store or side table that is not there.
    """
    with private_folder() as folder:
        request = _with_side_tables(request, settings, folder, progress)
        seen = look(request, settings, folder, progress)
        return conclude(request, seen, settings, store=store, progress=progress)


def _with_side_tables(
    request: RunRequest, settings: Settings, folder: Path, progress: Progress
) -> RunRequest:
    if not request.inputs.side.startswith(IN_POSTGRES):
        return request
    progress(f"side tables ({request.inputs.side})")
    provider = registry().provider(request.window.provider)
    inputs = exported(request.inputs, provider, folder, _limits(settings))
    return replace(request, inputs=inputs, side_from=request.inputs.side)


def look(request: RunRequest, settings: Settings, folder: Path, progress: Progress) -> Seen:
    """Plan the window and observe both paths on it."""
    provider = registry().provider(request.window.provider)
    for name in (request.control, request.candidate):
        mode(name)
    started = dt.datetime.now(dt.UTC)
    limits = _limits(settings)
    plan = plan_window(request, folder, limits)
    before, why_not = _fingerprint(request, provider)
    how: _How = {"plan": plan, "folder": folder, "limits": limits, "progress": progress}
    control = _observe("control", request.control, request, **how)
    candidate = _observe("candidate", request.candidate, request, **how)
    after, why_not_again = _fingerprint(request, provider)
    moved = bool(before and after) and before != after
    unseen = why_not or why_not_again
    return Seen(started, plan, control, candidate, before, moved, folder, unseen)


def _fingerprint(request: RunRequest, provider: Provider) -> tuple[str, str]:
    """Of the inputs; or an empty one, and why: the run goes on, since a record is due."""
    try:
        return request.inputs.fingerprint(provider.inputs, request.window), ""
    except InputUnreadable as error:
        secrets = secrets_in(os.environ)
        return "", redact(" ".join(str(error).split()), secrets)


def plan_window(request: RunRequest, folder: Path, limits: Limits) -> Plan:
    """The provider's plan, made in the fence: it may read inputs.

    If it cannot be made, the window is cut as it stands; both paths will meet the same input and
    say themselves what is wrong with it.
    """
    document = {"window": request.window.to_json(), "inputs": request.inputs.to_json()}
    place = _fresh(folder, "plan")
    outcome = run_fenced("shadowagg.runner:_plan", document, folder=place, limits=limits)
    if outcome.value is None:
        reason = outcome.fault.message if outcome.fault else "no answer"
        _LOG.warning("window not planned by its provider", extra={"reason": reason})
        return make_plan(request.window)
    return Plan.from_json(outcome.value)


def _plan(document: Mapping[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG001 - a fenced task
    window = Window.parse(document["window"])
    provider = registry().provider(window.provider)
    return provider.plan(window, Inputs.from_json(document["inputs"])).to_json()


def conclude(
    request: RunRequest,
    seen: Seen,
    settings: Settings,
    *,
    store: Store | None = None,
    progress: Progress = lambda _: None,
) -> Record:
    """Compare, judge, explain, keep the evidence and store the record."""
    provider = registry().provider(request.window.provider)
    final = [stage.name for stage in provider.stages if stage.final]
    inner = [stage.name for stage in provider.stages if not stage.final]
    limits = _limits(settings)

    def compared(stages: Sequence[str]) -> tuple[tuple[StageDiff, ...], Fault | None]:
        return compare_stages(seen, stages, settings, limits, _fresh(seen.folder, "comparison"))

    diffs: tuple[StageDiff, ...] = ()
    comparison: Fault | None = None
    if seen.control.fault is None and seen.candidate.fault is None:
        progress("comparing")
        diffs, comparison = compared(final)
    differs = any(not diff.agrees for diff in diffs)
    if (differs or request.all_stages) and comparison is None:
        progress("comparing inner stages")
        more, comparison = compared(inner)
        order = [stage.name for stage in provider.stages]
        diffs = tuple(sorted((*diffs, *more), key=lambda diff: order.index(diff.stage)))
    unstable: tuple[str, ...] = ()
    if differs:
        unstable = _ask_control_again(request, seen, settings, final, progress)
    judgement = judge(
        seen.control,
        seen.candidate,
        diffs,
        final_stages=final,
        inputs_moved=seen.inputs_moved,
        inputs_unseen=seen.inputs_unseen,
        unstable=unstable,
        comparison=comparison,
    )
    record_id = str(uuid.uuid4())
    saved = None
    if judgement.verdict is Verdict.MISMATCH:
        saved = evidence.save_mismatch(
            record_id,
            request=request,
            seen=seen,
            provider=provider,
            diffs=diffs,
            settings=settings,
        )
    record = Record(
        id=record_id,
        started=seen.started,
        tracing_id=request.tracing_id or record_id,
        scenario=request.scenario,
        plan=seen.plan,
        judgement=judgement,
        control=seen.control,
        candidate=seen.candidate,
        diffs=diffs,
        explanation=explain(diffs, provider).to_json() if differs else {},
        fingerprint=seen.fingerprint,
        control_stand_in=mode(request.control).stand_in,
        makers=_makers(provider),
        saved_as=str(saved) if saved else "",
        repeat=evidence.repeat_command(saved, request) if saved else request.command,
    )
    if store is not None:
        _keep(record, store, settings)
    registry().notify("shadowagg_run_recorded", record=record)
    return record


def _keep(record: Record, store: Store, settings: Settings) -> None:
    """Into the store; if that cannot be written, into a file, so that the run was not for nothing."""
    try:
        store.add(record)
    except UserError as error:
        file = settings.home / "not-stored" / f"{record.id}.json"
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.write_text(json.dumps(record.to_json()) + "\n", encoding="utf-8")
        except OSError:  # the disk is full: the store's own words say more
            raise error from None
        raise UserError(error.what, on=error.on, hint=f"the record lies in {file}") from error


def _observe(
    side: Side,
    name: str,
    request: RunRequest,
    *,
    plan: Plan,
    folder: Path,
    limits: Limits,
    progress: Progress,
) -> Observation:
    progress(f"{side} ({name})")
    observation = observe(
        side,
        name,
        plan=plan,
        inputs=request.inputs,
        options=request.options,
        folder=_fresh(folder, side),
        limits=limits,
    )
    rows = sum(stage.rows for stage in observation.stages)
    said = observation.fault.message if observation.fault else f"{rows} rows"
    progress(f"{side} ({name}): {said}, {observation.wall_seconds:.1f} s")
    return observation


def _ask_control_again(
    request: RunRequest, seen: Seen, settings: Settings, final: Sequence[str], progress: Progress
) -> tuple[str, ...]:
    """`stage.column` in which the control differs from itself; `stage` alone for rows."""
    if not mode(request.control).computes:
        return ()
    limits = _limits(settings)
    found: dict[str, None] = {}
    for number in range(settings.control_repeats):
        progress(f"asking the control again, {number + 1} of {settings.control_repeats}")
        folder = _fresh(seen.folder, f"again-{number}")
        again = _observe(
            "control",
            request.control,
            request,
            plan=seen.plan,
            folder=folder,
            limits=limits,
            progress=progress,
        )
        if again.fault is not None:
            found[f"a second run, which failed: {again.fault.message}"] = None
            break
        twice = Seen(seen.started, seen.plan, seen.control, again, seen.fingerprint, False, folder)
        diffs, fault = compare_stages(
            twice,
            final,
            settings,
            limits,
            _fresh(folder, "comparison"),
            control=seen.folder / "control",
            candidate=folder / "control",
        )
        if fault is not None:
            break
        for diff in diffs:
            if diff.missing_rows or diff.extra_rows:
                found[diff.stage] = None
            found |= {f"{diff.stage}.{c.name}": None for c in diff.columns if c.differing}
    return tuple(found)


def _fresh(folder: Path, name: str) -> Path:
    """A new folder below another; numbered if the name is taken."""
    place = folder / name
    number = 1
    while place.exists():
        number += 1
        place = folder / f"{name}-{number}"
    place.mkdir(mode=0o700, parents=True)
    return place


def _limits(settings: Settings) -> Limits:
    return Limits(
        seconds=settings.time_limit,
        memory_bytes=settings.in_bytes(settings.memory_limit),
        disk_bytes=settings.in_bytes(settings.disk_limit),
        threads=settings.threads,
    )


def _makers(provider: Provider) -> dict[str, Any]:
    registered = registry().registered[provider.name]
    versions = {}
    for name in ("pyarrow", "datacompy", "polars", "duckdb", "sqlglot"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "shadowagg": __version__,
        registered.distribution: registered.version,
        "rules": provider.rules_version,
        "python": platform.python_version(),
        **versions,
    }
