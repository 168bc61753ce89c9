"""What `run` and `demo` show and write of their records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shadowagg.cli import output
from shadowagg.errors import UserError

if TYPE_CHECKING:
    from shadowagg.diff import StageDiff
    from shadowagg.record import Record
    from shadowagg.scenario_run import ScenarioResult
    from shadowagg.settings import Settings

__all__ = ["page_name", "settings", "show", "write_page"]

_SHOWN = 12
"""Lines of a long list that a terminal shows; the page and the JSON have all."""


def settings(**values: Any) -> Settings:
    """The settings, with command-line values before environment variables.

    Raises:
        UserError: naming the variable that has a wrong value.
    """
    from pydantic import ValidationError

    from shadowagg.settings import Settings

    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise UserError(
            f"{first['msg']}", on=f"setting SHADOWAGG_{name}", hint="see docs/settings.md"
        ) from None


def page_name(result: ScenarioResult) -> str:
    """A file name for the page: the scenario's, and the first record's id."""
    name = result.scenario or "window"
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    return f"{safe}-{result.records[0].id[:8]}" if result.records else safe


def write_page(
    path: Path,
    *,
    title: str,
    records: Sequence[Record],
    not_covered: Sequence[str] = (),
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Write the page of some records and give its place back."""
    from shadowagg.report import write_page as write

    path.parent.mkdir(parents=True, exist_ok=True)
    write(
        path,
        [record.to_json() for record in records],
        title=title,
        not_covered=not_covered,
        notes=notes or {},
        generated=dt.datetime.now(dt.UTC),
    )
    return path


def show(records: Sequence[Record], *, not_covered: Sequence[str] = ()) -> None:
    """For each record a table of its stages and, unless it is a match, the reason."""
    for record in records:
        window = record.plan.window
        control = record.control.mode + (" (stand-in)" if record.control_stand_in else "")
        scenario = f"{record.scenario}: " if record.scenario else ""
        output.table(
            f"{scenario}{window.provider}, source {window.source_uuid}, "
            f"{window.start} to {window.end}, control {control}",
            ("stage", "control rows", "candidate rows", "equal", "changed", "missing", "extra", ""),
            [_line(diff) for diff in record.diffs],
        )
        if record.control.not_kept:
            click.echo(f"not recorded, so not compared: {', '.join(record.control.not_kept)}")
        _show_reason(record)
    for name in sorted({record.control.mode for record in records if record.control_stand_in}):
        click.echo(
            f"note: the {name} control is a stand-in for production's engine; its verdicts are no "
            "evidence for the gate"
        )
    if not_covered:
        click.echo(
            f"not covered: {len(not_covered)} recorded tables that no provider run specifies"
        )
        for name in not_covered[:_SHOWN]:
            click.echo(f"  {name}")
        if len(not_covered) > _SHOWN:
            click.echo(f"  … and {len(not_covered) - _SHOWN} more, listed on the page")


def _show_reason(record: Record) -> None:
    judgement = record.judgement
    click.secho(f"{judgement.verdict}", bold=True, nl=False)
    click.echo(f" ({judgement.cause}): {judgement.reason}")
    if judgement.verdict == "match":
        return
    if record.explanation:
        click.echo(f"  {record.explanation['sentence']}")
    if record.saved_as:
        click.echo(f"  saved as {record.saved_as}")
    if record.repeat:
        click.echo(f"  repeat:  {record.repeat}")


def _line(diff: StageDiff) -> tuple[object, ...]:
    return (
        diff.stage,
        diff.control_rows,
        diff.candidate_rows,
        diff.equal_rows,
        diff.changed_rows,
        diff.missing_rows,
        diff.extra_rows,
        "agrees" if diff.agrees else "differs",
    )
