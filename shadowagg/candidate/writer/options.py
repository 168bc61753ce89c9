"""What can be chosen about a write, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pyarrow import fs

from shadowagg.errors import UserError
from shadowagg.object_store import ObjectStore
from shadowagg.rowset import Level

__all__ = ["Settled", "StagedPartition", "Staging", "WriteOptions", "Written", "WrittenTable"]

Settled = Literal["nothing", "finished", "undone", "open"]
"""What was done about an earlier write of the window: there was none to settle; its switch was finished; its
files were removed, as it had not been committed; it is part of a transaction that is still open."""


@dataclass(frozen=True, slots=True)
class StagedPartition:
    """One partition of a staging table after a write.

    Args:
        table: its name.
        values: partition column -> value, in order.
        rows: how many it has now; with none it has no file.
    """

    table: str
    values: Mapping[str, str]
    rows: int


@dataclass(frozen=True)
class Staging:
    """Where the staging tables of one schema lie.

    Args:
        root: folder, or `s3://bucket/prefix`, with a folder per table. It belongs to one schema, as the
            folder of a Hive schema does.
        s3: options of `pyarrow.fs.S3FileSystem` that are no secrets; the rest comes from the environment,
            as for the inputs (`object_store`).
        locations: folder of single tables below the root, where it is not named like the table.
        register: called with the partitions after their files were switched, to tell a metastore; called
            again by the next run if it raises, so it must bear repetition.
    """

    root: str
    s3: Mapping[str, Any] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    register: Callable[[Sequence[StagedPartition]], None] | None = None

    @cached_property
    def filesystem(self) -> fs.FileSystem:
        """The file system of the root."""
        if self.on_s3:
            return ObjectStore.from_environment().filesystem(self.s3)
        return fs.LocalFileSystem()

    @property
    def on_s3(self) -> bool:
        """Whether it lies in S3, where folders are names and a rename is a copy."""
        return self.root.startswith("s3://")

    def path(self, below: str) -> str:
        """A path of `filesystem` from one below the root."""
        return f"{self._folder}/{below}"

    @cached_property
    def _folder(self) -> str:
        if self.on_s3:
            return ObjectStore.from_environment().path(self.root)
        return self.root.rstrip("/")

    def folder(self, table: str) -> str:
        """The folder of a table, below the root."""
        return self.locations.get(table, table).strip("/")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a window is written.

    Args:
        level: where in production's call chain it is called, which decides what is deleted.
        when_busy: whether to `wait` for another run of the same window, or to `refuse` at once.
        patience: seconds to wait.
        batch_rows: rows that are turned into CSV at once.
        marker_schema: PostgreSQL schema of our own table of committed writes; needed with staging only.
    """

    level: Level = "accessor"
    when_busy: Literal["wait", "refuse"] = "wait"
    patience: float = 600.0
    batch_rows: int = 16_384
    marker_schema: str = "shadowagg"

    def __post_init__(self) -> None:
        if self.patience <= 0 or self.batch_rows < 1:
            raise UserError(
                f"patience {self.patience}, batch_rows {self.batch_rows}",
                on="write options",
                hint="both are above zero",
            )
        if self.level not in {"accessor", "updater"} or self.when_busy not in {"wait", "refuse"}:
            raise UserError(
                f"level {self.level!r}, when_busy {self.when_busy!r}",
                on="write options",
                hint="level is accessor or updater, when_busy is wait or refuse",
            )


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """What happened to a PostgreSQL table.

    Args:
        table: its name.
        deleted: rows that went.
        inserted: rows that came.
    """

    table: str
    deleted: int
    inserted: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did.

    Args:
        tables: the PostgreSQL tables, in the provider's order.
        staged: the partitions of the staging tables, days without rows included.
        switched: whether readers of the staging tables see the new rows. False if the caller's transaction
            is still open: `settle_window` after its commit makes it true, and so does the next write.
        recovered: what was done about an earlier write that had not come to its end.
    """

    tables: tuple[WrittenTable, ...]
    staged: tuple[StagedPartition, ...]
    switched: bool
    recovered: Settled
