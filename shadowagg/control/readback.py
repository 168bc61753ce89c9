"""Control mode `readback`: the rows that the production run has just written, read by window.

Published tables of PostgreSQL come by `COPY` in one snapshot, final tables of Hive from their Parquet, or
through Trino where the lake cannot be reached. Rows that later steps wrote are left aside
(`RowSetSpec.read_back`). Nothing is written anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from shadowagg.control.hive_rows import WindowRows, hive_files
from shadowagg.control.older import as_text, older_than
from shadowagg.control.postgres_window import PostgresWindow, SideTable
from shadowagg.errors import InputUnreadable, UserError
from shadowagg.paths import PathRequest, StageTable
from shadowagg.postgres_rows import snapshot
from shadowagg.provider import Stage, StampsRuns
from shadowagg.servers import TrinoServer

__all__ = ["Readback"]


@dataclass
class _Seen:
    """What was learnt on the way."""

    engine: dict[str, Any] = field(default_factory=dict)
    written: dict[str, int | None] = field(default_factory=dict)
    left_aside: dict[str, int] = field(default_factory=dict)
    side_tables: list[SideTable] = field(default_factory=list)
    older_than: tuple[str, ...] = ()

    def add(self, stage: Stage, rows: WindowRows, *, came: str) -> None:
        """Rows of a stage, and how they came."""
        home = stage.spec.home
        self.engine.setdefault("read", {})[f"{home}.{stage.spec.table}"] = came
        self.left_aside[f"{home}.{stage.spec.table}"] = rows.left_aside
        self.note(home, rows.written)

    def note(self, name: str, moment: int | None) -> None:
        """A moment when some rows were written; the earliest counts, one is better than none."""
        moments = [m for m in (self.written.get(name), moment) if m is not None]
        self.written[name] = min(moments, default=None)


class Readback:
    """The rows of a window as they stand.

    Options of a request: `schema`, the tenant's, if it is not the window's; `hive_location`, a folder
    or URI with `{schema}`, `{account}` and `{table}`: where Hive tables lie. Servers are those that
    the environment names.
    """

    def __init__(self) -> None:
        self._seen = _Seen()

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """The final stages, each cut to the window's source, days and `read_back` rows.

        Raises:
            UserError: if it is not said where a table lies, or a server does not let us in.
            InputUnreadable: if a table is not there, or cannot be read.
            RowSetInvalid: if it is not as specified.
        """
        stages = [stage for stage in request.provider.stages if stage.spec.home != "inner"]
        begin = time.perf_counter()
        of_postgres = self._postgres(request, [s for s in stages if s.spec.home == "postgres"])
        for stage in stages:
            if stage.spec.home == "postgres":
                rows = of_postgres.pop(stage.name)
            else:
                rows = self._hive(request, stage)
            yield StageTable(stage.name, rows.table, time.perf_counter() - begin)
            begin = time.perf_counter()
        # Last: an input that arrives while rows are read is later than they are.
        self._seen.older_than = tuple(
            older_than(
                self._seen.written,
                request.provider.inputs,
                request.inputs,
                request.plan.window,
                self._seen.side_tables,
            )
        )

    def engine(self) -> Mapping[str, Any]:
        """Where rows came from, when they were written, and how many belong to others."""
        undated = [
            side.name
            for side in self._seen.side_tables
            if side.changed is None and side.after_rows is None
        ]
        return {
            "pyarrow": pa.__version__,
            **self._seen.engine,
            "rows_left_aside": dict(self._seen.left_aside),
            "written": {
                name: as_text(moment) if moment is not None else "unknown"
                for name, moment in self._seen.written.items()
            },
            **({"side_tables_without_date": undated} if undated else {}),
        }

    def older_than(self) -> tuple[str, ...]:
        """See `paths.ReadsKeptRows`."""
        return self._seen.older_than

    def _postgres(self, request: PathRequest, stages: list[Stage]) -> dict[str, WindowRows]:
        """All at once: the snapshot is given back before anything else is done."""
        provider, window = request.provider, request.plan.window
        stamp = provider.run_stamp(window) if isinstance(provider, StampsRuns) else None
        if not stages and stamp is None:
            return {}
        rows = {}
        with snapshot() as connection:
            tenant = PostgresWindow(connection, _schema(request), window)
            for stage in stages:
                rows[stage.name] = tenant.rows(stage.spec)
                self._seen.add(stage, rows[stage.name], came="copy")
            if stamp is not None:
                self._seen.note("postgres", tenant.stamp(stamp))
            self._seen.side_tables = tenant.side_tables(
                table.name for table in provider.inputs if table.home == "postgres"
            )
            self._seen.engine["postgresql"] = connection.info.parameter_status("server_version")
        return rows

    def _hive(self, request: PathRequest, stage: Stage) -> WindowRows:
        spec, window = stage.spec, request.plan.window
        location = str((request.options or {}).get("hive_location") or "")
        files = hive_files(spec, window, _schema(request), request.inputs, location)
        problem = files.reachable() if files is not None else "nobody says where its files lie"
        if files is not None and not problem:
            rows = files.read(request.threads)
            self._seen.add(stage, rows, came=f"files below {files.folder}")
            return rows
        try:
            server = TrinoServer.from_environment()
        except UserError:
            error = UserError if files is None else InputUnreadable
            raise error(
                problem,
                on=files.folder if files is not None else f"Hive table {spec.table}",
                hint="set SHADOWAGG_HIVE_LOCATION, or TRINO_HOST to read it through Trino",
            ) from None
        try:
            from shadowagg.control.hive_through_trino import read_through_trino
        except ModuleNotFoundError as missing:
            raise UserError(
                f"package {missing.name} is not installed",
                on="mode readback through Trino",
                hint="pip install 'shadowagg[trino]'",
            ) from None
        rows, query = read_through_trino(server, _schema(request), spec, window)
        self._seen.add(stage, rows, came=f"Trino, query {query} ({problem})")
        return rows


def _schema(request: PathRequest) -> str:
    return str((request.options or {}).get("schema") or request.plan.window.schema)
