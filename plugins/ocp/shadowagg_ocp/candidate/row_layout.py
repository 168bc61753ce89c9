"""Rows in the layout of the staging table: what a stage computed, constants, NULL for the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import pyarrow as pa

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import Constants
from shadowagg.rowset import Role
from shadowagg_ocp.rowsets import STAGING

__all__ = ["BYTES_TO_GIBIBYTES", "ZERO_COST", "by_day", "staging_layout"]

BYTES_TO_GIBIBYTES = 2.0**-30
"""G of `ocp.md`: exact in binary, so multiplying by it never rounds (`ocp.md` 6.3-2)."""

ZERO_COST = '{"cpu": 0.000000000, "memory": 0.000000000, "storage": 0.000000000}'
"""`infrastructure_usage_cost` of pod and storage rows (`ocp.md` 3.5)."""


def staging_layout(
    context: Context, computed: Mapping[str, pa.Array], *, data_source: str, zero_cost: bool
) -> pa.Table:
    """Rows as `rowsets.STAGING` specifies them, without the columns left out of it.

    Args:
        context: of the sub-window; gives the parameters.
        computed: the columns that the stage made, `usage_start` (date32) among them.
        data_source: `Pod` or `Storage`.
        zero_cost: whether `infrastructure_usage_cost` is zeros (else NULL).
    """
    days = computed["usage_start"]
    rows = len(days)
    window = context.window
    cluster = window.cluster
    say = Constants(rows)
    given: dict[str, pa.Array] = {
        "report_period_id": pa.repeat(pa.scalar(cluster.report_period_id, pa.int32()), rows),
        "cluster_id": say.text(cluster.cluster_id),
        "cluster_alias": say.text(cluster.cluster_alias),
        "data_source": say.text(data_source),
        "usage_end": days,
        "source_uuid": say.text(window.source_uuid),
        "infrastructure_usage_cost": say.text(ZERO_COST if zero_cost else None),
        "source": say.text(window.source_uuid),
        # Partition values are not padded (ocp.md 3.5).
        "year": say.text(str(window.start.year)),
        "month": say.text(str(window.start.month)),
        "day": by_day(days, lambda day: str(day.day)),
        **computed,
    }
    return pa.table(
        {
            column.name: given[column.name]
            if column.name in given
            else say.nothing(column.type.arrow)
            for column in STAGING.columns
            if column.role is not Role.LEFT_OUT
        }
    )


def by_day(days: pa.Array, text: Callable[[dt.date], str]) -> pa.DictionaryArray:
    """A text made of each row's day; `text` is called once per day."""
    coded = days.dictionary_encode()
    texts = pa.array([text(day) for day in coded.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(coded.indices, texts)
