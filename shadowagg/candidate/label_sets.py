"""Label sets: texts read once each, merged by precedence, written as the engine writes them.

A label set is an integer. What it holds is kept once per window: a list of *fragments*, each one
`"key":value` as it stands in the canonical text, in the order of that text. Merging, grouping and
writing then work on integers and whole arrays; only distinct texts are ever parsed (`ocp.md` 6.2,
engine facts *JSON* and *Maps*).
"""

from __future__ import annotations

import json
import re
import threading
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.kernels import composite_keys, constant, positions
from shadowagg.errors import InputRefused

__all__ = ["EMPTY", "LabelSets", "json_text", "parse_labels"]

EMPTY = 0
"""The number of the set without labels, `{}`; NULL stands for the NULL map."""

_UNSEEN = -2
_NULL_MAP = -1

# --- reading ----------------------------------------------------------------------------------

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class _Nested(ValueError):
    pass


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members


def _constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members,
    # Integers keep their digits, fractions become a double's text; both end as text anyway.
    parse_int=str,
    parse_float=lambda digits: _double_text(float(digits)),
    parse_constant=_constant,
)


def parse_labels(text: str) -> dict[str, str | None] | None:
    """A label column's text as a map, as `cast(json_parse(column) as map(varchar, varchar))` gives it.

    Returns:
        The members in the text's order; None for the JSON text `null`.

    Raises:
        InputRefused: for what fails production's statement: no JSON, no object, a key twice, a nested
            value, NaN, anything behind the value.

    >>> parse_labels('{"a": null, "b": 1, "c": true, "d": 1.50}')
    {'a': None, 'b': '1', 'c': 'true', 'd': '1.5E0'}
    """
    try:
        labels = _DECODER.decode(text)
        if labels is None:
            return None
        if not isinstance(labels, dict):
            raise _Nested("not an object")  # noqa: TRY301 - one place says what is refused
        for key, value in labels.items():
            if value is True or value is False:
                labels[key] = "true" if value else "false"
            elif isinstance(value, dict | list):
                raise _Nested("a value is nested")  # noqa: TRY301 - as above
    except (ValueError, RecursionError) as error:
        raise InputRefused(
            f"label text of {len(text)} characters is no flat JSON object: {_reason(error)}",
            hint="production's statement fails on it; look for it in the label columns",
        ) from None
    if _LONE_SURROGATE.search(text) is not None or "\\u" in text:
        labels = {_whole(key): _whole(value) for key, value in labels.items()}
    return labels


def _reason(error: Exception) -> str:
    # A decoder's own message has positions only; none of these carries a label's text.
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _whole(value: str | None) -> str | None:
    """Half of a surrogate pair has no UTF-8; Java writes a question mark."""
    return None if value is None else _LONE_SURROGATE.sub("?", value)


