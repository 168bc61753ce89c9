"""The demonstration: generated data, both paths, then the same rows with one fault injected."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shadowagg.discovery import registry
from shadowagg.errors import UserError
from shadowagg.fence import private_folder
from shadowagg.record import Record
from shadowagg.runner import RunRequest, conclude, look
from shadowagg.scenario import load_scenario
from shadowagg.settings import Settings
from shadowagg.store import open_store
from shadowagg.testing.fault import inject_fault
from shadowagg.verdict import Verdict

__all__ = ["DemoResult", "run_demo"]


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration showed.

    Args:
        records: per provider and window a clean run and one with a fault.
        notes: record id -> what was injected.
        complaint: what did not go as it should; empty if all did.
    """

    records: tuple[Record, ...]
    notes: Mapping[str, str]
    complaint: str

    @property
    def good(self) -> bool:
        """Whether the clean runs matched and every fault was found."""
        return not self.complaint


def run_demo(
    out: Path,
    settings: Settings,
    *,
    provider: str | None,
    seed: int,
    rows: int,
    days: int,
    progress: Callable[[str], None],
) -> DemoResult:
    """Generate, run, inject, run again.

    Args:
        out: where data, store and page go.
        settings: of the runs.
        provider: only this one.
        seed: of the data and of the fault.
        rows: main rows to generate.
        days: days to generate.
        progress: is told what happens.
    """
    found = registry()
    providers = (found.provider(provider),) if provider else found.providers
    if not providers:
        raise UserError("no provider is installed", on="demo", hint="see `shadowagg providers`")
    store = open_store(settings.store, schema=settings.store_schema)
    records: list[Record] = []
    notes: dict[str, str] = {}
    complaints: list[str] = []
    for one in providers:
        progress(f"{one.name}: generating {rows} rows over {days} days")
        folder = out / "data" / one.name
        one.generate(folder, seed=seed, rows=rows, days=days)
        scenario = load_scenario(folder)
        for window in one.windows(scenario):
            request = RunRequest(
                window=window,
                inputs=scenario.inputs(one.inputs),
                control="embedded",
                scenario=scenario.name,
                command=f"shadowagg run --scenario {folder} --provider {one.name}"
                " --control embedded",
            )
            with private_folder() as place:
                seen = look(request, settings, place, progress)
                clean = conclude(request, seen, settings, store=store, progress=progress)
                records.append(clean)
                if clean.judgement.verdict is not Verdict.MATCH:
                    complaints.append(f"{window}: {clean.judgement.reason}")
                    continue
                spec = next(s.spec for s in reversed(one.stages) if s.final and s.spec.measures)
                copy = place / "faulty"
                copy.mkdir()
                shutil.copytree(place / "control", copy / "control")
                shutil.copytree(place / "candidate", copy / "candidate")
                note = inject_fault(copy / "candidate", spec, seed=seed)
                faulty_request = dataclasses.replace(
                    request, scenario=f"{scenario.name}, with a fault"
                )
                faulty = conclude(
                    faulty_request,
                    dataclasses.replace(seen, folder=copy),
                    settings.model_copy(update={"control_repeats": 0}),
                    store=store,
                    progress=progress,
                )
                records.append(faulty)
                notes[faulty.id] = note
                if faulty.judgement.verdict is not Verdict.MISMATCH:
                    complaints.append(f"{window}: the injected fault was not found")
    return DemoResult(tuple(records), notes, "; ".join(complaints))
