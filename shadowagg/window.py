"""What is asked for: one schema, one provider, the days of one month."""

from __future__ import annotations

import calendar
import datetime as dt
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shadowagg.errors import UserError

__all__ = ["Cluster", "Window", "parse_day"]

_LONGEST_SCHEMA_NAME = 63
"""PostgreSQL cuts longer identifiers silently; a cut name could be somebody else's schema."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster of a window, as production addresses it.

    Args:
        source_uuid: the cluster's source; lower case, with hyphens.
        cluster_id: the id that the cluster reports itself.
        cluster_alias: the name its owner gave it; production allows none.
        report_period_id: the row of `reporting_ocpusagereportperiod` for the month.
    """

    source_uuid: str
    cluster_id: str
    cluster_alias: str | None = None
    report_period_id: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "source_uuid", _uuid(self.source_uuid, "cluster source_uuid"))


@dataclass(frozen=True, slots=True)
class Window:
    """What both paths compute: schema, provider, first and last day, clusters.

    Both days are included and lie in one calendar month: a range over two months would delete
    days of the second and never refill them, so it is refused here.

    Args:
        schema: the tenant's schema; any text PostgreSQL takes as an identifier, quoted wherever used.
        provider: the name of a registered provider.
        source_uuid: the source whose lake partitions are read (the cloud's, for a cloud).
        clusters: whose usage it is about, in order: what one leaves, the next may find.
        start: the first day.
        end: the last day, included.
        parameters: what else the provider asks for (bill, markup, …), JSON values only.

    Raises:
        UserError: for a value that no production task could have meant.
    """

    schema: str
    provider: str
    source_uuid: str
    start: dt.date
    end: dt.date
    clusters: tuple[Cluster, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (
            not self.schema
            or "\0" in self.schema
            or len(self.schema.encode()) > _LONGEST_SCHEMA_NAME
        ):
            raise UserError(
                f"not a schema name: {self.schema!r}",
                on="window",
                hint=f"1 to {_LONGEST_SCHEMA_NAME} bytes, without NUL",
            )
        object.__setattr__(self, "source_uuid", _uuid(self.source_uuid, "source_uuid"))
        if self.end < self.start:
            raise UserError(
                f"last day {self.end} lies before first day {self.start}",
                on="window",
                hint="give --from and --to in order",
            )
        if (self.start.year, self.start.month) != (self.end.year, self.end.month):
            raise UserError(
                f"{self.start} to {self.end} crosses a month's end",
                on="window",
                hint="run one window per calendar month",
            )

    @classmethod
    def parse(cls, arguments: Mapping[str, Any]) -> Window:
        """A window from plain values, as a task or a JSON file carries them.

        Args:
            arguments: the fields of `Window`; days as dates, datetimes (cut to their date) or
                `YYYY-MM-DD`, clusters as mappings.
        """
        known = {"schema", "provider", "source_uuid", "start", "end", "clusters", "parameters"}
        unknown = sorted(set(arguments) - known)
        missing = sorted({"schema", "provider", "source_uuid", "start", "end"} - set(arguments))
        if unknown or missing:
            raise UserError(
                f"unknown fields {unknown}, missing fields {missing}",
                on="window",
                hint=f"a window has {sorted(known)}",
            )
        return cls(
            schema=str(arguments["schema"]),
            provider=str(arguments["provider"]),
            source_uuid=str(arguments["source_uuid"]),
            start=parse_day(arguments["start"]),
            end=parse_day(arguments["end"]),
            clusters=tuple(Cluster(**cluster) for cluster in arguments.get("clusters", ())),
            parameters=dict(arguments.get("parameters", {})),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values that `parse` takes back."""
        return {
            "schema": self.schema,
            "provider": self.provider,
            "source_uuid": self.source_uuid,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "clusters": [
                {
                    "source_uuid": cluster.source_uuid,
                    "cluster_id": cluster.cluster_id,
                    "cluster_alias": cluster.cluster_alias,
                    "report_period_id": cluster.report_period_id,
                }
                for cluster in self.clusters
            ],
            "parameters": json.loads(json.dumps(dict(self.parameters))),
        }

    def between(self, start: dt.date, end: dt.date) -> Window:
        """The same window over other days."""
        return replace(self, start=start, end=end)

    @property
    def cluster(self) -> Cluster:
        """The one cluster of a window that has one."""
        if len(self.clusters) != 1:
            raise UserError(
                f"one cluster expected, {len(self.clusters)} given", on=str(self), hint="name one"
            )
        return self.clusters[0]

    def values(self, name: str) -> tuple[Any, ...]:
        """What a specification means by a name: one value, or one per cluster.

        Args:
            name: `source_uuid`, another field, `cluster.<field>` or `parameters.<name>`.

        Raises:
            UserError: if the window lacks a value.
        """
        where, _, rest = name.rpartition(".")
        if where == "cluster":
            found = [getattr(cluster, rest) for cluster in self.clusters]
        elif where == "parameters":
            found = [self.parameters.get(rest)]
        else:
            found = [getattr(self, rest)]
        if not found or None in found:
            raise UserError(
                f"the window has no {name}",
                on=str(self),
                hint="production deletes and writes nothing without it",
            )
        return tuple(found)

    @property
    def year(self) -> str:
        """The partition value `year`: four digits."""
        return f"{self.start.year:04d}"

    @property
    def month(self) -> str:
        """The partition value `month` of the lake's input tables: two digits."""
        return f"{self.start.month:02d}"

    @property
    def days_in_month(self) -> int:
        """28, 29, 30 or 31."""
        return calendar.monthrange(self.start.year, self.start.month)[1]

    @property
    def day_after(self) -> dt.date:
        """The first day that is no longer in the window."""
        return self.end + dt.timedelta(days=1)

    def __str__(self) -> str:
        return f"{self.schema}/{self.provider}/{self.source_uuid} {self.start}..{self.end}"


def parse_day(value: object) -> dt.date:
    """A day from a date, a datetime (cut), or the text `YYYY-MM-DD` (a time behind it is cut).

    >>> parse_day("2025-02-27")
    datetime.date(2025, 2, 27)
    """
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        raise UserError(f"not a day: {value!r}", on="window", hint="write YYYY-MM-DD") from None


def _uuid(value: str, name: str) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise UserError(
            f"{name} {value!r} is no UUID", on="window", hint="take it from the sources API"
        ) from None
