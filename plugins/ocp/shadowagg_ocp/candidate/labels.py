"""Which label keys are kept, and the label sets of nodes and namespaces per day (`ocp.md` 3.1, 3.2)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import group, without_nulls
from shadowagg.candidate.label_sets import EMPTY, LabelSets
from shadowagg.provider import InputTable
from shadowagg_ocp import inputs as tables

__all__ = ["label_sets", "namespace_label_sets", "node_label_sets"]

_ALWAYS_KEPT = "vm_kubevirt_io_name"


def label_sets(context: Context) -> LabelSets:
    """The window's label sets, reduced to the enabled keys; shared by all sub-windows."""
    return context.whole.memo("ocp label sets", lambda: LabelSets(_kept_keys(context)))


def _kept_keys(context: Context) -> list[str] | None:
    """K of `ocp.md` 3.1: the enabled keys and one more, or NULL if none is enabled."""
    keys = context.source.side(tables.ENABLED_TAG_KEYS)
    enabled = pc.and_(
        pc.fill_null(keys.column("enabled"), False),
        pc.fill_null(pc.equal(keys.column("provider_type"), "OCP"), False),
    )
    names: list[str] = keys.column("key").filter(enabled).drop_null().to_pylist()
    # The list of no keys is NULL, and a list joined with NULL is NULL: then not even the key that
    # is always kept is kept (ocp.md 8.1-4).
    return [_ALWAYS_KEPT, *names] if names else None


def node_label_sets(context: Context) -> pa.Table:
    """NL' of `ocp.md` 3.2: distinct `day`, `node`, `labels` (number of a set, never NULL)."""
    return context.memo(
        "ocp node labels", lambda: _sets_of(context, tables.NODE_LABELS, "node", "node_labels")
    )


def namespace_label_sets(context: Context) -> pa.Table:
    """NSL' of `ocp.md` 3.2: distinct `day`, `namespace`, `labels` (number of a set, never NULL)."""
    return context.memo(
        "ocp namespace labels",
        lambda: _sets_of(context, tables.NAMESPACE_LABELS, "namespace", "namespace_labels"),
    )


def _sets_of(context: Context, table: InputTable, name: str, texts: str) -> pa.Table:
    rows = context.source.lake(
        table, ("interval_start", name, texts), context.start, context.day_after
    )
    distinct = group(
        pa.table(
            {
                "day": rows.column("interval_start").cast(pa.date32(), safe=False),
                name: rows.column(name),
                "labels": label_sets(context).codes(rows.column(texts).chunk(0)),
            }
        ),
        ("day", name, "labels"),
        {},
    )
    # A NULL map is a row of its own, so it multiplies; only then it counts as {} (ocp.md 3.5).
    filled = pc.fill_null(distinct.column("labels"), EMPTY)
    distinct = distinct.set_column(2, "labels", filled)
    return without_nulls(distinct, name)
