"""Where the inputs of a run lie, which objects they are, and whether they moved meanwhile.

This module knows names and sizes, not contents: the candidate reads through `candidate.source`,
each control through its engine.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from pyarrow import fs

from shadowagg.errors import UserError
from shadowagg.object_store import ObjectStore, cannot_read
from shadowagg.window import Window

if TYPE_CHECKING:
    from shadowagg.provider import InputTable

__all__ = ["FilesEverywhere", "InputFile", "Inputs"]


@dataclass(frozen=True, slots=True)
class InputFile:
    """One Parquet object."""

    path: str
    size: int
    changed: str
    """Moment of its last change, as the file system gives it."""


class FilesEverywhere:
    """The files of a table, in an order of their own, listed as far as somebody has asked.

    Args:
        found: all of them.
    """

    def __init__(self, found: Iterator[InputFile]) -> None:
        self._found = found
        self._seen: list[InputFile] = []

    def __iter__(self) -> Iterator[InputFile]:
        """From the first one on."""
        position = 0
        while True:
            if position == len(self._seen):
                file = next(self._found, None)
                if file is None:
                    return
                self._seen.append(file)
            yield self._seen[position]
            position += 1


@dataclass(frozen=True)
class Inputs:
    """The addresses of lake tables and side tables: plain data, cheap to hand to a fenced process.

    Args:
        lake: folder or URI (`s3://bucket/prefix`; `s3:///prefix` for the environment's bucket) below
            which the lake tables lie. Keys of S3 come from the environment, never from here.
        side: folder with one `<table>.parquet` per PostgreSQL side table; or `postgresql:<schema>`, which
            a run exports into a folder before it looks at anything (`side_tables`).
        layout: `tables`: `<lake>/<table>/source=…`; `bucket`: `<lake>/<InputTable.location>/source=…`
            (`inputs.md` 1.1).
        locations: location of single tables below the lake, where they lie elsewhere.
        side_at: files of single side tables that lie elsewhere than in `side`.
        s3: options of `pyarrow.fs.S3FileSystem` that are no secrets: `endpoint_override`, `region`, …
    """

    lake: str
    side: str
    layout: Literal["tables", "bucket"] = "tables"
    locations: Mapping[str, str] = field(default_factory=dict)
    s3: Mapping[str, Any] = field(default_factory=dict)
    side_at: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back."""
        return {
            "lake": self.lake,
            "side": self.side,
            "layout": self.layout,
            "locations": dict(self.locations),
            "s3": dict(self.s3),
            **({"side_at": dict(self.side_at)} if self.side_at else {}),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Inputs:
        """The addresses that `to_json` wrote."""
        return cls(**document)

    @cached_property
    def _lake(self) -> tuple[fs.FileSystem, str]:
        if self.lake.startswith("s3://"):
            store = ObjectStore.from_environment()
            return store.filesystem(self.s3), store.path(self.lake)
        return fs.LocalFileSystem(), self.lake.rstrip("/") or "/"

    @property
    def filesystem(self) -> fs.FileSystem:
        """The file system of the lake."""
        return self._lake[0]

    @property
    def root(self) -> str:
        """The folder below which the lake tables lie, as a path of `filesystem`."""
        return self._lake[1]

    @property
    def remote(self) -> bool:
        """Whether the lake lies in an object store: each request costs a round trip."""
        return not isinstance(self.filesystem, fs.LocalFileSystem)

    def location(self, table: InputTable, window: Window) -> str:
        """The folder of a lake table, as a path of `filesystem`."""
        if table.name in self.locations:
            return f"{self.root}/{self.locations[table.name]}"
        if self.layout == "bucket":
            account = window.schema.removeprefix("acct")
            return f"{self.root}/{table.location.format(account=account)}"
        return f"{self.root}/{table.name}"

    def exists(self, table: InputTable, window: Window) -> bool:
        """Whether the table exists: it comes into being with the first file of its kind.

        Whoever has found files of it need not ask.
        """
        if table.home == "postgres":
            return bool(self._info(self.side_path(table)).type == fs.FileType.File)
        return any(True for _ in self.everywhere(table, window))

    def side_path(self, table: InputTable) -> str:
        """The Parquet file of a side table; it may be missing."""
        return self.side_at.get(table.name) or f"{self.side}/{table.name}.parquet"

    def side_file(self, table: InputTable) -> InputFile | None:
        """The Parquet file of a side table; None if there is none."""
        info = self._info(self.side_path(table))
        if info.type != fs.FileType.File:
            return None
        return InputFile(info.path, info.size, str(info.mtime_ns))

    def files(self, table: InputTable, window: Window, source_uuid: str) -> tuple[InputFile, ...]:
        """The Parquet files of one source in the window's month, by name; none if there is none.

        A file of no bytes has no rows, as for Trino.
        """
        folder = (
            f"{self.location(table, window)}/source={source_uuid}"
            f"/year={window.year}/month={window.month}"
        )
        return tuple(file for file in self._walk(folder) if file.size)

    def everywhere(self, table: InputTable, window: Window) -> FilesEverywhere:
        """Every Parquet file of the table, of any source and month, the window's own sources first.

        They are looked for one source at a time, and once, as far as anybody asks. A table with a
        file exists, also one of no bytes; of the others the columns count.

        Asked only where a column is in no file of the month: a column that no file of the *table*
        has is refused, one that the month lacks is NULL (`golden` README, *What production refuses*).
        """
        return FilesEverywhere(self._everywhere(table, window))

    def fingerprint(self, tables: Iterable[InputTable], window: Window) -> str:
        """A hash over names, sizes and moments of change of everything that the window reads.

        Of side tables, which are small, the contents count. An object store tells the second of a
        change, no more. So that every later change shows, the second in which an object was changed
        last is over when this returns.

        Raises:
            InputUnreadable: if a folder cannot be listed.
        """
        objects: list[list[Any]] = []
        sources = _sources(window)
        newest = 0
        for table in sorted(tables, key=lambda table: table.name):
            if table.home == "postgres":
                objects.append([table.name, self._side_digest(table)])
                continue
            for source in sources:
                for file in self.files(table, window, source):
                    objects.append([table.name, file.path, file.size, file.changed])
                    if file.changed.isdigit():
                        newest = max(newest, int(file.changed))
        if self.remote:
            _wait_for_the_next_second(newest)
        return hashlib.sha256(json.dumps(objects).encode()).hexdigest()

    def _side_digest(self, table: InputTable) -> str:
        try:
            with open(self.side_path(table), "rb") as file:  # noqa: PTH123 - a path of Arrow's
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:  # missing, or unreadable: whoever reads it will say so
            return type(error).__name__

    def _info(self, path: str) -> fs.FileInfo:
        return fs.LocalFileSystem().get_file_info(path)

    def _everywhere(self, table: InputTable, window: Window) -> Iterator[InputFile]:
        """The files of a table, source after source."""
        root = self.location(table, window)
        own = [f"{root}/source={source}" for source in _sources(window)]
        for folder in own:
            yield from self._walk(folder)
        for info in self._listed(root, recursive=False):
            if info.type == fs.FileType.File:
                yield from _parquet([info], root)
            elif info.path not in own and not info.base_name.startswith(("_", ".")):
                yield from self._walk(info.path)

    def _walk(self, folder: str) -> Iterator[InputFile]:
        """Parquet files below a folder."""
        return _parquet(self._listed(folder, recursive=True), folder)

    def _listed(self, folder: str, *, recursive: bool) -> list[fs.FileInfo]:
        selector = fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
        try:
            found = self.filesystem.get_file_info(selector)
        except (OSError, pa.ArrowException) as error:
            raise cannot_read(error, folder, doing="list") from error
        return sorted(found, key=lambda info: info.path)


def _parquet(found: Iterable[fs.FileInfo], folder: str) -> Iterator[InputFile]:
    """The Parquet files among them; names that begin with `_` or `.` are none, as for Trino."""
    for info in found:
        inside = info.path[len(folder) :].split("/")
        hidden = any(part.startswith(("_", ".")) for part in inside)
        if info.type == fs.FileType.File and info.path.endswith(".parquet") and not hidden:
            yield InputFile(info.path, info.size, str(info.mtime_ns))


def _sources(window: Window) -> list[str]:
    return sorted({window.source_uuid, *(c.source_uuid for c in window.clusters)})


def _wait_for_the_next_second(changed: int) -> None:
    """Until the second of a change (in ns since 1970) is over; not for a clock that is far off."""
    left = math.floor(changed / 1e9) + 1 - time.time()
    if 0 < left <= 2:
        time.sleep(left)


def check_folder(path: str) -> None:
    """Say in one line that a folder is not there.

    Raises:
        UserError: if it is not.
    """
    if fs.LocalFileSystem().get_file_info(path).type != fs.FileType.Directory:
        raise UserError("no such folder", on=path, hint="check the path")
