"""The comparison as a task of a fenced process: two files in, plain values and two files out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from shadowagg.arrow_alone import keep_pandas_out
from shadowagg.condition import where
from shadowagg.diff.comparison import compare_rows
from shadowagg.errors import InputUnreadable, ShadowaggError
from shadowagg.ignore import IgnoreRule, load_ignore_rules
from shadowagg.rowset import Role, RowSet, RowSetSpec

__all__ = ["observe", "read_row_set"]

_MOST_ROWS_KEPT = 10_000
"""Differing rows of each side that are written for whoever looks into a mismatch."""

_SAMPLE_ROWS = 20


def observe(request: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """Compare two files and write the rows that differ.

    Args:
        request: `spec` (`provider:stage`), `control` and `candidate` (paths of Arrow IPC or Parquet
            files), `today` (ISO day on which rules are in force), and if wanted `ignore` (rules as
            plain values, or the path of a file of rules), `rows_for_datacompy`, `samples` (whether
            rows may be kept; true), `sample_rows` (how many), `last_from` (ISO day: earlier rows of a
            table that every sub-window rewrites are not compared, as one side no longer has them).
        folder: where `difference/<stage>.control.parquet` and `….candidate.parquet` are written:
            the first rows that are changed or on one side only. Not if samples are off; None: none.

    Returns:
        `StageDiff.to_json()`.

    Raises:
        InputUnreadable: for a file that cannot be read.
        RowSetInvalid: for rows that do not conform to their specification.
        UserError: for an ignore rule that is none.
    """
    keep_pandas_out()
    spec = _specification(request["spec"])
    rules = _rules(request.get("ignore") or ())
    control = _read(spec, "control", request)
    candidate = _read(spec, "candidate", request)
    samples = bool(request.get("samples", True))
    comparison = compare_rows(
        control,
        candidate,
        ignore=rules,
        today=dt.date.fromisoformat(request["today"]),
        rows_for_datacompy=int(request.get("rows_for_datacompy", 100_000)),
        sample_rows=int(request.get("sample_rows", _SAMPLE_ROWS)) if samples else 0,
    )
    if samples and folder is not None:
        _write(comparison.diff.stage, "control", control, comparison.control_rows, folder)
        _write(comparison.diff.stage, "candidate", candidate, comparison.candidate_rows, folder)
    return comparison.diff.to_json()


def _read(spec: RowSetSpec, side: str, request: Mapping[str, Any]) -> RowSet:
    try:
        rows = read_row_set(spec, Path(request[side]))
    except ShadowaggError as error:
        error.side = side
        raise
    if spec.rewritten and request.get("last_from"):
        last = where((spec.day_column, ">=", request["last_from"]))
        rows = RowSet(spec, rows.table.filter(last.mask(rows.table)))
    return rows


def _rules(given: str | Sequence[Mapping[str, Any]]) -> Sequence[IgnoreRule]:
    if isinstance(given, str):
        return load_ignore_rules(Path(given))
    return [IgnoreRule.from_json(rule) for rule in given]


def read_row_set(spec: RowSetSpec, file: Path) -> RowSet:
    """A row set from an Arrow IPC file, memory-mapped, or a Parquet file.

    Of a Parquet file only the columns that are compared are read, texts dictionary-encoded.

    Raises:
        InputUnreadable: for a file that cannot be read.
        RowSetInvalid: if it does not conform; named by column.
    """
    try:
        table = _read_parquet(spec, file) if file.suffix == ".parquet" else _read_arrow(file)
    except (OSError, pa.ArrowException) as error:
        raise InputUnreadable(
            f"cannot be read: {error}", on=str(file), hint="give an Arrow IPC or a Parquet file"
        ) from error
    return RowSet.conform(spec, table)


def _read_arrow(file: Path) -> pa.Table:
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all()


def _read_parquet(spec: RowSetSpec, file: Path) -> pa.Table:
    # Costs a twentieth of a second, and Arrow files do not need it.
    from pyarrow import parquet

    left_out = {column.name for column in spec.columns if column.role is Role.LEFT_OUT}
    text = [c.name for c in spec.compared if pa.types.is_string(c.type.arrow)]
    with parquet.ParquetFile(file, memory_map=True, read_dictionary=text) as source:
        names = source.schema_arrow.names
        return source.read([name for name in names if name not in left_out])


def _specification(name: str) -> RowSetSpec:
    """The specification of that name, from the installed providers."""
    from shadowagg.discovery import registry

    return registry().spec(name)


def _write(stage: str, side: str, rows: RowSet, numbers: pa.Array, folder: Path) -> None:
    """Write the first of some rows; no file where there are none."""
    if not len(numbers):
        return
    from pyarrow import parquet

    path = folder / "difference" / f"{stage}.{side}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(rows.table.take(numbers.slice(0, _MOST_ROWS_KEPT)), path)
