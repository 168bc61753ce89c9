"""Ports on 127.0.0.1."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

__all__ = ["HOST", "answers", "free_ports", "is_free"]

HOST = "127.0.0.1"
"""The only address that the stack binds to."""


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A free port for each name, no two alike."""
    with contextlib.ExitStack() as stack:
        return {name: _held(stack) for name in names}


def _held(stack: contextlib.ExitStack) -> int:
    # All are held until the last is found, so that the kernel gives none twice.
    holder = stack.enter_context(socket.socket())
    holder.bind((HOST, 0))
    port: int = holder.getsockname()[1]
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen there now; a closed connection's remains do not count."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether something listens there."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=2):
        return True
    return False
