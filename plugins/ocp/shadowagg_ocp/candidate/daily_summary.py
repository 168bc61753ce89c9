"""Stage `daily_summary`: the staging rows as PostgreSQL stores them (`ocp.md` 3.8, 4, 5.9)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.decimals import to_decimal
from shadowagg.candidate.kernels import Constants, append, single_chunk
from shadowagg.errors import InputRefused
from shadowagg.rowset import Column, Role
from shadowagg_ocp.candidate.row_layout import ZERO_COST
from shadowagg_ocp.candidate.tag_mapping import tag_mapping
from shadowagg_ocp.rowsets import DAILY_SUMMARY, MEASURES

__all__ = ["daily_summary"]

_ZERO_COST_VALUE = '{"cpu":0.0,"memory":0.0,"storage":0.0}'
_LABELS = ("pod_labels", "volume_labels")
_NO_LABELS = "{}"
_NUL = r"(^|[^\\])(\\\\)*\\u0000"


def daily_summary(context: Context) -> pa.Table:
    """The rows of the daily summary, without the columns that this step leaves to others."""
    staging = context.stages["staging"]
    # Pod, storage and unallocated rows are chunks of the staging table: what is NULL throughout one
    # kind costs nothing if the kinds are converted one by one.
    pieces = [_stored(context, pa.Table.from_batches([batch])) for batch in staging.to_batches()]
    return append(pieces) if pieces else _stored(context, staging)


def _stored(context: Context, rows: pa.Table) -> pa.Table:
    column = {name: single_chunk(rows.column(name)) for name in rows.column_names}
    say = Constants(rows.num_rows)
    for name in MEASURES:
        type_ = DAILY_SUMMARY.column(name).type.arrow
        if column[name].null_count == rows.num_rows:
            column[name] = say.nothing(type_)
            continue
        decimals = to_decimal(column[name], type_.precision, type_.scale, on=f"column {name}")
        column[name] = single_chunk(decimals)
    column["infrastructure_usage_cost"] = _replaced(
        column["infrastructure_usage_cost"], ZERO_COST, _ZERO_COST_VALUE
    )
    column.update(_labels(context, column))
    stored = {}
    for specified in DAILY_SUMMARY.columns:
        if specified.role is not Role.LEFT_OUT:
            values = column[specified.name]
            stored[specified.name] = _fitting(values, specified)
    return pa.table(stored)


def _labels(context: Context, column: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """`all_labels` of 3.8, then the tag mapping of 5.9, which overwrites it."""
    pod, volume = (_coded(column[name]) for name in _LABELS)
    for name, labels in zip(_LABELS, (pod, volume), strict=True):
        _refuse_nul(labels, name)
    # No row has both: concat(pod or {}, volume or {}) is the one that there is.
    everything = _or_empty(pod if volume.null_count == len(volume) else volume)
    if pod.null_count < len(pod) and volume.null_count < len(volume):
        raise AssertionError("pod and volume labels in one piece of the staging table")
    made = {"pod_labels": pod, "volume_labels": volume, "all_labels": everything}
    mapping = tag_mapping(context)
    if mapping.parents:
        for name in _LABELS:
            labels, changed = mapping.renamed(made[name])
            if pc.any(changed, min_count=0).as_py():
                made[name] = labels
                made["all_labels"] = _chosen(changed, labels, made["all_labels"])
    return made


def _coded(values: pa.Array) -> pa.DictionaryArray:
    return values if pa.types.is_dictionary(values.type) else values.dictionary_encode()


def _or_empty(labels: pa.DictionaryArray) -> pa.DictionaryArray:
    if not labels.null_count:
        return labels
    at = pc.index(labels.dictionary, _NO_LABELS).as_py()
    dictionary = labels.dictionary
    if at < 0:
        at = len(dictionary)
        dictionary = pa.concat_arrays([dictionary, pa.array([_NO_LABELS], dictionary.type)])
    codes = pc.fill_null(labels.indices, pa.scalar(at, labels.indices.type))
    return pa.DictionaryArray.from_arrays(codes, dictionary)


def _chosen(mask: pa.Array, yes: pa.DictionaryArray, no: pa.DictionaryArray) -> pa.DictionaryArray:
    both = pa.chunked_array([yes, no]).unify_dictionaries()
    codes = pc.if_else(mask, both.chunk(0).indices, both.chunk(1).indices)
    return pa.DictionaryArray.from_arrays(codes, both.chunk(0).dictionary)


def _replaced(values: pa.Array, old: str, new: str) -> pa.Array:
    coded = _coded(values)
    texts = pc.if_else(pc.equal(coded.dictionary, old), new, coded.dictionary)
    return pa.DictionaryArray.from_arrays(coded.indices, texts)


def _refuse_nul(labels: pa.DictionaryArray, name: str) -> None:
    """PostgreSQL's jsonb holds no NUL character (engine facts, *Stored in PostgreSQL*)."""
    bad = pc.match_substring_regex(labels.dictionary, _NUL)
    if _occurs(labels, bad):
        raise InputRefused(
            "a label holds the character NUL",
            on=f"column {name}",
            hint="PostgreSQL stores none; production's insert fails",
        )


def _fitting(values: pa.Array, column: Column) -> pa.Array:
    """Text in the length of its column: longer text fails, blanks beyond it are cut (6.3-6)."""
    name, _, length = column.type.postgres.partition("(")
    if name != "varchar":
        return values
    coded = _coded(values)
    limit = int(length.rstrip(")"))
    too_long = pc.greater(pc.utf8_length(coded.dictionary), limit)
    if not pc.any(too_long, min_count=0).as_py():
        return values
    cut = pc.utf8_slice_codeunits(coded.dictionary, 0, limit)
    beyond = pc.utf8_slice_codeunits(coded.dictionary, limit)
    if _occurs(coded, pc.not_equal(pc.utf8_rtrim(beyond, " "), "")):
        raise InputRefused(
            f"a text of more than {limit} characters",
            on=f"column {column.name}",
            hint=f"it does not fit varchar({limit}); production's insert fails",
        )
    distinct = cut.dictionary_encode()
    return pa.DictionaryArray.from_arrays(distinct.indices.take(coded.indices), distinct.dictionary)


def _occurs(column: pa.DictionaryArray, bad: pa.Array) -> bool:
    """Whether a row has one of the texts; a dictionary may hold texts of no row."""
    if not pc.any(bad, min_count=0).as_py():
        return False
    return bool(pc.any(bad.take(column.indices)).as_py())
