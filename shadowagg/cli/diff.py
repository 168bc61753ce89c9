"""`shadowagg diff`: the comparison alone, on two Parquet files."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from shadowagg.arrow_alone import prefer_cheap_allocator

__all__ = ["command"]


@click.command("diff")
@click.argument("control", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@click.option("--spec", required=True, help="PROVIDER:STAGE; see `shadowagg providers --stages`.")
@click.option("--ignore", "ignore_file", type=click.Path(path_type=Path), help="Ignore rules.")
@click.option("--datacompy-rows", type=click.IntRange(min=0), default=100_000, show_default=True)
@click.option("--samples", type=click.IntRange(min=0), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    control: Path,
    candidate: Path,
    spec: str,
    ignore_file: Path | None,
    datacompy_rows: int,
    samples: int,
    as_json: bool,
) -> None:
    """Compare two Parquet files of one stage: CONTROL is the reference, CANDIDATE is on trial."""
    prefer_cheap_allocator()
    from shadowagg.cli import output
    from shadowagg.diff import StageDiff, observe
    from shadowagg.errors import ShadowaggError, UserError

    for file in (control, candidate):
        if not file.is_file():
            raise UserError("no such file", on=str(file), hint="name two Parquet files")
    request = {
        "spec": spec,
        "control": str(control),
        "candidate": str(candidate),
        "ignore": str(ignore_file) if ignore_file else "",
        "today": dt.datetime.now(dt.UTC).date().isoformat(),
        "rows_for_datacompy": datacompy_rows,
        "samples": samples > 0,
        "sample_rows": samples,
    }
    try:
        document = observe(request, None)
    except ShadowaggError as error:
        if not error.side:
            raise
        click.echo(f"shadowagg: {error.side}: {error}", err=True)
        # Without a control there is no evidence; without a candidate it has failed.
        sys.exit(4 if error.side == "control" else 3)
    diff = StageDiff.from_json(document)
    agrees = diff.agrees
    if as_json:
        verdict = "match" if agrees else "mismatch"
        click.echo(json.dumps({"verdict": verdict, **document}, indent=1))
        sys.exit(0 if agrees else 1)
    output.table(
        f"{spec}: {'match' if agrees else 'mismatch'}",
        ("control rows", "candidate rows", "equal", "changed", "missing", "extra", "ignored"),
        [
            (
                diff.control_rows,
                diff.candidate_rows,
                diff.equal_rows,
                diff.changed_rows,
                diff.missing_rows,
                diff.extra_rows,
                diff.ignored_rows,
            )
        ],
    )
    differing = [column for column in diff.columns if column.differing]
    if differing:
        output.table(
            "Columns that differ",
            ("column", "tolerance", "rows", "largest difference", "relative"),
            [
                (
                    c.name,
                    c.tolerance,
                    c.differing,
                    c.max_absolute,
                    None if c.max_relative is None else f"{c.max_relative:.3g}",
                )
                for c in differing
            ],
        )
    if diff.samples:
        output.table(
            "Some of the rows",
            ("difference", "key", "control against candidate"),
            [(x.difference, _pairs(x.key), _both(x.columns)) for x in diff.samples[:_SHOWN]],
        )
    sys.exit(0 if agrees else 1)


_SHOWN = 5
"""Rows that a terminal shows; the JSON has all samples."""


def _pairs(key: Mapping[str, str | None]) -> str:
    return "\n".join(f"{name} = {_value(value)}" for name, value in key.items())


def _both(columns: Mapping[str, tuple[str | None, str | None]]) -> str:
    return "\n".join(
        f"{name}: {_value(left)} | {_value(right)}"
        for name, (left, right) in columns.items()
        if left is not None or right is not None
    )


def _value(value: str | None) -> str:
    return "NULL" if value is None else repr(value)
