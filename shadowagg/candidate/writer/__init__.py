"""The writer: replaces a window with the candidate's rows, in PostgreSQL and in the lake's staging tables.

::

    write.py          write_window(), settle_window(): the whole flow on one page
    options.py        what can be chosen, and what is answered
    targets.py        row sets -> which go where; refused if a value cannot be stored
    owner.py          whose rows are deleted: columns and the window's values for them
    transaction.py    the caller's transaction with a savepoint, or one of our own
      failures.py       PostgreSQL's errors in words, without row values
      lock.py           one writer per schema, provider, source and month
      marker.py         the row by which a later run knows whether a write was committed
    table.py          the table as it is: columns, types, partitions
    deletes.py        what is deleted before rows are written, as SQL
    rows.py           rows as CSV for COPY, batch by batch, with their random ids
    staging.py        files of the staging tables: written aside, then switched
      journal.py        what a switch is about to do, so that a later run can finish or undo it
      reader.py         the rows of a staging table, whole at every moment
"""

from __future__ import annotations

from shadowagg.candidate.writer.options import (
    StagedPartition,
    Staging,
    WriteOptions,
    Written,
    WrittenTable,
)
from shadowagg.candidate.writer.reader import read_staging
from shadowagg.candidate.writer.write import settle_window, write_window

__all__ = [
    "StagedPartition",
    "Staging",
    "WriteOptions",
    "Written",
    "WrittenTable",
    "read_staging",
    "settle_window",
    "write_window",
]
