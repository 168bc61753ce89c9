"""`shadowagg run`: both paths on a scenario or a window, and whether they agree."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

__all__ = ["command"]


@click.command("run")
@click.option(
    "--scenario",
    "path",
    type=click.Path(path_type=Path),
    help="A scenario's folder or its scenario.json.",
)
@click.option(
    "--window",
    "window_file",
    type=click.Path(path_type=Path),
    help="Instead of a scenario: a JSON file with window, inputs, options.",
)
@click.option("--provider", help="Only this provider; by default every one concerned.")
@click.option("--control", help="Control mode: recorded where rows were recorded, else embedded.")
@click.option("--candidate", default="pyarrow", show_default=True, help="Or a control mode.")
@click.option("--templates", help="Folder or package of production's templates: mode production.")
@click.option("--schema", default="", help="readback: the tenant's schema, if not the window's.")
@click.option(
    "--hive-location",
    default="",
    help="readback: where Hive tables lie; may hold {schema}, {account}, {table}.",
)
@click.option(
    "--stages",
    type=click.Choice(["final", "all"]),
    default="final",
    show_default=True,
    help="Which stages are compared; inner ones are after a mismatch anyway.",
)
@click.option("--from", "first", help="Another first day, YYYY-MM-DD.")
@click.option("--to", "last", help="Another last day, YYYY-MM-DD.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Write the result as JSON; - for standard output.",
)
@click.option("--page", "page", type=click.Path(path_type=Path), help="Where the page goes.")
@click.option("--time-limit", type=float, help="Seconds per path.")
@click.option("--memory-limit", type=float, help="GiB per path.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    path: Path | None,
    window_file: Path | None,
    provider: str | None,
    control: str | None,
    candidate: str,
    templates: str | None,
    schema: str,
    hive_location: str,
    stages: str,
    first: str | None,
    last: str | None,
    json_file: Path | None,
    page: Path | None,
    time_limit: float | None,
    memory_limit: float | None,
    quiet: bool,
) -> None:
    """Run both paths on a scenario, or on a window, and say whether they agree."""
    from shadowagg.cli import output, summary
    from shadowagg.scenario import load_scenario
    from shadowagg.scenario_run import run_scenario
    from shadowagg.store import open_store
    from shadowagg.window import parse_day
    from shadowagg.window_run import run_window

    if (path is None) == (window_file is None):
        raise click.UsageError("give either --scenario or --window")
    if window_file is not None and (provider or first or last or not control):
        raise click.UsageError("--window takes --control, and no --provider, --from, --to")

    given = {"time_limit": time_limit, "memory_limit": memory_limit, "templates": templates}
    settings = summary.settings(**{k: v for k, v in given.items() if v is not None})
    store = open_store(settings.store, schema=settings.store_schema)
    how: dict[str, Any] = {
        "candidate": candidate,
        "options": {
            "schema": schema,
            "hive_location": hive_location or settings.hive_location,
        },
        "all_stages": stages == "all",
        "store": store,
        "progress": (lambda _: None) if quiet else output.progress,
    }
    if window_file is not None:
        result = run_window(window_file, settings, control=control or "", **how)
        title = f"Window {result.records[0].plan.window}"
    else:
        scenario = load_scenario(
            path or Path(),
            start=parse_day(first) if first else None,
            end=parse_day(last) if last else None,
        )
        result = run_scenario(scenario, settings, provider=provider, control=control, **how)
        title = f"Scenario {scenario.name}"
    where = summary.write_page(
        page or settings.home / "pages" / f"{summary.page_name(result)}.html",
        title=title,
        records=result.records,
        not_covered=result.not_covered,
    )
    document = {**result.to_json(), "store": store.url, "page": str(where)}
    if json_file is not None and str(json_file) != "-":
        json_file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if str(json_file) == "-":
        click.echo(json.dumps(document, indent=1))
    else:
        summary.show(result.records, not_covered=result.not_covered)
        if result.missing_provider:
            click.echo(f"no provider is installed for {result.missing_provider}")
        click.echo(f"page: {where}")
    sys.exit(result.exit_code)
