"""JSON texts as JSON values: one canonical text per value."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring_ascii
from typing import Any

import pyarrow as pa

from shadowagg.diff.codes import Codes

__all__ = ["canonical_json", "merge_equal_json"]


class _RepeatedNameError(ValueError):
    """An object names a member twice: which one counts, the standard leaves open."""


def canonical_json(text: str) -> str:
    """The one text of all texts that mean the same JSON value.

    Members are ordered by name, spaces are gone, numbers are written by value, whatever their
    number of digits (0, 0.0 and -0.000 are the number 0). A text that is no JSON, or names a member
    of an object twice, stays as it is: it equals only itself.

    >>> canonical_json('{"b": 1.50, "a": [true, null]}')
    '{"a":[true,null],"b":15e-1}'
    >>> canonical_json('{"a": 1, "a": 2}')
    '{"a": 1, "a": 2}'
    """
    try:
        return _render(_parse(text))
    except (ValueError, RecursionError, InvalidOperation):
        return text


def merge_equal_json(codes: Codes) -> Codes | None:
    """Codes under which texts of one JSON value are one; None if no two texts were.

    Args:
        codes: of the raw texts, with the distinct texts as its values.
    """
    if codes.values is None:
        return None
    texts = codes.values.to_pylist()
    numbers: dict[str, int] = {}
    merged = [numbers.setdefault(canonical_json(text), len(numbers)) for text in texts]
    if len(numbers) == len(texts):
        return None
    values = pa.array(list(numbers), codes.values.type)
    return codes.mapped(pa.array(merged, pa.int32()), len(numbers), values)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RepeatedNameError
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_parse: Callable[[str], Any] = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=Decimal,  # exact, and without Python's limit on the digits of an int
    parse_float=Decimal,
    parse_constant=_no_constant,
).decode


def _render(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, dict):
        members = (
            f"{encode_basestring_ascii(name)}:{_render(value[name])}" for name in sorted(value)
        )
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_render, value))}]"
    if isinstance(value, Decimal):
        return _number(value)
    return {None: "null", True: "true", False: "false"}[value]


def _number(value: Decimal) -> str:
    """Sign, digits without zeros at the end, exponent of ten: nothing rounds."""
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    if not short:
        return "0"
    power = int(exponent) + len(text) - len(short)
    return f"{'-' if sign else ''}{short}{f'e{power}' if power else ''}"
