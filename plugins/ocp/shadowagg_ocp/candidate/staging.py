"""Stage `staging`: the lake table that later steps read (`ocp.md` 4.5)."""

from __future__ import annotations

import pyarrow as pa

from shadowagg.candidate.context import Context
from shadowagg.candidate.kernels import append

__all__ = ["staging"]


def staging(context: Context) -> pa.Table:
    """Pod, storage and unallocated rows.

    Production unites pod and storage rows as sets; every group key is a column, so no two rows are
    equal and nothing is dropped (`ocp.md` 3.6).
    """
    return append([context.stages[name] for name in ("pods", "storage", "unallocated")])
