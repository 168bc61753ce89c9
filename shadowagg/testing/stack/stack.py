"""Bring a stack up, take it down, and say how it is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shadowagg.errors import UserError
from shadowagg.testing.stack.layout import Home, new_run_folder
from shadowagg.testing.stack.ports import HOST, answers, free_ports, is_free
from shadowagg.testing.stack.postgres import Postgres
from shadowagg.testing.stack.process import Identity, end, last_lines, require_linux
from shadowagg.testing.stack.s3 import S3
from shadowagg.testing.stack.service import Service
from shadowagg.testing.stack.state import Credentials, State, load, locked, save
from shadowagg.testing.stack.steps import Say
from shadowagg.testing.stack.trino import Trino

__all__ = ["DEFAULT_HEAP", "SERVICES", "ServiceStatus", "Stack"]

SERVICES = ("trino", "postgres", "s3")
"""In the order in which they are started: the slow one first, so that the others start meanwhile."""

DEFAULT_HEAP = 1500
"""MB for Trino: enough for tests. Production's SQL wants 4 GB."""

_PATIENCE = 180.0
_STOP_PATIENCE = 120.0
"""Seconds. Trino takes two or three, but half a minute when it writes its class archive."""
_PAUSE = 0.2
_WORD_EVERY = 10.0
_ATTEMPTS = 3


class _PortTaken(UserError):
    """Somebody took a port between our look and the server's start."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How one service is.

    Args:
        name: of the service.
        state: `running`, `silent` (runs, but does not answer), `died`, or `not started`.
        pid: of its process, where there is one.
        address: `host:port`.
        log: its output.
    """

    name: str
    state: str
    pid: int | None
    address: str
    log: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"state": self.state, "pid": self.pid, "address": self.address, "log": self.log}


