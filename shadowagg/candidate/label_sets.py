"""Label sets: texts read once each, merged by precedence, written as the engine writes them.

A label set is an integer. What it holds is kept once per window: a list of *fragments*, each one
`"key":value` as it stands in the canonical text, in the order of that text. Merging, grouping and
writing then work on integers and whole arrays; only distinct texts are ever read.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.kernels import composite_keys, constant, positions
from shadowagg.candidate.label_text import fragment, key_order, parse_labels

__all__ = ["EMPTY", "LabelSets"]

EMPTY = 0
"""The number of the set without labels, `{}`; NULL stands for the NULL map."""

_NULL_MAP = -1

_PLAIN_CHARACTERS = r"[ !#-\[\]-~]*"
_PLAIN_MEMBER = f'"{_PLAIN_CHARACTERS}": "{_PLAIN_CHARACTERS}"'
_PLAIN = rf"^\{{{_PLAIN_MEMBER}(?:, {_PLAIN_MEMBER})*\}}$"
"""Texts as the ingestion writes them (`inputs.md` 1.4) of ASCII without quotes, backslashes, controls:
they need no parser, and a key or value stands in the canonical text as it stands here."""


class LabelSets:
    """The distinct label sets of a window, reduced to the keys that are kept.

    Thread-safe. A set's number means nothing outside its object.

    Args:
        keys: the keys that are kept; None where the list itself is NULL, and then no key is kept but
            texts are still read, and refused.
    """

    def __init__(self, keys: Iterable[str] | None) -> None:
        kept = sorted(set(keys or ()), key=key_order)
        self._rank = {key: rank for rank, key in enumerate(kept)}
        self._kept = pa.array(kept, pa.string())
        self._lock = threading.RLock()
        self._texts = pa.array([], pa.string())  # read so far
        self._sets = pa.array([], pa.int32())  # of those texts
        self._by_content: dict[tuple[int, ...], int] = {(): EMPTY}
        self._fragment_codes: dict[str, int] = {}
        self._ranks = array("q")  # of fragments
        self._entries = array("q")  # fragments of all sets, one after another
        self._ends = array("q", [0, 0])

    # --- reading -----------------------------------------------------------------------------

    def codes(self, column: pa.DictionaryArray) -> pa.Array:
        """The label sets of a column of label texts: int32, NULL for the NULL map.

        Only texts that occur in a row are read.

        Raises:
            InputRefused: see `parse_labels`.
        """
        used = column.indices.unique().drop_null()
        whole = len(used) == len(column.dictionary)
        texts = column.dictionary if whole else column.dictionary.take(used)
        with self._lock:
            known = pc.index_in(texts, value_set=self._texts)
            if known.null_count:
                new = texts.filter(pc.is_null(known))
                self._sets = pa.concat_arrays([self._sets, self._read(new)])
                self._texts = pa.concat_arrays([self._texts, new])
                known = pc.index_in(texts, value_set=self._texts)
            sets = self._sets.take(known)
        rows = column.indices if whole else pc.index_in(column.indices, value_set=used)
        return sets.take(rows)

    def _read(self, texts: pa.Array) -> pa.Array:
        plain = pc.match_substring_regex(texts, _PLAIN)
        sets = self._read_plain(texts.filter(plain))
        if sets is None:
            plain, sets = pc.and_(plain, False), pa.array([], pa.int32())
        others = [self._read_one(text) for text in texts.filter(pc.invert(plain)).to_pylist()]
        both = pa.concat_arrays([sets, pa.array(others, pa.int32())])
        both = pc.if_else(pc.equal(both, _NULL_MAP), pa.scalar(None, pa.int32()), both)
        # Put back in the texts' order: plain ones come first in `both`.
        order = pc.sort_indices(pc.invert(plain).cast(pa.uint8()))
        return both.take(pc.sort_indices(order))

    def _read_one(self, text: str) -> int:
        labels = parse_labels(text)
        if labels is None:
            return _NULL_MAP
        rank = self._rank
        kept = sorted((rank[key], key) for key in labels if key in rank)
        return self._number(
            tuple(self._fragment_code(at, fragment(key, labels[key])) for at, key in kept)
        )

    def _read_plain(self, texts: pa.Array) -> pa.Array | None:
        """The sets of texts that match `_PLAIN`; None if a key occurs twice in one of them."""
        if not len(texts):
            return pa.array([], pa.int32())
        # No key or value holds a quote, so `", "` and `": "` can only stand between them.
        members = pc.split_pattern(pc.utf8_slice_codeunits(texts, 2, -2), '", "')
        parents = pc.list_parent_indices(members)
        parts = pc.split_pattern(pc.list_flatten(members), '": "')
        keys, values = pc.list_element(parts, 0), pc.list_element(parts, 1)
        coded = keys.dictionary_encode()
        twice = pc.add(pc.multiply(parents.cast(pa.int64()), len(coded.dictionary)), coded.indices)
        if pc.count_distinct(twice).as_py() < len(twice):
            return None
        ranks = pc.index_in(coded.dictionary, value_set=self._kept).take(coded.indices)
        kept = pc.is_valid(ranks)
        ranks, parents = ranks.filter(kept), parents.filter(kept).cast(pa.int64())
        written = pc.binary_join_element_wise(
            '"', keys.filter(kept), '":"', values.filter(kept), '"', ""
        ).dictionary_encode()
        order = pc.sort_indices(pc.add(pc.multiply(parents, max(len(self._kept), 1)), ranks))
        first = pc.index_in(positions(len(written.dictionary)).cast(pa.int32()), written.indices)
        codes = [
            self._fragment_code(rank, text)
            for rank, text in zip(
                ranks.take(first).to_pylist(), written.dictionary.to_pylist(), strict=True
            )
        ]
        entries = pa.array(codes, pa.int64()).take(written.indices.take(order)).to_pylist()
        ends = _offsets(parents, len(texts)).to_pylist()
        return pa.array(
            [self._number(tuple(entries[start:end])) for start, end in pairwise(ends)],
            pa.int32(),
        )

    def _number(self, content: tuple[int, ...]) -> int:
        code = self._by_content.get(content)
        if code is None:
            code = self._by_content[content] = len(self._by_content)
            self._entries.extend(content)
            self._ends.append(len(self._entries))
        return code

    def _fragment_code(self, rank: int, text: str) -> int:
        code = self._fragment_codes.get(text)
        if code is None:
            code = self._fragment_codes[text] = len(self._fragment_codes)
            self._ranks.append(rank)
        return code

    # --- merging -----------------------------------------------------------------------------

    def merge(self, layers: Sequence[pa.Array]) -> pa.DictionaryArray:
        """Label sets laid over each other, row by row; of a common key the last layer's value stays.

        Args:
            layers: int32 arrays of set numbers, of one length, lowest precedence first.

        Returns:
            Canonical JSON texts, distinct in the dictionary; NULL where a layer is NULL.
        """
        key, _ = composite_keys(layers, [layer.slice(0, 0) for layer in layers])
        coded = key.dictionary_encode()
        distinct = len(coded.dictionary)
        if not distinct:
            return constant(None, len(key))
        # One row that stands for each distinct combination.
        sample = pc.index_in(positions(distinct).cast(pa.int32()), value_set=coded.indices)
        texts = self._merged_texts([layer.take(sample) for layer in layers]).dictionary_encode()
        return pa.DictionaryArray.from_arrays(texts.indices.take(coded.indices), texts.dictionary)

    def _merged_texts(self, layers: Sequence[pa.Array]) -> pa.Array:
        with self._lock:
            sets = pa.LargeListArray.from_arrays(_int64(self._ends), _int64(self._entries))
            ranks = _int64(self._ranks)
            fragments = pa.array(list(self._fragment_codes), pa.string())
        keys = max(len(self._kept), 1)
        places, codes = [], []
        for precedence, layer in enumerate(layers):
            lists = sets.take(layer)
            inside = pc.list_flatten(lists)
            place = pc.add(pc.multiply(pc.list_parent_indices(lists), keys), ranks.take(inside))
            places.append(pc.add(pc.multiply(place, len(layers)), precedence))
            codes.append(inside)
        place = pa.concat_arrays(places)
        order = pc.sort_indices(place)
        place = pc.divide(place.take(order), len(layers))  # which combination, which key
        chosen = pa.concat_arrays(codes).take(order)
        if len(place):
            last = pc.not_equal(place.slice(1), place.slice(0, len(place) - 1))
            last = pa.concat_arrays([last, pa.array([True])])
            place, chosen = place.filter(last), chosen.filter(last)
        offsets = _offsets(pc.divide(place, keys), len(layers[0])).cast(pa.int32())
        lists = pa.ListArray.from_arrays(offsets, fragments.take(chosen))
        return pc.binary_join_element_wise("{", pc.binary_join(lists, ","), "}", "")


def _offsets(parents: pa.Array, count: int) -> pa.Array:
    """Where the entries of each of `count` lists begin and end; `parents` says whose each entry is."""
    counts = pc.value_counts(parents)
    slot = pc.index_in(positions(count), value_set=counts.field("values"))
    sizes = pc.fill_null(counts.field("counts").take(slot), 0)
    return pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(sizes)])


def _int64(numbers: array[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers.tobytes())])
