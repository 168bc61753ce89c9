"""A window's rows of a Hive table, read from its Parquet: no metastore is asked.

The folders below the table's are `<partition>=<value>`, values as production writes them (month and day
without padding; older rows may lie under padded ones, and belong to the table all the same). A writer
gives its files any name, Trino's without `.parquet`: what is neither hidden nor empty is one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs

from shadowagg.errors import InputUnreadable, RowSetInvalid, UserError
from shadowagg.inputs import Inputs
from shadowagg.object_store import cannot_read
from shadowagg.rowset import Column, Role, RowSetSpec
from shadowagg.window import Window

__all__ = [
    "HiveFiles",
    "WindowRows",
    "columns_to_read",
    "hive_files",
    "of_window",
    "partition_values",
]

_REMOTE_READERS = 8
"""Files that are read side by side from an object store: each is some round trips."""
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""How Hive writes NULL into a folder's name."""


@dataclass(frozen=True, slots=True)
class WindowRows:
    """The rows of a window, and what else was learnt.

    Args:
        table: the rows that are the row set's.
        left_aside: how many of the window's rows are others' (`RowSetSpec.read_back`).
        written: when the first of them was written, in nanoseconds since 1970; None if nobody knows.
    """

    table: pa.Table
    left_aside: int
    written: int | None


def of_window(spec: RowSetSpec, table: pa.Table, window: Window, written: int | None) -> WindowRows:
    """The rows of a window's source and days, those of others left aside."""
    asked = spec.asked(window)
    table = table.filter(asked.mask(table))
    ours = spec.read_back.mask(table)
    left_aside = table.num_rows - (pc.sum(ours).as_py() or 0)
    return WindowRows(table.filter(ours), left_aside, written)


def columns_to_read(spec: RowSetSpec) -> tuple[Column, ...]:
    """What is compared, and what rows are found by."""
    return tuple(c for c in spec.columns if c.role is not Role.LEFT_OUT or c.name in spec.found_in)


def partition_values(name: str, window: Window) -> tuple[str, ...]:
    """The values that a partition column has in a window: `RowSetSpec.partitions` says which is which."""
    if name == "year":
        return (window.year,)
    if name == "month":
        return tuple(dict.fromkeys((str(window.start.month), window.month)))
    if name == "day":
        days = range(window.start.day, window.end.day + 1)
        return tuple(dict.fromkeys(f"{day:{form}}" for day in days for form in ("d", "02d")))
    return tuple(
        dict.fromkeys((window.source_uuid, *(cluster.source_uuid for cluster in window.clusters)))
    )


def hive_files(
    spec: RowSetSpec, window: Window, schema: str, inputs: Inputs, location: str
) -> HiveFiles | None:
    """The files of a table, if somebody says where it lies.

    Args:
        spec: of its rows.
        window: whose rows are wanted.
        schema: the tenant's.
        inputs: `locations` may name the table's folder below the lake; `s3` has the options of S3.
        location: a folder or URI with `{schema}`, `{account}` and `{table}`; goes before `inputs`.

    Raises:
        UserError: for another word in braces, or an object store that the environment does not name.
    """
    if not location and spec.table not in inputs.locations:
        return None
    values = {"schema": schema, "account": schema.removeprefix("acct"), "table": spec.table}
    try:
        address = location.format(**values) or f"{inputs.lake}/{inputs.locations[spec.table]}"
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(
            f"not an address: {error}",
            on=location,
            hint="it may hold {schema}, {account} and {table}",
        ) from None
    lake = replace(inputs, lake=address)
    return HiveFiles(spec, window, lake.filesystem, lake.root)


