"""A text cut into statements and parsed, or refused where two parsers could disagree about it.

The cut is made by a lexer of our own, and each piece then by sqlglot: what the one takes for the end of
a text, a comment or a statement, the other must, too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Literal

import sqlglot  # imported with the control that needs it, never with the package
from sqlglot import exp

from shadowagg.errors import UserError

__all__ = ["Engine", "parsed", "refused"]

Engine = Literal["trino", "postgres"]

_TOKEN = re.compile(
    r"""
      (?P<text>   '(?:[^']|'')*' )
    | (?P<name>   "(?:[^"]|"")*" )
    | (?P<line>   --[^\n]* )
    | (?P<block>  /\*.*?\*/ )
    | (?P<end>    ; )
    | (?P<open>   ['"] | /\* )
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(r"'(?:[^'\\]|''|\\.)*'", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_STRANGE = re.compile(r"[^\t\r\n -#%-~]")
"""Outside quotes and comments: what a lexer may take for a blank, a letter or the begin of a text."""


def parsed(text: str, engine: Engine, *, on: str) -> tuple[exp.Expression, ...]:
    """The statements of a text: of one for Trino, of one or more for PostgreSQL.

    Raises:
        UserError: if they cannot be told for certain.
    """
    return tuple(_parse(piece, engine, on) for piece in _statements(text, engine, on))


def refused(what: str, on: str) -> UserError:
    """The error for a text that may not run."""
    return UserError(
        f"refused: {what}",
        on=on,
        hint="templates may read and write their scratch schema alone",
    )


def _statements(text: str, engine: Engine, on: str) -> Iterator[str]:
    """The statements of a text, cut by a lexer of our own that refuses what lexers may disagree on."""
    if "\0" in text or "\r" in text.replace("\r\n", "\n"):
        raise refused("a control character", on)
    pieces: list[str] = []
    start = position = 0
    plain: list[str] = []
    while found := _TOKEN.search(text, position):
        plain.append(text[position : found.start()])
        position = found.end()
        if found["open"]:
            raise refused("a text or comment that does not end", on)
        if found["block"] and "/*" in found["block"][2:]:
            raise refused("a comment inside a comment", on)
        if found["text"]:
            position = _end_of_text(text, found, engine, on)
        if found["end"]:
            pieces.append(text[start : found.start()])
            start = position
    plain.append(text[position:])
    pieces.append(text[start:])
    strange = _STRANGE.search("".join(plain))
    if strange:
        raise refused(f"{strange[0]!a} outside quotes", on)
    if any(re.search(r"\bu&$", part, re.IGNORECASE) for part in plain):
        raise refused("a name or text in Unicode escapes", on)
    pieces = [piece for piece in pieces if _COMMENT.sub("", piece).strip()]
    if not pieces or (engine == "trino" and len(pieces) != 1):
        raise refused(f"{len(pieces)} statements where one is expected", on)
    yield from pieces


def _end_of_text(text: str, found: re.Match[str], engine: Engine, on: str) -> int:
    """Where a text ends: with backslashes in it only PostgreSQL's `E'…'` says more than quotes do."""
    before = text[max(0, found.start() - 2) : found.start()]
    if re.search(r"(^|\W)[eE]$", before) is None:
        return found.end()
    if engine == "trino":
        raise refused("a text with a prefix", on)
    escaped = _ESCAPED.match(text, found.start())
    if escaped is None:
        raise refused("a text that does not end", on)
    return escaped.end()


def _parse(text: str, engine: Engine, on: str) -> exp.Expression:
    # What it does not know it says to the log, with the statement; here that is an error.
    logger = logging.getLogger("sqlglot")
    logger.addFilter(_nothing)
    try:
        statements = [one for one in sqlglot.parse(text, read=engine) if one is not None]
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise refused(f"what cannot be parsed ({said})", on) from None
    finally:
        logger.removeFilter(_nothing)
    if len(statements) != 1:
        raise refused(f"what parses as {len(statements)} statements", on)
    statement: exp.Expression = statements[0]  # type: ignore[assignment]
    return statement


def _nothing(_: logging.LogRecord) -> bool:
    return False
