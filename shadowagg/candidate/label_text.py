"""One label text: how the engine reads it, how it writes it (engine facts *JSON*, *Maps*)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from shadowagg.errors import InputRefused

__all__ = ["fragment", "json_text", "key_order", "parse_labels"]

# --- reading ----------------------------------------------------------------------------------

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members


def _constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members,
    # Integers keep their digits, fractions become a double's text; both end as text anyway.
    parse_int=str,
    parse_float=lambda digits: _double_text(float(digits)),
    parse_constant=_constant,
)


def parse_labels(text: str) -> dict[str, str | None] | None:
    """A label column's text as a map, as `cast(json_parse(column) as map(varchar, varchar))` gives it.

    Returns:
        The members in the text's order; None for the JSON text `null`.

    Raises:
        InputRefused: for what fails production's statement: no JSON, no object, a key twice, a nested
            value, NaN, anything behind the value.

    >>> parse_labels('{"a": null, "b": 1, "c": true, "d": 1.50}')
    {'a': None, 'b': '1', 'c': 'true', 'd': '1.5E0'}
    """
    try:
        labels = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _refused(text, error.msg) from None
    except (ValueError, RecursionError) as error:
        raise _refused(text, str(error)) from None
    if labels is None:
        return None
    if not isinstance(labels, dict):
        raise _refused(text, "it is not an object")
    for key, value in labels.items():
        if isinstance(value, bool):
            labels[key] = "true" if value else "false"
        elif isinstance(value, dict | list):
            raise _refused(text, "a value is nested")
    if "\\u" in text:
        # Half of a surrogate pair has no UTF-8; Java writes a question mark.
        labels = {_whole(key): value and _whole(value) for key, value in labels.items()}
    return labels


def _refused(text: str, reason: str) -> InputRefused:
    # The reason names positions at most: no label's text goes into a message.
    return InputRefused(
        f"a label text of {len(text)} characters is no flat JSON object: {reason}",
        hint="production's statement fails on it; look for it in the label columns",
    )


def _whole(text: str) -> str:
    return _LONE_SURROGATE.sub("?", text)


def _double_text(value: float) -> str:
    """A double as Trino casts it to text: always with an exponent."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if math.copysign(1, value) < 0 else ""
    if value == 0:
        return f"{sign}0E0"
    digits, _, exponent = repr(abs(value)).partition("e")
    whole, _, part = digits.partition(".")
    figures = (whole + part).lstrip("0")
    # The power of ten of the first figure: it stands before the point, or so many places behind.
    leading_zeros = len(whole + part) - len(figures)
    power = int(exponent or 0) + len(whole) - 1 - leading_zeros
    figures = figures.rstrip("0")
    return f"{sign}{figures[0]}.{figures[1:] or '0'}E{power}"


# --- writing ----------------------------------------------------------------------------------

_TO_ESCAPE = re.compile('[\x00-\x1f"\\\\\U00010000-\U0010ffff]')
_SHORT_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}


def json_text(labels: Mapping[str, str | None]) -> str:
    r"""A label map as `json_format(cast(map as json))` writes it.

    Keys in UTF-16 order, no blanks, the characters `"`, `\` and controls escaped (hexadecimal digits in
    upper case), characters above U+FFFF as an escaped surrogate pair, everything else raw.

    >>> json_text({"b": None, "a": 'é"'})
    '{"a":"é\\"","b":null}'
    """
    members = (fragment(key, labels[key]) for key in sorted(labels, key=key_order))
    return "{" + ",".join(members) + "}"


def fragment(key: str, value: str | None) -> str:
    """One member of such a text."""
    return f"{_quoted(key)}:{'null' if value is None else _quoted(value)}"


def key_order(key: str) -> bytes:
    """What keys are sorted by: UTF-16 code units."""
    return key.encode("utf-16-be")


def _quoted(text: str) -> str:
    return f'"{_TO_ESCAPE.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))
