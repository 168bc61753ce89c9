"""Seeded draws: every stream has a name of its own, so that none depends on another's length."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["stream", "uniform", "uuid_text"]


def stream(seed: int, *name: object) -> random.Random:
    """A generator for small things; the same for the same seed and name, on every machine."""
    # A text seed goes through SHA-512; hash() would change from process to process.
    return random.Random("/".join(map(str, (seed, *name))))  # noqa: S311 - test data, no secret


def uniform(count: int, seed: int, *name: object) -> pa.Array[Any]:
    """`count` doubles in [0, 1), made by Arrow."""
    return pc.random(count, initializer=stream(seed, *name).getrandbits(62))


def uuid_text(source: random.Random) -> str:
    """A UUID v4 as text, lower case, with hyphens."""
    return str(uuid.UUID(int=source.getrandbits(128), version=4))
