"""`shadowagg aggregate`: the candidate alone, one Parquet file per published table."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import click

__all__ = ["command"]


@click.command("aggregate")
@click.option("--scenario", "path", required=True, type=click.Path(path_type=Path))
@click.option("--provider", help="Only this provider; by default every one concerned.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads; by default one per core.")
@click.option("--stages", type=click.Choice(["final", "all"]), default="final", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    path: Path, provider: str | None, out: Path, threads: int | None, stages: str, as_json: bool
) -> None:
    """The candidate alone: one Parquet file per stage, `<provider>/<stage>.parquet`.

    A scenario with several windows (clusters) adds their sources: `<provider>/<source>/…`. The
    candidate runs in this process, without a fence.
    """
    # None of the comparing side is imported: this command is what the candidate costs alone.
    from shadowagg.aggregation import aggregate
    from shadowagg.cli import output
    from shadowagg.scenario import load_scenario

    begin = time.perf_counter()
    written = aggregate(
        load_scenario(path), out, provider=provider, threads=threads, all_stages=stages == "all"
    )
    if as_json:
        click.echo(json.dumps([item.to_json() for item in written], indent=1))
        return
    output.table(
        f"Written to {out} in {time.perf_counter() - begin:.2f} s",
        ("stage", "source", "rows", "seconds", "file"),
        [
            (i.stage, i.source_uuid[:8], i.rows, i.seconds, re.sub(r"^\./", "", i.file))
            for i in written
        ],
    )
