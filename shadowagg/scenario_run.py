"""Run a scenario with every provider that it concerns, and say what nobody looked at."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shadowagg.control.recorded import recorded_folder
from shadowagg.discovery import registry
from shadowagg.errors import UserError
from shadowagg.paths import CANDIDATE
from shadowagg.provider import Provider
from shadowagg.record import Record
from shadowagg.runner import RunRequest, shadow_run
from shadowagg.scenario import Scenario
from shadowagg.settings import Settings
from shadowagg.verdict import exit_code

if TYPE_CHECKING:
    from shadowagg.store import Store

__all__ = ["ScenarioResult", "concerned", "not_covered", "run_scenario"]


@dataclass(frozen=True)
class ScenarioResult:
    """What came of a scenario.

    Args:
        scenario: its name.
        records: one per provider and window, in order.
        not_covered: tables with recorded rows that none of the providers run specifies, as
            `folder/table` below `expected`.
        missing_provider: what production calls the scenario's provider, if none is installed for it.
    """

    scenario: str
    records: tuple[Record, ...]
    not_covered: tuple[str, ...]
    missing_provider: str = ""

    @property
    def exit_code(self) -> int:
        """Of all verdicts; 4 if there is none."""
        return exit_code([record.judgement.verdict for record in self.records])

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `--json` writes them."""
        return {
            "scenario": self.scenario,
            "exit_code": self.exit_code,
            "verdicts": [str(record.judgement.verdict) for record in self.records],
            "rows_compared": {
                f"{record.plan.window.provider}:{diff.stage}": sum(
                    max(other.control_rows, other.candidate_rows)
                    for same in self.records
                    for other in same.diffs
                    if same.plan.window.provider == record.plan.window.provider
                    and other.stage == diff.stage
                )
                for record in self.records
                for diff in record.diffs
            },
            "not_covered": list(self.not_covered),
            "missing_provider": self.missing_provider,
            "records": [record.to_json() for record in self.records],
        }


def concerned(scenario: Scenario, provider: str | None = None) -> tuple[Provider, ...]:
    """The providers that compute something in a scenario, in order; one if it is named.

    Raises:
        UserError: if the provider named is not installed, or computes nothing there.
    """
    if provider is not None:
        chosen = registry().provider(provider)
        if not chosen.windows(scenario):
            raise UserError(
                f"provider {chosen.name} computes nothing there",
                on=f"scenario {scenario.name}",
                hint="leave --provider out",
            )
        return (chosen,)
    return tuple(p for p in registry().providers if p.windows(scenario))


def not_covered(scenario: Scenario, providers: tuple[Provider, ...]) -> tuple[str, ...]:
    """Recorded tables that none of these providers specifies: never passed over in silence."""
    if scenario.expected is None:
        return ()
    covered = {
        f"{recorded_folder(scenario.expected, p.name, stage.spec).name}/{stage.spec.table}"
        for p in providers
        for stage in p.stages
        if stage.spec.home != "inner"
    }
    return tuple(table for table in scenario.expected_tables() if table not in covered)


def run_scenario(
    scenario: Scenario,
    settings: Settings,
    *,
    provider: str | None = None,
    control: str | None = None,
    candidate: str = CANDIDATE,
    options: Mapping[str, str] | None = None,
    all_stages: bool = False,
    store: Store | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ScenarioResult:
    """Every window of every provider concerned, in order.

    Args:
        scenario: what to run.
        settings: limits and places.
        provider: only this one.
        control: control mode; by default `recorded` where rows were recorded, else `embedded`.
        candidate: `pyarrow`, or a control mode in its place.
        options: of the modes, by the names that `shadowagg run` has for them (`schema`, …); empty
            ones count as not given.
        all_stages: compare inner stages too.
        store: keeps the records.
        progress: is told what happens, a line at a time.
    """
    providers = concerned(scenario, provider)
    chosen = control or ("recorded" if scenario.expected else "embedded")
    told = {"templates": settings.templates, **(options or {})}
    given = {name: value for name, value in told.items() if value}
    records = []
    for one in providers:
        for window in one.windows(scenario):
            progress(str(window))
            request = RunRequest(
                window=window,
                inputs=scenario.inputs(one.inputs),
                control=chosen,
                candidate=candidate,
                options={"expected": str(scenario.folder.resolve() / "expected"), **given},
                all_stages=all_stages,
                scenario=scenario.name,
                command=_command(scenario, one.name, chosen, candidate, given),
            )
            records.append(shadow_run(request, settings, store=store, progress=progress))
    known = any(scenario.provider in (p.name, *p.aliases) for p in registry().providers)
    return ScenarioResult(
        scenario=scenario.name,
        records=tuple(records),
        not_covered=not_covered(scenario, providers),
        missing_provider="" if known else scenario.provider,
    )


def _command(
    scenario: Scenario, provider: str, control: str, candidate: str, options: Mapping[str, str]
) -> str:
    words = ["shadowagg", "run", "--scenario", str(scenario.folder), "--provider", provider]
    words += ["--control", control]
    if candidate != CANDIDATE:
        words += ["--candidate", candidate]
    for name, value in options.items():
        if name != "templates" or "production" in {control, candidate}:
            words += [f"--{name.replace('_', '-')}", value]
    window = scenario.document["window"]
    if (scenario.start.isoformat(), scenario.end.isoformat()) != (window["start"], window["end"]):
        words += ["--from", scenario.start.isoformat(), "--to", scenario.end.isoformat()]
    return shlex.join(words)
