"""Ask Trino one question over HTTP: readiness must not depend on the extra `trino`."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

from shadowagg.testing.stack.ports import HOST

__all__ = ["QueryFailed", "ask"]


class QueryFailed(Exception):
    """Trino answered, but with an error."""


def ask(port: int, sql: str, *, limit: float = 30) -> list[list[Any]]:
    """The rows of a small query.

    Args:
        port: of a Trino on 127.0.0.1.
        sql: one statement.
        limit: seconds until its answer must be complete.

    Raises:
        OSError: if nothing answers there.
        QueryFailed: if the query fails or takes too long; the message is Trino's.
    """
    until = time.monotonic() + limit
    rows: list[list[Any]] = []
    page = _fetch(f"http://{HOST}:{port}/v1/statement", sql.encode())
    while True:
        if "error" in page:
            raise QueryFailed(page["error"].get("message", "no message"))
        rows += page.get("data", [])
        following = page.get("nextUri")
        if following is None:
            return rows
        if time.monotonic() > until:
            raise QueryFailed(f"no answer within {limit:g} s")
        page = _fetch(following, None)


def _fetch(address: str, body: bytes | None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - http on loopback, written above
        address, data=body, headers={"X-Trino-User": "shadowagg-stack"}
    )
    # Without the proxies of the environment: loopback is not behind one.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        try:
            page: dict[str, Any] = json.load(answer)
        except ValueError as error:
            raise QueryFailed("the answer is no JSON") from error
    return page
