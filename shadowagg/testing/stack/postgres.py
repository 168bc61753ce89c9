"""PostgreSQL, without its distribution's cluster scripts, for data that are thrown away."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from shadowagg.errors import UserError
from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.ports import HOST
from shadowagg.testing.stack.process import Identity, Owner, as_owner, last_lines, start
from shadowagg.testing.stack.state import State
from shadowagg.testing.stack.steps import Missing, Say, find_program, install_packages

__all__ = ["DATABASE", "SETTINGS", "USER", "Postgres", "find_programs"]

USER = "postgres"
DATABASE = "postgres"
"""Trino's catalog `postgres` is this database."""

_PACKAGE = "postgresql"
_VERSIONS = Path("/usr/lib/postgresql")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/shadowagg-stack.conf")

_ORPHANS_GO_WITHIN = 10.0
"""Seconds."""

SETTINGS = {
    "listen_addresses": HOST,
    # Data that go with the stack need no care at a power cut. What is committed outlives a killed
    # server all the same, as in production: `synchronous_commit` stays on.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """The service `postgres`."""

    name = "postgres"
    needs: tuple[str, ...] = ()
    stop_signal = signal.SIGINT
    """PostgreSQL's word for a fast stop; at SIGTERM it would wait for its clients."""

    def __init__(self) -> None:
        self._programs = Path()

    @property
    def kind(self) -> str:
        """`postgresql`, and its version where the folder tells."""
        version = self._programs.parent.name
        return f"postgresql {version}" if version.isdigit() else "postgresql"

    def install(self, home: Home, say: Say) -> None:
        """Find `initdb` and `postgres`, or install Debian's package."""
        found = find_programs()
        if found is None:
            _install(home, say)
            found = find_programs()
        if found is None:
            raise Missing(
                "has no initdb and postgres, even installed",
                on=_PACKAGE,
                hint="put their folder on PATH",
            )
        self._programs = found

    def launch(self, state: State) -> Identity:
        """Make a cluster in the run folder and start it."""
        owner = Owner.unprivileged()
        folder = state.run.service(self.name)
        log = state.run.log(self.name)
        data = folder / "data"
        if not data.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / "sockets").mkdir(mode=0o700, exist_ok=True)
            if owner is not None:
                os.chown(folder, owner.user, owner.group)
                os.chown(folder / "sockets", owner.user, owner.group)
            self._make_cluster(data, state, owner)
        else:
            _forget_the_dead(data)
        command = [str(self._programs / "postgres"), "-D", str(data)]
        command += ["-p", str(state.ports[self.name]), "-k", str(folder / "sockets")]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        return start(command, log=log, folder=folder, owner=owner)

    def _make_cluster(self, data: Path, state: State, owner: Owner | None) -> None:
        log = state.run.log(self.name)
        secret = state.credentials.postgres_password
        with log.open("ab") as output, _password_file(data.parent, secret, owner) as password:
            done = subprocess.run(
                [
                    *(str(self._programs / "initdb"), "-D", str(data), "-U", USER),
                    *("-E", "UTF8", "--locale=C.UTF-8", "--auth-host=scram-sha-256"),
                    *("--auth-local=scram-sha-256", f"--pwfile={password}", "--no-sync"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=data.parent,
                check=False,
                **as_owner(owner),
            )
        if done.returncode != 0:
            raise UserError("initdb failed", on=self.name, hint=last_lines(log))

    def problem(self, state: State) -> str:
        """Whether it lets us in."""
        import psycopg2  # loads a shared library: only where it is asked

        try:
            connection = psycopg2.connect(
                host=HOST,
                port=state.ports[self.name],
                user=USER,
                password=state.credentials.postgres_password,
                dbname=DATABASE,
                connect_timeout=5,
            )
        except psycopg2.OperationalError as error:
            return str(error).strip().splitlines()[-1]
        connection.close()
        return ""


def _forget_the_dead(data: Path) -> None:
    """Make a cluster startable whose server was killed.

    Its children notice a moment later, and hold its memory until then. After that its lock files
    only name a number, which stays taken until somebody reaps the dead server: ours to remove, as
    nobody works in the folder any more and we hold the lock of the stack.

    Raises:
        UserError: if the children stay.
    """
    until = time.monotonic() + _ORPHANS_GO_WITHIN
    while _work_in(data):
        if time.monotonic() > until:
            raise UserError(
                "processes of a server that was killed still run",
                on=str(data),
                hint="shadowagg-stack down, then up again",
            )
        time.sleep(0.1)
    for lock in (data / "postmaster.pid", *(data.parent / "sockets").iterdir()):
        lock.unlink(missing_ok=True)


def _work_in(folder: Path) -> bool:
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # gone, or not ours to look at
            if place.readlink() == folder:
                return True
    return False


@contextlib.contextmanager
def _password_file(folder: Path, password: str, owner: Owner | None) -> Iterator[Path]:
    """The password in a file that only the owner reads, while `initdb` runs."""
    file = folder / "password"
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as sink:
        sink.write(password)
    if owner is not None:
        os.chown(file, owner.user, owner.group)
    try:
        yield file
    finally:
        file.unlink()


def find_programs() -> Path | None:
    """The folder of the newest `initdb` with its `postgres`; None if there is none."""
    versions = [one for one in _VERSIONS.glob("*/bin") if (one / "initdb").exists()]
    for folder in sorted(versions, key=lambda one: _number(one.parent.name), reverse=True):
        if (folder / "postgres").exists():
            return folder
    found = find_program("initdb")
    if found is not None and (found.resolve().parent / "postgres").exists():
        return found.resolve().parent
    return None


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0.0


def _install(home: Home, say: Say) -> None:
    """Debian's package, without the cluster that it would make and start on its own."""
    if os.getuid() == 0 and not _NO_CLUSTER.exists():
        _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        _NO_CLUSTER.write_text("create_main_cluster = false\n", encoding="ascii")
    try:
        install_packages(
            (_PACKAGE,), purpose="PostgreSQL", say=say, log=home.logs / "postgres-install.log"
        )
    finally:
        if os.getuid() == 0:
            _NO_CLUSTER.unlink(missing_ok=True)
