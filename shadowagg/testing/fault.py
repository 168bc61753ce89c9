"""Change one value in a copy of a path's rows: what a diff must find."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.errors import UserError
from shadowagg.rowset import RowSetSpec

__all__ = ["inject_fault"]


def inject_fault(folder: Path, spec: RowSetSpec, *, seed: int) -> str:
    """Raise one measure of one row by a millionth, in `<stage>.arrow` below a folder.

    Args:
        folder: with the row sets of a path; the file is replaced.
        spec: which row set.
        seed: chooses measure and row.

    Returns:
        A sentence that says what was changed; it contains no value.

    Raises:
        UserError: if there is no value to change.
    """
    stage = spec.name.partition(":")[2]
    file = folder / f"{stage}.arrow"
    with pa.memory_map(str(file)) as source:
        table = pa.ipc.open_file(source).read_all()
    choose = random.Random(seed)  # noqa: S311 - a choice, no secret
    names = [column.name for column in spec.measures]
    choose.shuffle(names)
    for name in names:
        values = table.column(name).combine_chunks()
        rows = pc.indices_nonzero(
            pc.fill_null(pc.greater(values, pa.scalar(0, values.type)), False)
        )
        if len(rows):
            row = rows[choose.randrange(len(rows))].as_py()
            break
    else:
        raise UserError("no positive measure to change", on=spec.name, hint="generate more rows")
    changed = values.to_pylist()
    changed[row] = changed[row] + changed[row] / 1_000_000
    if pa.types.is_decimal(values.type):
        changed[row] = round(changed[row], values.type.scale)
    index = table.column_names.index(name)
    table = table.set_column(index, table.schema.field(index), pa.array(changed, values.type))
    file.unlink()
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return (
        f"{name} of one row of {spec.name} was raised by a millionth in a copy of the rows; the path "
        "that made them is sound, so that repeating the run gives a match"
    )
