"""The toy provider, with a candidate or a control that misbehaves as the window's parameters say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shadowagg_toy import TURNOVER, Toy

from shadowagg import Stage, hookimpl


@dataclass(frozen=True)
class Faulty(Toy):
    name: str = "faulty"
    aliases: tuple[str, ...] = ("FAULTY",)
    stages: tuple[Stage, ...] = (
        Stage(
            name="turnover",
            spec=replace(TURNOVER, name="faulty:turnover"),
            candidate="shadowagg_faulty.candidate:turnover",
            control="shadowagg_toy:turnover.sql",
            final=True,
        ),
    )

    def windows(self, scenario):
        if scenario.provider != "TOY" or "candidate" not in scenario.document.get("parameters", {}):
            return []
        return [replace(window, provider=self.name) for window in Toy().windows(scenario)]


@hookimpl
def shadowagg_register_providers(register):
    register(Faulty())
