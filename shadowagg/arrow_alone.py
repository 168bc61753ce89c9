"""Let Arrow work without pandas, and with an allocator that gives memory back cheaply.

For processes that compute with Arrow alone: the candidate's, the diff's. To be called before the first
Arrow value is made.
"""

from __future__ import annotations

import os
import sys

__all__ = ["keep_pandas_out", "prefer_cheap_allocator"]


def prefer_cheap_allocator() -> None:
    """Choose jemalloc, unless somebody has chosen already; before pyarrow is imported.

    The default allocator hands pages back to the system and takes them again for every large array:
    up to a second of system time for a million rows.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")


def keep_pandas_out() -> None:
    """Let Arrow take it that there is no pandas.

    Arrow imports pandas, at half a second and 60 MB, to recognise its objects among the first
    Python values that it is given. Such a process gives it none. Whoever asks for pandas by name,
    as datacompy and `to_pandas()` do, still gets it.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """A finder of modules that does not find pandas."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> None:
        """Nothing to say of any other module."""
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError(name)
