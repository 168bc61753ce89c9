"""The list of cases: every case function registers itself under its number in `ocp.md` 7."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .outcome import Check

PATHS = ("pyarrow", "embedded")
"""The paths that every case holds on."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Args:
        number: in `ocp.md` 7.
        check: raises AssertionError unless the path behaves as the case says.
        paths: modes it is run on; `("plan",)` for cases that hold before any path runs.
    """

    number: int
    check: Check
    paths: tuple[str, ...] = PATHS


CASES: dict[int, Case] = {}
"""Number -> case."""


def case(number: int, *, paths: tuple[str, ...] = PATHS) -> Callable[[Check], Check]:
    """Register a function as the case of that number."""

    def register(check: Check) -> Check:
        if number in CASES:
            raise ValueError(f"case {number} is there already")
        CASES[number] = Case(number, check, paths)
        return check

    return register
