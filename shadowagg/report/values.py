"""How a value is shown: exactly where rows are compared, rounded where a person looks for size.

A value in a sample is never rounded, since its last digit may be the finding. NULL, the empty text
and characters that cannot be seen are made visible, for the same reason.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple

__all__ = [
    "ABSENT",
    "Part",
    "Shown",
    "as_number",
    "count",
    "difference",
    "duration",
    "flat",
    "memory",
    "percent",
    "relative",
    "rounded_pair",
    "shorten",
    "show",
    "show_pair",
    "statistic",
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


# --- numbers ---------------------------------------------------------------------------------


def as_number(value: Any) -> Decimal | None:
    """A finite number from a plain value (decimals travel as text); None for anything else.

    >>> as_number("12.50")
    Decimal('12.50')
    """
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def count(number: Any) -> str:
    """A count with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{int(number or 0):,}"


def statistic(value: Any) -> str:
    """A size in three significant digits, an order of magnitude rather than a value.

    >>> statistic(0.000123456), statistic("1234567.8"), statistic(0)
    ('0.000123', '1,234,568', '0')
    """
    number = as_number(value)
    if number is None:
        return "–" if value is None else str(value)
    if abs(number) >= 1000:
        return f"{number:,.0f}" if abs(number) < Decimal("1e15") else f"{float(number):.2e}"
    return f"{float(number):.3g}"


def relative(control: Any, candidate: Any) -> Decimal | None:
    """The difference relative to the control's value; None where that has no meaning."""
    left, right = as_number(control), as_number(candidate)
    if left is None or right is None or left == 0:
        return None
    return (right - left) / abs(left)


def percent(part: Any) -> str:
    """A relative difference, as per cent where it is large enough to be read as one.

    >>> percent(-0.0213), percent(3e-12)
    ('−2.13 %', '3e-12')
    """
    number = as_number(part)
    if number is None:
        return "–" if part is None else str(part)
    text = f"{statistic(number * 100)} %" if abs(number) >= Decimal("1e-5") else statistic(number)
    return _typographic(text)


def difference(control: Any, candidate: Any) -> str:
    """Candidate less control, with its sign and its size relative to the control.

    >>> difference("10.0", "7.5")
    '−2.5 (−25 %)'
    """
    left, right = as_number(control), as_number(candidate)
    if left is None or right is None:
        return ""
    if left == right:
        return "0"
    absolute = statistic(right - left)
    text = absolute if right < left else f"+{absolute}"
    part = relative(control, candidate)
    if part is not None:
        text += f" ({'+' if part > 0 else ''}{percent(part)})"
    return _typographic(text)


def rounded_pair(control: Any, candidate: Any) -> tuple[str, str]:
    """Two totals with as many decimals as show where they part, and no more.

    >>> rounded_pair("1234.56789", "1234.5")
    ('1,234.568', '1,234.500')
    """
    left, right = as_number(control), as_number(candidate)
    decimals = 2
    if left is not None and right is not None and left != right:
        # the first digit of the difference, and one more
        decimals = min(max(2, 1 - (right - left).adjusted()), 15)
    elif (known := left if left is not None else right) is not None and known:
        decimals = min(max(2, 3 - known.adjusted()), 15)

    def text(value: Any, number: Decimal | None) -> str:
        if number is None:
            return "–" if value is None else str(value)
        return _typographic(f"{number:,.{decimals}f}")

    return text(control, left), text(candidate, right)


def _typographic(text: str) -> str:
    return f"−{text[1:]}" if text.startswith("-") else text.replace("(-", "(−")


def duration(seconds: Any) -> str:
    """A time as people say it.

    >>> duration(0.0421), duration(12.34), duration(200)
    ('42 ms', '12.3 s', '3 min 20 s')
    """
    value = float(seconds or 0)
    if not math.isfinite(value):
        return "–"
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    if value < 99.95:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,} min {rest} s"


def memory(size: Any) -> str:
    """Bytes in binary units.

    >>> memory(536870912), memory(1610612736)
    ('512 MiB', '1.5 GiB')
    """
    value = float(size or 0) / 1024**2
    if value < 1:
        return f"{value * 1024:.0f} KiB"
    return f"{value:.0f} MiB" if value < 1024 else f"{value / 1024:.3g} GiB"


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
