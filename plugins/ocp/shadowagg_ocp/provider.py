"""OpenShift: the stages in order, one line each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.condition import where
from shadowagg.hookspecs import hookimpl
from shadowagg.inputs import Inputs
from shadowagg.plan import Plan, Turn, make_plan
from shadowagg.production import Production
from shadowagg.provider import CONTRACT_VERSION, InputTable, Provider, RunStamp, Stage
from shadowagg.rowset import RowSetSpec
from shadowagg.window import Window
from shadowagg_ocp import inputs as tables
from shadowagg_ocp import rowsets
from shadowagg_ocp.production import PRODUCTION

if TYPE_CHECKING:
    from shadowagg.scenario import Scenario

__all__ = ["OCP", "shadowagg_register_providers"]


def _stage(spec: RowSetSpec, **options: Any) -> Stage:
    name = spec.name.partition(":")[2]
    return Stage(
        name=name,
        spec=spec,
        candidate=f"shadowagg_ocp.candidate.{name}:{name}",
        control=f"shadowagg_ocp:control/{name}.sql",
        **options,
    )


@dataclass(frozen=True)
class OpenShift:
    """OpenShift usage to the daily summary (`ocp.md` 1-4, 5.9 tag mapping, 6)."""

    name: str = "ocp"
    aliases: tuple[str, ...] = ("OCP",)
    contract_version: int = CONTRACT_VERSION
    rules_version: str = "2026.11-1"
    needs: tuple[str, ...] = ()
    pipeline: str = "OCPPipeline"
    subwindows_independent: bool = True
    inputs: tuple[InputTable, ...] = tables.INPUTS
    stages: tuple[Stage, ...] = (
        _stage(rowsets.PODS),
        _stage(rowsets.STORAGE, only_with=(tables.STORAGE.name,)),
        _stage(rowsets.UNALLOCATED, reads=("pods",)),
        _stage(rowsets.STAGING, reads=("pods", "storage", "unallocated"), final=True),
        _stage(rowsets.DAILY_SUMMARY, reads=("staging",), final=True),
    )
    production: Production = PRODUCTION

    def windows(self, scenario: Scenario) -> Sequence[Window]:
        """One window per cluster: production runs OpenShift for each by itself."""
        return [
            Window(
                schema=scenario.schema,
                provider=self.name,
                source_uuid=cluster.source_uuid,
                clusters=(cluster,),
                start=scenario.start,
                end=scenario.end,
            )
            for cluster in scenario.clusters
        ]

    def plan(self, window: Window, inputs: Inputs) -> Plan:
        """Production's sub-windows, from the first day that has pod rows (`ocp.md` 3.0-1, 3.0-5)."""
        # pyarrow.parquet is imported only where files are really read.
        from shadowagg.candidate.source import Source

        first = Source(inputs, window).earliest(tables.PODS)
        return make_plan(window, first_day_with_data=first)

    def control_parameters(self, turn: Turn) -> Mapping[str, Any]:
        """The parameters of `ocp.md` 2, under their names there."""
        window, cluster = turn.window, turn.window.cluster
        return {
            "source": window.source_uuid,
            "year": window.year,
            "month": window.month,
            "start_date": turn.start,
            "end_date": turn.end,
            "report_period_id": cluster.report_period_id,
            "cluster_id": cluster.cluster_id,
            "cluster_alias": cluster.cluster_alias,
        }

    def run_stamp(self, window: Window) -> RunStamp:
        """The report period's moment, set at the end of every run (`ocp.md` 3.0-8)."""
        period = window.cluster.report_period_id
        first_day = dt.datetime(window.start.year, window.start.month, 1, tzinfo=dt.UTC)
        return RunStamp(
            table="reporting_ocpusagereportperiod",
            column="summary_data_updated_datetime",
            rows=where(("id", "=", period))
            if period is not None
            else where(
                ("provider_id", "=", window.source_uuid), ("report_period_start", "=", first_day)
            ),
        )

    def generate(self, folder: Path, *, seed: int, rows: int, days: int) -> None:
        """A seeded OpenShift month."""
        from shadowagg_ocp.generate import generate

        generate(folder, seed=seed, rows=rows, days=days)


OCP: Provider = OpenShift()


@hookimpl
def shadowagg_register_providers(register: Callable[[Provider], None]) -> None:
    """Register the provider `ocp`."""
    register(OCP)
