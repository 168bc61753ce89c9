"""Tables and lines for people: with rich where it is installed, plain without."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

__all__ = ["progress", "table"]


def progress(line: str) -> None:
    """One line on standard error, so that standard output stays for results."""
    click.echo(f"  … {line}", err=True)


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; numbers are aligned right. Without rows only the title."""
    if not rows:
        click.secho(title, bold=True)
        return
    texts = [[_text(value) for value in row] for row in rows]
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError:
        _plain(title, headings, texts)
        return
    pretty = Table(title=Text(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for index, heading in enumerate(headings):
        numbers = all(isinstance(row[index], int | float) for row in rows) and bool(rows)
        pretty.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    for row in texts:
        pretty.add_row(*[Text(value) for value in row])
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False).print(pretty)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return "" if value is None else str(value)


def _plain(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [
        max(len(heading), *(len(row[index]) for row in rows), 0)
        for index, heading in enumerate(headings)
    ]
    click.echo(title)
    for row in (headings, ["-" * width for width in widths], *rows):
        click.echo("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)))