class Stack:
    """The one stack of a home.

    Args:
        home: whose stack; the user's by default.
        say: takes progress, a line at a time.
        services: what there is; replaced in tests.
    """

    def __init__(
        self, home: Home | None = None, *, say: Say, services: Sequence[Service] | None = None
    ) -> None:
        self.home = home or Home.default()
        self._say = say
        self._services: dict[str, Service] = {
            service.name: service for service in services or (Trino(), Postgres(), S3())
        }

    def state(self) -> State | None:
        """The stack on record; its services may have died since."""
        return load(self.home)

    def up(
        self,
        names: Collection[str] = SERVICES,
        *,
        ports: Mapping[str, int] | None = None,
        heap: int | None = None,
        patience: float = _PATIENCE,
        holder: Identity | None = None,
    ) -> State:
        """Have services run and ready; those that do already are used as they are.

        Args:
            names: of services; what they need comes along.
            ports: service -> port on 127.0.0.1; free ones by default.
            heap: Trino's, in MB.
            patience: seconds until all must be ready.
            holder: who uses the stack until `release`; None: it is kept until `down`.

        Raises:
            Missing: if something lacks that we may not install.
            UserError: if the stack cannot be had. What this call started is ended again.
        """
        require_linux()
        with locked(self.home, self._say):
            wanted = self._with_needs(names)
            for attempt in range(1, _ATTEMPTS + 1):
                state = self._current(ports or {}, heap)
                try:
                    state = self._complete(state, wanted, patience)
                except _PortTaken as error:
                    if ports or attempt == _ATTEMPTS or self.state() is not None:
                        raise
                    self._say(f"{error}; trying again with others")
                else:
                    break
            state = replace(state, kept=True) if holder is None else state.held_by(holder)
            save(self.home, state)
        return state

    def down(self, *, force: bool = False) -> list[str]:
        """End what was started, and remove its data.

        Args:
            force: even if a test session uses it.

        Returns:
            The services that were ended.

        Raises:
            UserError: if a test session uses it.
        """
        with locked(self.home, self._say):
            state = self.state()
            if state is None:
                return []
            users = [str(holder.pid) for holder in state.holders if holder.alive]
            if users and not force:
                raise UserError(
                    f"is in use by process {', '.join(users)}",
                    on="the stack",
                    hint="wait for it, or use --force",
                )
            return self._end(state)

    def release(self, holder: Identity) -> None:
        """Stop using the stack; the last one out ends it, unless it was brought up to be kept."""
        with locked(self.home, self._say):
            state = self.state()
            if state is None:
                return
            state = state.without_holder(holder)
            if state.holders or state.kept:
                save(self.home, state)
            else:
                self._end(state)

    def status(self) -> list[ServiceStatus]:
        """How each service is, without a lock: what it says may be over when it is read."""
        state = self.state()
        if state is None:
            return []
        return [self._status_of(name, state) for name in self._services]

    @staticmethod
    def _status_of(name: str, state: State) -> ServiceStatus:
        identity = state.services.get(name)
        port = state.ports[name]
        if identity is None:
            word = "not started"
        elif not identity.alive:
            word = "died"
        else:
            word = "running" if answers(port) else "silent"
        return ServiceStatus(
            name,
            word,
            identity.pid if identity else None,
            f"{HOST}:{port}",
            str(state.run.log(name)),
        )

    # --- inside the lock ---------------------------------------------------------------------

    def _with_needs(self, names: Collection[str]) -> list[str]:
        unknown = sorted(set(names) - set(self._services))
        if unknown:
            raise UserError(
                "is no service", on=", ".join(unknown), hint=f"there are {', '.join(SERVICES)}"
            )
        needed = {need for name in names for need in self._services[name].needs}
        return [name for name in self._services if name in {*names, *needed}]

    def _current(self, ports: Mapping[str, int], heap: int | None) -> State:
        """The stack on record, if anything of it still runs; else a new one, on record now."""
        state = self.state()
        if state is not None and not any(state.alive(name) for name in state.services):
            self._end(state)
            state = None
        if state is None:
            return self._new(ports, heap)
        for name, port in ports.items():
            if state.ports[name] != port:
                raise UserError(
                    f"has port {state.ports[name]} in the stack that runs, not {port}",
                    on=name,
                    hint="shadowagg-stack down, then up again",
                )
        if heap is not None and heap != state.heap:
            if state.alive("trino"):
                raise UserError(
                    f"runs with a heap of {state.heap} MB, not {heap}",
                    on="trino",
                    hint="shadowagg-stack down, then up again",
                )
            state = replace(state, heap=heap)
        return state

    def _new(self, ports: Mapping[str, int], heap: int | None) -> State:
        for name, port in ports.items():
            if not is_free(port):
                raise UserError(
                    f"port {port} is taken", on=name, hint="choose another, or none for a free one"
                )
        run = new_run_folder()
        state = State(
            folder=run.folder,
            ports={**free_ports(list(self._services)), **ports},
            credentials=Credentials.new(),
            heap=heap or DEFAULT_HEAP,
        )
        save(self.home, state)
        return state

    def _complete(self, state: State, wanted: Sequence[str], patience: float) -> State:
        """Start what lacks and wait until it is ready; if that fails, as if it had not been tried."""
        lacking = [name for name in wanted if not state.alive(name)]
        began = time.monotonic()
        try:
            for name in lacking:
                self._services[name].install(self.home, self._say)
            for name in lacking:
                state = self._launch(name, state)
            self._wait(lacking, state, patience)
        except BaseException:
            for name in lacking:
                state = self._end_one(name, state)
            if state.services:
                save(self.home, state)
            else:
                self._end(state)
            raise
        if lacking:
            self._say(f"{', '.join(lacking)} ready after {time.monotonic() - began:.1f} s")
        return state

    def _launch(self, name: str, state: State) -> State:
        service = self._services[name]
        if not is_free(state.ports[name]):
            raise _PortTaken(
                f"port {state.ports[name]} has been taken by another program",
                on=name,
                hint="shadowagg-stack down, then up again",
            )
        if name == "s3":
            state = replace(state, s3_server=service.kind)
        state = state.with_service(name, service.launch(state))
        # At once: whatever happens to us now, the process is on record.
        save(self.home, state)
        self._say(f"{service.kind} starts on {HOST}:{state.ports[name]}")
        return state

    def _wait(self, names: Sequence[str], state: State, patience: float) -> None:
        began = time.monotonic()
        spoken = began
        pending = list(names)
        while pending:
            for name in list(pending):
                service = self._services[name]
                if not state.alive(name):
                    raise self._died(name, state)
                if any(need in pending for need in service.needs):
                    continue
                problem = service.problem(state)
                if not problem:
                    pending.remove(name)
                elif time.monotonic() - began > patience:
                    raise UserError(
                        f"is not ready after {patience:g} s: {problem}",
                        on=name,
                        hint=f"more with --wait; its log: {self._keep_log(name, state)}",
                    )
            now = time.monotonic()
            if pending and now - spoken > _WORD_EVERY:
                spoken = now
                self._say(f"waiting for {', '.join(pending)} … {now - began:.0f} s")
            if pending:
                time.sleep(_PAUSE)

    def _died(self, name: str, state: State) -> UserError:
        log = self._keep_log(name, state)
        said = last_lines(log)
        if "ddress already in use" in log.read_text(encoding="utf-8", errors="replace"):
            return _PortTaken(f"port {state.ports[name]} is taken", on=name, hint=said)
        return UserError("died while it started", on=name, hint=f"{said} (all of it: {log})")

    def _keep_log(self, name: str, state: State) -> Path:
        """A copy of a log that outlives the run folder."""
        self.home.logs.mkdir(parents=True, exist_ok=True)
        kept = self.home.logs / f"{name}-failed.log"
        source = state.run.log(name)
        kept.write_bytes(source.read_bytes() if source.exists() else b"")
        return kept

    def _end_one(self, name: str, state: State) -> State:
        identity = state.services.get(name)
        if identity is None:
            return state
        if not end(identity, how=self._services[name].stop_signal, patience=_STOP_PATIENCE):
            self._say(f"{name} did not end when asked and was killed")
        return state.without_service(name)

    def _end(self, state: State) -> list[str]:
        """End all services of a stack and forget it, with its data."""
        ended = [name for name in self._services if state.alive(name)]
        for name in self._services:
            state = self._end_one(name, state)
        if state.run.is_ours():
            shutil.rmtree(state.folder)
        save(self.home, None)
        return ended
