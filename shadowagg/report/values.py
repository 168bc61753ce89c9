"""How a value is shown: exactly where rows are compared, rounded where a person looks for size.

A value in a sample is never rounded, since its last digit may be the finding. NULL, the empty text
and characters that cannot be seen are made visible, for the same reason.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

__all__ = [
    "ABSENT",
    "Part",
    "Shown",
    "flat",
    "shorten",
    "show",
    "show_pair",
    "text_of",
    "visible",
]

_LONGEST_TEXT = 320
"""Characters of a value that a page shows; the part that differs is always among them."""

_CONTEXT = 60
"""Characters shown before the part that differs, where a text is cut."""

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")


class Part(NamedTuple):
    """A piece of a value, and whether it is what differs."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as a page shows it.

    Args:
        kind: `null`, `empty` (the text of no characters), `absent` (no such row), or `value`.
        parts: its text in pieces; empty unless `kind` is `value`.
    """

    kind: Literal["null", "empty", "absent", "value"]
    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        if self.kind == "value":
            return "".join(part.text for part in self.parts)
        return {"null": "NULL", "empty": "''", "absent": "no row"}[self.kind]


ABSENT = Shown("absent")


# --- one value, two values -------------------------------------------------------------------


def show(value: Any, *, measure: bool = False) -> Shown:
    """One value, nothing marked.

    Args:
        value: a plain value of a record.
        measure: whether it is a number that counts something (a year or an id is not).
    """
    if value is None:
        return Shown("null")
    text = _exact(value, measure=measure)
    return Shown("value", (Part(shorten(text), False),)) if text else Shown("empty")


def show_pair(control: Any, candidate: Any, *, role: str = "") -> tuple[Shown, Shown]:
    """Two values side by side, what differs between them marked.

    Args:
        control: the control's value.
        candidate: the candidate's value.
        role: of the column: `measure`, `json`, …
    """
    measure = role == "measure"
    if control is None or candidate is None:
        same = control is candidate
        return (
            _marked_whole(control, measure=measure, marked=not same),
            _marked_whole(candidate, measure=measure, marked=not same),
        )
    documents = _json_objects(control, candidate) if role == "json" else None
    if documents is not None:
        return _show_object(*documents), _show_object(*reversed(documents))
    left, right = _exact(control, measure=measure), _exact(candidate, measure=measure)
    if measure:
        left, right = _without_common_zeros(left, right)
        aligned = left.partition(".")[0].lstrip("-"), right.partition(".")[0].lstrip("-")
        if len(aligned[0]) != len(aligned[1]) or (left[:1] == "-") != (right[:1] == "-"):
            return _pieces(left, 0, len(left)), _pieces(right, 0, len(right))
        start = _common_prefix(left, right)
        return _pieces(left, start, len(left)), _pieces(right, start, len(right))
    start = _common_prefix(left, right)
    tail = _common_prefix(left[start:][::-1], right[start:][::-1])
    return _pieces(left, start, len(left) - tail), _pieces(right, start, len(right) - tail)


def _exact(value: Any, *, measure: bool = False) -> str:
    """The whole value as text; measures with thousands separators."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    text = repr(value) if isinstance(value, float) else str(value)
    if measure and _NUMBER.fullmatch(text):
        integer, point, fraction = text.partition(".")
        return f"{'-' if text.startswith('-') else ''}{abs(int(integer)):,}{point}{fraction}"
    return _edges(text)


def _edges(text: str) -> str:
    """Spaces at the ends made visible, where they are easily overlooked."""
    inner = text.strip(" ")
    if inner == text:
        return text
    front = len(text) - len(text.lstrip(" "))
    return "␣" * front + inner + "␣" * (len(text) - front - len(inner))


def _marked_whole(value: Any, *, measure: bool, marked: bool) -> Shown:
    shown = show(value, measure=measure)
    return Shown(shown.kind, tuple(Part(part.text, marked) for part in shown.parts))


def _pieces(text: str, start: int, end: int) -> Shown:
    if not text:
        return Shown("empty")
    before, differing, after = text[:start], text[start:end], text[end:]
    if len(text) > _LONGEST_TEXT:
        if len(before) > _CONTEXT:
            before = f"…{before[-_CONTEXT:]}"
        differing, after = shorten(differing), shorten(after, _CONTEXT)
    parts = (Part(before, False), Part(differing, True), Part(after, False))
    return Shown("value", tuple(part for part in parts if part.text))


def shorten(text: str, longest: int = _LONGEST_TEXT) -> str:
    """The beginning of a text, and how long it is, where it is longer than that."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text):,} characters)"


def _common_prefix(left: str, right: str) -> int:
    for position, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return position
    return min(len(left), len(right))


def _without_common_zeros(left: str, right: str) -> tuple[str, str]:
    """Cut zeros at the end that say nothing in either: `1.500`, `1.250` -> `1.50`, `1.25`."""
    if "." not in left or "." not in right or "e" in (left + right):
        return left, right
    if len(left.partition(".")[2]) != len(right.partition(".")[2]):
        return left, right
    zeros = min(len(text) - len(text.rstrip("0")) for text in (left, right))
    if not zeros:
        return left, right
    return left[:-zeros].rstrip("."), right[:-zeros].rstrip(".")


def _json_objects(control: Any, candidate: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Both values as JSON objects, where both are."""
    found = []
    for value in (control, candidate):
        document = value
        if isinstance(value, str):
            try:
                document = json.loads(value)
            except ValueError:
                return None
        if not isinstance(document, Mapping):
            return None
        found.append(dict(document))
    return found[0], found[1]


def _show_object(document: dict[str, Any], other: dict[str, Any]) -> Shown:
    parts = [Part("{", False)]
    length = 0
    for number, key in enumerate(sorted(document)):
        name, content = _json(key), _json(document[key])
        text = f"{name}: {content}"
        differs = key not in other or _json(other[key]) != content
        length += len(text)
        if length > _LONGEST_TEXT and not differs:
            continue
        parts.append(Part(", " if number else "", False))
        parts.append(Part(shorten(text), differs))
    if length > _LONGEST_TEXT:
        parts.append(Part(f", … ({len(document):,} keys)", False))
    parts.append(Part("}", False))
    return Shown("value", tuple(part for part in parts if part.text))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


# --- text ------------------------------------------------------------------------------------

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories that show nothing, or change how their neighbours are shown."""


def visible(text: str) -> str:
    r"""A text with every character that cannot be seen written as its code point.

    Otherwise two values that differ in a zero-width character look equal, and one with a direction
    mark shows something else than it holds.

    >>> visible("web\u200b")
    'web⟨U+200B⟩'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"⟨U+{ord(character):04X}⟩" if _is_hidden(character) else character for character in text
    )


def _is_hidden(character: str) -> bool:
    if character in "\n\t ":
        return False
    category = unicodedata.category(character)
    return category in _HIDDEN or category == "Zs"


def text_of(value: Any) -> str:
    """Any plain value as one line of text: `name: value` for mappings, commas for lists.

    >>> text_of({"rule": "x", "columns": ["a", "b"]})
    'rule: x; columns: a, b'
    """
    if value is None:
        return "NULL"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {text_of(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(text_of(item) for item in value)
    return _exact(value)


def flat(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as lines: `[("core.version", "1"), …]`."""
    lines: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, Mapping):
            lines.extend(flat(value, f"{prefix}{name}."))
        else:
            lines.append((f"{prefix}{name}", shorten(text_of(value), 2000)))
    return lines
