"""Columns of two row sets as integers that mean the same on both sides.

Comparing and joining on texts, dates, labels and lists becomes comparing and joining on integers:
each column is encoded once over both sides, whatever its chunks and dictionaries, and several
columns fold into one integer per row. All of it is exact; nothing rests on a hash being unique.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.diff.sets import set_codes

__all__ = ["Codes", "encode", "fold", "marked", "places", "row_numbers"]

_WIDEST_RANGE = 1 << 40
"""Integers and dates that spread wider than this are numbered instead of shifted."""

_LARGEST_FOLD = 1 << 62
"""A fold beyond this would no longer be sure to fit into an int64."""


@dataclass(frozen=True, slots=True)
class Codes:
    """One column, or several folded, of both sides.

    Args:
        control: an integer per row of the control, never NULL, from 0 to `size` - 1.
        candidate: the same for the candidate; equal integers mean equal values, NULL included.
        size: how many codes there may be.
        null: the code of NULL; None where no value is NULL.
        values: the distinct values, at their code; None where the codes have their values' order.
    """

    control: pa.Array
    candidate: pa.Array
    size: int
    null: int | None = None
    values: pa.Array | None = None

    def take(self, control_rows: pa.Array, candidate_rows: pa.Array) -> Codes:
        """The codes of some rows of each side, given by their numbers."""
        return replace(
            self,
            control=self.control.take(control_rows),
            candidate=self.candidate.take(candidate_rows),
        )

    def mapped(self, new_codes: pa.Array, size: int, values: pa.Array) -> Codes:
        """The codes after some of them were merged: `new_codes` gives each old code's new one.

        Args:
            new_codes: one per value, NULL not among them.
            size: how many values there are now, NULL not among them.
            values: the values at their new codes.
        """
        null = None if self.null is None else size
        if null is not None:
            new_codes = pa.concat_arrays([new_codes, pa.array([null], new_codes.type)])
        return Codes(
            control=new_codes.take(self.control),
            candidate=new_codes.take(self.candidate),
            size=size + (null is not None),
            null=null,
            values=values,
        )

    def ranks(self) -> pa.Array:
        """For each code its place in the order of the values; NULL last."""
        if self.values is None:
            return row_numbers(self.size)
        order = pc.sort_indices(self.values).cast(pa.int32())
        places = pc.inverse_permutation(order)
        return pa.concat_arrays([places, pa.array([len(order)], places.type)])


def encode(control: pa.ChunkedArray, candidate: pa.ChunkedArray) -> Codes:
    """Number the values of a column of any type over both sides; NULL is a value of its own.

    Doubles are one value where they are equal, so -0.0 is 0.0, and NaN is NaN. Lists are taken
    without order.
    """
    types = [side.type for side in (control, candidate)]
    if any(pa.types.is_list(type_) or pa.types.is_large_list(type_) for type_ in types):
        return _encode_lists(control, candidate)
    if all(pa.types.is_integer(type_) or pa.types.is_date32(type_) for type_ in types):
        shifted = _shifted(control, candidate)
        if shifted is not None:
            return shifted
    if any(pa.types.is_floating(type_) for type_ in types):
        control, candidate = _plain_doubles(control), _plain_doubles(candidate)
    sides = [
        side.cast(pa.large_string()) if _is_view(side.type) else side
        for side in (control, candidate)
    ]
    if any(pa.types.is_dictionary(side.type) for side in sides):
        numbers, values = _unified([chunk for side in sides for chunk in _dictionary_chunks(side)])
    else:
        if sides[0].type != sides[1].type:
            sides = [side.cast(pa.large_string()) for side in sides]
        numbers, values = _numbered(sides[0].chunks + sides[1].chunks, sides[0].type)
    return _codes(numbers, values, len(control), len(values))


def fold(columns: Sequence[Codes], control_rows: int, candidate_rows: int) -> Codes:
    """One integer per row for several columns: equal exactly where all of them are equal.

    Args:
        columns: of the same rows; none means that all rows are equal.
        control_rows: how many rows of the control there are.
        candidate_rows: how many of the candidate.
    """
    folded: Codes | None = None
    for column in sorted(columns, key=lambda codes: codes.size):
        if column.size <= 1:
            continue
        if folded is not None and folded.size * column.size > _LARGEST_FOLD:
            folded = _renumbered(folded)
        if folded is not None and folded.size * column.size > _LARGEST_FOLD:
            column = _renumbered(column)  # noqa: PLW2901 - the same column, numbered densely
        folded = column if folded is None else _product(folded, column)
    if folded is None:
        zero = pa.scalar(0, pa.int64())
        return Codes(pa.repeat(zero, control_rows), pa.repeat(zero, candidate_rows), 1)
    return folded


def row_numbers(count: int) -> pa.Array:
    """0, 1, 2 … as int32: what `take` takes; half the memory of Arrow's own choice."""
    return pa.array(range(count), pa.int32()) if count < 64 else _counted(count)


def marked(rows: pa.Array, count: int) -> pa.Array:
    """A mask of `count` rows that is true at the rows given."""
    if not count:
        return pa.array([], pa.bool_())
    return pc.is_valid(places(rows.cast(pa.int64()), count))


def places(numbers: pa.Array, count: int) -> pa.Array:
    """For each number below `count` a place where it stands among the numbers; NULL for none."""
    if not len(numbers):
        return pa.nulls(count, pa.int32())
    if hasattr(pc, "InversePermutationOptions"):
        return pc.inverse_permutation(numbers, max_index=count - 1)
    # pyarrow 21 inverts whole permutations only; hashing gives the same, more slowly.
    return pc.index_in(row_numbers(count).cast(numbers.type), value_set=numbers)