@dataclass(frozen=True)
class HiveFiles:
    """The files of one table that may hold rows of a window.

    Args:
        spec: of the rows.
        window: whose rows are wanted.
        filesystem: where they lie.
        folder: the table's.
    """

    spec: RowSetSpec
    window: Window
    filesystem: fs.FileSystem
    folder: str

    def reachable(self) -> str:
        """Why the table cannot be reached; empty if it can."""
        try:
            info = self.filesystem.get_file_info(self.folder)
        except (OSError, pa.ArrowException) as error:
            return str(error).splitlines()[0]
        return "" if info.type == fs.FileType.Directory else "no such folder"

    def read(self, threads: int) -> WindowRows:
        """The rows, and when the oldest of the files that may hold some was written.

        Raises:
            InputUnreadable: naming the file.
            RowSetInvalid: for a column of another type, or files that contradict each other.
        """
        files = list(self._files())
        local = isinstance(self.filesystem, fs.LocalFileSystem)
        with ThreadPoolExecutor(threads if local else _REMOTE_READERS) as readers:
            tables = list(readers.map(self._rows, files))
        columns = pa.schema([self._field(name) for name in self._names()])
        table = pa.concat_tables([columns.empty_table(), *tables])
        moments = [info.mtime_ns for info in files]
        written = min((moment for moment in moments if moment is not None), default=None)
        return of_window(self.spec, table, self.window, written)

    def _files(self) -> Iterator[fs.FileInfo]:
        """By name; folders of other sources, months and days are not looked into."""
        given = list(itertools.takewhile(lambda name: name != "day", self.spec.partitions))
        choices = [[(n, v) for v in partition_values(n, self.window)] for n in given]
        for chosen in itertools.product(*choices):
            place = "/".join([self.folder, *(f"{name}={value}" for name, value in chosen)])
            selector = fs.FileSelector(place, allow_not_found=True, recursive=True)
            try:
                found = self.filesystem.get_file_info(selector)
            except (OSError, pa.ArrowException) as error:
                raise cannot_read(error, place, doing="list") from error
            for info in sorted(found, key=lambda info: info.path):
                inside = info.path[len(self.folder) :].split("/")
                hidden = any(part.startswith(("_", ".")) for part in inside)
                if info.type == fs.FileType.File and info.size and not hidden:
                    day = self._partitions(info.path).get("day")
                    if day is None or day in partition_values("day", self.window):
                        yield info

    def _partitions(self, path: str) -> dict[str, str | None]:
        """Partition columns and their values, from the names of a file's folders."""
        parts = (part.partition("=") for part in path[len(self.folder) :].split("/")[:-1])
        values = {name: unquote(value) for name, equals, value in parts if equals}
        return {name: None if value == _NO_VALUE else value for name, value in values.items()}

    def _names(self) -> list[str]:
        return [column.name for column in columns_to_read(self.spec)]

    def _field(self, name: str) -> pa.Field:
        type_ = self.spec.column(name).type.arrow
        return pa.field(name, _codes() if pa.types.is_string(type_) else type_)

    def _rows(self, info: fs.FileInfo) -> pa.Table:
        # Only a control that reads Parquet itself needs the reader.
        import pyarrow.parquet as pq

        names = [name for name in self._names() if name not in self.spec.partitions]
        texts = [name for name in names if pa.types.is_dictionary(self._field(name).type)]
        try:
            with self.filesystem.open_input_file(info.path) as stream:
                file = pq.ParquetFile(stream, read_dictionary=texts)
                present = set(file.schema_arrow.names)
                table = file.read([name for name in names if name in present], use_threads=False)
                rows = file.metadata.num_rows
        except (OSError, pa.ArrowException) as error:
            raise InputUnreadable(
                f"cannot read: {str(error).splitlines()[0]}",
                on=info.path,
                hint="production may be writing the window again: repeat the run",
            ) from error
        partitions = self._partitions(info.path)
        columns = {}
        for name in self._names():
            field = self._field(name)
            if name in self.spec.partitions:
                value = pa.scalar(partitions.get(name), pa.string())
                columns[name] = pa.chunked_array([pa.repeat(value, rows).cast(field.type)])
            elif name in present:
                columns[name] = _declared(table.column(name), field, info.path)
            else:
                columns[name] = pa.chunked_array([pa.nulls(rows, field.type)])
        return pa.table(columns, schema=pa.schema([self._field(name) for name in columns]))


def _codes() -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string())


def _declared(values: pa.ChunkedArray, field: pa.Field, path: str) -> pa.ChunkedArray:
    """The column as it is declared; only NULLs, and texts of another width, are converted."""
    actual = values.type
    plain = actual.value_type if pa.types.is_dictionary(actual) else actual
    text = pa.types.is_string(plain) or pa.types.is_large_string(plain)
    if actual.equals(field.type):
        return values
    if pa.types.is_null(plain) or (text and pa.types.is_dictionary(field.type)):
        if not pa.types.is_dictionary(actual) and text:
            values = values.cast(pa.string()).dictionary_encode()
        return values.cast(field.type)
    raise RowSetInvalid(
        f"column {field.name} is {actual}, declared {field.type}",
        on=path,
        hint="the table has changed under its specification",
    )
