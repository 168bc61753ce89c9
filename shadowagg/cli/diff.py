"""`shadowagg diff`: the comparison alone, on two Parquet files."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import click

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
    from shadowagg.cli import output
    from shadowagg.diff import StageDiff, observe

    document = observe(
        {
            "spec": spec,
            "control": str(control),
            "candidate": str(candidate),
            "ignore": str(ignore_file) if ignore_file else "",
            "today": dt.datetime.now(dt.UTC).date().isoformat(),
            "rows_for_datacompy": datacompy_rows,
            "samples": samples > 0,
            "sample_rows": samples,
        },
        None,
    )
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
    sys.exit(0 if agrees else 1)
