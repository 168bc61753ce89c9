"""Sales per day and shop: the smallest provider that has everything a provider needs."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

import pyarrow as pa

from shadowagg import (
    CONTRACT_VERSION,
    Cluster,
    Column,
    InputColumn,
    InputTable,
    Role,
    RowKind,
    RowSetSpec,
    Stage,
    Window,
    hookimpl,
    make_plan,
)
from shadowagg.rowset import DATE, DOUBLE, TEXT, WORKING_DOUBLE
from shadowagg.testing import Partition, write_scenario

SALES = InputTable(
    name="sales",
    home="lake",
    time="sold_at",
    columns=(
        InputColumn("sold_at", "time"),
        InputColumn("shop", "text"),
        InputColumn("amount", "double", "EUR"),
    ),
)

TURNOVER = RowSetSpec(
    name="toy:turnover",
    table="turnover",
    home="hive",
    day="day",
    group="shop",
    source="source",
    kinds=(RowKind("shop", ("source", "day", "shop")),),
    columns=(
        Column("source", TEXT),
        Column("day", DATE),
        Column("shop", TEXT),
        Column("amount", DOUBLE, Role.MEASURE, WORKING_DOUBLE),
    ),
)


@dataclass(frozen=True)
class Toy:
    name: str = "toy"
    aliases: tuple[str, ...] = ("TOY",)
    contract_version: int = CONTRACT_VERSION
    rules_version: str = "1"
    needs: tuple[str, ...] = ()
    pipeline: str = ""
    subwindows_independent: bool = True
    inputs: tuple[InputTable, ...] = (SALES,)
    stages: tuple[Stage, ...] = (
        Stage(
            name="turnover",
            spec=TURNOVER,
            candidate="shadowagg_toy.candidate:turnover",
            control="shadowagg_toy:turnover.sql",
            final=True,
        ),
    )

    def windows(self, scenario):
        if scenario.provider not in self.aliases:
            return []
        return [
            Window(
                schema=scenario.schema,
                provider=self.name,
                source_uuid=cluster.source_uuid,
                clusters=(cluster,),
                start=scenario.start,
                end=scenario.end,
                parameters=scenario.document.get("parameters", {}),
            )
            for cluster in scenario.clusters
        ]

    def plan(self, window, inputs):
        return make_plan(window)

    def control_parameters(self, turn):
        return {
            "source": turn.window.source_uuid,
            "start_date": turn.start,
            "end_date": turn.end,
        }

    def generate(self, folder, *, seed, rows, days, **document):
        choose = random.Random(seed)
        source = "00000000-0000-0000-0000-0000000000aa"
        start = dt.date(2025, 3, 1)
        moments = [
            dt.datetime(2025, 3, 1 + choose.randrange(days), choose.randrange(24), tzinfo=dt.UTC)
            for _ in range(rows)
        ]
        sales = pa.table(
            {
                "sold_at": pa.array(moments, pa.timestamp("ms", "UTC")),
                "shop": [choose.choice(["north", "south", None, ""]) for _ in range(rows)],
                "amount": [round(choose.random() * 100, 2) for _ in range(rows)],
            }
        )
        return write_scenario(
            folder,
            name="toy",
            provider="TOY",
            schema="org1",
            start=start,
            end=start + dt.timedelta(days=days - 1),
            clusters=[Cluster(source, "shop-floor")],
            lake={"sales": [(Partition(source, 2025, 3), sales)]},
            side={},
            document=document,
        )


@hookimpl
def shadowagg_register_providers(register):
    register(Toy())
