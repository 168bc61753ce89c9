"""For those who test a provider, or a service that uses shadowagg: public, like the rest."""

from __future__ import annotations

from shadowagg.testing.folder import Partition, write_scenario

__all__ = ["Partition", "write_scenario"]
