"""Records -> a summary in Markdown, for a pull request or a chat."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shadowagg.report.numbers import (
    count,
)
from shadowagg.report.stage import describe_rows, stage_agrees
from shadowagg.report.values import (
    shorten,
    visible,
)
from shadowagg.report.words import WORDS

__all__ = ["render_markdown"]

_SYMBOLS = {"match": "✅", "mismatch": "❌", "candidate_failed": "🛑", "inconclusive": "❔"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!@])")


def render_markdown(records: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """A line per run in a table, and a paragraph for each that is no match.

    Args:
        records: plain values as `Record.to_json` makes them.
        title: the heading.
    """
    if not records:
        return f"## {_plain(title)}\n\nNo runs: no evidence either way.\n"
    lines = [
        f"## {_plain(title)}",
        "",
        "| Verdict | Provider | Schema | Days | Control | Rows compared |",
        "| --- | --- | --- | --- | --- | ---: |",
    ]
    ranked = sorted(records, key=lambda record: WORDS[str(record["verdict"])].rank)
    lines.extend(_line(record) for record in ranked)
    for record in ranked:
        if record["verdict"] != "match":
            lines.extend(_paragraph(record))
    return "\n".join(lines) + "\n"


def _line(record: Mapping[str, Any]) -> str:
    window = record["plan"]["window"]
    control = str(record["control"].get("mode", ""))
    cells = [
        f"{_SYMBOLS[str(record['verdict'])]} {WORDS[str(record['verdict'])].title}",
        _plain(window["provider"]),
        _plain(window["schema"]),
        f"{_plain(window['start'])} to {_plain(window['end'])}",
        _plain(control) + (" (stand-in: no evidence)" if record.get("control_stand_in") else ""),
        count(record.get("rows_compared")),
    ]
    return f"| {' | '.join(cells)} |"


def _paragraph(record: Mapping[str, Any]) -> list[str]:
    word = WORDS[str(record["verdict"])].title
    explanation = record.get("explanation") or {}
    said = str(explanation.get("sentence") or record.get("reason") or "")
    lines = ["", f"**{word}**: {_plain(shorten(said, 600))}"]
    stages = [
        f"- {_plain(diff['stage'])}: {_plain(describe_rows(diff))}"
        for diff in record.get("stages") or ()
        if not stage_agrees(diff)
    ]
    lines.extend(["", *stages] if stages else [])
    if record.get("repeat"):
        lines.extend(["", "Repeat:", "", _code(str(record["repeat"]))])
    return lines


def _plain(text: Any) -> str:
    """A text that Markdown shows as it stands, in one line."""
    return _SPECIAL.sub(r"\\\1", visible(" ".join(str(text).split())))


def _code(text: str) -> str:
    """An indented block: nothing inside it is special, whatever it holds."""
    return "\n".join(f"    {line}" for line in visible(text).splitlines())
