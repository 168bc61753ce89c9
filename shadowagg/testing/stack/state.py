"""What runs, as one file: who finds it there uses it, and ends nothing that is not in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shadowagg.errors import UserError
from shadowagg.testing.stack.layout import Home, RunFolder
from shadowagg.testing.stack.process import Identity

__all__ = ["Credentials", "State", "load", "locked", "save"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Credentials:
    """Made for each stack: other users of the machine reach loopback, too.

    Args:
        postgres_password: of user `postgres`.
        s3_access_key: of the S3 server's one account.
        s3_secret_key: of the same.
    """

    postgres_password: str = field(repr=False)
    s3_access_key: str
    s3_secret_key: str = field(repr=False)

    @classmethod
    def new(cls) -> Credentials:
        """Random ones."""
        return cls(secrets.token_hex(12), secrets.token_hex(8).upper(), secrets.token_hex(20))


@dataclass(frozen=True, slots=True)
class State:
    """One stack.

    Args:
        folder: its run folder.
        ports: service -> port on 127.0.0.1; those of services not started are kept free for them,
            since Trino's catalogs name them.
        credentials: of this stack.
        heap: Trino's, in MB.
        s3_server: `versitygw` or `seaweedfs`; empty until one is started.
        kept: whether `up` started it, so that only `down` ends it.
        holders: who uses it; without `kept`, the last one out ends it.
        services: service -> its process.
    """

    folder: Path
    ports: Mapping[str, int]
    credentials: Credentials
    heap: int
    s3_server: str = ""
    kept: bool = False
    holders: tuple[Identity, ...] = ()
    services: Mapping[str, Identity] = field(default_factory=dict)

    @property
    def run(self) -> RunFolder:
        """Where its files lie."""
        return RunFolder(self.folder)

    def alive(self, service: str) -> bool:
        """Whether a service was started and still runs."""
        identity = self.services.get(service)
        return identity is not None and identity.alive

    def with_service(self, service: str, identity: Identity) -> State:
        """The same stack, with one more process."""
        return replace(self, services={**self.services, service: identity})

    def without_service(self, service: str) -> State:
        """The same stack, with one process less."""
        return replace(self, services={k: v for k, v in self.services.items() if k != service})

    def held_by(self, holder: Identity) -> State:
        """The same stack, with one more user; those that have died are forgotten."""
        others = self.without_holder(holder).holders
        return replace(self, holders=(*others, holder))

    def without_holder(self, holder: Identity | None) -> State:
        """The same stack, with one user less; those that have died are forgotten."""
        return replace(self, holders=tuple(h for h in self.holders if h != holder and h.alive))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "version": _VERSION,
            "folder": str(self.folder),
            "ports": dict(self.ports),
            "credentials": {
                "postgres_password": self.credentials.postgres_password,
                "s3_access_key": self.credentials.s3_access_key,
                "s3_secret_key": self.credentials.s3_secret_key,
            },
            "heap": self.heap,
            "s3_server": self.s3_server,
            "kept": self.kept,
            "holders": [holder.to_json() for holder in self.holders],
            "services": {name: one.to_json() for name, one in self.services.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> State:
        """What `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: if it is not that.
        """
        if document["version"] != _VERSION:
            raise ValueError(document["version"])
        return cls(
            folder=Path(document["folder"]),
            ports={str(name): int(port) for name, port in document["ports"].items()},
            credentials=Credentials(**document["credentials"]),
            heap=int(document["heap"]),
            s3_server=str(document["s3_server"]),
            kept=bool(document["kept"]),
            holders=tuple(Identity.from_json(one) for one in document["holders"]),
            services={
                str(name): Identity.from_json(one) for name, one in document["services"].items()
            },
        )


def load(home: Home) -> State | None:
    """The stack on record; None if there is none.

    Raises:
        UserError: if the file cannot be understood: something may run that only it knows.
    """
    try:
        text = home.state.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return State.from_json(json.loads(text))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            "cannot be understood",
            on=str(home.state),
            hint="it is of another version: end the processes that it names, then remove it",
        ) from error


def save(home: Home, state: State | None) -> None:
    """Put a stack on record, in one step; None: there is none any more."""
    if state is None:
        home.state.unlink(missing_ok=True)
        return
    home.folder.mkdir(parents=True, exist_ok=True)
    draft = home.state.with_suffix(".new")
    # It has the passwords: for its owner alone, from the first byte.
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as sink:
        json.dump(state.to_json(), sink, indent=1)
    draft.replace(home.state)


@contextlib.contextmanager
def locked(home: Home, say: Callable[[str], None]) -> Iterator[None]:
    """Be the only one who changes the stack; waits for whoever is at it.

    The kernel drops the lock with its holder, however that ends.
    """
    home.folder.mkdir(parents=True, exist_ok=True)
    with home.lock.open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another shadowagg-stack is at work on this stack; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
