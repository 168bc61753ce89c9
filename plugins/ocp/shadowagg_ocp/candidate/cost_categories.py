"""Cost categories by pattern of the namespace (`ocp.md` 3.5 CAT, 6.1-5)."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import is_like
from shadowagg_ocp import inputs as tables

__all__ = ["Categories", "categories"]


@dataclass(frozen=True, slots=True)
class Categories:
    """The patterns of the tenant, each with the id of its category, in the table's order."""

    patterns: tuple[tuple[str | None, int | None], ...]

    def matching(self, namespace: str | None) -> list[int | None]:
        """The ids of all patterns that match, one per pattern; NULL matches nothing."""
        if namespace is None:
            return []
        text = pa.array([namespace], pa.string())
        return [
            category
            for pattern, category in self.patterns
            if pattern is not None and is_like(text, pattern)[0].as_py()
        ]

    def of(self, namespaces: pa.DictionaryArray) -> tuple[pa.Array, pa.Array]:
        """How often a join by LIKE repeats each row, and the largest category among its matches.

        Returns:
            int64, 1 where at most one pattern matches; int32, NULL where none does.
        """
        texts = namespaces.dictionary
        count = pa.repeat(pa.scalar(0, pa.int64()), len(texts))
        largest = pa.nulls(len(texts), pa.int32())
        for pattern, category in self.patterns:
            if pattern is None:
                continue
            hit = is_like(texts, pattern)
            count = pc.add(count, hit.cast(pa.int64()))
            here = pc.if_else(hit, pa.scalar(category, pa.int32()), pa.scalar(None, pa.int32()))
            largest = pc.max_element_wise(largest, here)
        times = pc.max_element_wise(count, 1).take(namespaces.indices)
        return pc.fill_null(times, 1), largest.take(namespaces.indices)


def categories(context: Context) -> Categories:
    """The tenant's patterns; read once per window."""
    return context.whole.memo("ocp cost categories", lambda: _read(context))


def _read(context: Context) -> Categories:
    table = context.source.side(tables.COST_CATEGORY_NAMESPACES)
    return Categories(
        tuple(
            zip(
                table.column("namespace").to_pylist(),
                table.column("cost_category_id").to_pylist(),
                strict=True,
            )
        )
    )
