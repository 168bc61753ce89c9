"""For those who test a provider, or a service that uses shadowagg: public, like the rest."""

from __future__ import annotations

from shadowagg.testing.contract import contract_faults
from shadowagg.testing.folder import Partition, write_scenario

__all__ = ["Partition", "contract_faults", "write_scenario"]
