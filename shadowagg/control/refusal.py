"""What a failed statement of DuckDB means: an input that production refuses too, or a fault of ours.

DuckDB's messages quote values of rows; what is passed on here never does.
"""

from __future__ import annotations

import re

from sqlglot import exp  # imported with the control that needs it, never with the package

from shadowagg.control.dialect import texts_in

__all__ = ["reason"]

_KNOWN = (
    ("a text is not a JSON object of plain values", "a text is not a JSON object of plain values"),
    ("Map keys must be unique", "a key occurs twice in a JSON text"),
    ("Malformed JSON", "a text is not JSON"),
)
"""What DuckDB and `macros.sql` say -> the reason; none of it quotes a value."""

_WHERE = re.compile(r" when casting from source column .*$")
_CONVERSION = re.compile(r" (?:to|destination type) ([A-Z][A-Z0-9_]*(?:\([0-9, ]+\))?)$")


def reason(message: str, select: exp.Expression) -> str:
    """Why a statement failed, in half a sentence without any value of a row.

    Args:
        message: of DuckDB's error.
        select: the statement; a text that it contains itself may be passed on.

    >>> reason('Conversion Error: Could not convert string "nan" to DECIMAL(33,15)', exp.select("1"))
    'a value cannot be converted to DECIMAL(33,15)'
    """
    first = next(iter(message.splitlines()), "")
    for said, meant in _KNOWN:
        if said in first:
            return meant
    for text in texts_in(select):
        # Anything shorter than a clause would be found by chance.
        if len(text.split()) > 2 and text in first:
            return text
    conversion = _CONVERSION.search(_WHERE.sub("", first))
    if conversion:
        return f"a value cannot be converted to {conversion.group(1)}"
    return f"the statement failed: {first.partition(':')[0].lower()}"