def _double_text(value: float) -> str:
    """A double as Trino casts it to text: always with an exponent."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if str(value).startswith("-") else ""
    if value == 0:
        return f"{sign}0E0"
    digits, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, part = digits.partition(".")
    figures = (whole + part).lstrip("0")
    power = int(exponent or 0) + (
        len(whole) - 1 if whole != "0" else -1 - (len(part) - len(part.lstrip("0")))
    )
    figures = figures.rstrip("0") or "0"
    return f"{sign}{figures[0]}.{figures[1:] or '0'}E{power}"


# --- writing ----------------------------------------------------------------------------------

_TO_ESCAPE = re.compile('[\x00-\x1f"\\\\\U00010000-\U0010ffff]')
_SHORT_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))


def _quoted(text: str) -> str:
    return f'"{_TO_ESCAPE.sub(_escaped, text)}"'


def _fragment(key: str, value: str | None) -> str:
    return f"{_quoted(key)}:{'null' if value is None else _quoted(value)}"


def _key_order(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def json_text(labels: Mapping[str, str | None]) -> str:
    """A label map as `json_format(cast(map as json))` writes it.

    Keys in UTF-16 order, no blanks, the characters `"`, `\\` and controls escaped (hexadecimal digits in
    upper case), characters above U+FFFF as an escaped surrogate pair, everything else raw.
    """
    return (
        "{" + ",".join(_fragment(key, labels[key]) for key in sorted(labels, key=_key_order)) + "}"
    )


# --- sets -------------------------------------------------------------------------------------


class LabelSets:
    """The distinct label sets of a window, reduced to the keys that are kept.

    Thread-safe. A set's number means nothing outside its object.

    Args:
        keys: the keys that are kept; None where the list itself is NULL, and then no key is kept but
            texts are still read, and refused (`ocp.md` 3.1).
    """

    def __init__(self, keys: Iterable[str] | None) -> None:
        kept = sorted(set(keys or ()), key=_key_order)
        self._rank = {key: rank for rank, key in enumerate(kept)}
        self._lock = threading.RLock()
        self._by_text: dict[str, int] = {}
        self._by_content: dict[tuple[int, ...], int] = {(): EMPTY}
        self._fragments: dict[tuple[str, str | None], int] = {}
        self._texts: list[str] = []  # of fragments
        self._ranks = array("q")  # of fragments
        self._entries = array("q")  # fragments of all sets, one after another
        self._ends = array("q", [0, 0])

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
            known = self._by_text
            sets = [known.get(text, _UNSEEN) for text in texts.to_pylist()]
            for at, code in enumerate(sets):
                if code == _UNSEEN:
                    text = texts[at].as_py()
                    sets[at] = known[text] = self._read(text)
        numbers = pa.array(sets, pa.int32())
        numbers = pc.if_else(pc.equal(numbers, _NULL_MAP), pa.scalar(None, pa.int32()), numbers)
        rows = column.indices if whole else pc.index_in(column.indices, value_set=used)
        return numbers.take(rows)

    def _read(self, text: str) -> int:
        labels = parse_labels(text)
        if labels is None:
            return _NULL_MAP
        rank = self._rank
        kept = sorted((rank[key], key, value) for key, value in labels.items() if key in rank)
        content = tuple(self._fragment_code(at, key, value) for at, key, value in kept)
        code = self._by_content.get(content)
        if code is None:
            code = self._by_content[content] = len(self._by_content)
            self._entries.extend(content)
            self._ends.append(len(self._entries))
        return code

    def _fragment_code(self, rank: int, key: str, value: str | None) -> int:
        code = self._fragments.get((key, value))
        if code is None:
            code = self._fragments[key, value] = len(self._texts)
            self._texts.append(_fragment(key, value))
            self._ranks.append(rank)
        return code

    def merge(self, layers: Sequence[pa.Array]) -> pa.DictionaryArray:
        """Label sets laid over each other, row by row; of a common key the last layer's value stays.

        Args:
            layers: int32 arrays of set numbers, of one length, lowest precedence first.

        Returns:
            Canonical JSON texts, distinct in the dictionary; NULL where a layer is NULL (`ocp.md` 6.2-3).
        """
        rows = len(layers[0])
        key, _ = composite_keys(layers, [layer.slice(0, 0) for layer in layers])
        coded = key.dictionary_encode()
        distinct = len(coded.dictionary)
        if not distinct:
            return constant(None, rows)
        # One row that stands for each distinct combination.
        sample = pc.index_in(positions_of(distinct), value_set=coded.indices)
        texts = self._merged_texts([layer.take(sample) for layer in layers]).dictionary_encode()
        return pa.DictionaryArray.from_arrays(texts.indices.take(coded.indices), texts.dictionary)

    def _merged_texts(self, layers: Sequence[pa.Array]) -> pa.Array:
        count = len(layers[0])
        with self._lock:
            entries = _int64(self._entries)
            offsets = _int64(self._ends)
            ranks = _int64(self._ranks)
            fragments = pa.array(self._texts, pa.string())
        sets = pa.LargeListArray.from_arrays(offsets, entries)
        keys = max(len(self._rank), 1)
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
        counts = pc.value_counts(pc.divide(place, keys))
        slot = pc.index_in(positions_of(count).cast(pa.int64()), value_set=counts.field("values"))
        sizes = pc.fill_null(counts.field("counts").take(slot), 0)
        ends = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(sizes)])
        lists = pa.ListArray.from_arrays(ends.cast(pa.int32()), fragments.take(chosen))
        return pc.binary_join_element_wise("{", pc.binary_join(lists, ","), "}", "")


def positions_of(count: int) -> pa.Array:
    """0, 1, 2, …: int32, as dictionaries number their texts."""
    return positions(count).cast(pa.int32())


def _int64(numbers: array[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers.tobytes())])
