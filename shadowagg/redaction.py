"""Texts without secrets: what goes into a record, a report or a log passes through here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["redact", "secrets_in"]

_SECRET_NAME = re.compile(
    r"secret|passw|pwd$|token|credential|(private|access|api|auth|account)_?key", re.IGNORECASE
)
_SHORTEST = 6  # a shorter value ("true", "1") stands in ordinary text, too
_USER_OF_ADDRESS = re.compile(r"(://[^/\s:@]*:)[^\s/]+@")
_MASK = "***"


def _named_secrets(value: Any, *, secret: bool) -> Iterator[str]:
    if isinstance(value, str):
        if secret and len(value) >= _SHORTEST:
            yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            named = isinstance(name, str) and _SECRET_NAME.search(name) is not None
            yield from _named_secrets(inner, secret=secret or named)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _named_secrets(inner, secret=secret)


def secrets_in(*documents: Mapping[str, Any]) -> frozenset[str]:
    """The values whose names say that they are secret, at any depth.

    >>> secrets_in({"s3": {"bucket": "lake", "secret_key": "hunter22"}})
    frozenset({'hunter22'})
    """
    return frozenset(
        found for document in documents for found in _named_secrets(document, secret=False)
    )


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with those values, and passwords in addresses, masked.

    >>> redact("cannot reach postgresql://me:hunter22@db/costs")
    'cannot reach postgresql://me:***@db/costs'
    """
    # the longest first: one secret may be the beginning of another
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return _USER_OF_ADDRESS.sub(rf"\g<1>{_MASK}@", text)
