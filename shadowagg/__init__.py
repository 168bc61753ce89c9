"""Run a candidate aggregation in the shadow of the one in force, and prove that they agree."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
