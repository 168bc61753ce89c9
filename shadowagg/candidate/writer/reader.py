"""The rows of a staging table, whole at every moment: all of a write's days, or none."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from shadowagg.candidate.writer.journal import DayEntry, Journal
from shadowagg.candidate.writer.options import Staging
from shadowagg.candidate.writer.staging import (
    StagedWindow,
    day_entry,
    days_of,
    is_there,
    newer,
    visible_files,
)
from shadowagg.errors import InputUnreadable
from shadowagg.plan import Plan
from shadowagg.rowset import RowSet, RowSetSpec

__all__ = ["read_staging"]

_TRIES = 14
_PAUSE = 0.005
_LONGEST_PAUSE = 1.0


def read_staging(staging: Staging, spec: RowSetSpec, plan: Plan) -> RowSet:
    """The rows of the plan's days in a staging table, whoever wrote them; no metastore is asked.

    A write that is being switched, or whose switch broke off, counts as switched as a whole. If a switch
    comes between, everything is read again.

    Args:
        staging: where the table lies.
        spec: of its row set.
        plan: of the window, of the provider that writes the table.

    Raises:
        InputUnreadable: for a file that cannot be read, or a table that does not come to rest.
    """
    journals = StagedWindow.of(staging, plan).journals
    trouble: Exception | None = None
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(min(_PAUSE * 2**attempt, _LONGEST_PAUSE))
        before = journals.read()
        try:
            table = _read(staging, spec, plan, before)
        except OSError as error:
            # In one switch a reader may miss several files, each in the moment in which it gets
            # its place; what is missing or broken twice in a row is so.
            again = trouble is not None and str(trouble) == str(error)
            trouble = error
            if again and _moment(before) == _moment(journals.read()):
                break
            continue
        if _moment(before) == _moment(journals.read()):
            return RowSet.conform(spec, table)
    raise InputUnreadable(
        f"cannot read: {trouble}" if trouble else "it is being rewritten all the time",
        on=f"staging table {spec.table}, {plan.window}",
        hint="check address and permissions, or try again later",
    ) from trouble


def _moment(journals: Sequence[Journal]) -> set[tuple[str, bool]]:
    """Which writes count as switched: what changes in the moment of a switch, and at no other."""
    return {(journal.token, journal.state != "prepared") for journal in journals}


def _read(staging: Staging, spec: RowSetSpec, plan: Plan, journals: Sequence[Journal]) -> pa.Table:
    switching = {
        day.folder: day for one in journals if one.state == "switching" for day in one.days
    }
    pieces = [spec.empty()]
    for day in days_of(plan):
        entry = day_entry(staging, spec, plan, day, "accessor")
        files = _files(staging, switching.get(entry.folder, entry))
        pieces.extend(_file(staging, spec, entry, path) for path in files)
    return pa.concat_tables(pieces)


def _files(staging: Staging, entry: DayEntry) -> list[str]:
    # Asked before the listing: what is no longer aside then is in the listing.
    waiting = bool(entry.aside) and is_there(staging, entry.hidden)
    present = visible_files(staging, entry)
    if waiting and not newer(present, entry):
        return [entry.hidden]
    return [
        file.path
        for file in present
        if file not in entry.old or (entry.aside and file.path == entry.visible)
    ]


def _file(staging: Staging, spec: RowSetSpec, entry: DayEntry, path: str) -> pa.Table:
    try:
        # Opened by itself: a path would be searched for partitions.
        with staging.filesystem.open_input_file(staging.path(path)) as source:
            found = pq.ParquetFile(source).read()
    except pa.ArrowInvalid as error:
        raise OSError(f"{path}: {error}") from error
    columns = {}
    for column in spec.columns:
        if column.name in spec.partitions:
            value = pa.scalar(entry.values[column.name], column.type.arrow)
            columns[column.name] = pa.repeat(value, found.num_rows)
        elif column.name in found.column_names:
            columns[column.name] = found.column(column.name).cast(column.type.arrow)
        else:
            columns[column.name] = pa.nulls(found.num_rows, column.type.arrow)
    return pa.table(columns, schema=spec.schema)
