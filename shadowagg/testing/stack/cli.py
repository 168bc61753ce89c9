"""`shadowagg-stack`: Trino, PostgreSQL and an S3 server on this machine, for development and tests."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from shadowagg.errors import ShadowaggError

__all__ = ["main"]

_NAMES = ("trino", "postgres", "s3")


class _Group(click.Group):
    """A group whose known errors are one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ShadowaggError as error:
            click.echo(f"shadowagg-stack: {error}", err=True)
            sys.exit(2)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _ports(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> Any:
    """`--port` as service -> number."""
    ports: dict[str, int] = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in _NAMES or not number.isdecimal() or not 0 < int(number) < 65536:
            raise click.BadParameter(f"{value!r} is not SERVICE=NUMBER, such as postgres=15432")
        ports[name] = int(number)
    return ports


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Trino, PostgreSQL and an S3 server on 127.0.0.1, without Docker.

    What is downloaded stays in $SHADOWAGG_STACK_HOME (~/.cache/shadowagg-stack); data go with the
    stack.
    """


@main.command()
@click.option(
    "--only", "names", multiple=True, type=click.Choice(_NAMES), help="A service; may be repeated."
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    callback=_ports,
    metavar="SERVICE=N",
    help="A port of your choice; free ones by default.",
)
@click.option("--heap", metavar="SIZE", help="Trino's heap, such as 4G; 1500M by default.")
@click.option(
    "--wait", "patience", type=click.FloatRange(min=1), default=180, help="Seconds to be ready in."
)
def up(names: tuple[str, ...], ports: dict[str, int], heap: str | None, patience: float) -> None:
    """Start what does not run yet, and wait until it is ready."""
    from shadowagg.testing.stack.configuration import parse_heap
    from shadowagg.testing.stack.stack import Stack

    stack = Stack(say=_say)
    stack.up(
        names or _NAMES, ports=ports, heap=parse_heap(heap) if heap else None, patience=patience
    )
    _print_status(stack.status())
    _say('eval "$(shadowagg-stack env)" points a shell at it')


@main.command()
@click.option("--force", is_flag=True, help="Even if a test session uses it.")
def down(*, force: bool) -> None:
    """End what was started, and remove its data."""
    from shadowagg.testing.stack.stack import Stack

    ended = Stack(say=_say).down(force=force)
    _say(f"ended {', '.join(ended)}" if ended else "nothing was running")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> None:
    """What runs, and where; exit 1 if nothing does, or something that was started does not."""
    from shadowagg.testing.stack.stack import Stack

    found = Stack(say=_say).status()
    if as_json:
        click.echo(json.dumps({one.name: one.to_json() for one in found}, indent=1))
    elif found:
        _print_status(found)
    else:
        click.echo("no stack is running")
    sys.exit(0 if found and {one.state for one in found} <= {"running", "not started"} else 1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def env(*, as_json: bool) -> None:
    """The variables that point a run at the stack, as exports for a shell."""
    from shadowagg.errors import UserError
    from shadowagg.testing.stack.environment import as_exports, variables
    from shadowagg.testing.stack.stack import Stack

    stack = Stack(say=_say)
    state = stack.state()
    if state is None or not any(state.alive(name) for name in state.services):
        raise UserError("no stack is running", hint="shadowagg-stack up")
    values = variables(state)
    click.echo(json.dumps(values, indent=1) if as_json else as_exports(values))


def _print_status(found: list[Any]) -> None:
    for one in found:
        pid = "" if one.pid is None else f"pid {one.pid}"
        click.echo(f"{one.name:<10}{one.state:<13}{one.address:<18}{pid:<13}{one.log}".rstrip())
