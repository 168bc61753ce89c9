"""Reads the lake and the side tables: only the columns, partitions and row groups that are needed.

What production would refuse is refused, what cannot be read is named (`inputs.md` 1.1, 1.2).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from shadowagg.candidate.kernels import append, single_chunks
from shadowagg.candidate.lake_file import TIME, LakeFile, RowGroupTimes, as_declared
from shadowagg.errors import InputRefused, InputUnreadable
from shadowagg.inputs import FilesEverywhere, InputFile, Inputs
from shadowagg.provider import InputColumn, InputTable
from shadowagg.window import Window

__all__ = ["BATCH_ROWS", "Source"]

BATCH_ROWS = 750_000
"""About how many rows a scan hands over at once: memory stays bounded, kernels stay busy."""

_REMOTE_READERS = 8
"""Footers that are read side by side from an object store: each is one round trip."""

_SMALL = 4 << 20
_KEPT = 128 << 20
"""Bytes of an object that is fetched whole, and of all that are: a round trip costs more than they do,
and every sub-window may want the same file."""

_DAY = 86_400_000


class Source:
    """The inputs of one window.

    Thread-safe: sub-windows that run side by side share one source, so each footer is read once.

    Args:
        inputs: where they lie.
        window: whose schema, month and source are read.
        column_threads: whether the columns of a file may be decoded side by side; for a window that
            has fewer sub-windows than threads.
    """

    def __init__(self, inputs: Inputs, window: Window, *, column_threads: bool = False) -> None:
        self.inputs = inputs
        self.window = window
        self.column_threads = column_threads
        self._lock = threading.RLock()
        self._files: dict[tuple[str, str], tuple[LakeFile, ...]] = {}
        self._times: dict[str, tuple[RowGroupTimes, ...]] = {}
        self._known: dict[tuple[str, str], frozenset[str]] = {}
        self._exists: dict[str, bool] = {}
        self._found: dict[tuple[str, str], tuple[InputFile, ...]] = {}
        self._everywhere: dict[str, FilesEverywhere] = {}
        self._room = _KEPT
        self._unreadable: InputUnreadable | None = None

    # --- what there is -----------------------------------------------------------------------

    def exists(self, table: InputTable) -> bool:
        """Whether the table exists: it comes into being with the first file of its kind."""
        with self._lock:
            if table.name not in self._exists:
                self._exists[table.name] = self._is_there(table)
            return self._exists[table.name]

    def earliest(self, table: InputTable) -> dt.date | None:
        """The day of the smallest time value in the window, of the window's source.

        Statistics answer where they can; only row groups that reach over the window's start, or have
        no statistics, are read.

        Raises:
            InputRefused: if the table is required and missing, or never had the column.
        """
        time = _time_column(table)
        start, stop = _milliseconds(self.window.start), _milliseconds(self.window.day_after)
        # Of this source nothing is read but footers, as a rule.
        files = self._lake_files(table, self.window.source_uuid, whole=False)
        self._check_columns(table, (time,), self.window.source_uuid)
        best: int | None = None
        unsettled: list[tuple[LakeFile, int]] = []
        for file in files:
            for index, group in enumerate(self._group_times(file, time.name)):
                if not group.may_lie_within(start, stop):
                    continue
                if group.low is not None and group.low >= start:
                    best = group.low if best is None else min(best, group.low)
                else:
                    unsettled.append((file, index))
        for file, index in unsettled:
            if best is not None and best < start + _DAY:
                break  # no day of the window is earlier
            with self._remembering():
                read = file.read((time,), (index,), column_threads=self.column_threads)
            values = read.column(0)
            inside = values.filter(_within(values, start, stop))
            low = pc.min(inside.cast(pa.int64())).as_py()
            if low is not None:
                best = low if best is None else min(best, low)
        return None if best is None else dt.date(1970, 1, 1) + dt.timedelta(days=best // _DAY)

    # --- rows --------------------------------------------------------------------------------

    def scan(
        self,
        table: InputTable,
        columns: Sequence[str],
        start: dt.date,
        day_after: dt.date,
        *,
        source_uuid: str | None = None,
        batch_rows: int | None = None,
    ) -> Iterator[pa.Table]:
        """The rows with `start <= time < day_after`, some files at a time.

        Args:
            table: a lake table.
            columns: names, in the order wanted.
            start: first day.
            day_after: first day that is no longer wanted; in the window's month.
            source_uuid: of the partition; the window's own if None.
            batch_rows: about how many rows come at once; `BATCH_ROWS` if None.

        Yields:
            Tables of one chunk per column; text columns are dictionaries, times milliseconds. A
            table without rows, or without the partition, yields nothing.

        Raises:
            InputRefused: for what production refuses: a required table that is missing, a column that
                no file of the table has, a column of another type.
            InputUnreadable: naming the file.
        """
        source_uuid = source_uuid or self.window.source_uuid
        batch_rows = batch_rows or BATCH_ROWS
        time = _time_column(table)
        wanted = tuple(table.column(name) for name in columns)
        files = self._lake_files(table, source_uuid)
        self._check_columns(table, (time, *wanted), source_uuid)
        readable = wanted if time in wanted else (*wanted, time)
        first, stop = _milliseconds(start), _milliseconds(day_after)
        batch: list[pa.Table] = []
        rows = 0
        for file in files:
            for groups in self._runs(file, time.name, first, stop, batch_rows):
                with self._remembering():
                    read = file.read(readable, groups, column_threads=self.column_threads)
                mask = _within(read.column(time.name), first, stop)
                if not pc.all(mask, min_count=0).as_py():
                    read = read.filter(mask)
                if not read.num_rows:
                    continue
                batch.append(read.select(list(columns)))
                rows += read.num_rows
                if rows >= batch_rows:
                    yield single_chunks(append(batch))
                    batch, rows = [], 0
        if batch:
            yield single_chunks(append(batch))

    def lake(
        self,
        table: InputTable,
        columns: Sequence[str],
        start: dt.date,
        day_after: dt.date,
        *,
        source_uuid: str | None = None,
    ) -> pa.Table:
        """What `scan` gives, as one table; for tables that are small."""
        batches = list(self.scan(table, columns, start, day_after, source_uuid=source_uuid))
        if batches:
            return batches[0] if len(batches) == 1 else single_chunks(append(batches))
        return pa.table(
            {
                name: as_declared(pa.chunked_array([], pa.null()), table.column(name), table.name)
                for name in columns
            }
        )

    def side(self, table: InputTable) -> pa.Table:
        """A side table, its declared columns only; text is plain, integers are 64 bits wide.

        Raises:
            InputRefused: if it is required and missing, lacks a column, or has one of another type.
            InputUnreadable: naming the file.
        """
        if not self.exists(table):
            if table.required:
                raise _missing(table)
            return pa.table({column.name: _side_nulls(column) for column in table.columns})
        path = self.inputs.side_path(table)
        try:
            schema = pq.read_schema(path)
            absent = [c.name for c in table.columns if c.name not in schema.names]
            if absent:
                raise _no_column(table, absent, schema.names)
            read = pq.read_table(
                path,
                columns=[column.name for column in table.columns],
                partitioning=None,
                filesystem=fs.LocalFileSystem(),
                use_threads=False,
            )
        except (OSError, pa.ArrowException) as error:
            raise InputUnreadable(
                f"cannot read: {error}", on=path, hint="export the side table again"
            ) from error
        return pa.table(
            {
                column.name: _plain(as_declared(read.column(column.name), column, table.name))
                for column in table.columns
            }
        )

    # --- inside ------------------------------------------------------------------------------

    def _is_there(self, table: InputTable) -> bool:
        if table.home == "postgres":
            return self.inputs.exists(table, self.window)
        if self._listed(table, self.window.source_uuid):
            return True
        with self._remembering():
            return any(True for _ in self._files_everywhere(table))

    def _files_everywhere(self, table: InputTable) -> FilesEverywhere:
        if table.name not in self._everywhere:
            self._everywhere[table.name] = self.inputs.everywhere(table, self.window)
        return self._everywhere[table.name]

    def _lake_files(
        self, table: InputTable, source_uuid: str, *, whole: bool = True
    ) -> tuple[LakeFile, ...]:
        with self._lock:
            key = (table.name, source_uuid)
            if key in self._files:
                return self._files[key]
            found = self._opened(self._listed(table, source_uuid), table, whole=whole)
            if not found and not self.exists(table) and table.required:
                raise _missing(table)
            self._files[key] = found
            return found

    def _opened(
        self, found: Sequence[InputFile], table: InputTable, *, whole: bool
    ) -> tuple[LakeFile, ...]:
        filesystem, remote = self.inputs.filesystem, self.inputs.remote
        files = tuple(
            LakeFile(
                filesystem,
                file.path,
                remote,
                table.name,
                size=file.size,
                whole=whole and remote and self._keeps(file),
            )
            for file in found
        )
        if remote and files:
            with self._remembering(), ThreadPoolExecutor(_REMOTE_READERS) as readers:
                footers = [readers.submit(lambda file: file.footer, file) for file in files]
                try:
                    for footer in footers:
                        footer.result()
                finally:
                    readers.shutdown(wait=True, cancel_futures=True)
        return files

    def _listed(self, table: InputTable, source_uuid: str) -> tuple[InputFile, ...]:
        with self._lock:
            key = (table.name, source_uuid)
            if key not in self._found:
                with self._remembering():
                    self._found[key] = self.inputs.files(table, self.window, source_uuid)
            return self._found[key]

    def _keeps(self, file: InputFile) -> bool:
        if file.size > min(_SMALL, self._room):
            return False
        self._room -= file.size
        return True

    @contextmanager
    def _remembering(self) -> Iterator[None]:
        """A server that has stopped is waited for once, not again by every sub-window."""
        if self._unreadable is not None:
            raise self._unreadable
        try:
            yield
        except InputUnreadable as error:
            if self.inputs.remote:
                self._unreadable = error
            raise

    def _group_times(self, file: LakeFile, time: str) -> tuple[RowGroupTimes, ...]:
        with self._lock:
            if file.path not in self._times:
                self._times[file.path] = file.row_group_times(time)
            return self._times[file.path]

    def _runs(
        self, file: LakeFile, time: str, start: int, stop: int, batch_rows: int
    ) -> Iterator[list[int]]:
        """Row groups that may hold rows of `start <= time < stop`, those to read together."""
        run: list[int] = []
        rows = 0
        for index, group in enumerate(self._group_times(file, time)):
            if not group.may_lie_within(start, stop):
                continue
            if run and rows + group.rows > batch_rows:
                yield run
                run, rows = [], 0
            run.append(index)
            rows += group.rows
        if run:
            yield run

    def _check_columns(
        self, table: InputTable, columns: Sequence[InputColumn], source_uuid: str
    ) -> None:
        """A column that no file of the month has must be in some file of the table.

        Production declares a table from its files: a column that only the month lacks is NULL, one
        that no file has stops the first statement with COLUMN_NOT_FOUND.
        """
        if not self.exists(table):
            return
        with self._lock:
            key = (table.name, source_uuid)
            if key not in self._known:
                month = self._lake_files(table, source_uuid)
                self._known[key] = frozenset(name for f in month for name in f.schema.names)
            absent = {column.name for column in columns} - self._known[key]
            if not absent:
                return
            everywhere = set(self._known[key])
            with self._remembering():
                for file in self._opened_lazily(table):
                    everywhere.update(file.schema.names)
                    if absent <= everywhere:
                        break
            self._known[key] = frozenset(everywhere)
            if absent - everywhere:
                raise _no_column(table, sorted(absent - everywhere), sorted(everywhere))

    def _opened_lazily(self, table: InputTable) -> Iterator[LakeFile]:
        filesystem, remote = self.inputs.filesystem, self.inputs.remote
        for file in self._files_everywhere(table):
            if file.size:
                yield LakeFile(filesystem, file.path, remote, table.name, size=file.size)


def _time_column(table: InputTable) -> InputColumn:
    if table.time is None:
        raise ValueError(f"{table.name} has no time column; it is a side table")
    return table.column(table.time)


def _milliseconds(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * _DAY


def _within(times: pa.ChunkedArray, start: int, stop: int) -> pa.ChunkedArray:
    lower = pc.greater_equal(times, pa.scalar(start, TIME))
    inside = pc.and_(lower, pc.less(times, pa.scalar(stop, TIME)))
    return pc.fill_null(inside, False) if inside.null_count else inside


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values


def _side_nulls(column: InputColumn) -> pa.ChunkedArray:
    return _plain(as_declared(pa.chunked_array([], pa.null()), column, ""))


def _missing(table: InputTable) -> InputRefused:
    return InputRefused(
        "the table is missing",
        on=f"table {table.name}",
        hint="production cannot run without it either; check the lake's address",
    )


def _no_column(table: InputTable, absent: Sequence[str], there: Sequence[str]) -> InputRefused:
    return InputRefused(
        f"no file of the table has {', '.join(absent)}",
        on=f"table {table.name}",
        hint=f"production stops with COLUMN_NOT_FOUND; the files have {', '.join(there)}",
    )
