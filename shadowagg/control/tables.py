"""The provider's input tables as DuckDB's views: the declared columns, of the declared types.

The rules are those by which production's tables are declared over the same files (`inputs.md` 1,
`trino.md` 4): columns are found by name; one that a file lacks is NULL there; whole numbers stand for
doubles; a column of nothing but NULL fits any type; another type is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import fs

from shadowagg.control.dialect import literal, quoted
from shadowagg.control.parquet_files import FileColumn, Kind, ParquetFiles, open_files
from shadowagg.errors import InputRefused, InputUnreadable
from shadowagg.inputs import FilesEverywhere, InputFile, Inputs
from shadowagg.provider import InputColumn, InputTable
from shadowagg.window import Window

if TYPE_CHECKING:
    import duckdb

__all__ = ["InputTables"]

_PARTITIONED_BY = ("source", "year", "month")

_TYPES = {
    "text": "VARCHAR",
    "double": "DOUBLE",
    "time": "TIMESTAMP",
    "integer": "INTEGER",
    "boolean": "BOOLEAN",
    "uuid": "UUID",
    "texts": "VARCHAR[]",
}
"""A declared type (`provider.InputColumn.type`) in DuckDB."""

_AS_IT_IS = "{}"
_READ_AS: dict[tuple[str, Kind], str] = {
    ("text", "text"): _AS_IT_IS,
    ("double", "fraction"): "CAST({} AS DOUBLE)",
    ("double", "whole"): "CAST({} AS DOUBLE)",
    ("time", "milliseconds"): _AS_IT_IS,
    # Finer times are rounded to the millisecond, not cut (`engine-facts.md`, Dates).
    ("time", "time"): "CAST(CAST({} AS TIMESTAMP_MS) AS TIMESTAMP)",
    ("time", "utc time"): (
        "CAST(CAST(MAKE_TIMESTAMP(EPOCH_US(CAST({} AS TIMESTAMPTZ))) AS TIMESTAMP_MS) AS TIMESTAMP)"
    ),
    ("integer", "whole"): "CAST({} AS INTEGER)",
    ("boolean", "boolean"): _AS_IT_IS,
    ("uuid", "uuid"): _AS_IT_IS,
    ("uuid", "text"): "CAST({} AS UUID)",
    ("texts", "texts"): _AS_IT_IS,
}
"""(declared type, what the file has) -> how its values are read."""

_FOOTERS_AT_ONCE = 64
"""On disk; in a store, where each is a request or two, one after the other."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Files of one source whose wanted columns are alike.

    Args:
        files: which.
        columns: the wanted columns that they have, by lower-case name.
        partition: the values of the partition columns; none for a side table.
    """

    files: tuple[InputFile, ...]
    columns: Mapping[str, FileColumn]
    partition: Mapping[str, str]


@dataclass(frozen=True)
class InputTables:
    """The input tables of one window.

    Args:
        connection: in which the views are made.
        tables: what the provider declares.
        inputs: where they lie.
        window: whose sources and month are read.
        copies: an empty folder for objects that have to be fetched.
    """

    connection: duckdb.DuckDBPyConnection
    tables: Sequence[InputTable]
    inputs: Inputs
    window: Window
    copies: Path
    _read: dict[str, tuple[ParquetFiles, tuple[InputFile, ...]]] = field(default_factory=dict)
    _everywhere: dict[str, FilesEverywhere] = field(default_factory=dict)

    def register(self) -> frozenset[str]:
        """Make a view of each table, under its plain name; of a missing optional one an empty view.

        Returns:
            The names of the tables that exist.

        Raises:
            InputRefused: for a required table that is missing, a column that no file of its table
                has, a column of a wrong type.
            InputUnreadable: for a file that is no Parquet.
        """
        existing = set()
        for table in self.tables:
            files = self._files(table)
            if files or self._is_there(table):
                existing.add(table.name)
                parts = self._side(table) if table.home == "postgres" else self._lake(table, files)
            elif table.required:
                raise InputRefused(
                    "the table does not exist",
                    on=f"{self.window}, table {table.name}",
                    hint=f"expected at {self._place(table)}",
                )
            else:
                parts = []
            self._create_view(table, parts)
        return frozenset(existing)

    def check(self) -> None:
        """Read all of the window's files, column by column: asked after a statement has failed.

        Raises:
            InputUnreadable: naming the first file that cannot be read.
        """
        wanted = {table.name: frozenset(c.name for c in table.columns) for table in self.tables}
        for name, (reader, files) in self._read.items():
            reader.check(files, wanted[name])

    def folders(self) -> frozenset[str]:
        """The real folders of all files that the views read; of use for files on disk only."""
        return frozenset(
            folder for reader, files in self._read.values() for folder in reader.folders(files)
        )

    # --- which files, and what they have ---------------------------------------------------------

    def _is_there(self, table: InputTable) -> bool:
        if table.home == "postgres":
            return self.inputs.exists(table, self.window)
        return any(True for _ in self._files_everywhere(table))

    def _files_everywhere(self, table: InputTable) -> FilesEverywhere:
        if table.name not in self._everywhere:
            self._everywhere[table.name] = self.inputs.everywhere(table, self.window)
        return self._everywhere[table.name]

    def _place(self, table: InputTable) -> str:
        if table.home == "postgres":
            return self.inputs.side_path(table)
        return self.inputs.location(table, self.window)

    def _side(self, table: InputTable) -> list[_Part]:
        path = self.inputs.side_path(table)
        filesystem = fs.LocalFileSystem()
        file = InputFile(path, filesystem.get_file_info(path).size, "")
        reader = open_files(self.connection, filesystem, self.inputs.side, self.copies)
        self._read[table.name] = (reader, (file,))
        (columns,) = reader.columns([file])
        missing = {column.name for column in table.columns} - columns.keys()
        if missing:
            raise self._without_columns(table, missing)
        return [_Part((file,), columns, {})]

    def _files(self, table: InputTable) -> list[tuple[str, InputFile]]:
        """The window's files of a lake table, with their source; none of a side table."""
        if table.home == "postgres":
            return []
        sources = sorted({self.window.source_uuid, *(c.source_uuid for c in self.window.clusters)})
        # An object of no bytes has no rows to production's engine, and is no error (`trino.md` 7).
        return [
            (source, file)
            for source in sources
            for file in self.inputs.files(table, self.window, source)
            if file.size
        ]

    def _lake(self, table: InputTable, files: Sequence[tuple[str, InputFile]]) -> list[_Part]:
        reader = open_files(
            self.connection, self.inputs.filesystem, self._place(table), self.copies
        )
        self._read[table.name] = (reader, tuple(file for _, file in files))
        columns = reader.columns([file for _, file in files])
        names = frozenset(column.name for column in table.columns)
        missing = names.difference(*columns)
        if missing:
            missing = self._in_no_file(table, reader, missing)
        if missing:
            raise self._without_columns(table, missing)

        alike: dict[tuple[object, ...], list[tuple[InputFile, Mapping[str, FileColumn]]]] = {}
        for (source, file), present in zip(files, columns, strict=True):
            wanted = {name: present[name] for name in sorted(names & present.keys())}
            alike.setdefault((source, *wanted.values()), []).append((file, wanted))
        return [
            _Part(
                tuple(file for file, _ in members),
                members[0][1],
                {
                    "source": str(source),
                    "year": self.window.year,
                    "month": self.window.month,
                },
            )
            for (source, *_), members in alike.items()
        ]

    def _in_no_file(
        self, table: InputTable, reader: ParquetFiles, missing: frozenset[str]
    ) -> frozenset[str]:
        """Which of some columns no file of the table has, of any source and month."""
        files = (file for file in self._files_everywhere(table) if file.size)
        at_once = 1 if self.inputs.remote else _FOOTERS_AT_ONCE
        while missing and (some := list(itertools.islice(files, at_once))):
            missing = missing.difference(*_readable(reader.footers, some))
        return missing

    def _without_columns(self, table: InputTable, missing: Iterable[str]) -> InputRefused:
        return InputRefused(
            f"no file of the table has the columns {sorted(missing)}",
            on=f"{self.window}, table {table.name}",
            hint="a column may be missing in some files, where it is NULL, but not in all",
        )

    # --- the view --------------------------------------------------------------------------------

    def _create_view(self, table: InputTable, parts: Sequence[_Part]) -> None:
        names = [column.name for column in table.columns]
        types = [_TYPES[column.type] for column in table.columns]
        if table.home == "lake":
            names += _PARTITIONED_BY
            types += ["VARCHAR"] * len(_PARTITIONED_BY)
        empty = ", ".join(
            f"CAST(NULL AS {type_}) AS {quoted(name)}"
            for name, type_ in zip(names, types, strict=True)
        )
        branches = [f"SELECT {empty} WHERE false"] if not parts else []
        branches += [self._branch(table, part) for part in parts]
        self.connection.execute(
            f"CREATE TEMP VIEW {quoted(table.name)} AS {' UNION ALL '.join(branches)}"
        )

    def _branch(self, table: InputTable, part: _Part) -> str:
        reader, _ = self._read[table.name]
        relation = reader.relation(part.files)
        values = [
            f"{self._value(table, column, part, relation)} AS {quoted(column.name)}"
            for column in table.columns
        ]
        values += [
            f"{literal(value).sql(dialect='duckdb')} AS {quoted(name)}"
            for name, value in part.partition.items()
        ]
        return f"SELECT {', '.join(values)} FROM {relation}"  # noqa: S608 - names quoted, literals

    def _value(self, table: InputTable, column: InputColumn, part: _Part, relation: str) -> str:
        present = part.columns.get(column.name)
        if present is None or present.kind == "null":
            return f"CAST(NULL AS {_TYPES[column.type]})"
        form = _READ_AS.get((column.type, present.kind))
        if form is not None:
            return form.format(quoted(present.name))
        if not self._has_values(table, present, relation):
            return f"CAST(NULL AS {_TYPES[column.type]})"
        raise InputRefused(
            f"column {column.name} is {present.type}, declared {column.type}",
            on=f"{self.window}, table {table.name}, {part.files[0].path}",
            hint="the ingestion writes the types of inputs.md 1.2",
        )

    def _has_values(self, table: InputTable, column: FileColumn, relation: str) -> bool:
        import duckdb  # heavy; only this control needs it

        statement = f"SELECT count({quoted(column.name)}) FROM {relation}"  # noqa: S608 - quoted
        try:
            return self.connection.execute(statement).fetchone() != (0,)
        except (duckdb.Error, pa.ArrowException, OSError):
            reader, files = self._read[table.name]
            reader.check(files, frozenset({column.name.lower()}))
            raise


def _readable(reader: ParquetFiles, files: Sequence[InputFile]) -> list[Mapping[str, FileColumn]]:
    """The columns of those files that can be read: the others are none of this window's."""
    try:
        return reader.columns(files)
    except InputUnreadable:
        if len(files) == 1:
            return []
        return [columns for file in files for columns in _readable(reader, [file])]
