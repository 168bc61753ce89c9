"""`shadowagg doctor`: whether this machine has what a run needs."""

from __future__ import annotations

import json
import sys

import click

__all__ = ["command"]


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Whether this machine has what a run needs; exit 1 if something necessary is missing."""
    from shadowagg.cli import output, summary
    from shadowagg.doctor import examine

    findings = examine(summary.settings())
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in findings], indent=1))
    else:
        output.table(
            "What a run needs",
            ("", "what", "found", "hint"),
            [(f.state, f.what, f.found, f.hint) for f in findings],
        )
    sys.exit(1 if any(finding.state == "missing" for finding in findings) else 0)
