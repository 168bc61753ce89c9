"""Renaming of label keys after the aggregation (`ocp.md` 5.9)."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.label_text import json_text, parse_labels
from shadowagg_ocp import inputs as tables

__all__ = ["TagMapping", "tag_mapping"]


@dataclass(frozen=True, slots=True)
class TagMapping:
    """The parent's key of every child key that is an enabled OpenShift key; empty for none."""

    parents: dict[str, str]

    def renamed(self, column: pa.DictionaryArray) -> tuple[pa.DictionaryArray, pa.Array]:
        """Label texts with their child keys renamed.

        Each distinct text is looked at once.

        Returns:
            The new texts (NULL where nothing is left), and whether each row's text was changed.
        """
        texts: list[str | None] = column.dictionary.to_pylist()
        changed = [False] * len(texts)
        for at, text in enumerate(texts):
            if text is None:
                continue
            labels = parse_labels(text) or {}
            if not self.parents.keys().isdisjoint(labels):
                changed[at] = True
                new = self._mapped(labels)
                texts[at] = None if new is None else json_text(new)
        distinct = pa.array(texts, pa.string()).dictionary_encode()
        return (
            pa.DictionaryArray.from_arrays(
                distinct.indices.take(column.indices), distinct.dictionary
            ),
            pc.fill_null(pa.array(changed, pa.bool_()).take(column.indices), False),
        )

    def _mapped(self, labels: dict[str, str | None]) -> dict[str, str | None] | None:
        present = [child for child in self.parents if child in labels]
        if any(self.parents[child] in labels for child in present):
            # A child beside its parent: every child key goes, of other pairs too (8.1-20).
            return {k: v for k, v in labels.items() if k not in self.parents} or None
        # Of two children of one parent the later in jsonb's order stays: shorter key first, then
        # bytewise.
        order = sorted(labels, key=lambda key: (len(key.encode()), key.encode()))
        return {self.parents.get(key, key): labels[key] for key in order}


def tag_mapping(context: Context) -> TagMapping:
    """The tenant's pairs; read once per window."""
    return context.whole.memo("ocp tag mapping", lambda: _read(context))


def _read(context: Context) -> TagMapping:
    keys = {row["uuid"]: row for row in context.source.side(tables.ENABLED_TAG_KEYS).to_pylist()}
    parents: dict[str, str] = {}
    for pair in context.source.side(tables.TAG_MAPPING).to_pylist():
        child, parent = keys.get(pair["child_id"]), keys.get(pair["parent_id"])
        if child and parent and child["enabled"] and child["provider_type"] == "OCP":
            parents[child["key"]] = parent["key"]
    return TagMapping(parents)
