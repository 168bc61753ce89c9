"""The command line. Each command lives in a module of its name, imported when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from shadowagg import __version__
from shadowagg.errors import ShadowaggError, UserError

__all__ = ["main"]

COMMANDS = {
    "aggregate": "The candidate alone: one Parquet file per published table.",
    "demo": "Seeded data, both paths, a report: one command, no services.",
    "diff": "The comparison alone, on two Parquet files.",
    "doctor": "Whether this machine has what a run needs.",
    "generate": "Write a seeded scenario folder.",
    "providers": "What is installed, what failed to load and why.",
    "run": "Run both paths on a scenario and say whether they agree.",
    "scratch": "Remove what killed runs have left on servers.",
    "store": "Look after the place where records are kept.",
}
"""Command -> its line in `--help`, so that listing them imports none of them."""


class _Commands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"shadowagg.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"shadowagg: {error}", err=True)
            sys.exit(2)
        except ShadowaggError as error:
            click.echo(f"shadowagg: {error.cause}: {error}", err=True)
            sys.exit(3)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="shadowagg")
def main() -> None:
    """Run a candidate aggregation in the shadow of the one in force, and prove that they agree.

    Exit codes of run and diff: 0 match, 1 mismatch, 2 usage, 3 candidate failed, 4 inconclusive.
    """
