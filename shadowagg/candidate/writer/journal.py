"""What a switch of staging files is about to do, kept beside them, so that a later run can end it.

A journal is one small file per write, below `_shadowagg` in the staging root: in a folder of the
provider, source and month. It is written before the first file of the write, and again when the
write has been committed in PostgreSQL: that second time is the moment from which readers see the
new rows, all at once. Its last state stays until the next write of the month.

    prepared    files are being written aside, or PostgreSQL has not committed, or nobody has looked yet
    switching   committed: the new files count, whatever lies beside them
    done        the files are where they belong
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pyarrow import fs

from shadowagg.candidate.writer.options import Staging
from shadowagg.errors import InputUnreadable

__all__ = ["VISIBLE", "DayEntry", "Journal", "JournalFolder", "OldFile"]

VISIBLE = "shadowagg.parquet"
"""The name of our file in a partition. Always the same, so that in S3 too the next write replaces it in
one step."""

_VERSION = 1
_FOLDER = "_shadowagg"

State = Literal["prepared", "switching", "done"]


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file that a partition had when the write began.

    Args:
        path: below the root.
        size: in bytes.
        changed: nanoseconds.
    """

    path: str
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class DayEntry:
    """One partition of one table.

    Args:
        table: its name.
        values: partition column -> value, in order.
        folder: below the root.
        others: further folders of the same day: production also empties months written with a zero.
        rows: how many it gets.
        aside: name of the new file until the switch, hidden from readers; empty without rows.
        old: files that it replaces.
    """

    table: str
    values: Mapping[str, str]
    folder: str
    others: tuple[str, ...]
    rows: int
    aside: str
    old: tuple[OldFile, ...]

    @property
    def visible(self) -> str:
        """Path of the new file after the switch, below the root."""
        return f"{self.folder}/{VISIBLE}"

    @property
    def hidden(self) -> str:
        """Path of the new file before the switch, below the root."""
        return f"{self.folder}/{self.aside}"


@dataclass(frozen=True, slots=True)
class Journal:
    """One write.

    Args:
        token: of the write, as in PostgreSQL.
        state: how far it is.
        window: in words, for people.
        days: what it replaces.
    """

    token: str
    state: State
    window: str
    days: tuple[DayEntry, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back."""
        return {
            "version": _VERSION,
            "token": self.token,
            "state": self.state,
            "window": self.window,
            "days": [
                {
                    "table": day.table,
                    "values": dict(day.values),
                    "folder": day.folder,
                    "others": list(day.others),
                    "rows": day.rows,
                    "aside": day.aside,
                    "old": [[old.path, old.size, old.changed] for old in day.old],
                }
                for day in self.days
            ],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Journal:
        """The journal that `to_json` wrote."""
        return cls(
            token=document["token"],
            state=document["state"],
            window=document["window"],
            days=tuple(
                DayEntry(
                    table=day["table"],
                    values=day["values"],
                    folder=day["folder"],
                    others=tuple(day["others"]),
                    rows=day["rows"],
                    aside=day["aside"],
                    old=tuple(OldFile(*old) for old in day["old"]),
                )
                for day in document["days"]
            ),
        )


@dataclass(frozen=True, slots=True)
class JournalFolder:
    """The journals of one provider, source and month.

    Args:
        staging: in whose root they lie.
        provider: its name.
        source: its UUID.
        month: `YYYY-MM`.
    """

    staging: Staging
    provider: str
    source: str
    month: str

    @property
    def _path(self) -> str:
        return self.staging.path(f"{_FOLDER}/{self.provider}/{self.source}/{self.month}")

    def read(self) -> tuple[Journal, ...]:
        """All journals there, by token."""
        system = self.staging.filesystem
        found = system.get_file_info(fs.FileSelector(self._path, allow_not_found=True))
        journals = []
        for info in sorted(found, key=lambda info: info.path):
            if info.type != fs.FileType.File or not info.path.endswith(".json"):
                continue
            try:
                with system.open_input_stream(info.path) as stream:
                    document = json.loads(stream.read())
            except FileNotFoundError:
                continue  # gone since the listing: the next write has taken its place
            except OSError:
                if system.get_file_info(info.path).type == fs.FileType.NotFound:
                    continue
                raise
            if document.get("version") != _VERSION:
                raise InputUnreadable(
                    f"journal of version {document.get('version')}",
                    on=info.path,
                    hint="upgrade shadowagg",
                )
            journals.append(Journal.from_json(document))
        return tuple(journals)

    def put(self, journal: Journal) -> None:
        """Write a journal, or its next state, in one step: readers find the old text or the new one."""
        system, path = self.staging.filesystem, f"{self._path}/{journal.token}.json"
        text = json.dumps(journal.to_json(), indent=1).encode()
        if self.staging.on_s3:
            with system.open_output_stream(path) as stream:
                stream.write(text)
            return
        system.create_dir(self._path)
        aside = f"{path}.new"
        with system.open_output_stream(aside) as stream:
            stream.write(text)
        flush(aside)
        system.move(aside, path)
        flush(self._path)

    def advance(self, journal: Journal, state: State) -> Journal:
        """The journal in its next state, written."""
        later = replace(journal, state=state)
        self.put(later)
        return later

    def remove(self, journal: Journal) -> None:
        """Forget a journal."""
        path = f"{self._path}/{journal.token}.json"
        if self.staging.filesystem.get_file_info(path).type == fs.FileType.File:
            self.staging.filesystem.delete_file(path)


def flush(path: str) -> None:
    """Have a local file, or a folder's names, on the disk before going on."""
    import os

    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
