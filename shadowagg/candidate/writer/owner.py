"""Whose rows a window replaces: columns, and the values of the window that they equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shadowagg.errors import UserError
from shadowagg.rowset import Level, RowSetSpec
from shadowagg.window import Window

__all__ = ["owned_values"]


def owned_values(spec: RowSetSpec, window: Window, level: Level) -> Mapping[str, tuple[Any, ...]]:
    """Column -> the values that rows of the window may have there; one, unless several clusters are meant.

    Raises:
        UserError: where the specification says nothing for the level, or the window lacks a value.
    """
    columns = spec.deleted_by.get(level)
    if columns is None and level == "accessor":
        columns = {spec.source: "source_uuid"}
    if columns is None:
        raise UserError(
            f"nothing is specified to be deleted at the level {level!r}",
            on=f"row set {spec.name}",
            hint="write it at the level accessor",
        )
    return {column: _values(window, name, level) for column, name in columns.items()}


def _values(window: Window, name: str, level: Level) -> tuple[Any, ...]:
    where, _, rest = name.rpartition(".")
    if where == "cluster":
        clusters = (window.cluster,) if level == "accessor" else window.clusters
        found = [getattr(cluster, rest) for cluster in clusters]
    elif where == "parameters":
        found = [window.parameters.get(rest)]
    else:
        found = [getattr(window, rest)]
    if not found or None in found:
        raise UserError(
            f"the window has no {name}",
            on=str(window),
            hint="production deletes and writes nothing without it",
        )
    return tuple(found)
