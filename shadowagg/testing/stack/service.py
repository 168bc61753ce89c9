"""What a service of the stack must offer; `stack.py` starts and ends them all alike."""

from __future__ import annotations

import signal
from typing import Protocol

from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.process import Identity
from shadowagg.testing.stack.state import State
from shadowagg.testing.stack.steps import Say

__all__ = ["Service"]


class Service(Protocol):
    """One server process."""

    @property
    def name(self) -> str:
        """In commands, logs and the state file."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Services without which it is not ready."""

    @property
    def stop_signal(self) -> signal.Signals:
        """What asks it to end soon and cleanly."""

    @property
    def kind(self) -> str:
        """Which program it is; known after `install`."""

    def install(self, home: Home, say: Say) -> None:
        """Find its programs, or get them.

        Raises:
            Missing: if something lacks that we may not install.
            UserError: if getting it fails.
        """

    def launch(self, state: State) -> Identity:
        """Write its configuration and start it; returns before it is ready.

        Raises:
            UserError: if it cannot be started.
        """

    def problem(self, state: State) -> str:
        """Why it cannot be used yet; empty if it can."""
