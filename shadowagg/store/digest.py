"""What a document was when it was kept, in 64 characters: `shadowagg store verify` compares it.

Digests lie in stores: what is computed here must never change. Another way needs another column, and a
step that fills it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["digest_of"]

_EXACT = 1 << 53
"""Up to here every whole number is a double."""


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document's meaning: the order of names, and how a database writes numbers, aside.

    JSONB gives back 1e22 as a whole number, and -0.0 without its sign.
    """
    text = json.dumps(_plain(document), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return _double(value)
    return value


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)
