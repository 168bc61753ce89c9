"""Files of the staging tables: written aside, then switched, or removed again.

What is promised, and by what:

* Before PostgreSQL has committed nothing that a reader sees is touched: new files have names that
  begin with `_`, which neither Trino nor Arrow nor our own reader looks at.
* After the commit the journal's state `switching` makes the new files count, all at once, for whoever
  reads with `reader.read_staging`. Then each partition's old files go and its new one gets its name.
* A reader that knows nothing of the journal sees each partition change by itself. Where the file to be
  replaced is ours, that is one step; files of others are removed first, so that for a moment the partition
  is empty, never doubled.
* Files that somebody else has put into a partition since the write began are newer than ours, and stay.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from shadowagg.candidate.writer.journal import (
    DayEntry,
    Journal,
    JournalFolder,
    OldFile,
    flush,
)
from shadowagg.candidate.writer.options import StagedPartition, Staging
from shadowagg.candidate.writer.owner import owned_values
from shadowagg.errors import UserError, WriteFailed
from shadowagg.plan import Plan
from shadowagg.rowset import Level, RowSet, RowSetSpec

__all__ = [
    "PREFIX",
    "StagedWindow",
    "day_entry",
    "days_of",
    "is_there",
    "newer",
    "partitions",
    "visible_files",
]

PREFIX = "_shadowagg-"
"""How the names of files begin that are not switched yet."""

_LOG = logging.getLogger("shadowagg")
_ROW_GROUP = 131_072
_SAFE = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class StagedWindow:
    """The staging side of one window: used under the window's lock only.

    Args:
        staging: where.
        journals: of the window's provider, source and month.
    """

    staging: Staging
    journals: JournalFolder

    @classmethod
    def of(cls, staging: Staging, plan: Plan) -> StagedWindow:
        """That of a plan."""
        window = plan.window
        month = f"{window.start:%Y-%m}"
        return cls(staging, JournalFolder(staging, window.provider, window.source_uuid, month))

    def prepare(self, row_sets: Sequence[RowSet], plan: Plan, level: Level, token: str) -> Journal:
        """Write the rows aside; readers notice nothing.

        Args:
            row_sets: of staging tables.
            plan: of the window; days without rows become empty.
            level: at which they are written.
            token: of the write.
        """
        with _storage_errors(str(plan.window)):
            parts = [(rows, day) for rows in row_sets for day in days_of(plan)]
            counts = {rows.spec.name: _rows_by_day(rows) for rows in row_sets}
            journal = Journal(
                token=token,
                state="prepared",
                window=str(plan.window),
                days=tuple(
                    _filled(
                        self.staging,
                        day_entry(self.staging, rows.spec, plan, day, level),
                        counts[rows.spec.name].get(day, 0),
                        token,
                    )
                    for rows, day in parts
                ),
            )
            earlier = self.journals.read()
            self.journals.put(journal)
            for one in earlier:
                if one.state == "done":
                    self.journals.remove(one)
            self._remove_orphans(journal)
            for (rows, day), entry in zip(parts, journal.days, strict=True):
                if entry.rows:
                    self._write(_day_rows(rows, day), rows.spec, entry)
        return journal

    def switch(self, journal: Journal) -> None:
        """Make the files of a committed write count, and put them where they belong.

        May be called again after it broke off anywhere.
        """
        with _storage_errors(journal.window):
            if journal.state == "prepared":
                journal = self.journals.advance(journal, "switching")
            if journal.state == "switching":
                for entry in journal.days:
                    self._switch_day(entry)
                if self.staging.register is not None:
                    self.staging.register(partitions(journal))
                self.journals.advance(journal, "done")

    def undo(self, journal: Journal) -> None:
        """Remove the files of a write that was not committed."""
        with _storage_errors(journal.window):
            for entry in journal.days:
                if entry.aside:
                    self._delete(entry.hidden)
            self.journals.remove(journal)

    def _write(self, rows: pa.Table, spec: RowSetSpec, entry: DayEntry) -> None:
        path = self.staging.path(entry.hidden)
        if not self.staging.on_s3:
            self.staging.filesystem.create_dir(self.staging.path(entry.folder))
        pq.write_table(
            rows.select([c.name for c in spec.columns if c.name not in spec.partitions]),
            path,
            filesystem=self.staging.filesystem,
            row_group_size=_ROW_GROUP,
            compression="snappy",
            # The types are the specification's, not the encoding of this run's memory.
            store_schema=False,
        )
        if not self.staging.on_s3:
            flush(path)

    def _switch_day(self, entry: DayEntry) -> None:
        waiting = bool(entry.aside) and is_there(self.staging, entry.hidden)
        if entry.aside and not waiting:
            return  # switched when it was tried before, or gone with a partition that somebody dropped
        present = visible_files(self.staging, entry)
        if newer(present, entry):
            _LOG.warning(
                "staging partition was written by somebody else meanwhile",
                extra={"table": entry.table, "folder": entry.folder},
            )
            if waiting:
                self._delete(entry.hidden)
            return
        for file in present:
            if not waiting or file.path != entry.visible:
                self._delete(file.path)
        if waiting:
            hidden, visible = (self.staging.path(path) for path in (entry.hidden, entry.visible))
            self.staging.filesystem.move(hidden, visible)

    def _remove_orphans(self, journal: Journal) -> None:
        """Files aside that no journal knows: of a run that went on after it had lost its lock.

        Listed before the journals are read: a journal is older than the files of its write.
        """
        found: list[str] = []
        root = self.staging.path("")
        for entry in journal.days:
            selector = fs.FileSelector(self.staging.path(entry.folder), allow_not_found=True)
            found.extend(
                info.path.removeprefix(root)
                for info in self.staging.filesystem.get_file_info(selector)
                if info.type == fs.FileType.File and info.base_name.startswith(PREFIX)
            )
        known = {day.hidden for one in self.journals.read() for day in one.days}
        for path in found:
            if path not in known:
                self._delete(path)

    def _delete(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.staging.filesystem.delete_file(self.staging.path(path))


def partitions(journal: Journal) -> tuple[StagedPartition, ...]:
    """The partitions that a write replaces."""
    return tuple(StagedPartition(day.table, dict(day.values), day.rows) for day in journal.days)


def day_entry(
    staging: Staging, spec: RowSetSpec, plan: Plan, day: dt.date, level: Level
) -> DayEntry:
    """Where a day of the window lies in a staging table.

    Raises:
        UserError: for a specification or window that does not say.
    """
    owners = owned_values(spec, plan.window, level)
    values: dict[str, str] = {}
    for name in spec.partitions:
        if name in {"year", "month", "day"}:
            values[name] = str(getattr(day, name))
            continue
        found = owners.get(name, ())
        if len(found) != 1 or not _SAFE.fullmatch(str(found[0])):
            raise UserError(
                f"no one value for the partition column {name}",
                on=f"row set {spec.name}",
                hint="`deleted_by` of its specification names a value of the window",
            )
        values[name] = str(found[0])
    if not values:
        raise UserError(
            "no partition columns are specified",
            on=f"row set {spec.name}",
            hint="a staging table is replaced by partition: set `partitions`",
        )
    padded = {**values, "month": f"{day.month:02d}"} if "month" in values else values
    top = staging.folder(spec.table)
    folders = list(dict.fromkeys(f"{top}/{_path(v)}" for v in (values, padded)))
    return DayEntry(
        table=spec.table,
        values=values,
        folder=folders[0],
        others=tuple(folders[1:]),
        rows=0,
        aside="",
        old=(),
    )


def visible_files(staging: Staging, entry: DayEntry) -> tuple[OldFile, ...]:
    """The files of a day that a reader sees; with any name: Trino's have no ending."""
    root = staging.path("")
    found = []
    for folder in (entry.folder, *entry.others):
        selector = fs.FileSelector(staging.path(folder), allow_not_found=True, recursive=True)
        for info in staging.filesystem.get_file_info(selector):
            path = info.path.removeprefix(root)
            parts = path.removeprefix(folder).split("/")
            hidden = any(part.startswith(("_", ".")) for part in parts)
            if info.type == fs.FileType.File and info.size and not hidden:
                found.append(OldFile(path, info.size, info.mtime_ns))
    return tuple(sorted(found, key=lambda file: file.path))


