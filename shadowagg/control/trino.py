"""The control mode `trino`: the control's own SQL on a Trino server, in a scratch schema.

Inputs are tables over the real files (`scratch_inputs`), each stage is a table made by Trino from the
provider's SELECT, sub-window after sub-window, as production writes. Nothing lies outside of the
scratch schema, and of that nothing is left.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlglot  # imported with the control that needs it, never with the package
from sqlglot import exp

from shadowagg.control import trino_rows
from shadowagg.control.dialect import bind, parse_select
from shadowagg.control.scratch import Scratch, open_scratch, quoted
from shadowagg.control.scratch_inputs import Provided, provide
from shadowagg.control.scratch_prune import prune
from shadowagg.control.trino_refusal import meaning
from shadowagg.control.trino_session import QueryFailed, QueryStats, TrinoSession, require_trino
from shadowagg.errors import InputRefused, RowSetInvalid, ServerFailed, ShadowaggError
from shadowagg.paths import PathRequest, StageTable
from shadowagg.plan import Turn
from shadowagg.provider import Stage
from shadowagg.servers import TrinoServer

__all__ = ["Trino", "on_trino"]

_LOG = logging.getLogger("shadowagg")


class Trino:
    """The control's SQL on the server that the environment names (`servers.TrinoServer`)."""

    mode = "trino"
    stand_in = False

    def __init__(self) -> None:
        require_trino()
        self._version = ""
        self._queries: list[QueryStats] = []
        self._read_through = ""

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """Yield the stages in the provider's order, each over the whole window (`paths`).

        Raises:
            InputRefused: where the inputs, or a statement over them, show what production refuses.
            InputUnreadable: naming the file.
            RowSetInvalid: for a statement whose columns are not those of its stage.
            ServerFailed: if a server cannot be reached, is lost, or stops at a limit.
            UserError: if the environment names no server, or one that does not admit us.
        """
        server = TrinoServer.from_environment()
        with TrinoSession(server, source="shadowagg", seconds=request.seconds) as session:
            self._queries = session.queries
            self._version = session.connect()
            prune(session)
            with open_scratch(session) as scratch:
                session.source = scratch.name
                run = _Run(scratch, request)
                yield from run.stages()
                self._read_through = "client" if run.folder is None else "files"

    def engine(self) -> Mapping[str, Any]:
        """The server's version; id, CPU time, memory and bytes read of each query of a stage."""
        stages: dict[str, list[dict[str, Any]]] = {}
        for query in self._queries:
            if query.purpose != "scratch":
                stages.setdefault(query.purpose, []).append(query.to_json())
        return {
            "trino": self._version,
            "rows_read_through": self._read_through,
            "cpu_seconds": round(sum(query.cpu_seconds for query in self._queries), 3),
            "peak_memory_bytes": max((q.peak_memory_bytes for q in self._queries), default=0),
            "scanned_bytes": sum(query.scanned_bytes for query in self._queries),
            "queries": stages,
        }


