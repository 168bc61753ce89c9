"""The inputs of a run in its scratch schema: side tables copied, lake tables where their files lie.

`provide` makes, for each `InputTable`,

* of a lake table a view of its name in `hive`, over one external table per source of the window, each at
  the real folder of the window's month: nothing is copied, nothing else is listed, and no right is
  needed but to read. Declared columns in declared types, then `source`, `year`, `month`. A column that
  no file of the table has is left out, so that a statement that reads it fails with COLUMN_NOT_FOUND.
  Files that Trino cannot reach (on this machine, outside of SHADOWAGG_LAKE_DIR) are linked, or copied
  where they cannot be, into the scratch folder.
* of a side table a table of its name in `postgres`, filled by COPY.
* of a table that is missing, and may be, an empty one.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from shadowagg.control.scratch import Scratch, quoted
from shadowagg.control.side_tables import copy_side_table
from shadowagg.errors import InputRefused, InputUnreadable
from shadowagg.inputs import InputFile, Inputs
from shadowagg.object_store import fragment
from shadowagg.provider import InputTable
from shadowagg.window import Window

__all__ = ["PARTITIONED_BY", "Provided", "provide"]

PARTITIONED_BY = ("source", "year", "month")

_TYPES = {
    "text": "varchar",
    "double": "double",
    "time": "timestamp(3)",
    "integer": "integer",
    "boolean": "boolean",
    "uuid": "varchar",
    "texts": "array(varchar)",
}
"""A declared type (`provider.InputColumn.type`) in a table over files."""


@dataclass(frozen=True)
class Provided:
    """What `provide` made.

    Args:
        existing: names of the tables that exist; the others are empty.
        absent: per lake table the declared columns that no file of it has.
        files: per lake table the files that its view reads.
        inputs: where they lie.
    """

    existing: frozenset[str]
    absent: Mapping[str, frozenset[str]]
    files: Mapping[str, tuple[InputFile, ...]]
    inputs: Inputs

    def check_readable(self, tables: Sequence[InputTable]) -> None:
        """Read all of the window's files: asked after a statement failed, to name the one to blame.

        Raises:
            InputUnreadable: naming the first file that cannot be read.
        """
        import pyarrow.parquet as pq  # heavy, and of no use to a run that succeeds

        for table in tables:
            wanted = {column.name for column in table.columns}
            for file in self.files.get(table.name, ()):
                try:
                    with self.inputs.filesystem.open_input_file(file.path) as source:
                        parquet = pq.ParquetFile(source)
                        names = [name for name in parquet.schema_arrow.names if name in wanted]
                        for _ in parquet.iter_batches(columns=names, use_threads=False):
                            pass
                except (OSError, pa.ArrowException) as error:
                    raise _unreadable(file, error) from None


def provide(
    scratch: Scratch, tables: Sequence[InputTable], inputs: Inputs, window: Window
) -> Provided:
    """Make the input tables of a window in both catalogs.

    Raises:
        InputRefused: for a required table that is missing, a side table without a declared column.
        InputUnreadable: for a file that is no Parquet, or cannot be read.
    """
    existing: set[str] = set()
    absent: dict[str, frozenset[str]] = {}
    files: dict[str, tuple[InputFile, ...]] = {}
    for table in tables:
        lake = _LakeTable(scratch, table, inputs, window)
        exists = bool(lake.of_month) or inputs.exists(table, window)
        if exists:
            existing.add(table.name)
        elif table.required:
            side = table.home == "postgres"
            place = inputs.side_path(table) if side else inputs.location(table, window)
            raise InputRefused(
                "the table does not exist",
                on=f"{window}, table {table.name}",
                hint=f"expected at {place}",
            )
        if table.home == "postgres":
            copy_side_table(scratch, table, inputs.side_path(table) if exists else None)
            continue
        absent[table.name] = lake.absent_columns() if exists else frozenset()
        files[table.name] = lake.create(absent[table.name])
    return Provided(frozenset(existing), absent, files, inputs)


@dataclass(frozen=True)
class _LakeTable:
    scratch: Scratch
    table: InputTable
    inputs: Inputs
    window: Window

    def _month(self, source: str) -> str:
        return f"source={source}/year={self.window.year}/month={self.window.month}"

    @cached_property
    def of_month(self) -> Mapping[str, tuple[InputFile, ...]]:
        """Source -> its files of the month, where there are any; none of a side table."""
        if self.table.home == "postgres":
            return {}
        window = self.window
        sources = sorted({window.source_uuid, *(c.source_uuid for c in window.clusters)})
        found = {source: self.inputs.files(self.table, window, source) for source in sources}
        return {source: files for source, files in found.items() if files}

    def absent_columns(self) -> frozenset[str]:
        """Declared columns that no file of the table has, of any source and month."""
        missing = frozenset(column.name for column in self.table.columns)
        for file in itertools.chain.from_iterable(self.of_month.values()):
            missing -= _names(self.inputs, file)
            if not missing:
                return missing
        for file in self.inputs.everywhere(self.table, self.window):
            if file.size:
                with contextlib.suppress(InputUnreadable):  # it is none of this window's
                    missing -= _names(self.inputs, file)
            if not missing:
                break
        return missing

    def create(self, absent: frozenset[str]) -> tuple[InputFile, ...]:
        """The view, and a table under it for each source that has files in the month.

        Returns:
            The files that it reads.
        """
        columns = [column for column in self.table.columns if column.name not in absent]
        declared = ", ".join(f"{quoted(c.name)} {_TYPES[c.type]}" for c in columns)
        read: list[InputFile] = []
        selects = []
        for number, (source, files) in enumerate(self.of_month.items(), 1):
            part = self.scratch.hive(f"{self.table.name}__{number}")
            place = _text(self._address(source, files))
            self.scratch.session.run(
                f"CREATE TABLE {part} ({declared})"
                f" WITH (format = 'PARQUET', external_location = {place})"
            )
            values = [
                f"CAST({quoted(c.name)} AS uuid) AS {quoted(c.name)}"
                if c.type == "uuid"
                else quoted(c.name)
                for c in columns
            ]
            values += _partition(source, self.window.year, self.window.month)
            selects.append(f"SELECT {', '.join(values)} FROM {part}")  # noqa: S608 - quoted
            read += files
        if not selects:
            nothing = [
                f"CAST(NULL AS {'uuid' if c.type == 'uuid' else _TYPES[c.type]}) AS {quoted(c.name)}"
                for c in columns
            ]
            nothing += _partition("", "", "")
            selects.append(f"SELECT {', '.join(nothing)} WHERE false")
        view = self.scratch.hive(self.table.name)
        self.scratch.session.run(f"CREATE VIEW {view} AS {' UNION ALL '.join(selects)}")
        return tuple(read)

    def _address(self, source: str, files: Sequence[InputFile]) -> str:
        """Trino's name for the folder of one source's month."""
        month = self._month(source)
        folder = f"{self.inputs.location(self.table, self.window)}/{month}"
        if not isinstance(self.inputs.filesystem, fs.LocalFileSystem):
            return f"s3://{folder}"
        lake = self.scratch.lake
        if lake is not None and lake.holds(folder):
            inside = os.path.relpath(os.path.realpath(folder), os.path.realpath(lake.folder))
            return lake.address(f"{lake.folder}/{inside}")
        parts = ("inputs", self.table.name, *month.split("/"))
        place = self.scratch.folder(*parts)
        for file in files:
            inner = Path(file.path).relative_to(folder)
            target = self.scratch.folder(*parts, *inner.parent.parts) / inner.name
            _link(file, target)
        return self.scratch.address(place)


def _link(file: InputFile, target: Path) -> None:
    """The same file under another name, or a copy where file systems or permissions have it so.

    No symbolic link: a server in another container would look for its target in vain.
    """
    try:
        os.link(os.path.realpath(file.path), target)
    except OSError:
        try:
            shutil.copyfile(file.path, target)
        except OSError as error:
            raise _unreadable(file, error) from None


def _names(inputs: Inputs, file: InputFile) -> frozenset[str]:
    """The columns of a file, in lower case, as both engines look for them."""
    try:
        schema = fragment(inputs.filesystem, file.path, file.size).physical_schema
        return frozenset(name.lower() for name in schema.names)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file, error) from None


def _unreadable(file: InputFile, error: BaseException) -> InputUnreadable:
    reason = " ".join(str(error).split())
    return InputUnreadable(
        f"cannot read: {reason}", on=file.path, hint="restore the object, or ingest it again"
    )


def _partition(*values: str) -> list[str]:
    """The partition columns, as constants of one source's month."""
    return [
        f"CAST({_text(value)} AS varchar) AS {quoted(name)}"
        for name, value in zip(PARTITIONED_BY, values, strict=True)
    ]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