def newer(present: Sequence[OldFile], entry: DayEntry) -> bool:
    """Whether somebody else has written the day since our write began.

    Our own file may be there already beside the one aside: in S3 a rename is a copy, then a delete.
    """
    return any(
        file not in entry.old and not (entry.aside and file.path == entry.visible)
        for file in present
    )


def _filled(staging: Staging, entry: DayEntry, rows: int, token: str) -> DayEntry:
    return DayEntry(
        table=entry.table,
        values=entry.values,
        folder=entry.folder,
        others=entry.others,
        rows=rows,
        aside=f"{PREFIX}{token}.parquet" if rows else "",
        old=visible_files(staging, entry),
    )


def is_there(staging: Staging, path: str) -> bool:
    """Whether a file is there, below the root."""
    info = staging.filesystem.get_file_info(staging.path(path))
    return bool(info.type == fs.FileType.File)


def _path(values: dict[str, str]) -> str:
    return "/".join(f"{name}={value}" for name, value in values.items())


def days_of(plan: Plan) -> list[dt.date]:
    """The days that a plan replaces: from the first with data."""
    count = (plan.subwindows[-1].end - plan.start).days + 1
    return [plan.start + dt.timedelta(days=n) for n in range(count)]


def _rows_by_day(rows: RowSet) -> dict[dt.date, int]:
    counted = pc.value_counts(rows.table.column(rows.spec.day_column))
    return {count["values"]: count["counts"] for count in counted.to_pylist()}


def _day_rows(rows: RowSet, day: dt.date) -> pa.Table:
    table = rows.table
    return table.filter(pc.equal(table.column(rows.spec.day_column), pa.scalar(day, pa.date32())))


@contextlib.contextmanager
def _storage_errors(on: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise WriteFailed(
            f"staging files: {str(error).splitlines()[0]}",
            on=on,
            hint="check space and permissions; write the window again, which settles it",
        ) from error
