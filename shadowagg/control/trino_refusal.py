"""What a failed statement of Trino means: an input that production refuses too, a file, or our fault.

Trino's messages quote values of rows; what is passed on here never does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp  # imported with the control that needs it, never with the package

from shadowagg.control.dialect import texts_in
from shadowagg.control.trino_session import QueryFailed
from shadowagg.errors import InputRefused, InputUnreadable, ServerFailed, ShadowaggError

__all__ = ["meaning"]

_DATA: Mapping[str, str] = {
    "INVALID_CAST_ARGUMENT": "a value cannot be converted",
    "INVALID_FUNCTION_ARGUMENT": "a function does not take a value",
    "INVALID_ARGUMENTS": "a function does not take a value",
    "NUMERIC_VALUE_OUT_OF_RANGE": "a number is out of range",
    "DIVISION_BY_ZERO": "a division by zero",
    "SUBQUERY_MULTIPLE_ROWS": "a subquery gives several rows",
    "GENERIC_USER_ERROR": "a value is not taken",
    "EXCEEDED_FUNCTION_MEMORY_LIMIT": "a group is too large",
}
"""Trino's name of an error that rows cause -> what it means."""

_FILES = frozenset(
    {
        "HIVE_BAD_DATA",
        "HIVE_CANNOT_OPEN_SPLIT",
        "HIVE_CURSOR_ERROR",
        "HIVE_FILE_NOT_FOUND",
        "HIVE_FILESYSTEM_ERROR",
        "HIVE_MISSING_DATA",
        "GENERIC_INTERNAL_ERROR",
        "HIVE_UNKNOWN_ERROR",
    }
)
"""Errors that a file may cause; the last two, where its pages are damaged."""

_KNOWN = (
    (re.compile(r"[Dd]uplicate (?:map )?keys?"), "a key occurs twice in a JSON text"),
    (
        re.compile(r"[Cc]annot cast .*to map\(", re.DOTALL),
        "a text is not a JSON object of plain values",
    ),
    (re.compile(r"[Cc]annot convert .*JSON|Invalid JSON", re.DOTALL), "a text is not JSON"),
)
"""What Trino says -> the reason; none of it quotes a value."""

_TYPE = re.compile(
    r"(?:bigint|boolean|date|double|integer|int|uuid|(?:decimal|varchar)\([0-9]+(?:, ?[0-9]+)?\))",
    re.IGNORECASE,
)
_CONVERSION = re.compile(r"(?: to |as )([A-Za-z]+(?:\([0-9]+(?:, ?[0-9]+)?\))?)(?:\.|$|: )")
_WRONG_TYPE = re.compile(
    r"Unsupported Trino column type \((?P<declared>.+?)\) for Parquet column \("
    r"\[(?P<column>[^\]]*)\] (?P<found>.*)\)",
    re.DOTALL,
)
_FILE = re.compile(r"(?:s3|s3a|local|hdfs|file|gs|abfss?)://[^\s()]+|\[([^\]]+\.parquet)\]")


def meaning(error: QueryFailed, select: exp.Expression, *, on: str) -> ShadowaggError:
    """What to raise instead of Trino's error.

    Args:
        error: Trino's.
        select: the statement; a text that it contains itself may be passed on.
        on: window, stage and days, for the message.
    """
    wrong = _WRONG_TYPE.search(error.message)
    if wrong:
        file = _file_in(error.message)
        return InputRefused(
            f"column {wrong['column']} is {_kind(wrong['found'])}, declared {wrong['declared']}",
            on=f"{on}, {file}" if file else on,
            hint="the ingestion writes the types of inputs.md 1.2",
        )
    if error.name in _DATA:
        return InputRefused(
            _reason(error, select), on=on, hint="production's statement fails on such rows too"
        )
    if error.name in _FILES:
        file = _file_in(error.message)
        if file:
            return InputUnreadable(
                f"Trino cannot read a file: {error.name}",
                on=f"{on}, {file}",
                hint="restore the object, or ingest it again",
            )
    if error.kind == "USER_ERROR":
        return ShadowaggError(
            f"Trino does not take the statement: {error.name}, query {error.query}",
            on=on,
            hint="the .sql file, or the server's version, is at fault",
        )
    return ServerFailed(
        f"Trino failed: {error.name}, query {error.query}", on=on, hint="look at the server's log"
    )


def _reason(error: QueryFailed, select: exp.Expression) -> str:
    """In half a sentence without any value of a row."""
    message = error.message
    for text in texts_in(select):
        # Anything shorter than a clause would be found by chance.
        if len(text.split()) > 2 and text in message:
            return text
    for pattern, meant in _KNOWN:
        if pattern.search(message):
            return meant
    # From the end: what stands before may be a value that looks like a type.
    found = _CONVERSION.findall(message)
    if found and error.name == "INVALID_CAST_ARGUMENT" and _TYPE.fullmatch(found[-1]):
        return f"a value cannot be converted to {found[-1].upper()}"
    return _DATA[error.name]


def _kind(found: str) -> str:
    """`optional binary x (STRING)` -> `binary (STRING)`: the type, without the column's name."""
    words = found.split()
    kind = words[1] if len(words) > 1 else "another type"
    annotation = re.search(r"\(([A-Z_]+(?:\([0-9,]+\))?)\)", found)
    return f"{kind} ({annotation[1]})" if annotation else kind


def _file_in(message: str) -> str:
    found = _FILE.search(message)
    return (found[1] or found[0]).rstrip(".,:") if found else ""
