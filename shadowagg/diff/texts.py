"""Values as text, for samples and totals: exact, and the same on every machine."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

__all__ = ["text_of", "texts"]


def texts(values: pa.Array | pa.ChunkedArray) -> list[str | None]:
    """Each value as text; NULL is None. For few values: it leaves Arrow."""
    return [text_of(value) for value in values.to_pylist()]


def text_of(value: Any) -> str | None:
    """A value as text.

    >>> text_of(Decimal("0E-9")), text_of(0.1), text_of(["b", None]), text_of("")
    ('0.000000000', '0.1', '["b", null]', '')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    if isinstance(value, list):
        return json.dumps([text_of(item) for item in value], ensure_ascii=False)
    return str(value)