def _counted(count: int) -> pa.Array:
    ones = pa.repeat(pa.scalar(1, pa.int32()), count)
    return pc.subtract(pc.cumulative_sum(ones), pa.scalar(1, pa.int32()))


def _codes(numbers: pa.Array, values: pa.Array, control_rows: int, size: int) -> Codes:
    """Codes from numbers of both sides in a row, where NULL is still NULL."""
    null = None
    if numbers.null_count:
        numbers = pc.fill_null(numbers, size)
        null, size = size, size + 1
    return Codes(numbers.slice(0, control_rows), numbers.slice(control_rows), size, null, values)


def _product(one: Codes, other: Codes) -> Codes:
    size = one.size * other.size
    type_ = pa.int32() if size < 1 << 31 else pa.int64()
    factor = pa.scalar(other.size, type_)
    control, candidate = (
        pc.add(pc.multiply(left.cast(type_), factor), right.cast(type_))
        for left, right in ((one.control, other.control), (one.candidate, other.candidate))
    )
    return Codes(control, candidate, size)


def _renumbered(codes: Codes) -> Codes:
    """The same codes without gaps."""
    type_ = pa.int64()
    both = [codes.control.cast(type_), codes.candidate.cast(type_)]
    numbers, values = _numbered(both, type_)
    size = len(codes.control)
    return Codes(numbers.slice(0, size), numbers.slice(size), max(len(values), 1))


def _numbered(chunks: Iterable[pa.Array], type_: pa.DataType) -> tuple[pa.Array, pa.Array]:
    """The number of each value by its first appearance (NULL stays NULL), and the values."""
    encoded = pa.chunked_array(chunks, type_).dictionary_encode()
    if not encoded.num_chunks:
        return pa.array([], pa.int32()), pa.array([], type_)
    numbers = pa.concat_arrays([chunk.indices for chunk in encoded.chunks])
    return numbers, encoded.chunk(encoded.num_chunks - 1).dictionary


def _unified(chunks: Sequence[pa.DictionaryArray]) -> tuple[pa.Array, pa.Array]:
    """As `_numbered`, looking at each dictionary once instead of at each row.

    A dictionary may hold a value twice, or NULL: both are legal in Arrow.
    """
    starts: dict[tuple[object, ...], int] = {}
    dictionaries: list[pa.Array] = []
    entries = 0
    places: list[tuple[int, pa.DictionaryArray]] = []
    for chunk in chunks:
        dictionary = chunk.dictionary
        # Chunks of one file often share a dictionary; Arrow makes a new object each time.
        same = (
            *(0 if buffer is None else buffer.address for buffer in dictionary.buffers()),
            dictionary.offset,
            len(dictionary),
        )
        if same not in starts:
            starts[same] = entries
            entries += len(dictionary)
            dictionaries.append(dictionary)
        places.append((starts[same], chunk))
    types = {dictionary.type for dictionary in dictionaries}
    if len(types) > 1:
        dictionaries = [dictionary.cast(pa.large_string()) for dictionary in dictionaries]
    type_ = dictionaries[0].type if dictionaries else pa.string()
    numbers, values = _numbered(dictionaries, type_)
    parts = [
        numbers.slice(start, len(chunk.dictionary)).take(chunk.indices) for start, chunk in places
    ]
    return pa.concat_arrays([*parts, pa.array([], pa.int32())]), values


def _dictionary_chunks(column: pa.ChunkedArray) -> list[pa.DictionaryArray]:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return list(column.chunks)


def _is_view(type_: pa.DataType) -> bool:
    """Whether texts are views, which Arrow does not number."""
    return bool(pa.types.is_string_view(type_))


def _shifted(control: pa.ChunkedArray, candidate: pa.ChunkedArray) -> Codes | None:
    """Integers or days as their distance from the smallest; None where they spread too widely."""
    sides = [
        side.cast(pa.int32()) if pa.types.is_date32(side.type) else side
        for side in (control, candidate)
    ]
    bounds = [pc.min_max(side).as_py() for side in sides]
    lows = [bound["min"] for bound in bounds if bound["min"] is not None]
    highs = [bound["max"] for bound in bounds if bound["max"] is not None]
    low, high = (min(lows), max(highs)) if lows else (0, -1)
    if high - low >= _WIDEST_RANGE or not -(1 << 62) < low <= high + 1 < 1 << 62:
        return None
    size = high - low + 1
    null = size if control.null_count or candidate.null_count else None
    type_ = pa.int32() if size < (1 << 31) - 1 else pa.int64()
    shifted = []
    for side in sides:
        whole = pa.concat_arrays([*side.chunks, pa.array([], side.type)]).cast(pa.int64())
        whole = pc.subtract(whole, pa.scalar(low, pa.int64()))
        shifted.append((whole if null is None else pc.fill_null(whole, null)).cast(type_))
    return Codes(shifted[0], shifted[1], size + (null is not None), null)


def _plain_doubles(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Doubles with one zero: adding 0.0 turns -0.0 into 0.0 and leaves all else as it is."""
    return pc.add(column.cast(pa.float64()), 0.0)


def _encode_lists(control: pa.ChunkedArray, candidate: pa.ChunkedArray) -> Codes:
    both = [
        pa.concat_arrays([*side.chunks, pa.array([], side.type)]) for side in (control, candidate)
    ]
    elements = encode(*(pa.chunked_array([side.flatten()]) for side in both))
    numbers = set_codes(both, [elements.control, elements.candidate], elements.size)
    distinct = (pc.max(numbers).as_py() or 0) + 1 if len(numbers) else 0
    return replace(_codes(numbers, pa.array([], pa.null()), len(control), distinct), values=None)
