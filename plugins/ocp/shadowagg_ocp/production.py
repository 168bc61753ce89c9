"""Production's steps for OpenShift, as far as the daily summary (`templates.md` 5.1, `ocp.md` 3.0).

The numbers are those of `templates.md`. Steps that only read the daily summary (UI tables, label
summaries: O4-O11) are not here: nothing that they write is a row set of this provider.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from shadowagg.errors import InputRefused
from shadowagg.plan import Plan
from shadowagg.production import Call, CodeStep, Production, TemplateStep, Twin, Way
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.rowsets import DAILY_SUMMARY, STAGING

__all__ = ["PRODUCTION"]


def _begin(plan: Plan) -> None:
    """N3: without a report period of the month nothing is deleted or written (`ocp.md` 3.0-3)."""
    if plan.window.cluster.report_period_id is None:
        raise InputRefused(
            "the cluster has no report period for the month",
            on=str(plan.window),
            hint="give report_period_id with the cluster",
        )


def _delete_summary(call: Call, twin: Twin) -> None:
    """D1 (`ocp.md` 4.4-1): rows of the days and the report period, but not those of a cloud."""
    twin.postgres(
        f"DELETE FROM {twin.schema}.{DAILY_SUMMARY.table}"  # noqa: S608 - the twin's own name
        " WHERE usage_start >= %s AND usage_start <= %s AND report_period_id = %s"
        " AND (infrastructure_raw_cost IS NULL OR infrastructure_raw_cost = 0)",
        (call.start, call.end, call.plan.window.cluster.report_period_id),
    )


def _delete_staging(call: Call, twin: Twin) -> None:
    """D2 (`ocp.md` 4.4-2): one statement per day, month padded or not; year and month of the first."""
    if not twin.has_lake_table(STAGING.table):
        return
    for day in call.days:
        twin.trino(
            f"DELETE FROM hive.{twin.schema}.{STAGING.table}"  # noqa: S608 - the twin's own name
            " WHERE source = ? AND year = ? AND (month = ? OR month = ?) AND day = ?",
            (call.plan.window.source_uuid, call.year, call.month, str(int(call.month)), day),
        )


def _any_child_key(call: Call, twin: Twin) -> bool:  # noqa: ARG001 - a condition of a step
    """N9: whether any mapping has a child of OpenShift, enabled or not."""
    return bool(
        twin.postgres(
            f"SELECT 1 FROM {twin.schema}.{tables.TAG_MAPPING.name} AS mapping"  # noqa: S608 - own name
            f" JOIN {twin.schema}.{tables.ENABLED_TAG_KEYS.name} AS child"
            " ON child.uuid = mapping.child_id WHERE child.provider_type = 'OCP' LIMIT 1"
        )
    )


def _values(call: Call, twin: Twin) -> dict[str, Any]:
    """The names of `templates.md` 4 that these steps bind."""
    cluster = call.plan.window.cluster
    return {
        "schema": twin.schema,
        "start_date": _day(call.start),
        "end_date": _day(call.end),
        "year": call.year,
        "month": call.month,
        "days": call.days,
        "source": call.plan.window.source_uuid,
        "report_period_id": cluster.report_period_id,
        "report_period_ids": [cluster.report_period_id],
        "cluster_id": cluster.cluster_id,
        "cluster_alias": cluster.cluster_alias,
        "storage_exists": twin.has_lake_table(tables.STORAGE.name),
    }


def _day(value: dt.date) -> dt.date:
    """A date, never a moment: some templates splice it."""
    return dt.date(value.year, value.month, value.day)


_RANGE = ("schema", "start_date", "end_date")
_CALL = (*_RANGE, "year", "month")

PRODUCTION = Production(
    begin=_begin,
    values=_values,
    steps=(
        CodeStep("O2: rows of the daily summary", _delete_summary, "subwindow"),
        CodeStep("O2: partitions of the staging table", _delete_staging, "subwindow"),
        # O3: the staging table, made if missing, in two inserts; then its rows in PostgreSQL.
        TemplateStep(
            path="trino_sql/openshift/reporting_ocpusagelineitem_daily_summary.sql",
            way=Way.TRINO_PIECES,
            scope="subwindow",
            binds=(
                *_CALL,
                "days",
                "source",
                "report_period_id",
                "cluster_id",
                "cluster_alias",
                "storage_exists",
            ),
            writes=(f"hive.{STAGING.table}", f"postgres.{DAILY_SUMMARY.table}"),
            swallows=("ALREADY_EXISTS",),
        ),
        # O12: tag mapping, once for the whole range (`ocp.md` 5.9).
        TemplateStep(
            path="sql/openshift/ocp_tag_mapping_update_daily_summary.sql",
            way=Way.POSTGRES_WHOLE,
            scope="window",
            binds=(*_RANGE, "report_period_ids"),
            writes=(f"postgres.{DAILY_SUMMARY.table}",),
            only_if=_any_child_key,
        ),
    ),
)
