"""`shadowagg providers`: what is installed, what failed to load and why."""

from __future__ import annotations

import json

import click

__all__ = ["command"]


@click.command("providers")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--stages", is_flag=True, help="List the stages of each provider.")
def command(as_json: bool, stages: bool) -> None:
    """What is installed, what failed to load and why."""
    from shadowagg.cli import output
    from shadowagg.discovery import registry

    found = registry()
    if as_json:
        click.echo(
            json.dumps(
                {
                    "providers": [
                        {
                            "name": p.name,
                            "aliases": list(p.aliases),
                            "needs": list(p.needs),
                            "contract_version": p.contract_version,
                            "rules_version": p.rules_version,
                            "distribution": found.registered[p.name].distribution,
                            "version": found.registered[p.name].version,
                            "stages": [
                                {
                                    "name": s.spec.name,
                                    "table": s.spec.table,
                                    "home": s.spec.home,
                                    "final": s.final,
                                }
                                for s in p.stages
                            ],
                            "inputs": [t.name for t in p.inputs],
                        }
                        for p in found.providers
                    ],
                    "failures": [
                        {
                            "entry_point": f.entry_point,
                            "distribution": f.distribution,
                            "version": f.version,
                            "reason": f.reason,
                            "detail": f.detail,
                        }
                        for f in found.failures
                    ],
                },
                indent=1,
            )
        )
        return
    output.table(
        "Providers",
        ("name", "production calls it", "needs", "distribution", "rules", "stages"),
        [
            (
                p.name,
                ", ".join(p.aliases),
                ", ".join(p.needs),
                f"{found.registered[p.name].distribution} {found.registered[p.name].version}",
                p.rules_version,
                ", ".join(s.name for s in p.stages),
            )
            for p in found.providers
        ],
    )
    if stages:
        output.table(
            "Stages",
            ("stage", "home", "table", "compared"),
            [
                (s.spec.name, s.spec.home, s.spec.table, "always" if s.final else "to explain")
                for p in found.providers
                for s in p.stages
            ],
        )
    if found.failures:
        output.table(
            "Failed to load",
            ("entry point", "distribution", "reason"),
            [(f.entry_point, f"{f.distribution} {f.version}", f.reason) for f in found.failures],
        )
