"""The control mode `embedded`: the control's own SQL on DuckDB, in this process.

A stand-in for Trino on a machine without one. It proves the candidate's logic; of production it says
nothing, and its records say so (`stand_in`).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.resources
import importlib.util
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp  # imported with the control that needs it, never with the package

from shadowagg.control.dialect import Translated, literal, quoted, translate
from shadowagg.control.refusal import reason
from shadowagg.control.tables import InputTables
from shadowagg.errors import InputRefused, InputUnreadable, RowSetInvalid
from shadowagg.paths import PathRequest, StageTable
from shadowagg.plan import Turn
from shadowagg.provider import Stage
from shadowagg.rowset import ColumnType, RowSetSpec

if TYPE_CHECKING:
    import duckdb

__all__ = ["Embedded", "connect"]


class Embedded:
    """The control's SQL, transpiled, stage after stage and sub-window after sub-window.

    Options of a request: `temp_directory`, a folder into which DuckDB may spill what does not fit
    into memory, without it none does; `memory_limit`, the bytes that it may hold. Objects of a store
    are copied below the folder for temporary files first, and removed at the end.
    """

    mode = "embedded"
    stand_in = True

    def __init__(self) -> None:
        # Asked now, not at the first window: `paths.open_path` says what to install.
        if importlib.util.find_spec("duckdb") is None:
            raise ModuleNotFoundError("No module named 'duckdb'", name="duckdb")

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """Yield the stages in the provider's order, each over the whole window (`paths`).

        Raises:
            InputRefused: where the inputs, or a statement over them, show what production refuses.
            InputUnreadable: naming the file.
            RowSetInvalid: for a statement whose columns are not those of its stage.
            MemoryError: where DuckDB runs out of it.
        """
        options = request.options or {}
        with (
            tempfile.TemporaryDirectory(prefix="shadowagg-lake-") as copies,
            connect(
                threads=request.threads,
                temp_directory=str(options.get("temp_directory", "")),
                memory_limit=int(options.get("memory_limit", 0)),
            ) as connection,
        ):
            yield from _Run(connection, request, Path(copies)).stages()

    def engine(self) -> Mapping[str, Any]:
        """Versions of what computed."""
        return {name: importlib.metadata.version(name) for name in ("duckdb", "sqlglot")}


@dataclass(frozen=True)
class _Run:
    """One run: a connection in which inputs are views and finished stages are tables."""

    connection: duckdb.DuckDBPyConnection
    request: PathRequest
    copies: Path

    def stages(self) -> Iterator[StageTable]:
        request = self.request
        selects = {
            stage.name: translate(stage.control_sql(), on=f"control of {stage.spec.name}")
            for stage in request.provider.stages
        }
        inputs = InputTables(
            self.connection,
            request.provider.inputs,
            request.inputs,
            request.plan.window,
            self.copies,
        )
        existing = inputs.register()
        self._lock(inputs.folders())
        waiting = list(selects)
        for stage in request.provider.stages:
            started = time.perf_counter()
            self._create(stage)
            if existing.issuperset(stage.only_with):
                self._fill(stage, selects[stage.name], inputs)
            table = self._rows(stage.spec, stage.name)
            waiting.remove(stage.name)
            self._drop_unread(selects, waiting)
            yield StageTable(stage.name, table, time.perf_counter() - started)

    def _lock(self, folders: Iterable[str]) -> None:
        """From here on, no file but in these folders, no network, no other setting."""
        self.connection.execute(
            f"SET allowed_directories = {literal(sorted(folders)).sql(dialect='duckdb')}"
        )
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def _create(self, stage: Stage) -> None:
        columns = ", ".join(
            f"{quoted(column.name)} {_duckdb_type(column.type)}" for column in stage.spec.columns
        )
        self.connection.execute(f"CREATE TABLE {quoted(stage.name)} ({columns})")

    def _fill(self, stage: Stage, select: Translated, inputs: InputTables) -> None:
        for turn in stage.turns(self.request.plan):
            parameters = self.request.provider.control_parameters(turn)
            values = select.values(parameters, on=f"control of {stage.spec.name}")
            with self._refusing(stage, turn, select.select, inputs):
                self._check_columns(stage.spec, select, values)
                self.connection.execute(f"INSERT INTO {quoted(stage.name)} {select.duckdb}", values)

    def _check_columns(
        self, spec: RowSetSpec, select: Translated, values: Mapping[str, Any]
    ) -> None:
        """Names, order and types: an INSERT would take other columns by position, and convert.

        Once per statement and process: inputs come with their declared types, whatever is in them.
        """
        expected = tuple((column.name, _duckdb_type(column.type)) for column in spec.columns)
        if (select.duckdb, expected) in _CHECKED:
            return
        empty = f"SELECT * FROM ({select.duckdb}) LIMIT 0"  # noqa: S608 - our own statement
        described = self.connection.execute(empty, values).description or []
        found = tuple((str(name), str(type_)) for name, type_, *_ in described)
        if found != expected:
            raise RowSetInvalid(
                f"the control's SELECT gives {sorted(set(found) - set(expected))},"
                f" specified {sorted(set(expected) - set(found))}, or another order",
                on=f"row set {spec.name}",
                hint="make the .sql file give the columns of the specification, in its order",
            )
        _CHECKED.add((select.duckdb, expected))

    @contextlib.contextmanager
    def _refusing(
        self, stage: Stage, turn: Turn, select: exp.Select, inputs: InputTables
    ) -> Iterator[None]:
        import duckdb  # heavy; only this control needs it

        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise MemoryError(f"{stage.spec.name}: {error}") from error
        except (
            duckdb.BinderException,
            duckdb.CatalogException,
            duckdb.InternalException,
            duckdb.NotImplementedException,
            duckdb.ParserException,
        ):
            raise  # the statement's fault, not the input's
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            # Either a file broke while it was read, and then it is named, or it is the rows.
            inputs.check()
            if not isinstance(error, (duckdb.DataError, duckdb.InvalidInputException)):
                raise InputUnreadable(
                    f"reading failed: {type(error).__name__}",
                    on=f"{turn.window}, stage {stage.name}",
                    hint="look whether the inputs are being replaced",
                ) from error
            # Not `from error`: its message quotes values of rows.
            raise InputRefused(
                reason(str(error), select),
                on=f"{turn.window}, stage {stage.name}, {turn.start}..{turn.end}",
                hint="production's statement fails on such rows too",
            ) from None

    def _rows(self, spec: RowSetSpec, name: str) -> pa.Table:
        # Native types of an engine become the texts that row sets carry.
        columns = ", ".join(
            f"CAST({quoted(column.name)} AS VARCHAR) AS {quoted(column.name)}"
            if pa.types.is_string(column.type.arrow)
            else quoted(column.name)
            for column in spec.columns
        )
        statement = f"SELECT {columns} FROM {quoted(name)}"  # noqa: S608 - names quoted
        table: pa.Table = self.connection.sql(statement).to_arrow_table()
        return table.cast(pa.schema([column.with_nullable(True) for column in spec.schema]))

    def _drop_unread(self, selects: Mapping[str, Translated], waiting: list[str]) -> None:
        wanted = {table for name in waiting for table in selects[name].tables}
        rows = self.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        for (table,) in rows:
            if table not in wanted:
                self.connection.execute(f"DROP TABLE {quoted(table)}")


_CHECKED: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
"""Statements, with the columns that they were seen to give."""


def _duckdb_type(type_: ColumnType) -> str:
    """A column's type in DuckDB: what `DESCRIBE` calls it."""
    if type_.trino in {"uuid", "json"}:
        return type_.trino.upper()
    arrow = type_.arrow
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    names = {
        pa.string(): "VARCHAR",
        pa.date32(): "DATE",
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.float64(): "DOUBLE",
        pa.bool_(): "BOOLEAN",
        pa.list_(pa.string()): "VARCHAR[]",
    }
    return names[arrow]


def connect(
    *, threads: int, temp_directory: str = "", memory_limit: int = 0
) -> duckdb.DuckDBPyConnection:
    """A database in memory that knows the macros; to be closed by the caller, or used in a `with`.

    It loads no extension that is not built in.

    Args:
        threads: how many it may use.
        temp_directory: where it may spill; nowhere if empty.
        memory_limit: bytes that it may hold; 0 for most of the machine's.
    """
    import duckdb  # heavy; only this control needs it

    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "temp_directory": temp_directory,
            **({"memory_limit": f"{memory_limit}B"} if memory_limit else {}),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "preserve_insertion_order": False,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    macros = importlib.resources.files("shadowagg.control").joinpath("macros.sql")
    connection.execute(macros.read_text(encoding="utf-8"))
    return connection
