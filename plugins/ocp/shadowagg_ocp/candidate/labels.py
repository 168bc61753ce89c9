"""Which label keys are kept, and the label sets of nodes and namespaces per day (`ocp.md` 3.1, 3.2)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import group, match_all, recode, single_chunk, without_nulls
from shadowagg.candidate.label_sets import EMPTY, LabelSets
from shadowagg.provider import InputTable
from shadowagg_ocp import inputs as tables

__all__ = ["label_sets", "with_namespace_labels", "with_node_labels"]

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


def with_node_labels(context: Context, rows: pa.Table) -> pa.Table:
    """Rows joined to NL' on `day` and `node`, as column `node_labels`; several sets repeat a row."""
    sets = context.memo(
        "ocp node labels", lambda: _sets_of(context, tables.NODE_LABELS, "node", "node_labels")
    )
    return _joined(rows, "node", sets)


def with_namespace_labels(context: Context, rows: pa.Table) -> pa.Table:
    """Rows joined to NSL' on `day` and `namespace`, as column `namespace_labels`."""
    sets = context.memo(
        "ocp namespace labels",
        lambda: _sets_of(context, tables.NAMESPACE_LABELS, "namespace", "namespace_labels"),
    )
    return _joined(rows, "namespace", sets)


def _joined(rows: pa.Table, name: str, sets: pa.Table) -> pa.Table:
    ours, theirs = single_chunk(rows.column(name)), single_chunk(sets.column(name))
    matches = match_all(
        [single_chunk(rows.column("day")), recode(ours, theirs.dictionary)],
        [single_chunk(sets.column("day")), theirs.indices],
    )
    # coalesce(labels, {}): no row, and the row of a NULL map, are the empty set.
    labels = pc.fill_null(single_chunk(sets.column("labels")).take(matches.right), EMPTY)
    return matches.spread_table(rows).append_column(f"{name}_labels", labels)


def _sets_of(context: Context, table: InputTable, name: str, texts: str) -> pa.Table:
    """NL' or NSL' of 3.2: distinct `day`, name and `labels` (number of a set, NULL for the NULL map)."""
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
    # A NULL map is a row of its own, so it multiplies as any other (ocp.md 7-26).
    return without_nulls(distinct, name)
