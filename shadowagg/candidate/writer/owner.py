"""Whose rows a window replaces: columns, and the values of the window that they equal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        columns = {} if spec.source is None else {spec.source: "source_uuid"}
    if not columns:
        raise UserError(
            f"nothing is specified to be deleted at the level {level!r}",
            on=f"row set {spec.name}",
            hint="write it at the level accessor",
        )
    if level == "accessor":
        _one_cluster(window, columns.values())
    return {column: window.values(name) for column, name in columns.items()}


def _one_cluster(window: Window, names: Iterable[str]) -> None:
    """An accessor is called for one cluster: of several none could be meant."""
    if any(name.startswith("cluster.") for name in names):
        _ = window.cluster
