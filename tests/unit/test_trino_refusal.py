"""What Trino's errors mean; the messages are Trino 476's."""

from __future__ import annotations

import pytest

from shadowagg.control.dialect import parse_select
from shadowagg.control.trino_refusal import meaning
from shadowagg.control.trino_session import QueryFailed
from shadowagg.errors import InputRefused, InputUnreadable, ServerFailed, ShadowaggError

SELECT = parse_select(
    "select cast(if(a, '1', 'a text is longer than its column') as integer) from t"
)


def said(name, message, kind="USER_ERROR"):
    return meaning(QueryFailed(name, kind, message, "q1"), SELECT, on="window, stage s")


@pytest.mark.parametrize(
    ("name", "message", "reason"),
    [
        (
            "INVALID_CAST_ARGUMENT",
            "Cannot cast VARCHAR 'NaN' to DECIMAL(33, 15)",
            "converted to DECIMAL(33, 15)",
        ),
        (
            "INVALID_CAST_ARGUMENT",
            "Cannot cast VARCHAR 'secret to DATE' to DECIMAL(33, 15). Value too large.",
            "converted to DECIMAL(33, 15)",
        ),
        ("INVALID_CAST_ARGUMENT", "Value cannot be cast to date: secret", "cannot be converted"),
        ("INVALID_CAST_ARGUMENT", "Cannot cast 'secret' to INT", "converted to INT"),
        (
            "INVALID_CAST_ARGUMENT",
            "Cannot cast 'a text is longer than its column' to INT",
            "a text is longer than its column",
        ),
        (
            "INVALID_CAST_ARGUMENT",
            'Cannot cast to map(varchar, varchar). Expected a json object\n["secret"]',
            "not a JSON object of plain values",
        ),
        (
            "INVALID_CAST_ARGUMENT",
            'Cannot cast to map(varchar, varchar). Duplicate keys are not allowed\n{"secret"',
            "a key occurs twice",
        ),
        ("INVALID_FUNCTION_ARGUMENT", "Cannot convert value to JSON: 'secret'", "not JSON"),
        ("NUMERIC_VALUE_OUT_OF_RANGE", "secret", "out of range"),
        ("DIVISION_BY_ZERO", "Division by zero", "division by zero"),
    ],
)
def test_what_rows_cause_is_refused_and_never_quoted(name, message, reason):
    error = said(name, message)

    assert isinstance(error, InputRefused)
    assert reason in error.what
    assert "secret" not in str(error)
    assert "\n" not in str(error)


def test_a_column_of_a_wrong_type_is_refused_with_its_file():
    error = said(
        "HIVE_BAD_DATA",
        "Error opening Hive split local:///b/t/x.parquet (offset=0, length=9): Unsupported Trino"
        " column type (double) for Parquet column ([amount] optional binary amount (STRING))",
        "EXTERNAL",
    )

    assert isinstance(error, InputRefused)
    assert "column amount is binary (STRING), declared double" == error.what
    assert "local:///b/t/x.parquet" in error.on


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("HIVE_CANNOT_OPEN_SPLIT", "Error opening Hive split s3://b/t/x.parquet (offset=0): gone"),
        ("HIVE_BAD_DATA", "Malformed Parquet file. Expected magic number [s3://b/t/x.parquet]"),
        ("HIVE_FILESYSTEM_ERROR", "Failed to read s3://b/t/x.parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name, message):
    error = said(name, message, "EXTERNAL")

    assert isinstance(error, InputUnreadable)
    assert "s3://b/t/x.parquet" in error.on


def test_a_statement_that_trino_does_not_take_is_no_fault_of_the_input():
    error = said("FUNCTION_NOT_FOUND", "line 1:8: Function 'f' not registered")

    assert type(error) is ShadowaggError
    assert "FUNCTION_NOT_FOUND, query q1" in error.what


def test_a_server_that_fails_is_no_fault_of_the_input():
    assert isinstance(said("GENERIC_INTERNAL_ERROR", "index 5", "INTERNAL_ERROR"), ServerFailed)
