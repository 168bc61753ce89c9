"""What each Parquet file of a table holds, and how DuckDB comes to its rows.

Two ways, one face: files on disk are read by DuckDB itself, files elsewhere (S3) through
`pyarrow.dataset`. Both say of a file which columns of which `Kind` it has; what is made of that is
decided in `tables.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pyarrow as pa
from pyarrow import fs

from shadowagg.control.dialect import literal, quoted
from shadowagg.errors import InputUnreadable
from shadowagg.inputs import InputFile

if TYPE_CHECKING:
    import duckdb

__all__ = ["FileColumn", "FilesElsewhere", "FilesOnDisk", "Kind", "ParquetFiles", "open_files"]

Kind = Literal[
    "null",
    "text",
    "whole",
    "fraction",
    "milliseconds",
    "time",
    "utc time",
    "boolean",
    "uuid",
    "texts",
    "other",
]
"""What a column of a file can be taken for: `whole` and `fraction` are binary numbers, `milliseconds`
and `time` have no zone (`time`: of another unit), `null` is a column without a type."""


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column as one file has it.

    Args:
        name: as in the file.
        kind: what it can be taken for.
        type: as its reader calls it.
    """

    name: str
    kind: Kind
    type: str


class ParquetFiles(Protocol):
    """A way to the rows of Parquet files."""

    def columns(self, files: Sequence[InputFile]) -> list[Mapping[str, FileColumn]]:
        """The columns of each file by lower-case name, as Trino finds them; in the files' order.

        Raises:
            InputUnreadable: naming the first file whose footer cannot be read.
        """

    def relation(self, files: Sequence[InputFile]) -> str:
        """What stands behind FROM for the rows of files whose wanted columns are alike."""

    def check(self, files: Iterable[InputFile], columns: frozenset[str]) -> None:
        """Read columns of each file whole, to find the one that cannot be read.

        Args:
            files: which.
            columns: lower-case names; one that a file lacks is passed over.

        Raises:
            InputUnreadable: naming the first such file.
        """


def open_files(
    connection: duckdb.DuckDBPyConnection, filesystem: fs.FileSystem, folder: str
) -> ParquetFiles:
    """The way to the files below a folder.

    DuckDB takes `*`, `?` and `[` in a path for a pattern: files below such a folder are read as if
    they were not on disk.
    """
    if isinstance(filesystem, fs.LocalFileSystem) and not set("*?[") & set(folder):
        return FilesOnDisk(connection)
    return FilesElsewhere(connection, filesystem)


