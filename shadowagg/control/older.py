"""Which inputs changed after rows were written: such rows are no evidence.

A moment counts as later when it is not earlier: object stores tell whole seconds. Clocks are those of
whoever keeps the thing, the store's for objects, the server's for rows; they are taken as they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shadowagg.control.postgres_window import SideTable
from shadowagg.inputs import InputFile, Inputs
from shadowagg.provider import InputTable
from shadowagg.window import Window

__all__ = ["as_text", "older_than"]


def older_than(
    written: Mapping[str, int | None],
    tables: Sequence[InputTable],
    inputs: Inputs,
    window: Window,
    side_tables: Iterable[SideTable],
) -> Iterator[str]:
    """A line for each input that changed after rows were written, with both moments.

    Args:
        written: what of the rows (`hive`, `postgres`) was written when, in nanoseconds since 1970;
            None where nobody can say, which is a line of its own if it holds for all of them.
        tables: that the provider reads.
        inputs: where they lie.
        window: whose rows were read.
        side_tables: what is known of those in the tenant's schema.
    """
    known = {name: moment for name, moment in written.items() if moment is not None}
    if not known:
        yield "nobody can say when the rows were written"
        return
    name, earliest = min(known.items(), key=lambda item: item[1])
    rows = f"rows of {name}: {as_text(earliest)}"
    for table, file in _objects(tables, inputs, window):
        if file.changed.isdigit() and int(file.changed) >= earliest:
            yield f"{table} {file.path}: {as_text(int(file.changed))}, {rows}"
    for side in side_tables:
        if side.changed is not None and side.changed >= earliest:
            yield f"side table {side.name}: {as_text(side.changed)}, {rows}"
        elif side.after_rows:
            yield f"side table {side.name}: written by a later transaction than the rows"


def as_text(moment: int) -> str:
    """Nanoseconds since 1970 as ISO text, UTC.

    >>> as_text(1_500_000_000)
    '1970-01-01T00:00:01.500000+00:00'
    """
    since = dt.timedelta(microseconds=moment // 1000)
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + since).isoformat()


def _objects(
    tables: Sequence[InputTable], inputs: Inputs, window: Window
) -> Iterator[tuple[str, InputFile]]:
    """Every object that the window reads, as `Inputs.fingerprint` has them."""
    sources = sorted({window.source_uuid, *(c.source_uuid for c in window.clusters)})
    for table in tables:
        if table.home == "postgres":
            if (file := inputs.side_file(table)) is not None:
                yield table.name, file
            continue
        for source in sources:
            for file in inputs.files(table, window, source):
                yield table.name, file
