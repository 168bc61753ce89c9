"""For property tests: small OpenShift scenarios in memory, drawn by hypothesis.

Needs the extra `testing` of shadowagg. Few names and values, so that the rules of `ocp.md` 7 meet.
"""

from __future__ import annotations

from shadowagg_ocp.testing.scenario import LakeFile, OpenShiftScenario
from shadowagg_ocp.testing.strategies import small_scenarios, unplaced_volumes

__all__ = ["LakeFile", "OpenShiftScenario", "small_scenarios", "unplaced_volumes"]
