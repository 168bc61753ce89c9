"""A condition on the columns of a row, as plain data.

One form serves wherever a specification must name some of its rows: row kinds, ignore rules, what
is deleted before writing, what is read back. It is data, so that it can be stored in a record and
turned into an Arrow mask here, or into SQL elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["ALWAYS", "Condition", "Test", "where"]

Operator = Literal["=", "!=", "in", "is null", "is not null", "null or =", ">=", "<="]


@dataclass(frozen=True, slots=True)
class Test:
    """One column against one constant; NULL satisfies `is null` and `null or =` only, as in SQL."""

    column: str
    operator: Operator
    value: Any = None

    __test__ = False  # for pytest: a class of the library, not a test

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        """True where the row satisfies the test; never NULL."""
        column = table.column(self.column)
        if not pa.types.is_dictionary(column.type):
            return self._mask(column)
        # A dictionary-encoded column is tested once per distinct value; the last entry is NULL.
        chunks = [pa.array([], pa.bool_())]
        for chunk in column.chunks:
            values = pa.concat_arrays([chunk.dictionary, pa.nulls(1, chunk.type.value_type)])
            entries = pc.fill_null(chunk.indices.cast(pa.int64()), len(chunk.dictionary))
            chunks.append(self._mask(values).take(entries))
        return pa.chunked_array(chunks)

    def _mask(self, column: Any) -> Any:
        if self.operator == "is null":
            return pc.is_null(column)
        if self.operator == "is not null":
            return pc.is_valid(column)
        if self.operator == "in":
            value_set = pa.array([_constant(value, column.type) for value in self.value])
            result = pc.is_in(column, value_set=value_set.cast(column.type), skip_nulls=True)
        else:
            functions = {
                "=": pc.equal,
                "null or =": pc.equal,
                "!=": pc.not_equal,
                ">=": pc.greater_equal,
                "<=": pc.less_equal,
            }
            result = functions[self.operator](column, _constant(self.value, column.type))
        return pc.fill_null(result, self.operator == "null or =")


@dataclass(frozen=True, slots=True)
class Condition:
    """Tests that must all hold; without tests it always holds."""

    tests: tuple[Test, ...] = ()

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        """True where all tests hold; shape: one boolean per row, never NULL."""
        if not self.tests:
            return pa.chunked_array([pa.repeat(pa.scalar(True), table.num_rows)])
        result = self.tests[0].mask(table)
        for test in self.tests[1:]:
            result = pc.and_(result, test.mask(table))
        return result

    def to_json(self) -> list[list[Any]]:
        """Plain values that `from_json` takes back; dates as ISO text."""
        return [[test.column, test.operator, _plain(test.value)] for test in self.tests]

    @classmethod
    def from_json(cls, document: Sequence[Sequence[Any]]) -> Condition:
        """The condition that `to_json` wrote (dates stay text; Arrow casts them)."""
        return cls(tuple(Test(column, operator, value) for column, operator, value in document))

    def __str__(self) -> str:
        parts = [
            f"{test.column} {test.operator}"
            + ("" if test.operator.startswith("is ") else f" {test.value!r}")
            for test in self.tests
        ]
        return " and ".join(parts) or "always"


def where(*tests: tuple[str, Operator] | tuple[str, Operator, Any]) -> Condition:
    """A condition from plain tuples.

    >>> str(where(("data_source", "=", "Pod"), ("node", "is not null")))
    "data_source = 'Pod' and node is not null"
    """
    return Condition(tuple(Test(*test) for test in tests))


ALWAYS = Condition()


def _constant(value: Any, type_: pa.DataType) -> pa.Scalar[Any]:
    """A constant in a column's type; a day or a moment may be ISO text, as JSON carries it."""
    if isinstance(value, str) and pa.types.is_temporal(type_):
        return pa.scalar(value).cast(type_)
    return pa.scalar(value, type_)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
