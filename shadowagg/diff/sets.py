"""Lists compared without order."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["set_codes"]


def set_codes(lists: Sequence[pa.Array], elements: Sequence[pa.Array], size: int) -> pa.Array:
    """A number for each list, equal where two lists hold the same elements equally often.

    The elements of each list are sorted, and the lists are then walked in step, one position at a
    time: cost is that of sorting all elements, however long the longest list.

    Args:
        lists: list arrays, one after the other.
        elements: for each of them its elements' codes, in the order of `flatten()`.
        size: how many codes of elements there are.

    Returns:
        int32, one per list of all arrays; NULL for a list that is NULL.
    """
    lengths = pa.concat_arrays([pc.list_value_length(array).cast(pa.int64()) for array in lists])
    lengths = pc.fill_null(lengths, 0)
    ends = pc.cumulative_sum(lengths)
    starts = pc.subtract(ends, lengths)
    # Built anew, since a list that is NULL may hide elements that `flatten()` leaves out.
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    element = pa.concat_arrays([codes.cast(pa.int64()) for codes in elements])
    rebuilt = pa.LargeListArray.from_arrays(offsets, element)
    table = pa.table({"list": pc.list_parent_indices(rebuilt), "element": element})
    order = pc.sort_indices(table, [("list", "ascending"), ("element", "ascending")])
    element = element.take(order)

    # Lists that have ended keep their number; the others get one that tells their next element.
    numbers = pa.repeat(pa.scalar(0, pa.int64()), len(lengths))
    used = 1
    going_on = pc.indices_nonzero(pc.greater(lengths, 0))
    position = 0
    while len(going_on):
        at = pc.add(starts.take(going_on), position)
        pair = pc.add(pc.multiply(numbers.take(going_on), size), element.take(at))
        encoded = pair.dictionary_encode()
        is_going_on = pc.greater(lengths, position)
        fresh = pc.add(encoded.indices.cast(pa.int64()), used)
        numbers = pc.replace_with_mask(numbers, is_going_on, fresh)
        used += len(encoded.dictionary)
        position += 1
        going_on = going_on.filter(pc.greater(lengths.take(going_on), position))
    nulls = pa.concat_arrays([pc.is_null(array) for array in lists])
    numbers = numbers.dictionary_encode().indices
    return pc.if_else(nulls, pa.scalar(None, numbers.type), numbers)
