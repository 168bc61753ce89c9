"""The hooks: one registers providers, two observe.

A plugin is a module or an object named by an entry point of the group `shadowagg.plugins`; it
implements hooks with the marker `shadowagg.hookimpl`. In the order in which they are called:

1. `shadowagg_register_providers`, when the registry is made;
2. `shadowagg_run_recorded`, after a record was stored;
3. `shadowagg_gate_decided`, after the gate decided for a schema and a provider.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from shadowagg.provider import Provider
    from shadowagg.record import Record

__all__ = ["GROUP", "PROJECT", "hookimpl", "hookspec"]

PROJECT = "shadowagg"
GROUP = "shadowagg.plugins"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def shadowagg_register_providers(register: Callable[[Provider], None]) -> None:
    """Call `register` once for every provider that the plugin contributes."""


@hookspec
def shadowagg_run_recorded(record: Record) -> None:
    """A shadow run was stored; whatever the implementation raises is logged, and changes nothing."""


@hookspec
def shadowagg_gate_decided(decision: Any) -> None:
    """The gate decided; whatever the implementation raises is logged, and changes nothing."""