# --- files on disk: DuckDB's own reader ----------------------------------------------------------

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_DUCKDB_KINDS: dict[str, Kind] = {
    '"NULL"': "null",
    "VARCHAR": "text",
    "JSON": "text",
    "BOOLEAN": "boolean",
    "UUID": "uuid",
    "VARCHAR[]": "texts",
    "FLOAT": "fraction",
    "DOUBLE": "fraction",
    **dict.fromkeys((*_WHOLE, *(f"U{name}" for name in _WHOLE)), "whole"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_NS"), "time"),
    **dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"), "utc time"),
}


@dataclass(frozen=True, slots=True)
class FilesOnDisk:
    """Files that DuckDB opens by itself."""

    connection: duckdb.DuckDBPyConnection

    def columns(self, files: Sequence[InputFile]) -> list[Mapping[str, FileColumn]]:
        """See `ParquetFiles.columns`."""
        import duckdb  # heavy; only this control needs it

        if not files:
            return []
        try:
            found = self._footers(files)
        except duckdb.Error:
            for file in files:  # one by one, as not every message names its file
                try:
                    self._footers([file])
                except duckdb.Error as error:
                    raise _unreadable(file, error) from None
            raise
        return [found[str(Path(file.path).absolute())] for file in files]

    def _footers(self, files: Sequence[InputFile]) -> dict[str, dict[str, FileColumn]]:
        statement = (
            "select file_name, coalesce(num_children, 0), name, duckdb_type,"  # noqa: S608 - literals
            " coalesce(logical_type, '') || coalesce(converted_type, '')"
            f" from parquet_schema({_paths(files)}) order by file_name, column_id"
        )
        rows = self.connection.execute(statement).fetchall()
        return {
            path: {
                str(name).lower(): FileColumn(str(name), _duckdb_kind(type_, annotations), type_)
                for _, _, name, type_, annotations in _top_level(elements)
            }
            for path, elements in itertools.groupby(rows, key=lambda row: str(row[0]))
        }

    def relation(self, files: Sequence[InputFile]) -> str:
        """See `ParquetFiles.relation`."""
        # Not `union_by_name`: files come here in groups whose wanted columns have the same names and
        # types, and columns that nobody wants shall not have to agree.
        return f"read_parquet({_paths(files)}, hive_partitioning = false)"

    def check(self, files: Iterable[InputFile], columns: frozenset[str]) -> None:
        """See `ParquetFiles.check`."""
        import duckdb  # heavy; only this control needs it

        for file in files:
            (present,) = self.columns([file])
            names = [quoted(present[name].name) for name in sorted(columns & present.keys())]
            if names:
                wanted = f"hash({', '.join(names)})"
                statement = f"select bit_xor({wanted}) from {self.relation([file])}"  # noqa: S608 - quoted
                try:
                    self.connection.execute(statement).fetchall()
                except duckdb.Error as error:
                    raise _unreadable(file, error) from None


def _paths(files: Sequence[InputFile]) -> str:
    return str(literal([str(Path(file.path).absolute()) for file in files]).sql(dialect="duckdb"))


def _top_level(elements: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The columns among the elements of a Parquet schema: a tree written down root first."""
    remaining = iter(elements)
    root = next(remaining)
    for _ in range(root[1]):
        column = next(remaining)
        yield column
        inside = column[1]
        while inside:
            inside += next(remaining)[1] - 1


def _duckdb_kind(type_: str, annotations: str) -> Kind:
    kind = _DUCKDB_KINDS.get(type_, "other")
    if kind == "time" and ("MILLIS=Milli" in annotations or "TIMESTAMP_MILLIS" in annotations):
        return "milliseconds"
    return kind


# --- files elsewhere: pyarrow.dataset ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FilesElsewhere:
    """Files of any file system, handed to DuckDB as data sets."""

    connection: duckdb.DuckDBPyConnection
    filesystem: fs.FileSystem

    def columns(self, files: Sequence[InputFile]) -> list[Mapping[str, FileColumn]]:
        """See `ParquetFiles.columns`."""
        return [
            {
                column.name.lower(): FileColumn(
                    column.name, _arrow_kind(column.type), str(column.type)
                )
                for column in self._schema(file)
            }
            for file in files
        ]

    def relation(self, files: Sequence[InputFile]) -> str:
        """See `ParquetFiles.relation`."""
        import pyarrow.dataset as ds  # only where files are really read

        name = f"{files[0].path} and {len(files) - 1} more"  # a file is in one group only
        self.connection.register(
            name,
            ds.dataset(
                [file.path for file in files],
                schema=self._schema(files[0]),
                format="parquet",
                filesystem=self.filesystem,
            ),
        )
        return quoted(name)

    def check(self, files: Iterable[InputFile], columns: frozenset[str]) -> None:
        """See `ParquetFiles.check`."""
        import pyarrow.parquet as pq  # only where files are really read

        for file in files:
            names = [column.name for column in self._schema(file) if column.name.lower() in columns]
            try:
                pq.read_table(
                    file.path, columns=names, filesystem=self.filesystem, partitioning=None
                )
            except (OSError, pa.ArrowException) as error:
                raise _unreadable(file, error) from None

    def _schema(self, file: InputFile) -> pa.Schema:
        import pyarrow.parquet as pq  # only where files are really read

        try:
            return pq.read_schema(file.path, filesystem=self.filesystem).remove_metadata()
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(file, error) from None


def _arrow_kind(type_: pa.DataType) -> Kind:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_timestamp(type_):
        if type_.tz is not None:
            return "utc time"
        return "milliseconds" if type_.unit == "ms" else "time"
    if pa.types.is_list(type_) and _arrow_kind(type_.value_type) == "text":
        return "texts"
    questions: tuple[tuple[Any, Kind], ...] = (
        (pa.types.is_null, "null"),
        (pa.types.is_string, "text"),
        (pa.types.is_large_string, "text"),
        (pa.types.is_string_view, "text"),
        (pa.types.is_integer, "whole"),
        (pa.types.is_floating, "fraction"),
        (pa.types.is_boolean, "boolean"),
    )
    return next((kind for question, kind in questions if question(type_)), "other")


def _unreadable(file: InputFile, error: Exception) -> InputUnreadable:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return InputUnreadable(
        f"not a readable Parquet file: {reason}",
        on=file.path,
        hint="fetch it again, or have it written again",
    )
