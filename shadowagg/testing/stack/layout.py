"""Where the stack keeps things: what is downloaded once, and what one running stack owns."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BUCKET", "Home", "RunFolder", "new_run_folder"]

BUCKET = "shadowagg"
"""The bucket: `s3://shadowagg/t` and `local:///shadowagg/t` are the same files."""

_PREFIX = "shadowagg-stack-"


@dataclass(frozen=True, slots=True)
class Home:
    """What outlives a stack: downloads, unpacked servers, the lock and the state file.

    Args:
        folder: made when something is put there.
    """

    folder: Path

    @classmethod
    def default(cls) -> Home:
        """`$SHADOWAGG_STACK_HOME`, else `shadowagg-stack` in the user's cache folder."""
        named = os.environ.get("SHADOWAGG_STACK_HOME")
        if named:
            return cls(Path(named).expanduser().resolve())
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(cache) / "shadowagg-stack")

    @property
    def lock(self) -> Path:
        """Held by whoever changes the stack."""
        return self.folder / "lock"

    @property
    def state(self) -> Path:
        """What runs: see `state.State`."""
        return self.folder / "state.json"

    @property
    def logs(self) -> Path:
        """Logs of downloads, and of services that died."""
        return self.folder / "logs"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """What one stack writes: data, configuration, logs. It goes with the stack.

    Args:
        folder: made by `new_run_folder`.
    """

    folder: Path

    def service(self, name: str) -> Path:
        """A service's own folder."""
        return self.folder / name

    def log(self, name: str) -> Path:
        """A service's output."""
        return self.folder / f"{name}.log"

    @property
    def lake(self) -> Path:
        """The folder that Trino knows as `local:///`: buckets, and the metastore."""
        return self.folder / "lake"

    @property
    def bucket(self) -> Path:
        """The folder for tables: `local:///shadowagg`."""
        return self.lake / BUCKET

    @property
    def access_log(self) -> Path:
        """A line per S3 request, where the S3 server is versitygw."""
        return self.folder / "s3-access.log"

    def is_ours(self) -> bool:
        """Whether this is a folder that `new_run_folder` made, for this user: one to remove."""
        return (
            self.folder.name.startswith(_PREFIX)
            and self.folder.is_dir()
            and not self.folder.is_symlink()
            and self.folder.stat().st_uid == os.getuid()
        )


def new_run_folder() -> RunFolder:
    """A new folder for a stack.

    Below `/var/tmp` where that can be written: it is on a disk (the S3 server needs extended
    attributes), its path is short (that of a socket has 107 bytes at most), and PostgreSQL's user
    can reach it, which is not true of root's home.
    """
    place = "/var/tmp"  # noqa: S108 - the folder made in it is private and its name unguessable
    if not os.access(place, os.W_OK | os.X_OK):
        place = tempfile.gettempdir()
    run = RunFolder(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)))
    # Others may pass (PostgreSQL's user must), and not look around.
    run.folder.chmod(0o711)
    run.bucket.mkdir(parents=True)
    (run.lake / "metastore").mkdir()
    run.lake.chmod(0o700)
    return run
