"""The servers that a run is pointed at, from the environment: read where a connection is made.

A fenced process inherits the environment; so no password is ever in a request, a record or an argument.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from shadowagg.errors import UserError

__all__ = ["Lake", "PostgresServer", "TrinoServer"]


@dataclass(frozen=True, slots=True)
class TrinoServer:
    """`TRINO_HOST`, `TRINO_PORT`, `TRINO_USER`, `TRINO_PASSWORD`, `TRINO_JWT`, `TRINO_SCHEME`.

    Args:
        host: name or address.
        port: of its HTTP service.
        user: in whose name queries run.
        scheme: `http` or `https`; with a password or a token always `https`, unless it says otherwise.
        verify: path of a bundle of certificates; empty for the system's.
        password: for basic authentication; empty for none.
        jwt: a token; empty for none.
    """

    host: str
    port: int
    user: str = "shadowagg"
    scheme: str = "http"
    verify: str = ""
    password: str = field(default="", repr=False)
    jwt: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> TrinoServer:
        """The server that the environment names.

        Raises:
            UserError: if it names none.
        """
        host, port = environment.get("TRINO_HOST"), environment.get("TRINO_PORT", "8080")
        if not host or not port.isdigit():
            raise UserError(
                "no Trino server is named" if not host else f"TRINO_PORT is {port!r}",
                on="environment",
                hint="set TRINO_HOST and TRINO_PORT; `shadowagg-stack up` starts a server",
            )
        password, jwt = environment.get("TRINO_PASSWORD", ""), environment.get("TRINO_JWT", "")
        return cls(
            host=host,
            port=int(port),
            user=environment.get("TRINO_USER", "shadowagg"),
            scheme=environment.get("TRINO_SCHEME", "https" if password or jwt else "http"),
            verify=environment.get("TRINO_VERIFY", ""),
            password=password,
            jwt=jwt,
        )


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """`PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`: as libpq has them."""

    host: str
    port: int
    user: str
    database: str
    password: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> PostgresServer:
        """The server that the environment names.

        Raises:
            UserError: if it names none.
        """
        host, port = environment.get("PGHOST"), environment.get("PGPORT", "5432")
        if not host or not port.isdigit():
            raise UserError(
                "no PostgreSQL server is named" if not host else f"PGPORT is {port!r}",
                on="environment",
                hint="set PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE",
            )
        return cls(
            host=host,
            port=int(port),
            user=environment.get("PGUSER", "postgres"),
            database=environment.get("PGDATABASE", "postgres"),
            password=environment.get("PGPASSWORD", ""),
        )


@dataclass(frozen=True, slots=True)
class Lake:
    """The lake that Trino reads: `SHADOWAGG_LAKE_DIR` (a folder) is `SHADOWAGG_LAKE_URI` to Trino.

    Inputs that lie elsewhere are linked or copied below the folder for the run and removed again.
    """

    folder: str
    uri: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Lake:
        """The lake that the environment names.

        Raises:
            UserError: if it names none.
        """
        folder, uri = environment.get("SHADOWAGG_LAKE_DIR"), environment.get("SHADOWAGG_LAKE_URI")
        if not folder or not uri:
            raise UserError(
                "no lake is named",
                on="environment",
                hint="set SHADOWAGG_LAKE_DIR, and SHADOWAGG_LAKE_URI as Trino calls that folder",
            )
        return cls(folder.rstrip("/") or "/", uri.rstrip("/"))

    def address(self, path: str) -> str:
        """Trino's name for a path below the folder.

        >>> Lake("/lake", "local:").address("/lake/t/part.parquet")
        'local:///t/part.parquet'
        """
        inside = path.removeprefix(self.folder).lstrip("/")
        # `local:///` names a root by nothing but slashes.
        return f"{self.uri}/{inside}" if "://" in self.uri else f"{self.uri}///{inside}"

    def path(self, address: str) -> str | None:
        """The path below the folder that Trino means by an address; None for one outside of it.

        >>> Lake("/lake", "local:///b").path("local:///b/t/part.parquet")
        '/lake/t/part.parquet'
        """
        root = self.address("")
        return f"{self.folder}/{address[len(root) :]}" if address.startswith(root) else None

    def holds(self, path: str) -> bool:
        """Whether a path of this machine lies below the folder, links resolved."""
        inside = os.path.realpath(path)
        return inside.startswith(os.path.realpath(self.folder).rstrip("/") + "/")
