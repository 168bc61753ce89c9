"""One Parquet object of the lake: its footer, which of its row groups matter, its columns as declared.

The rules are those of `inputs.md` 1.1 and 1.2: columns are found by name, a column that the file
lacks or that holds only NULLs is NULL whatever its physical type, times are milliseconds in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from shadowagg.errors import InputRefused, InputUnreadable
from shadowagg.object_store import cannot_read, fragment, read_whole
from shadowagg.provider import InputColumn

__all__ = ["TEXT_CODES", "TIME", "LakeFile", "RowGroupTimes", "as_declared", "milliseconds"]

TEXT_CODES = pa.dictionary(pa.int32(), pa.string())
"""How text columns come: as codes, so that grouping and joining work on integers."""

TIME = pa.timestamp("ms")

_PER_MILLISECOND = {"us": 1_000, "ns": 1_000_000}

_ARROW_TYPES = {
    "double": pa.float64(),
    "time": TIME,
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "texts": pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class RowGroupTimes:
    """What a footer says about the times of one row group.

    Args:
        rows: how many it has.
        low: its smallest time in milliseconds since 1970; None without statistics.
        high: its largest.
        no_times: whether the statistics say that every time is NULL.
    """

    rows: int
    low: int | None = None
    high: int | None = None
    no_times: bool = False

    def may_lie_within(self, start: int, stop: int) -> bool:
        """Whether a row may have `start <= time < stop`."""
        if self.no_times or not self.rows:
            return False
        if self.low is None or self.high is None:
            return True
        return self.high >= start and self.low < stop


_Value = TypeVar("_Value")


class _Once(Generic[_Value]):
    """A property of a file that is computed once, for many files at a time.

    Python 3.11's `cached_property` holds a lock that all files share, and so reads one after the other.
    """

    def __init__(self, compute: Callable[[Any], _Value]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, file: LakeFile, owner: type[LakeFile]) -> _Value:
        value = self._compute(file)
        vars(file)[self._name] = value  # found before this from now on
        return value


@dataclass(frozen=True)
class LakeFile:
    """A Parquet object whose footer has been read, once.

    Args:
        filesystem: where it lies.
        path: on that file system.
        remote: whether reads are worth joining, and the handle worth keeping (an object store).
        table: name of its table, for messages.
        size: its bytes, if it is remote.
        whole: whether it is fetched by one request, and kept as long as this is.
    """

    filesystem: fs.FileSystem
    path: str
    remote: bool
    table: str
    size: int = 0
    whole: bool = False

    @_Once
    def _handle(self) -> pa.NativeFile:
        """Of a remote file: opened once, or its content. Arrow reads from several threads in it."""
        if self.whole:
            return pa.BufferReader(read_whole(self.filesystem, self.path))
        return self.filesystem.open_input_file(self.path)

    @contextmanager
    def _stream(self) -> Iterator[pa.NativeFile]:
        if self.remote:
            yield self._handle
            return
        with self.filesystem.open_input_file(self.path) as stream:
            yield stream

    @_Once
    def footer(self) -> pq.FileMetaData:
        """The footer.

        Raises:
            InputUnreadable: naming the file.
        """
        try:
            if self.remote and not self.whole:
                return fragment(self.filesystem, self.path, self.size).metadata
            with self._stream() as stream:
                return pq.read_metadata(stream)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    @_Once
    def schema(self) -> pa.Schema:
        """Names and types of the columns as Arrow sees them; metadata of pandas is ignored."""
        try:
            return self.footer.schema.to_arrow_schema()
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def row_group_times(self, time: str) -> tuple[RowGroupTimes, ...]:
        """What the statistics say about the times of every row group."""
        footer = self.footer
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        if time not in self.schema.names:
            return tuple(RowGroupTimes(group.num_rows, no_times=True) for group in groups)
        type_ = self.schema.field(time).type
        if not groups or not pa.types.is_timestamp(type_):
            return tuple(RowGroupTimes(group.num_rows) for group in groups)
        position = next(
            index
            for index in range(groups[0].num_columns)
            if groups[0].column(index).path_in_schema == time
        )
        return tuple(_times(group, position, type_) for group in groups)

    def read(
        self,
        columns: Sequence[InputColumn],
        row_groups: Sequence[int],
        *,
        column_threads: bool,
    ) -> pa.Table:
        """Columns of some row groups, in the order and the types that are declared.

        Columns that the file lacks are NULL.

        Raises:
            InputUnreadable: naming the file.
            InputRefused: for a column of another type, naming table, column and types.
        """
        present = set(self.schema.names)
        wanted = [column.name for column in columns if column.name in present]
        texts = [c.name for c in columns if c.type in ("text", "uuid") and c.name in present]
        try:
            with self._stream() as stream:
                file = pq.ParquetFile(
                    stream,
                    metadata=self.footer,
                    read_dictionary=texts,
                    pre_buffer=self.remote and not self.whole,
                )
                table = file.read_row_groups(
                    list(row_groups), columns=wanted, use_threads=column_threads
                )
                rows = table.num_rows
                if not wanted:
                    rows = sum(self.footer.row_group(index).num_rows for index in row_groups)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        return pa.table(
            {
                column.name: as_declared(table.column(column.name), column, self.table)
                if column.name in present
                else _nulls(rows, column)
                for column in columns
            }
        )

    def _unreadable(self, error: Exception) -> InputUnreadable:
        return cannot_read(error, self.path)


def as_declared(values: pa.ChunkedArray, column: InputColumn, table: str) -> pa.ChunkedArray:
    """A column in the type that is declared for it (`inputs.md` 1.2).

    Args:
        values: as the file has them.
        column: the declaration.
        table: its table, for the message.

    Raises:
        InputRefused: for another type, unless all values are NULL.
    """
    if values.null_count == len(values):
        return _nulls(len(values), column)
    converted = _CONVERSIONS[column.type](values)
    if converted is None:
        coded = pa.types.is_dictionary(values.type)
        actual = values.type.value_type if coded else values.type
        raise InputRefused(
            f"column {column.name} is {actual}, declared {column.type}",
            on=f"table {table}",
            hint="the file was not written by the ingestion; production refuses it too",
        )
    return converted


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    type_ = values.type
    if type_.equals(TEXT_CODES):
        return values
    plain = type_.value_type if pa.types.is_dictionary(type_) else type_
    if not (pa.types.is_string(plain) or pa.types.is_large_string(plain)):
        return None
    if not pa.types.is_dictionary(type_):
        values = values.cast(pa.string()).dictionary_encode()
    return values.cast(TEXT_CODES)


def _double(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    if pa.types.is_float64(values.type):
        return values
    # The ingestion writes counts as INT64 now and then; Trino reads them as doubles.
    return values.cast(pa.float64(), safe=False) if pa.types.is_int64(values.type) else None


def _time(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    return milliseconds(values) if pa.types.is_timestamp(values.type) else None


def _integer(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    return values.cast(pa.int64()) if pa.types.is_integer(values.type) else None


def _boolean(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    return values if pa.types.is_boolean(values.type) else None


def _list_of_texts(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    if pa.types.is_list(values.type) and pa.types.is_string(values.type.value_type):
        return values.cast(_ARROW_TYPES["texts"])
    return None


_CONVERSIONS: dict[str, Callable[[pa.ChunkedArray], pa.ChunkedArray | None]] = {
    "text": _text,
    "uuid": _text,
    "double": _double,
    "time": _time,
    "integer": _integer,
    "boolean": _boolean,
    "texts": _list_of_texts,
}
"""Kind of column -> its values in the declared type, or None where they have another one."""


def milliseconds(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times in milliseconds, UTC, without a zone; finer ones rounded half up (engine facts, *Dates*).

    A time with a zone denotes the same instant, so only the zone's name is dropped.
    """
    unit = values.type.unit
    ticks = values.cast(pa.int64())
    if unit == "ms":
        return ticks.cast(TIME)
    if unit == "s":
        return pc.multiply(ticks, 1000).cast(TIME)
    naive = pc.add(ticks, _PER_MILLISECOND[unit] // 2).cast(pa.timestamp(unit))
    return pc.floor_temporal(naive, unit="millisecond").cast(TIME)


def _nulls(rows: int, column: InputColumn) -> pa.ChunkedArray:
    if column.type in ("text", "uuid"):
        codes = pa.DictionaryArray.from_arrays(
            pa.nulls(rows, pa.int32()), pa.array([], pa.string())
        )
        return pa.chunked_array([codes])
    return pa.chunked_array([pa.nulls(rows, _ARROW_TYPES[column.type])])


def _times(group: Any, position: int, type_: pa.TimestampType) -> RowGroupTimes:
    statistics = group.column(position).statistics
    if statistics is None:
        return RowGroupTimes(group.num_rows)
    if statistics.has_null_count and statistics.null_count == group.num_rows:
        return RowGroupTimes(group.num_rows, no_times=True)
    if not statistics.has_min_max or not isinstance(statistics.min_raw, int):
        return RowGroupTimes(group.num_rows)
    ends = pa.array([statistics.min_raw, statistics.max_raw], pa.int64())
    low, high = (
        milliseconds(pa.chunked_array([ends.cast(pa.timestamp(type_.unit))]))
        .cast(pa.int64())
        .to_pylist()
    )
    return RowGroupTimes(group.num_rows, low, high)