@dataclass
class _Run:
    """One run in its scratch schema."""

    scratch: Scratch
    request: PathRequest
    folder: Path | None = None
    """Where Trino writes the stages' files and we read them; None where one of us cannot."""
    _done: list[Stage] = field(default_factory=list)

    def stages(self) -> Iterator[StageTable]:
        request, session = self.request, self.scratch.session
        # All of them first: a mistake in the last .sql file shows before an hour of work.
        selects = {
            stage.name: parse_select(stage.control_sql(), on=f"control of {stage.spec.name}")
            for stage in request.provider.stages
        }
        provided = provide(
            self.scratch, request.provider.inputs, request.inputs, request.plan.window
        )
        self.folder = self._shared_folder()
        for stage in request.provider.stages:
            started = time.perf_counter()
            session.purpose = stage.name
            try:
                self._create(stage)
                if provided.existing.issuperset(stage.only_with):
                    self._fill(stage, selects[stage.name], provided)
                table = self._rows(stage)
            except ShadowaggError as error:
                error.stage = stage.name
                raise
            self._done.append(stage)
            yield StageTable(stage.name, table, time.perf_counter() - started)

    def _shared_folder(self) -> Path | None:
        """A folder that Trino can write and we can read, tried out; None if there is none."""
        scratch = self.scratch
        if scratch.lake is None:
            return None
        probe = scratch.hive("probe")
        with contextlib.suppress(QueryFailed, ShadowaggError, OSError, pa.ArrowException):
            folder = scratch.folder("stages", "probe")
            scratch.session.run(f"CREATE TABLE {probe} (x integer) WITH {self._at(folder)}")
            scratch.session.run(f"INSERT INTO {probe} VALUES 1")  # noqa: S608 - quoted
            if any(file.read_bytes()[:4] == b"PAR1" for file in folder.iterdir()):
                return folder.parent
        _LOG.info("stages are read through the client", extra={"lake": scratch.lake.folder})
        return None

    def _at(self, folder: Path | None) -> str:
        """The properties of a table whose files lie in a folder, or where Trino keeps its own."""
        if folder is None:
            return "(format = 'PARQUET')"
        place = exp.Literal.string(self.scratch.address(folder)).sql(dialect="trino")
        return f"(format = 'PARQUET', external_location = {place})"

    def _create(self, stage: Stage) -> None:
        place = self.scratch.folder("stages", stage.name) if self.folder is not None else None
        columns = ", ".join(
            f"{quoted(column.name)} {trino_rows.kept_as(column.type)[0]}"
            for column in stage.spec.columns
        )
        with _ours(stage):
            self.scratch.session.run(
                f"CREATE TABLE {self.scratch.hive(stage.name)} ({columns}) WITH {self._at(place)}"
            )

    def _fill(self, stage: Stage, select: exp.Select, provided: Provided) -> None:
        kept = ", ".join(
            trino_rows.kept_as(column.type)[1].format(quoted(column.name))
            for column in stage.spec.columns
        )
        into = self.scratch.hive(stage.name)
        checked = False
        for turn in stage.turns(self.request.plan):
            on = f"control of {stage.spec.name}"
            parameters = self.request.provider.control_parameters(turn)
            statement = on_trino(self._placed(bind(select, parameters, on=on)))
            with self._refusing(stage, turn, select, provided):
                if not checked:
                    self._check_columns(stage, statement)
                    checked = True
                self.scratch.session.run(
                    f"INSERT INTO {into} SELECT {kept} FROM ({statement})"  # noqa: S608 - parsed
                )

    def _placed(self, select: exp.Select) -> exp.Select:
        """The statement with the qualified name of each input and each earlier stage."""
        places: dict[str, exp.Table | exp.Subquery] = {}
        for table in self.request.provider.inputs:
            catalog = "postgres" if table.home == "postgres" else "hive"
            places[table.name] = self._table(catalog, table.name)
        for stage in self._done:
            text = trino_rows.restored(stage.spec, self.scratch.hive(stage.name))
            places[stage.name] = (
                self._table("hive", stage.name)
                if text is None
                else exp.Subquery(this=sqlglot.parse_one(text, read="trino"))
            )
        own = {cte.alias.lower() for cte in select.find_all(exp.CTE)}
        for named in list(select.find_all(exp.Table)):
            if named.name in places and named.name.lower() not in own and not named.db:
                placed = places[named.name].copy()
                placed.set("alias", exp.TableAlias(this=exp.to_identifier(named.alias_or_name)))
                named.replace(placed)
        return select

    def _table(self, catalog: str, name: str) -> exp.Table:
        return exp.table_(name, db=self.scratch.name, catalog=catalog, quoted=True)

    def _check_columns(self, stage: Stage, statement: str) -> None:
        """Names, order and types: an INSERT would take other columns by position, and convert."""
        found = [(n, _plain(type_)) for n, type_ in self.scratch.session.describe(statement)]
        expected = [(column.name, _plain(column.type.trino)) for column in stage.spec.columns]
        if found != expected:
            raise RowSetInvalid(
                f"the control's SELECT gives {sorted(set(found) - set(expected))},"
                f" specified {sorted(set(expected) - set(found))}, or another order",
                on=f"row set {stage.spec.name}",
                hint="make the .sql file give the columns of the specification, in its order",
            )

    @contextlib.contextmanager
    def _refusing(
        self, stage: Stage, turn: Turn, select: exp.Select, provided: Provided
    ) -> Iterator[None]:
        try:
            yield
        except QueryFailed as error:
            on = f"{turn.window}, stage {stage.name}, {turn.start}..{turn.end}"
            found = _absent_column(error, provided.absent)
            if found is not None:
                table, column = found
                raise InputRefused(
                    f"no file of the table has the column {column} (COLUMN_NOT_FOUND)",
                    on=f"{self.request.plan.window}, table {table}",
                    hint="a column may be missing in some files, where it is NULL, not in all",
                ) from None
            said = meaning(error, select, on=on)
            if not isinstance(said, InputRefused):
                # Either a file is broken, and then it is named, or Trino is.
                provided.check_readable(self.request.provider.inputs)
            # Not `from error`: its message quotes values of rows.
            raise said from None

    def _rows(self, stage: Stage) -> pa.Table:
        if self.folder is not None:
            return trino_rows.read_files(stage.spec, self.folder / stage.name)
        name = self.scratch.hive(stage.name)
        with _ours(stage):
            return trino_rows.read_rows(stage.spec, self.scratch.session, name)


@contextlib.contextmanager
def _ours(stage: Stage) -> Iterator[None]:
    """A statement that has nothing of the input in it: if it fails, the server is not as it must be."""
    try:
        yield
    except QueryFailed as error:
        raise ServerFailed(
            f"Trino does not keep the stage: {error.name}, query {error.query}",
            on=f"stage {stage.name}",
            hint="the catalog hive must take new tables; look at the server's log",
        ) from None


def on_trino(select: exp.Expression) -> str:
    """A statement as text for Trino."""
    return str(select.sql(dialect="trino", comments=False))


def _plain(type_: str) -> str:
    return type_.replace(" ", "").lower()


def _absent_column(
    error: QueryFailed, absent: Mapping[str, frozenset[str]]
) -> tuple[str, str] | None:
    """The table and the column that a statement looked for in vain, if no file has it."""
    if error.name != "COLUMN_NOT_FOUND":
        return None
    words: Sequence[str] = error.message.replace("'", " ").replace(".", " ").split()
    for table, columns in absent.items():
        for column in sorted(columns):
            if column in words:
                return table, column
    return None
