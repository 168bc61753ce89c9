"""Look at a machine: packages, plugins, fence, folders, store."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from shadowagg.errors import ShadowaggError
from shadowagg.settings import Settings

__all__ = ["Finding", "examine"]

_NEEDED = (
    "pyarrow",
    "pandas",
    "datacompy",
    "pluggy",
    "click",
    "jinja2",
    "pydantic",
    "sqlalchemy",
    "alembic",
)
_OPTIONAL = {
    "duckdb": ("control mode embedded, demo", "embedded"),
    "sqlglot": ("control mode embedded, demo", "embedded"),
    "rich": ("tables in the terminal", "cli"),
    "pygal": ("charts on the page", "report"),
    "hypothesis": ("strategies for tests", "testing"),
    "trino": ("control modes trino, production", "trino"),
    "jinjasql2": ("control mode production", "production"),
    "sqlparse": ("control mode production", "production"),
}
_LEAST_FREE = 2 << 30
"""Bytes that the row sets of a large month may take in the temporary folder."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Args:
        state: `ok`, `missing` (a run needs it) or `absent` (something optional is not there).
        what: was looked at.
        found: there.
        hint: what to do, unless it is ok.
    """

    state: Literal["ok", "missing", "absent"]
    what: str
    found: str
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Everything that a run needs, in the order in which it needs it."""
    return [
        *_python(),
        *_packages(),
        *_plugins(),
        *_fence(),
        *_places(settings),
        *_store(settings),
    ]


def _python() -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    yield Finding(
        "ok" if good else "missing",
        "Python",
        platform.python_version(),
        "" if good else "use 3.11 or newer",
    )


def _packages() -> Iterator[Finding]:
    for name in _NEEDED:
        version = _version(name)
        yield Finding(
            "ok" if version else "missing",
            name,
            version or "not installed",
            "" if version else "pip install shadowagg",
        )
    for name, (purpose, extra) in _OPTIONAL.items():
        version = _version(name)
        yield Finding(
            "ok" if version else "absent",
            f"{name}: {purpose}",
            version or "not installed",
            "" if version else f"pip install 'shadowagg[{extra}]'",
        )


def _plugins() -> Iterator[Finding]:
    from shadowagg.discovery import registry

    found = registry()
    for provider in found.providers:
        registered = found.registered[provider.name]
        version = f"{registered.distribution} {registered.version}"
        yield Finding("ok", f"provider {provider.name}", version)
    for failure in found.failures:
        yield Finding(
            "absent",
            f"plugin {failure.entry_point}",
            failure.reason,
            "see `shadowagg providers --json` for the traceback",
        )
    if not found.providers:
        yield Finding("missing", "providers", "none", "pip install shadowagg-<provider>")


def _fence() -> Iterator[Finding]:
    from shadowagg.fence import Limits, private_folder, run_fenced

    with private_folder() as folder:
        outcome = run_fenced(
            "shadowagg.doctor:_answer", {}, folder=folder, limits=Limits(seconds=30)
        )
    good = outcome.value == {"answer": "here"}
    said = outcome.fault.message if outcome.fault else f"answered in {outcome.wall_seconds:.2f} s"
    yield Finding(
        "ok" if good else "missing",
        "fenced process",
        said,
        "" if good else "processes must be allowed to start processes",
    )


def _answer(request: Mapping[str, Any], folder: Path) -> dict[str, str]:  # noqa: ARG001 - a fenced task
    return {"answer": "here"}


def _places(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    enough = free >= _LEAST_FREE
    yield Finding(
        "ok" if enough else "missing",
        f"temporary folder {tempfile.gettempdir()}",
        f"{free / (1 << 30):.1f} GiB free",
        "" if enough else "set TMPDIR to a larger disk",
    )
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
        yield Finding("ok", f"home folder {settings.home}", "writable")
    except OSError as error:
        yield Finding("missing", f"home folder {settings.home}", str(error), "set SHADOWAGG_HOME")


def _store(settings: Settings) -> Iterator[Finding]:
    from shadowagg.store import open_store

    try:
        store = open_store(settings.store, schema=settings.store_schema)
        yield Finding("ok", "store", store.url)
        store.close()
    except ShadowaggError as error:
        yield Finding("missing", "store", error.what, error.hint)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
