"""A rule of the code broken on purpose, for as long as a test runs.

A mutation is a change of source text: the module is loaded anew with one snippet replaced, and so
is everything that may have taken something from it; afterwards the intact modules are back.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_CANDIDATE = ("shadowagg.candidate", "shadowagg_ocp.candidate")
"""Packages whose modules take things from each other: loaded anew together."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of one module.

    Args:
        name: the rule as it is broken.
        module: its dotted name.
        old: the snippet, found exactly once in the module's source.
        new: what stands there instead.
    """

    name: str
    module: str
    old: str
    new: str

    @property
    def source(self) -> str:
        """The module's source as it is."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            raise ValueError(f"mutation {self.name!r}: no source of {self.module}")
        return Path(spec.origin).read_text(encoding="utf-8")

    @property
    def occurrences(self) -> int:
        """How often the snippet stands in the module."""
        return self.source.count(self.old)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Break the rule.

        Raises:
            SyntaxError: if the changed source is no Python.
        """
        changed = self.source.replace(self.old, self.new)
        kept = _taken(self.module)
        finder = _Finder(self.module, changed)
        sys.meta_path.insert(0, finder)
        try:
            importlib.import_module(self.module)
            yield
        finally:
            sys.meta_path.remove(finder)
            _taken(self.module)
            _put_back(kept)


def _taken(module: str) -> dict[str, ModuleType]:
    """Take the module, and all of the candidate, out of those that are imported."""
    names = [
        name
        for name in sys.modules
        if name == module or any(name == p or name.startswith(f"{p}.") for p in _CANDIDATE)
    ]
    return {name: sys.modules.pop(name) for name in names}


def _put_back(modules: dict[str, ModuleType]) -> None:
    sys.modules.update(modules)
    for name, module in modules.items():
        parent, _, leaf = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], leaf, module)


class _Loader(importlib.abc.InspectLoader):
    def __init__(self, source: str) -> None:
        self._source = source

    def get_source(self, fullname: str) -> str:
        return self._source


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        return importlib.util.spec_from_loader(
            fullname, _Loader(self._source), origin=f"{fullname}, mutated", is_package=False
        )
