"""`shadowagg scratch`: the scratch schemas of runs on servers."""

from __future__ import annotations

import datetime as dt
import json
import re

import click

__all__ = ["command", "parse_age"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_age(text: str) -> dt.timedelta:
    """An age such as `30m`, `2h`, `1d`.

    >>> parse_age("2h")
    datetime.timedelta(seconds=7200)

    Raises:
        UserError: if it is none.
    """
    from shadowagg.errors import UserError

    found = re.fullmatch(r"(\d{1,6})([smhd])", text.strip())
    if not found:
        raise UserError(
            f"{text!r} is no age", on="--older-than", hint="a number and s, m, h or d, such as 2h"
        )
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.group("scratch")
def command() -> None:
    """The scratch schemas of runs on servers."""


@command.command("prune")
@click.option(
    "--older-than", "age", default="0s", show_default=True, help="Only what is older, such as 2h."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prune(age: str, as_json: bool) -> None:
    """Remove what runs that were killed have left in Trino, PostgreSQL and the lake.

    A run that lives is never disturbed: it holds a lock in PostgreSQL.
    """
    from shadowagg.control import scratch_prune
    from shadowagg.control.trino_session import TrinoSession
    from shadowagg.servers import TrinoServer

    older_than = parse_age(age)
    with TrinoSession(TrinoServer.from_environment(), source="shadowagg") as session:
        session.connect()
        removed = scratch_prune.prune(session, older_than=older_than)
    if as_json:
        click.echo(json.dumps({"removed": removed}, indent=1))
        return
    for name in removed:
        click.echo(f"removed {name}")
    if not removed:
        click.echo("nothing to remove")
