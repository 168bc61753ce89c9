"""`shadowagg demo`: seeded data, both paths, one injected fault, one page."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import click

__all__ = ["command"]


@click.command("demo")
@click.option("--rows", type=click.IntRange(min=100), default=3000, show_default=True)
@click.option("--days", type=click.IntRange(1, 31), default=7, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--provider", help="Only this one; by default every one installed.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("shadowagg-demo"),
    show_default=True,
    help="Folder for data, store and page; what an earlier demo left there is replaced.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def command(rows: int, days: int, seed: int, provider: str | None, out: Path, quiet: bool) -> None:
    """Seeded data, the candidate against the embedded control, then again with a fault.

    Exit 0 if the clean runs matched and every injected fault was found.
    """
    from shadowagg.cli import output, summary
    from shadowagg.demo import run_demo
    from shadowagg.errors import UserError

    begin = time.perf_counter()
    marker = out / ".shadowagg-demo"
    if out.exists() and any(out.iterdir()) and not marker.exists():
        raise UserError("not empty, and no demo's folder", on=str(out), hint="name another --out")
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    marker.touch()
    # Next to its page and data, so that a demo never mixes with the records of real runs.
    settings = summary.settings(home=out, store_url=f"sqlite:///{out / 'records.sqlite'}")
    result = run_demo(
        out,
        settings,
        provider=provider,
        seed=seed,
        rows=rows,
        days=days,
        progress=(lambda _: None) if quiet else output.progress,
    )
    page = summary.write_page(
        out / "demo.html", title="shadowagg demo", records=result.records, notes=result.notes
    )
    summary.show(result.records)
    for note in result.notes.values():
        click.echo(f"injected: {note}")
    good = "clean runs matched, every fault was found"
    click.echo(f"{good if result.good else 'FAILED: ' + result.complaint}")
    click.echo(f"page: {page}   ({time.perf_counter() - begin:.0f} s)")
    sys.exit(0 if result.good else 1)
