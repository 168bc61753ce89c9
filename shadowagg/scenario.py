"""A scenario: a folder with a window, its inputs and, where they were kept, the expected rows.

::

    scenario.json                    window, schema, provider, clusters, parameters
    inputs/<table>/source=…/year=…/month=…/*.parquet
    inputs_postgres/<table>.parquet
    expected/{hive,postgres}/<table>.parquet      for the control mode `recorded`
    expected/postgres_after_<provider>/…          what stood there before later steps changed it

A scenario saved from a mismatch has the addresses of its inputs (`inputs_at`) instead of copies.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.errors import UserError
from shadowagg.inputs import Inputs
from shadowagg.window import Cluster, parse_day

if TYPE_CHECKING:
    from shadowagg.provider import InputTable

__all__ = ["Scenario", "load_scenario"]


@dataclass(frozen=True)
class Scenario:
    """What `scenario.json` says, and where the folder's parts lie.

    Args:
        folder: the scenario's folder.
        name: for reports.
        provider: what production calls the provider (an alias); providers decide what concerns them.
        schema: the tenant's schema.
        start: first day of the scenario's window.
        end: last day, included.
        clusters: in order.
        document: the whole of `scenario.json`, for what only a provider understands.
    """

    folder: Path
    name: str
    provider: str
    schema: str
    start: dt.date
    end: dt.date
    clusters: tuple[Cluster, ...]
    document: Mapping[str, Any]

    def inputs(self, tables: Iterable[InputTable] = ()) -> Inputs:
        """The addresses of its inputs.

        Args:
            tables: those of the provider that is to read them; a table may lie in a folder of its own
                (`InputTable.scenario_folder`).
        """
        if "inputs_at" in self.document:
            return Inputs.from_json(self.document["inputs_at"])
        folder = self.folder.resolve()
        side_at = {
            table.name: str(folder / table.scenario_folder / f"{table.name}.parquet")
            for table in tables
            if table.scenario_folder and self._holds(table)
        }
        return Inputs(
            lake=str(folder / "inputs"), side=str(folder / "inputs_postgres"), side_at=side_at
        )

    def _holds(self, table: InputTable) -> bool:
        """Whether the table's own folder counts; a scenario without such a folder has one for all."""
        if table.scenario_flag:
            return bool(self.document.get(table.scenario_flag))
        return (self.folder / table.scenario_folder).is_dir()

    @property
    def expected(self) -> Path | None:
        """The folder of recorded rows, if the scenario has one."""
        folder = self.folder / "expected"
        return folder if folder.is_dir() else None

    def expected_tables(self) -> tuple[str, ...]:
        """Every recorded table as `home/table`, by name; `home` is the folder's name."""
        if self.expected is None:
            return ()
        return tuple(
            f"{path.parent.name}/{path.stem}" for path in sorted(self.expected.glob("*/*.parquet"))
        )


def load_scenario(
    path: Path, *, start: dt.date | None = None, end: dt.date | None = None
) -> Scenario:
    """Read a scenario's folder, or its `scenario.json`.

    Args:
        path: folder or file.
        start: another first day than the scenario's.
        end: another last day than the scenario's.

    Raises:
        UserError: if it is no scenario, naming what is missing.
    """
    file = path / "scenario.json" if path.is_dir() or not path.suffix else path
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return Scenario(
            folder=file.parent,
            name=str(document.get("name", file.parent.name)),
            provider=str(document["provider"]),
            schema=str(document["schema"]),
            start=start or parse_day(document["window"]["start"]),
            end=end or parse_day(document["window"]["end"]),
            clusters=tuple(
                Cluster(
                    source_uuid=cluster["source_uuid"],
                    cluster_id=cluster["cluster_id"],
                    cluster_alias=cluster.get("cluster_alias"),
                    report_period_id=cluster.get("report_period_id"),
                )
                for cluster in document["clusters"]
            ),
            document=document,
        )
    except FileNotFoundError:
        raise UserError(
            "no scenario.json there",
            on=str(path),
            hint="name a scenario's folder or its scenario.json",
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"not JSON: {error}", on=str(file), hint="repair the file") from None
    except (KeyError, TypeError) as error:
        raise UserError(
            f"field missing or of a wrong form: {error}",
            on=str(file),
            hint="docs/scenarios.md lists the fields",
        ) from None
