"""What each Parquet file of a table holds, and how DuckDB comes to its rows.

Three ways, one face: files on disk are read by DuckDB itself, objects of a store (S3) are fetched once
and then read so, and what DuckDB cannot name is read through `pyarrow.dataset`. All of them say of a file which columns of which `Kind` it has; what is made of that is
decided in `tables.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pyarrow as pa
from pyarrow import fs

from shadowagg.control.dialect import literal, quoted
from shadowagg.errors import InputUnreadable
from shadowagg.inputs import InputFile
from shadowagg.object_store import fetch, fragment

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "FetchedFiles",
    "FileColumn",
    "FilesElsewhere",
    "FilesOnDisk",
    "Kind",
    "ParquetFiles",
    "open_files",
]

_SIDE_BY_SIDE = 8
"""Objects that are fetched at once: each is a round trip or two."""

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

    def folders(self, files: Iterable[InputFile]) -> frozenset[str]:
        """The real folders that DuckDB itself opens files in."""

    @property
    def footers(self) -> ParquetFiles:
        """The way to take where `columns` is all that is asked of files."""


def open_files(
    connection: duckdb.DuckDBPyConnection, filesystem: fs.FileSystem, folder: str, copies: Path
) -> ParquetFiles:
    """The way to the files below a folder.

    Args:
        connection: in which they are read.
        filesystem: where they lie.
        folder: below which they lie.
        copies: a folder for what has to be fetched; its owner removes it.

    DuckDB takes `*`, `?` and `[` in a path for a pattern: files below such a folder are read as if
    they were not on disk.
    """
    if not isinstance(filesystem, fs.LocalFileSystem):
        return FetchedFiles(connection, filesystem, copies)
    if not set("*?[") & set(folder):
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

    def folders(self, files: Iterable[InputFile]) -> frozenset[str]:
        """See `ParquetFiles.folders`."""
        return frozenset(str(Path(file.path).resolve().parent) for file in files)

    @property
    def footers(self) -> ParquetFiles:
        """See `ParquetFiles.footers`."""
        return self


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


# --- objects of a store: fetched once -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FetchedFiles:
    """Objects, each copied once into a folder: every statement over them costs no further request.

    Args:
        connection: in which they are read.
        filesystem: of the store.
        copies: the folder.
    """

    connection: duckdb.DuckDBPyConnection
    filesystem: fs.FileSystem
    copies: Path
    _local: dict[str, InputFile] = field(default_factory=dict)

    def columns(self, files: Sequence[InputFile]) -> list[Mapping[str, FileColumn]]:
        """See `ParquetFiles.columns`."""
        self._fetch(files)
        with self._named():
            return FilesOnDisk(self.connection).columns(self._copied(files))

    def relation(self, files: Sequence[InputFile]) -> str:
        """See `ParquetFiles.relation`."""
        return FilesOnDisk(self.connection).relation(self._copied(files))

    def check(self, files: Iterable[InputFile], columns: frozenset[str]) -> None:
        """See `ParquetFiles.check`."""
        with self._named():
            FilesOnDisk(self.connection).check(self._copied(files), columns)

    def folders(self, files: Iterable[InputFile]) -> frozenset[str]:
        """See `ParquetFiles.folders`."""
        return FilesOnDisk(self.connection).folders(self._copied(files))

    @property
    def footers(self) -> ParquetFiles:
        """See `ParquetFiles.footers`."""
        return FilesElsewhere(self.connection, self.filesystem)

    def _copied(self, files: Iterable[InputFile]) -> list[InputFile]:
        return [self._local[file.path] for file in files]

    def _fetch(self, files: Sequence[InputFile]) -> None:
        missing = [file for file in files if file.path not in self._local]
        targets = [
            self.copies / f"{len(list(self.copies.iterdir())) + number:06d}.parquet"
            for number, _ in enumerate(missing)
        ]
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as readers:
            copying = [
                readers.submit(fetch, self.filesystem, file.path, target)
                for file, target in zip(missing, targets, strict=True)
            ]
            try:
                for copied in copying:
                    copied.result()
            finally:
                # A server that has stopped is not waited for by every object in turn.
                readers.shutdown(wait=True, cancel_futures=True)
        for file, target in zip(missing, targets, strict=True):
            self._local[file.path] = InputFile(str(target), file.size, file.changed)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors name the object, not its copy."""
        try:
            yield
        except InputUnreadable as error:
            for path, copy in self._local.items():
                error.what = error.what.replace(copy.path, path)
                error.on = error.on.replace(copy.path, path)
            raise


# --- files that DuckDB cannot name: pyarrow.dataset ----------------------------------------------


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

    def folders(self, files: Iterable[InputFile]) -> frozenset[str]:  # noqa: ARG002 - none
        """See `ParquetFiles.folders`."""
        return frozenset()

    @property
    def footers(self) -> ParquetFiles:
        """See `ParquetFiles.footers`."""
        return self

    def _schema(self, file: InputFile) -> pa.Schema:
        try:
            schema: pa.Schema = fragment(self.filesystem, file.path, file.size).physical_schema
            return schema.remove_metadata()
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
