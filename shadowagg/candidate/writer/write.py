"""Replace a window: the whole flow on one page."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import psycopg2
import pyarrow as pa
from psycopg2 import sql

from shadowagg.candidate.writer.deletes import plan_delete
from shadowagg.candidate.writer.failures import postgres_errors
from shadowagg.candidate.writer.lock import take_lock
from shadowagg.candidate.writer.marker import leave_marker, marked
from shadowagg.candidate.writer.options import (
    Settled,
    Staging,
    WriteOptions,
    Written,
    WrittenTable,
)
from shadowagg.candidate.writer.rows import CsvStream, columns_to_write
from shadowagg.candidate.writer.staging import StagedWindow, partitions
from shadowagg.candidate.writer.table import check_table
from shadowagg.candidate.writer.targets import Targets, choose_targets
from shadowagg.candidate.writer.transaction import (
    Connection,
    Transaction,
    begin,
    raw_connection,
)
from shadowagg.errors import ShadowaggError, UserError, WindowBusy, WriteFailed
from shadowagg.plan import Plan
from shadowagg.provider import Provider
from shadowagg.rowset import RowSet

__all__ = ["settle_window", "write_window"]

_LOG = logging.getLogger("shadowagg")
_CHUNK = 1 << 20
_DEFAULT = WriteOptions()


def write_window(
    provider: Provider,
    plan: Plan,
    row_sets: Mapping[str, RowSet | pa.Table],
    connection: Connection,
    *,
    staging: Staging | None,
    options: WriteOptions = _DEFAULT,
) -> Written:
    """Replace the rows of a plan's days by the candidate's: all of them, or none.

    In a transaction of its own, or, if the caller has one open, in a savepoint of it, which is never
    committed here; then the staging tables wait for `settle_window` after the caller's commit.

    Args:
        provider: whose final stages are written.
        plan: of the window.
        row_sets: by stage.
        connection: of psycopg2, or Django's; it is left as it was.
        staging: where the staging tables lie; None to leave them alone, which is right only if nothing
            reads them, or somebody else writes them.
        options: what else can be chosen.

    Raises:
        RowSetInvalid: if a row cannot be stored; nothing was touched.
        WindowBusy: if another run is writing the window.
        WriteFailed: if something went wrong on the way; everything is as it was, or, after a connection that
            was lost in the very moment of the commit, as it should be: writing again settles it.
        UserError: for arguments that do not fit.
    """
    _check_provider(provider, plan)
    targets = choose_targets(provider, plan, row_sets, options.level, staging=staging is not None)
    staged = StagedWindow.of(staging, plan) if staging is not None and targets.hive else None
    _, inside = raw_connection(connection)
    token = str(uuid.uuid4())
    recovered: Settled = "nothing"
    with _settled_if_broken(staged, plan, connection, options):  # noqa: SIM117 - in this order
        with postgres_errors(str(plan.window)), begin(connection) as transaction:
            take_lock(transaction, plan.window, options)
            if staged is not None:
                recovered = _settle(staged, plan, transaction, options)
                if recovered == "open":
                    raise UserError(
                        "written already in this transaction",
                        on=str(plan.window),
                        hint="commit, settle, then write again",
                    )
            for rows in targets.postgres:
                check_table(transaction, plan.window.schema, rows, columns_to_write(rows))
            journal = None
            if staged is not None:
                journal = staged.prepare(targets.hive, plan, options.level, token)
            tables = _replace(transaction, targets, plan, options)
            if staged is not None:
                leave_marker(transaction, plan.window, token, options.marker_schema)
    switched = staged is None or (
        not inside and _switched_after_commit(staged, plan, connection, options)
    )
    _LOG.info(
        "window written",
        extra={
            "window": str(plan.window),
            "deleted": sum(table.deleted for table in tables),
            "inserted": sum(table.inserted for table in tables),
            "switched": switched,
        },
    )
    return Written(
        tables=tables,
        staged=partitions(journal) if journal is not None else (),
        switched=switched,
        recovered=recovered,
    )


def settle_window(
    plan: Plan, connection: Connection, staging: Staging, options: WriteOptions = _DEFAULT
) -> Settled:
    """Bring an earlier write of the window's month to its end in the staging tables, if there is one.

    After the commit of a transaction of the caller's in which a window was written; after a run that was
    killed. Whether it was committed decides: its files are switched, or removed.

    Args:
        plan: of any days of the same month.
        connection: as for `write_window`.
        staging: where the staging tables lie.
        options: as for `write_window`.

    Raises:
        WindowBusy: if another run is writing the window; it settles what it finds.
        WriteFailed: if it could not be done; the next run tries again.
    """
    staged = StagedWindow.of(staging, plan)
    if all(journal.state == "done" for journal in staged.journals.read()):
        return "nothing"
    # Nothing is written in PostgreSQL, and in a transaction of the caller's the lock shall not outlast this.
    with postgres_errors(str(plan.window)), begin(connection, keep=False) as transaction:
        take_lock(transaction, plan.window, options)
        return _settle(staged, plan, transaction, options)


def _settle(
    staged: StagedWindow, plan: Plan, transaction: Transaction, options: WriteOptions
) -> Settled:
    """Under the lock: what became of earlier writes, and what follows for their files."""
    result: Settled = "nothing"
    for journal in staged.journals.read():
        if journal.state == "done":
            continue
        known = "committed"
        if journal.state == "prepared":
            known = marked(transaction, plan.window, journal.token, options.marker_schema)
        if known == "open":
            return "open"
        if known == "committed":
            staged.switch(journal)
            result = "finished"
        else:
            staged.undo(journal)
            result = "undone"
        _LOG.info("staging settled", extra={"window": journal.window, "outcome": result})
    return result


@contextmanager
def _settled_if_broken(
    staged: StagedWindow | None, plan: Plan, connection: Connection, options: WriteOptions
) -> Iterator[None]:
    """After a failure, take the files that were written aside away; if that fails, the next run does."""
    try:
        yield
    except BaseException as error:
        if staged is not None:
            try:
                settle_window(
                    plan, connection, staged.staging, replace(options, when_busy="refuse")
                )
            except (ShadowaggError, psycopg2.Error, OSError) as trouble:
                error.add_note(f"staging files wait for the next run: {trouble}")
        raise


def _switched_after_commit(
    staged: StagedWindow, plan: Plan, connection: Connection, options: WriteOptions
) -> bool:
    try:
        settle_window(plan, connection, staged.staging, replace(options, when_busy="wait"))
    except WindowBusy:
        return False  # whoever holds the lock settles what it finds
    except WriteFailed as error:
        raise WriteFailed(
            f"stored in PostgreSQL, but the switch of the staging files broke off: {error.what}",
            on=str(plan.window),
            hint="settle the window, or write it again",
        ) from error
    return True


def _replace(
    transaction: Transaction, targets: Targets, plan: Plan, options: WriteOptions
) -> tuple[WrittenTable, ...]:
    """Delete what production deletes, then copy: all deletes first, as production has it."""
    deleted = []
    for rows in targets.postgres:
        delete = plan_delete(rows.spec, plan, options.level)
        deleted.append(transaction.run(delete.text, delete.values))
    written = []
    for rows, gone in zip(targets.postgres, deleted, strict=True):
        inserted = _copy(transaction, rows, plan, options) if rows.num_rows else 0
        written.append(WrittenTable(rows.spec.table, gone, inserted))
    return tuple(written)


def _copy(transaction: Transaction, rows: RowSet, plan: Plan, options: WriteOptions) -> int:
    columns = columns_to_write(rows)
    # Nothing is bound to a COPY, so a percent sign in a name stands for itself here.
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')").format(
        sql.Identifier(plan.window.schema, rows.spec.table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    stream = CsvStream(rows, columns, batch_rows=options.batch_rows)
    inserted = transaction.copy(statement, stream, size=_CHUNK)
    if inserted != rows.num_rows:
        raise WriteFailed(
            f"{inserted} rows went in, not {rows.num_rows}",
            on=f"{plan.window.schema}.{rows.spec.table}",
            hint="look for triggers and rules of the table",
        )
    return inserted


def _check_provider(provider: Provider, plan: Plan) -> None:
    if plan.window.provider != provider.name:
        raise UserError(
            f"a window of {plan.window.provider}",
            on=f"provider {provider.name}",
            hint="pass the provider of the window",
        )
