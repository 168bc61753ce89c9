"""`shadowagg store`: look after the place where records are kept."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from pathlib import Path

import click

__all__ = ["command"]


def _days(_: click.Context, __: click.Parameter, value: str) -> dt.timedelta:
    found = re.fullmatch(r"([0-9]{1,6})d?", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no number of days; write 90 or 90d")
    return dt.timedelta(days=int(found.group(1)))


@click.group("store")
def command() -> None:
    """Look after the place where records are kept (SHADOWAGG_STORE_URL)."""


@command.command("upgrade")
def upgrade() -> None:
    """Bring the store to the newest step, all or nothing."""
    from shadowagg.cli import summary
    from shadowagg.store import upgrade_store

    settings = summary.settings()
    before, after = upgrade_store(settings.store, schema=settings.store_schema)
    if before == after:
        click.echo(f"the store is at step {after} already")
    else:
        click.echo(f"step {before or 'none'} -> {after}")


@command.command("export")
@click.option(
    "--out",
    default="-",
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="File for the lines; - for standard output.",
)
@click.option("--since", "first", help="Only records of this day and later, YYYY-MM-DD, UTC.")
def export(out: Path, first: str | None) -> None:
    """Print every record as a line of JSON, oldest first."""
    from shadowagg.cli import summary
    from shadowagg.errors import UserError
    from shadowagg.store import open_store
    from shadowagg.window import parse_day

    settings = summary.settings()
    since = (
        dt.datetime.combine(parse_day(first), dt.time(), tzinfo=dt.UTC)
        if first is not None
        else None
    )
    store = open_store(settings.store, schema=settings.store_schema)
    lines = (f"{json.dumps(document)}\n" for document in store.documents(since=since))
    if str(out) == "-":
        for line in lines:
            click.echo(line, nl=False)
        return
    part = out.with_name(f"{out.name}.part")
    count = 0
    try:
        # The whole file or none: a partial one would pass for everything.
        with part.open("w", encoding="ascii") as file:
            for line in lines:
                file.write(line)
                count += 1
        part.replace(out)
    except OSError as error:
        raise UserError(f"cannot be written: {error}", on=str(out), hint="see --out") from None
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{count} records written to {out}", err=True)


@command.command("verify")
def verify() -> None:
    """Check that every document is as it was kept and agrees with the columns beside it; else exit 1."""
    from shadowagg.cli import summary
    from shadowagg.store import open_store
    from shadowagg.store.upkeep import verify as look

    settings = summary.settings()
    found = look(open_store(settings.store, schema=settings.store_schema))
    for unsound in found.unsound:
        click.echo(f"{unsound.record or 'the database'}: {unsound.what}")
    wrong = len({unsound.record for unsound in found.unsound})
    click.echo(f"{found.records} records, {wrong or 'nothing'} wrong")
    sys.exit(1 if found.unsound else 0)


@command.command("prune")
@click.option(
    "--older-than",
    "age",
    required=True,
    callback=_days,
    metavar="DAYS",
    help="Remove records that were started more than so many days ago.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many.")
def prune(age: dt.timedelta, dry_run: bool) -> None:
    """Remove old records. Whoever decides by their history sees less of it then."""
    from shadowagg.cli import summary
    from shadowagg.errors import UserError
    from shadowagg.store import open_store
    from shadowagg.store.upkeep import prune as remove

    settings = summary.settings()
    try:
        before = dt.datetime.now(dt.UTC) - age
    except OverflowError:
        raise UserError(f"{age.days} days ago is no date", on="--older-than") from None
    store = open_store(settings.store, schema=settings.store_schema)
    count = remove(store, before, dry_run=dry_run)
    click.echo(f"{count} records {'would be removed' if dry_run else 'removed'}")
