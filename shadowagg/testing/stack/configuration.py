"""Trino's configuration: the files in `etc/`, with a stack's values filled in. Pure but for writing."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from shadowagg.errors import UserError

__all__ = ["FILES", "TrinoValues", "parse_heap", "properties", "render", "write"]

FILES = (
    "config.properties",
    "node.properties",
    "log.properties",
    "jvm.config",
    "catalog/hive.properties",
    "catalog/postgres.properties",
)
"""Below `etc`."""

_LEAST_HEAP = 1000
_QUERY_SHARE = 68
"""Per cent of the heap that one query may take; above 70 Trino refuses to start."""


@dataclass(frozen=True, slots=True)
class TrinoValues:
    """What differs from stack to stack.

    Args:
        etc: folder of these files.
        var: folder of the server's data.
        server: folder of the unpacked server.
        lake: folder that `local:///` means.
        trino_port: on 127.0.0.1.
        heap: in MB.
        postgres_address: `host:port`.
        postgres_password: of user `postgres`.
        s3_address: `host:port`.
        s3_region: as the S3 server has it.
        s3_access_key: of its account.
        s3_secret_key: of its account.
    """

    etc: str
    var: str
    server: str
    lake: str
    trino_port: int
    heap: int
    postgres_address: str
    postgres_password: str
    s3_address: str
    s3_region: str
    s3_access_key: str
    s3_secret_key: str

    @property
    def query_memory(self) -> int:
        """MB that one query may take on the node."""
        return self.heap * _QUERY_SHARE // 100


def render(values: TrinoValues) -> dict[str, str]:
    """File below `etc` -> its text."""
    names = {name: str(getattr(values, name)) for name in TrinoValues.__dataclass_fields__}
    names["query_memory"] = str(values.query_memory)
    templates = importlib.resources.files("shadowagg.testing.stack") / "etc"
    return {
        name: Template(templates.joinpath(name).read_text(encoding="utf-8")).substitute(names)
        for name in FILES
    }


def write(files: Mapping[str, str], etc: Path) -> None:
    """Write what `render` gave; for its owner alone, since it has passwords."""
    for name, text in files.items():
        file = etc / name
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def properties(text: str) -> dict[str, str]:
    """A properties file as names and values."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def parse_heap(text: str) -> int:
    """`1500M`, `2G` -> MB.

    Raises:
        UserError: if it is neither, or too little to start with.
    """
    found = re.fullmatch(r"(\d+)([mMgG])", text.strip())
    heap = int(found[1]) * (1024 if found[2] in "gG" else 1) if found else 0
    if heap < _LEAST_HEAP:
        raise UserError(
            f"{text!r} is no size of at least {_LEAST_HEAP}M", on="heap", hint="such as 1500M or 4G"
        )
    return heap
