"""`shadowagg generate`: a seeded scenario folder."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("generate")
@click.option("--provider", required=True, help="Whose data.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="An empty folder.")
@click.option("--rows", type=click.IntRange(min=1), default=3000, show_default=True)
@click.option("--days", type=click.IntRange(1, 31), default=7, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def command(provider: str, out: Path, rows: int, days: int, seed: int) -> None:
    """Write a seeded scenario folder of about ROWS main rows; the same seed gives the same bytes."""
    from shadowagg.discovery import registry
    from shadowagg.errors import UserError

    if out.exists() and any(out.iterdir()):
        raise UserError("not empty", on=str(out), hint="name a new folder")
    registry().provider(provider).generate(out, seed=seed, rows=rows, days=days)
    click.echo(f"written: {out}")
