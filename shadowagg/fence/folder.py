"""Private folders that do not outlive their owner.

The owner holds a lock on the folder itself. It removes the folder when it is done; if it dies
inside a fenced run, the run's supervisor does; if everything dies at once, whoever next makes a
private folder finds this one unlocked and removes it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["disk_usage", "owned_folders", "private_folder", "remove_tree"]

_PREFIX = "shadowagg-private-"
_SETTLED_SECONDS = 60.0  # a younger folder may still be waiting for its lock
_owned: dict[Path, int] = {}  # folder -> process id of its owner: a fork inherits the dictionary


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user may enter, removed at the end with all that is in it.

    It lies in the usual place for temporary files (`TMPDIR`).

    Raises:
        OSError: if none can be made there.
    """
    import tempfile  # here: the supervisor reads this module and makes no folder

    _remove_orphans(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).absolute()
    owner = os.getpid()
    _owned[folder] = owner
    lock = None
    try:
        lock = _lock(folder)
        yield folder
    finally:
        if owner == os.getpid():  # not in a process forked meanwhile: the folder is not its own
            remove_tree(folder)
            _owned.pop(folder, None)
        if lock is not None:
            os.close(lock)


def owned_folders() -> tuple[Path, ...]:
    """The private folders of this process that are in use now."""
    return tuple(folder for folder, owner in list(_owned.items()) if owner == os.getpid())


def remove_tree(folder: Path) -> None:
    """Remove a folder and what is in it, also what its owner has made unreadable; never raises."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        with suppress(OSError):
            folder.chmod(0o700)
        for path, names, _ in os.walk(folder):
            for name in names:
                below = Path(path, name)
                with suppress(OSError):
                    if not below.is_symlink():  # chmod would follow it
                        below.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def disk_usage(*folders: Path) -> tuple[int, int]:
    """Files below the folders, and the bytes of disk that they take; links are not followed."""
    files = size = 0
    waiting = [os.fspath(folder) for folder in folders]
    while waiting:
        # folders and files may vanish while we look
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                files += 1
                with suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
    return files, size


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None where it is taken or cannot be locked."""
    import fcntl  # here: POSIX alone has it

    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
        else:
            return descriptor
    return None


def _remove_orphans(place: Path) -> None:
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if not entry.name.startswith(_PREFIX):
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                settled = time.time() - status.st_mtime > _SETTLED_SECONDS
                if status.st_uid != os.geteuid() or not settled:
                    continue
                lock = _lock(Path(entry.path))
                if lock is not None:
                    remove_tree(Path(entry.path))
                    os.close(lock)
