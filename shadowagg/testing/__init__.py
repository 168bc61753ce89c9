"""For those who test a provider, or a service that uses shadowagg: public, like the rest.

Names are imported when first used: `stack` lies in this package and needs none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shadowagg.testing.contract import contract_faults as contract_faults
    from shadowagg.testing.folder import Partition as Partition
    from shadowagg.testing.folder import write_scenario as write_scenario

_HOMES = {"Partition": "folder", "contract_faults": "contract", "write_scenario": "folder"}

__all__ = ["Partition", "contract_faults", "write_scenario"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shadowagg.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"shadowagg.testing.{_HOMES[name]}"), name)
